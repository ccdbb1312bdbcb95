#include "solver/model/tables.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "solver/io/diagnostics.hpp"

namespace underdamp {
namespace {

std::vector<double> part(const std::vector<double>& values, std::size_t parts, std::size_t p) {
  if (values.empty()) return {};
  const auto size = static_cast<std::ptrdiff_t>(values.size() / parts);
  const auto first = values.begin() + size * static_cast<std::ptrdiff_t>(p);
  return {first, first + size};
}

void require_resolved_velocity(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  const Axis& theta = mesh.plane(p).theta;
  double largest = 0.0;
  for (int i = 0; i < theta.cells; ++i)
    largest = std::max(largest, model.diffusion(p, theta.center(i)) / model.gamma());
  const Axis& velocity = mesh.plane(p).velocity;
  const double deviation = std::sqrt(largest);
  if (deviation >= velocity.width()) return;
  const double cells = std::ceil(4.0 * velocity.length() / deviation);
  const std::string smaller =
      spec.grid.velocity ? "a smaller grid.velocity" : "a start that is narrower or nearer to the minimum";
  refuse(
      spec, "grid.cells",
      fmt::format("the velocity grid is too coarse: in the box v [{:.4g}, {:.4g}] the standard deviation of v, {:.4g}, "
                  "is {:.3g} cells",
                  velocity.lower, velocity.upper, deviation, deviation / velocity.width()),
      cells <= most_cells ? fmt::format("use at least {:.0f} velocity cells, or {}", cells, smaller)
                          : "no grid resolves both: use " + smaller);
}

/// Forces at the cell centres. Where the loss has a kink the force at one point of the cell says nothing about what
/// becomes of the potential across it; its mean, the difference of the potential at the two faces, does. A jump of the
/// force would excite the shortest wave of the grid, which nothing damps: it is smoothed by a kernel that leaves cubics
/// as they are and takes that wave out.
struct CellForces {
  std::vector<double> force;  ///< −L'_λ(θ_i)
  double kinks = 0.0;         ///< cells where the force jumps
};

/// Smooths the cells next to the marked ones.
std::vector<double> without_jumps(const std::vector<double>& force, const std::vector<bool>& jumps) {
  std::vector<double> smooth = force;
  constexpr std::size_t reach = 2;
  for (std::size_t i = reach; i + reach < force.size(); ++i) {
    const auto first = jumps.begin() + static_cast<std::ptrdiff_t>(i - reach);
    if (std::find(first, first + 2 * reach + 1, true) == first + 2 * reach + 1) continue;
    smooth[i] = (10.0 * force[i] + 4.0 * (force[i - 1] + force[i + 1]) - force[i - 2] - force[i + 2]) / 16.0;
  }
  return smooth;
}

/// Is the middle of five values something else than its neighbours let expect? `least`: what rounding explains.
bool sticks_out(const double* middle, double least) {
  const double a = middle[-2], b = middle[-1], c = middle[1], d = middle[2];
  const double expected = (4.0 * (b + c) - a - d) / 6.0;
  constexpr double times = 4.0;
  return std::abs(*middle - expected) > times * std::max({std::abs(a), std::abs(b), std::abs(c), std::abs(d)}) + least;
}

CellForces cell_forces(const Model& model, int p, const Axis& axis) {
  CellForces result;
  std::vector<double> excess;  // of the mean force over that at the centre
  std::vector<double> rise;    // of the force from cell to cell
  double largest = 0.0;
  double highest = 0.0;
  double below = model.loss(p, axis.edge(0));
  for (int i = 0; i < axis.cells; ++i) {
    const double force = -model.gradient(p, axis.center(i));
    const double above = model.loss(p, axis.edge(i + 1));
    excess.push_back((below - above) / axis.width() - force);
    if (i > 0) rise.push_back(force - result.force.back());
    result.force.push_back(force);
    largest = std::max(largest, std::abs(force));
    highest = std::max(highest, std::abs(above));
    below = above;
  }
  const double rounding = 1e-6 * largest + 1e-12 * highest / axis.width();
  std::vector<bool> jumps(excess.size(), false);
  for (std::size_t i = 2; i + 2 < excess.size(); ++i) {
    if (!sticks_out(&excess[i], rounding)) continue;
    result.force[i] += excess[i];
    jumps[i] = true;
  }
  for (std::size_t i = 2; i + 2 < rise.size(); ++i) {
    if (sticks_out(&rise[i], rounding)) jumps[i] = jumps[i + 1] = true;
  }
  result.kinks = static_cast<double>(std::count(jumps.begin(), jumps.end(), true));
  result.force = without_jumps(result.force, jumps);
  return result;
}

Tables without_planes(const Model& model) {
  Tables t;
  t.dynamics = model.dynamics();
  t.learning_rate = model.learning_rate();
  t.momentum = model.momentum();
  return t;
}

void add_plane(const Model& model, int p, const Axis& axis, Tables& t) {
  const CellForces forces = cell_forces(model, p, axis);
  double rate = 0.5 * model.gamma();
  for (int i = 0; i < axis.cells; ++i) {
    const double theta = axis.center(i);
    const double gradient = -forces.force[static_cast<std::size_t>(i)];
    model.require_valid(p, theta);
    t.force.push_back(-model.k() * gradient);
    t.diffusion.push_back(model.diffusion(p, theta));
    t.loss.push_back(model.loss(p, theta));
    t.kick.push_back(-gradient);
    t.step_variance.push_back(model.step_variance(p, theta));
  }
  for (int i = 1; i < axis.cells; ++i) {
    const auto l = t.force.size() - static_cast<std::size_t>(i);
    rate = std::max(rate, std::sqrt(std::abs(t.force[l] - t.force[l - 1]) / axis.width()));
  }
  // The running state goes around once in 2π of it.
  if (model.is_driven(p))
    rate = std::max(rate, 2.0 * std::numbers::pi * std::abs(model.mean_force(p)) / (model.gamma() * axis.length()));
  const Derived derived = model.derived(p);
  t.friction.push_back(model.gamma());
  t.relaxation_time.push_back(derived.relaxation_time);
  t.minimum.push_back(model.plane(p).minimum);
  t.std_theta.push_back(derived.std_theta);
  t.std_v.push_back(derived.std_v);
  t.kinks.push_back(forces.kinks);
  t.rate.push_back(rate);
}

}  // namespace

VelocityLaw Tables::velocity_law(double duration) const {
  VelocityLaw law;
  const std::size_t rows = force.size() / friction.size();
  for (const double gamma : friction) law.contraction.push_back(std::exp(-gamma * duration));
  for (std::size_t l = 0; l < force.size(); ++l) {
    const double gamma = friction[l / rows];
    law.kick.push_back(force[l] * -std::expm1(-gamma * duration) / gamma);
    law.variance.push_back(diffusion[l] / gamma * -std::expm1(-2.0 * gamma * duration));
  }
  return law;
}

VelocityLaw Tables::sgd_law() const {
  return {std::vector<double>(friction.size(), momentum), kick, step_variance};
}

Tables Tables::only(int p) const {
  Tables t;
  t.dynamics = dynamics;
  t.learning_rate = learning_rate;
  t.momentum = momentum;
  for (const auto member :
       {&Tables::friction, &Tables::force, &Tables::diffusion, &Tables::loss, &Tables::relaxation_time, &Tables::rate,
        &Tables::minimum, &Tables::std_theta, &Tables::std_v, &Tables::kinks, &Tables::kick, &Tables::step_variance}) {
    t.*member = part(this->*member, friction.size(), static_cast<std::size_t>(p));
  }
  return t;
}

Tables tabulate(const Spec& spec, const Model& model, const PhaseMesh& mesh) {
  Tables t = without_planes(model);
  for (int p = 0; p < mesh.planes(); ++p) {
    add_plane(model, p, mesh.plane(p).theta, t);
    require_resolved_velocity(spec, model, mesh, p);
  }
  return t;
}

Tables tabulate_plane(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  Tables t = without_planes(model);
  add_plane(model, p, mesh.plane(p).theta, t);
  require_resolved_velocity(spec, model, mesh, p);
  return t;
}

Tables tabulate(const Model& model, int p, const PhasePlane& plane) {
  Tables t = without_planes(model);
  add_plane(model, p, plane.theta, t);
  return t;
}

}  // namespace underdamp
