#pragma once
#include <algorithm>

#include "solver/spec/spec.hpp"

/// Parts of a plane that a box must hold.
namespace underdamp {

/// Everything that the run will meet stays inside ±`box_deviations` standard deviations, start included: the same share
/// of a Gaussian, 1.3e-12, lies beyond each wall.
inline constexpr double box_deviations = 7.0;
/// −ln of the density at a wall relative to its peak.
inline constexpr double exponent_at_wall = 0.5 * box_deviations * box_deviations;

struct Region {
  Interval theta;
  Interval velocity;
};

/// Grows an interval so that it holds another point or interval.
inline void include(Interval& interval, double x) {
  interval.lower = std::min(interval.lower, x);
  interval.upper = std::max(interval.upper, x);
}
inline void include(Interval& interval, const Interval& other) {
  include(interval, other.lower);
  include(interval, other.upper);
}

}  // namespace underdamp
