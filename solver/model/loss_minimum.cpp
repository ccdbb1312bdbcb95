#include "solver/model/loss_minimum.hpp"

#include <algorithm>
#include <boost/math/tools/minima.hpp>
#include <cmath>
#include <limits>
#include <tuple>

#include <fmt/format.h>

#include "solver/io/diagnostics.hpp"

namespace underdamp {
namespace {

/// Lowest point of a function in a window.
struct Lowest {
  double theta = 0.0;
  double value = std::numeric_limits<double>::infinity();
  double highest = 0.0;  ///< largest |value| that was sampled
  bool at_end = false;   ///< of the window
  bool is_flat = true;   ///< the function has one value only
};

/// Looks at a grid of the window and refines by Brent's method; where the function is not a number it counts as high.
template <class F>
Lowest lowest(const F& f, const Interval& window) {
  constexpr int samples = 4000;
  const double step = (window.upper - window.lower) / samples;
  const auto value = [&](double x) {
    const double y = f(x);
    return std::isnan(y) ? std::numeric_limits<double>::infinity() : y;
  };
  Lowest result;
  int index = 0;
  double first = value(window.lower);
  for (int s = 0; s <= samples; ++s) {
    const double y = value(window.lower + s * step);
    if (std::isfinite(y)) result.highest = std::max(result.highest, std::abs(y));
    result.is_flat = result.is_flat && y == first;
    if (y >= result.value) continue;
    result.value = y;
    index = s;
  }
  result.at_end = index == 0 || index == samples;
  const double left = std::max(window.lower, window.lower + (index - 1) * step);
  const double right = std::min(window.upper, window.lower + (index + 1) * step);
  std::tie(result.theta, result.value) = boost::math::tools::brent_find_minima(value, left, right, 50);
  return result;
}

/// The lowest point of a window that is lower than what is next to it on both sides; absent if there is none.
template <class F>
std::optional<double> lowest_inside(const F& f, const Interval& window) {
  constexpr int samples = 4000;
  const double step = (window.upper - window.lower) / samples;
  std::optional<double> bottom;
  double least = std::numeric_limits<double>::infinity();
  double before = f(window.lower);
  double here = f(window.lower + step);
  for (int s = 1; s < samples; ++s) {
    const double after = f(window.lower + (s + 1) * step);
    if (here < before && here <= after && here < least) {
      least = here;
      bottom = window.lower + s * step;
    }
    before = here;
    here = after;
  }
  if (bottom) bottom = boost::math::tools::brent_find_minima(f, *bottom - step, *bottom + step, 50).first;
  return bottom;
}

/// Where the well around a minimum ends in one direction: where the height over the temperature is 40, at a wall, or
/// at the top of a barrier of 1 or more beyond which it falls by a half again. Absent if it ends at an open wall that
/// is the minimum itself, or nowhere.
std::optional<double> well_end(const std::function<double(double)>& height, double minimum, double direction,
                               const std::optional<Interval>& limits, ThetaBoundary wall) {
  constexpr double gone = 40.0;
  constexpr double barrier = 1.0;
  // Outwards in ever longer steps to where it has risen by some hundredths, then in even ones.
  double step = 1e-60;
  while (step < 1e60 && std::abs(height(minimum + direction * step)) < 0.02 &&
         !(limits && (minimum + direction * step >= limits->upper || minimum + direction * step <= limits->lower)))
    step *= 2.0;
  double highest = 0.0;
  double top = minimum;
  constexpr int most_steps = 200'000;
  double theta = minimum;
  for (int s = 0; s < most_steps; ++s, step *= 1.001) {
    theta += direction * step;
    if (limits && (theta >= limits->upper || theta <= limits->lower)) {
      const double end = direction > 0.0 ? limits->upper : limits->lower;
      const bool is_at_wall = std::abs(end - minimum) < 1e-6 * (limits->upper - limits->lower);
      return is_at_wall && wall == ThetaBoundary::open ? std::nullopt : std::optional(end);
    }
    const double h = height(theta);
    if (std::isnan(h)) return std::nullopt;
    if (h >= gone) return theta;
    if (h > highest) {
      highest = h;
      top = theta;
    }
    if (highest >= barrier && h < highest - 0.5) return top;
    if (!std::isfinite(theta)) return std::nullopt;
  }
  return std::nullopt;
}

/// The lowest of the local minima, less the mean slope around the circle; where the slope leaves none, the minimum of
/// the periodic part.
LossMinimum minimum_on_circle(const Spec& spec, const Function& function, double weight_decay) {
  const Interval circle = *spec.grid.theta;
  const double length = circle.upper - circle.lower;
  const auto loss = [&](double theta) { return function.value(theta) + 0.5 * weight_decay * theta * theta; };
  const double gain = loss(circle.upper) - loss(circle.lower);
  const auto on_circle = [&](double theta) {
    const double turns = std::floor((theta - circle.lower) / length);
    return loss(theta - turns * length) + turns * gain;
  };
  const auto periodic_part = [&](double theta) { return on_circle(theta) - gain * (theta - circle.lower) / length; };
  const Lowest found = lowest(periodic_part, circle);
  if (!std::isfinite(found.value) || !std::isfinite(gain)) {
    refuse(spec, spec.loss_key(), fmt::format("{} is not finite at x = {:.6g}", function.describe(), found.theta),
           "change the loss, or restrict grid.theta to where it is defined");
  }
  LossMinimum result{found.is_flat ? 0.5 * (circle.lower + circle.upper) : found.theta, 0.0};
  constexpr double rounding = 1e-11;
  if (!(std::abs(gain) > rounding * found.highest)) return result;
  result.tilt = gain / length;
  constexpr int samples = 4000;
  const double step = length / samples;
  double least = std::numeric_limits<double>::infinity();
  for (int s = 0; s < samples; ++s) {
    const double theta = circle.lower + s * step;
    const bool is_minimum = on_circle(theta) < on_circle(theta - step) && on_circle(theta) <= on_circle(theta + step);
    if (!is_minimum || !(periodic_part(theta) < least)) continue;
    least = periodic_part(theta);
    result.theta = boost::math::tools::brent_find_minima(on_circle, theta - step, theta + step, 50).first;
  }
  return result;
}

}  // namespace

LossMinimum find_minimum(const Spec& spec, const Function& function, double weight_decay) {
  if (spec.loss.kind == LossKind::quadratic && spec.loss.hessian + weight_decay > 0.0) {
    return {spec.loss.hessian * spec.loss.minimum / (spec.loss.hessian + weight_decay), 0.0};
  }
  if (spec.grid.walls.is_periodic() && spec.grid.theta) return minimum_on_circle(spec, function, weight_decay);
  const auto loss = [&](double theta) { return function.value(theta) + 0.5 * weight_decay * theta * theta; };
  const bool may_grow = !function.domain() && !spec.grid.theta;
  constexpr int most_doublings = 30;
  Interval window = function.domain().value_or(spec.search_window());
  if (spec.grid.theta) {
    window = {std::max(window.lower, spec.grid.theta->lower), std::min(window.upper, spec.grid.theta->upper)};
    if (!(window.upper > window.lower)) window = *spec.grid.theta;  // the box is refused later, with the table's name
  }
  Lowest found = lowest(loss, window);
  for (int doubling = 0; may_grow && found.at_end && doubling < most_doublings; ++doubling) {
    const double middle = 0.5 * (window.lower + window.upper);
    window = {middle - 2.0 * (middle - window.lower), middle + 2.0 * (window.upper - middle)};
    found = lowest(loss, window);
  }
  const auto reject = [&](const std::string& problem, const std::string& remedy) {
    refuse(spec, spec.loss_key(), function.describe() + " " + problem, remedy);
  };
  if (!std::isfinite(found.value)) {
    reject(found.is_flat ? fmt::format("is not finite anywhere between {:.6g} and {:.6g}", window.lower, window.upper)
                         : fmt::format("is not finite at x = {:.6g}", found.theta),
           "change the loss, or restrict grid.theta to where it is defined");
  }
  if (found.is_flat && !spec.grid.walls.closed()) {
    reject("is the same everywhere: nothing holds the parameter",
           "use a loss with a minimum, or closed walls (grid.theta_boundary)");
  }
  if (found.is_flat) found.theta = 0.5 * (window.lower + window.upper);
  if (spec.grid.theta && found.at_end) {
    // Beyond an open wall it falls on: what is held is held further in.
    const double middle = 0.5 * (window.lower + window.upper);
    const ThetaBoundary wall = found.theta < middle ? spec.grid.walls.lower : spec.grid.walls.upper;
    if (wall == ThetaBoundary::open) found.theta = lowest_inside(loss, window).value_or(found.theta);
  }
  if ((may_grow && found.at_end) || found.value < -1e3 * found.highest) {
    reject(fmt::format("has no minimum: it falls without bound towards x = {:.3g}", found.theta),
           "use a loss that grows on both sides, or give grid.theta");
  }
  return {found.theta, 0.0};
}

std::optional<WellMoments> well_moments(const std::function<double(double)>& height, double minimum,
                                        const std::optional<Interval>& limits, const ThetaWalls& walls) {
  const auto upper = well_end(height, minimum, 1.0, limits, walls.upper);
  const auto lower = well_end(height, minimum, -1.0, limits, walls.lower);
  if (!lower || !upper || !(*upper > *lower)) return std::nullopt;
  constexpr int samples = 4000;
  WellMoments moments;
  for (int s = 0; s < samples; ++s) {
    const double theta = *lower + (*upper - *lower) * (s + 0.5) / samples;
    const double density = std::exp(-height(theta));
    moments.weight += density;
    moments.square += density * (theta - minimum) * (theta - minimum);
  }
  return moments;
}

}  // namespace underdamp
