#include "solver/model/scaled_plane.hpp"

#include <algorithm>
#include <cmath>

namespace underdamp {
namespace {

void scale(std::vector<double>& values, double factor) {
  for (double& value : values) value *= factor;
}

Axis shifted(const Axis& axis, double origin, double unit) {
  return {(axis.lower - origin) / unit, (axis.upper - origin) / unit, axis.cells};
}

/// Central differences of fourth order; constant beyond the ends.
std::vector<double> differences(const std::vector<double>& values, double width) {
  const auto last = static_cast<std::ptrdiff_t>(values.size()) - 1;
  const auto at = [&](std::ptrdiff_t i) {
    return values[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(i, 0, last))];
  };
  std::vector<double> result;
  for (std::ptrdiff_t i = 0; i <= last; ++i)
    result.push_back((8.0 * (at(i + 1) - at(i - 1)) - (at(i + 2) - at(i - 2))) / (12.0 * width));
  return result;
}

void append(std::vector<double>& to, const std::vector<double>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

ScaledPlane scaled_plane(const Model& model, int p, const PhasePlane& box) {
  ScaledPlane s;
  s.plane = box;
  Tables& t = s.tables;
  t.dynamics = model.dynamics();
  t.learning_rate = model.learning_rate();
  t.momentum = model.momentum();
  const Derived derived = model.derived(p);
  const double minimum = model.plane(p).minimum;
  const double lowest = model.loss(p, minimum);
  double rate = 0.5 * model.gamma();
  for (int i = 0; i < box.theta.cells; ++i) {
    const double theta = box.theta.center(i);
    model.require_valid(p, theta);
    t.force.push_back(model.force(p, theta));
    t.diffusion.push_back(model.diffusion(p, theta));
    t.loss.push_back(model.k() * (model.loss(p, theta) - lowest));
    t.kick.push_back(-model.gradient(p, theta));
    t.step_variance.push_back(model.step_variance(p, theta));
    s.slope.push_back(-model.k() * model.curvature(p, theta));
    rate = std::max(rate, std::sqrt(std::abs(s.slope.back())));
  }
  s.bend = differences(s.slope, box.theta.width());
  s.gust = differences(t.diffusion, box.theta.width());
  t.friction = {model.gamma()};
  t.relaxation_time = {derived.relaxation_time};
  t.rate = {rate};
  t.minimum = {0.0};
  t.std_theta = {derived.std_theta};
  t.std_v = {derived.std_v};
  s.plane.theta = shifted(s.plane.theta, minimum, 1.0);
  return in_units(s, derived.std_theta, 1.0 / derived.omega);
}

ScaledPlane in_units(const ScaledPlane& from, double length, double time) {
  ScaledPlane s = from;
  const double velocity = length / time;
  s.plane.theta = shifted(s.plane.theta, 0.0, length);
  s.plane.velocity = shifted(s.plane.velocity, 0.0, velocity);
  Tables& t = s.tables;
  t.learning_rate /= time;
  scale(t.friction, time);
  scale(t.force, time / velocity);
  scale(t.diffusion, time / (velocity * velocity));
  scale(t.loss, 1.0 / (velocity * velocity));
  scale(t.kick, 1.0 / velocity);
  scale(t.step_variance, 1.0 / (velocity * velocity));
  scale(t.relaxation_time, 1.0 / time);
  scale(t.rate, time);
  scale(t.minimum, 1.0 / length);
  scale(t.std_theta, 1.0 / length);
  scale(t.std_v, 1.0 / velocity);
  scale(s.slope, time * time);
  scale(s.bend, time * time * length);
  scale(s.gust, time * length / (velocity * velocity));
  return s;
}

PhaseMesh stacked_mesh(const std::vector<ScaledPlane>& planes) {
  std::vector<PhasePlane> boxes;
  for (const ScaledPlane& s : planes) boxes.push_back(s.plane);
  return PhaseMesh(std::move(boxes));
}

Tables stacked_tables(const std::vector<ScaledPlane>& planes) {
  Tables all = planes.front().tables;
  for (std::size_t p = 1; p < planes.size(); ++p) {
    const Tables& t = planes[p].tables;
    append(all.friction, t.friction);
    append(all.force, t.force);
    append(all.diffusion, t.diffusion);
    append(all.loss, t.loss);
    append(all.kick, t.kick);
    append(all.step_variance, t.step_variance);
    append(all.relaxation_time, t.relaxation_time);
    append(all.rate, t.rate);
    append(all.minimum, t.minimum);
    append(all.std_theta, t.std_theta);
    append(all.std_v, t.std_v);
  }
  return all;
}

}  // namespace underdamp
