#include "solver/tables.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "solver/diagnostics.hpp"

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

Tables without_planes(const Model& model) {
  Tables t;
  t.dynamics = model.dynamics();
  t.learning_rate = model.learning_rate();
  t.momentum = model.momentum();
  return t;
}

void add_plane(Tables& t, const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  const Axis& axis = mesh.plane(p).theta;
  double rate = 0.5 * model.gamma();
  for (int i = 0; i < axis.cells; ++i) {
    const double theta = axis.center(i);
    model.require_valid(p, theta);
    t.force.push_back(model.force(p, theta));
    t.diffusion.push_back(model.diffusion(p, theta));
    t.loss.push_back(model.loss(p, theta));
    t.kick.push_back(-model.gradient(p, theta));
    t.step_variance.push_back(model.step_variance(p, theta));
  }
  for (int i = 1; i < axis.cells; ++i) {
    const auto l = t.force.size() - static_cast<std::size_t>(i);
    rate = std::max(rate, std::sqrt(std::abs(t.force[l] - t.force[l - 1]) / axis.width()));
  }
  require_resolved_velocity(spec, model, mesh, p);
  t.friction.push_back(model.gamma());
  const Derived derived = model.derived(p);
  t.relaxation_time.push_back(derived.relaxation_time);
  t.minimum.push_back(model.plane(p).minimum);
  t.std_theta.push_back(derived.std_theta);
  t.std_v.push_back(derived.std_v);
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
        &Tables::minimum, &Tables::std_theta, &Tables::std_v, &Tables::kick, &Tables::step_variance}) {
    t.*member = part(this->*member, friction.size(), static_cast<std::size_t>(p));
  }
  return t;
}

Tables tabulate(const Spec& spec, const Model& model, const PhaseMesh& mesh) {
  Tables t = without_planes(model);
  for (int p = 0; p < mesh.planes(); ++p) add_plane(t, spec, model, mesh, p);
  return t;
}

Tables tabulate_plane(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  Tables t = without_planes(model);
  add_plane(t, spec, model, mesh, p);
  return t;
}

}  // namespace underdamp
