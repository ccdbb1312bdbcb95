#pragma once
#include "solver/model/scaled_plane.hpp"

/// Windows in which densities of a displacement are followed (docs/method.md, section 15).
namespace underdamp {

/// Length of the windows of a propagator and their number of levels: the least work for an error of `tolerance` per
/// relaxation time. No longer than `longest_angle` over the fastest rate where the density is, for what is read off at
/// their ends is interpolated between.
struct WindowChoice {
  double length;
  int levels;
};
WindowChoice choose_window(const ScaledPlane& plane, double tolerance, double longest_angle);

/// The longest of them: where a line contracts by e, or a mode turns by `longest_angle`.
double longest_flow_window(const ScaledPlane& plane, double longest_angle);

/// Time over which errors of windows add up: the relaxation time, unless the generator takes over before.
double marching_time(const ScaledPlane& plane);

}  // namespace underdamp
