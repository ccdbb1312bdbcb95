#include "validation/gibbs_answers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace underdamp {
namespace {

constexpr int panels_of_box = 10'000;

/// Gauss's formula with three points in each of the panels.
struct Node {
  double theta;
  double weight;
  double potential;
  bool is_inside;
};

class Quadrature {
 public:
  Quadrature(const Model& model, int p, const PhaseMesh& mesh) : model_(model), p_(p) {
    const Axis& theta = mesh.plane(0).theta;
    add({theta.lower, theta.upper}, true);
    constexpr double boxes = 10.0;
    const double reach = boxes * theta.length();
    const auto domain = model.domain(p).value_or(Interval{theta.lower - reach, theta.upper + reach});
    if (mesh.walls().lower == ThetaBoundary::open)
      add({theta.lower, std::max(domain.lower, theta.lower - reach)}, false);
    if (mesh.walls().upper == ThetaBoundary::open)
      add({theta.upper, std::min(domain.upper, theta.upper + reach)}, false);
  }

  const std::vector<Node>& nodes() const { return nodes_; }

 private:
  /// From one end to the other, downwards too, up to where the loss is not finite.
  void add(const Interval& way, bool is_inside) {
    const double panel = (way.upper - way.lower) / panels_of_box;
    if (panel == 0.0 || (!is_inside && !std::isfinite(way.upper))) return;
    static const double distance = std::sqrt(0.6);
    for (int s = 0; s < panels_of_box; ++s) {
      for (const auto& [place, share] : {std::pair{-distance, 5.0}, {0.0, 8.0}, {distance, 5.0}}) {
        const double theta = way.lower + panel * (s + 0.5 + 0.5 * place);
        const double potential = model_.k() * model_.loss(p_, theta);
        if (!std::isfinite(potential)) return;
        nodes_.push_back({theta, std::abs(panel) * share / 18.0, potential, is_inside});
      }
    }
  }

  const Model& model_;
  int p_;
  std::vector<Node> nodes_;
};

}  // namespace

GibbsState gibbs_state(const Model& model, int p, const PhaseMesh& mesh) {
  const Quadrature quadrature(model, p, mesh);
  GibbsState state;
  state.temperature = model.derived(p).temperature;
  state.lowest = std::numeric_limits<double>::infinity();
  for (const Node& node : quadrature.nodes()) state.lowest = std::min(state.lowest, node.potential);
  const double middle = 0.5 * (mesh.plane(0).theta.lower + mesh.plane(0).theta.upper);
  double outside = 0.0;
  double first = 0.0;
  double second = 0.0;
  for (const Node& node : quadrature.nodes()) {
    const double share = node.weight * std::exp(-(node.potential - state.lowest) / state.temperature);
    const double offset = node.theta - middle;
    state.weight += share;
    if (!node.is_inside) outside += share;
    first += share * offset;
    second += share * offset * offset;
  }
  state.beyond = outside / state.weight;
  state.mean = middle + first / state.weight;
  state.variance = second / state.weight - (first / state.weight) * (first / state.weight);
  return state;
}

std::vector<double> density_of(const GibbsState& state, const Model& model, int p, const PhasePlane& plane) {
  const double t = state.temperature;
  std::vector<double> values;
  for (int i = 0; i < plane.theta.cells; ++i) {
    const double height = model.k() * model.loss(p, plane.theta.center(i)) - state.lowest;
    const double row = std::exp(-height / t) / (state.weight * std::sqrt(2.0 * std::numbers::pi * t));
    for (int j = 0; j < plane.velocity.cells; ++j) {
      const double v = plane.velocity.center(j);
      values.push_back(row * std::exp(-0.5 * v * v / t));
    }
  }
  return values;
}

}  // namespace underdamp
