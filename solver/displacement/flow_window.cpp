#include "solver/displacement/flow_window.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "solver/step/window_choice.hpp"

namespace underdamp {
namespace {

/// Fastest rate within the standard deviations where the density is.
double rate_of_density(const ScaledPlane& plane) {
  constexpr double typical = 4.0;
  double rate = 0.5 * plane.tables.friction[0];
  for (std::size_t i = 0; i < plane.slope.size(); ++i) {
    const double x = plane.plane.theta.center(static_cast<int>(i)) / plane.tables.std_theta[0];
    if (std::abs(x) < typical) rate = std::max(rate, std::sqrt(std::abs(plane.slope[i])));
  }
  return rate;
}

}  // namespace

double longest_flow_window(const ScaledPlane& plane, double longest_angle) {
  return std::min(1.0 / plane.tables.friction[0], longest_angle / rate_of_density(plane));
}

WindowChoice choose_window(const ScaledPlane& plane, double tolerance, double longest_angle) {
  const double rate = rate_of_density(plane);
  const double longest = longest_flow_window(plane, longest_angle);
  WindowChoice best{longest, most_levels};
  double least_cost = std::numeric_limits<double>::infinity();
  for (int k = fewest_levels; k <= most_levels; ++k) {
    const double error_at_rate = oscillator_error_constant[static_cast<std::size_t>(k)] * marching_time(plane) * rate;
    const double length = std::min(longest, std::pow(tolerance / error_at_rate, 0.5 / k) / rate);
    const double cost = window_work(k) / length;
    if (cost >= least_cost) continue;
    least_cost = cost;
    best = {length, k};
  }
  return best;
}

double marching_time(const ScaledPlane& plane) {
  constexpr double windows = 200.0;  // of strong friction, which bounds them by 1/γ
  return std::min(plane.tables.relaxation_time[0], windows / plane.tables.friction[0]);
}

}  // namespace underdamp
