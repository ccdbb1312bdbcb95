#include "solver/driven_box.hpp"

#include <algorithm>
#include <cmath>

namespace underdamp {
namespace {

struct Extremes {
  double smallest_force;
  double largest_force;
  double hottest;  ///< T = D/γ
  double rise;     ///< of the periodic part of the potential, from its lowest to its highest point
};

/// As if the mean force, turned by `sense`, were positive.
Extremes extremes_of(const Model& model, int p, const Interval& circle, double sense) {
  constexpr int samples = 4000;
  const double length = circle.upper - circle.lower;
  double lowest = 0.0;
  double highest = 0.0;
  Extremes e{sense * model.mean_force(p), sense * model.mean_force(p), 0.0, 0.0};
  const double base = model.k() * model.loss(p, circle.lower);
  for (int s = 0; s < samples; ++s) {
    const double theta = circle.lower + length * s / samples;
    const double force = sense * model.force(p, theta);
    const double potential = model.k() * model.loss(p, theta) - base + model.mean_force(p) * (theta - circle.lower);
    if (!std::isfinite(potential) || !std::isfinite(force)) model.require_valid(p, theta);
    e.smallest_force = std::min(e.smallest_force, force);
    e.largest_force = std::max(e.largest_force, force);
    e.hottest = std::max(e.hottest, model.diffusion(p, theta) / model.gamma());
    lowest = std::min(lowest, potential);
    highest = std::max(highest, potential);
  }
  e.rise = highest - lowest;
  return e;
}

}  // namespace

Interval driven_velocities(const Model& model, int p, const Interval& circle, double deviations) {
  const double sense = model.mean_force(p) > 0.0 ? 1.0 : -1.0;
  const Extremes e = extremes_of(model, p, circle, sense);
  const double width = deviations * std::sqrt(e.hottest);
  const double running = std::abs(model.mean_force(p)) / model.gamma();
  // Neither force nor energy allows more: the one is what counts under strong friction, the other under weak.
  const double by_force = e.largest_force / model.gamma() + width;
  const double by_energy = std::sqrt((running + width) * (running + width) + 2.0 * e.rise);
  const double slowest = std::max(e.smallest_force / model.gamma(), 0.0);
  const Interval box{slowest - width, std::min(by_force, by_energy)};
  return sense > 0.0 ? box : Interval{-box.upper, -box.lower};
}

}  // namespace underdamp
