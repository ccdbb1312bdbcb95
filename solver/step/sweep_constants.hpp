#pragma once
#include "kernels/contract/sweep_accuracy.hpp"

/// What one sweep leaves of a density: the constants of its remaps and kernels (docs/method.md, eqs. 10-18, 29a, 29b).
/// Lengths are in cells.
namespace underdamp {

/// Mean of C(a) of (10) over all shifts: a shift by the fraction a leaves −C Δ¹²p.
inline constexpr double over_all_fractions = 3.534e-5;

/// Mean of C over shifts that are normally distributed.
double mean_remap_constant(double mean_shift, double deviation);

// The kernels of kernels/tables/gaussian_weights.hpp, by their variance.
inline constexpr double sampled_variance = sampled_from * sampled_from;
inline constexpr double cascade_variance = cascade_from * cascade_from;
inline constexpr double restricted_variance = restrict_from * restrict_from;
inline constexpr double fine_level_variance = fine_level_deviation * fine_level_deviation;

/// What all that a convolution consists of leaves of ∂⁸ on data that end up `width` cells wide: one kernel, two of a
/// cascade (18), or one on a grid restricted until it fits, whose half-band filters leave 2·24310 (k/2)¹⁸ on the last
/// but one grid. A `deposit` has no cascade.
double kernel_constant(double variance, double width, bool deposit);

}  // namespace underdamp
