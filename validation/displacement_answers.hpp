#pragma once
#include <vector>

#include "solver/displacement/displacement.hpp"
#include "validation/exact_answers.hpp"

/// Closed forms of displacements and autocorrelations (docs/method.md, section 15).
namespace underdamp {

/// How a linear process begins: stationary, at rest in the minimum, or from a Gaussian.
struct LinearStart {
  DisplacementStart kind = DisplacementStart::stationary;
  GaussianState gaussian;  ///< for `initial`
};

/// θ(t) − θ* = R (θ(0) − θ*) + X v(0) + noise. Accurate to about 1e-12 at any time and damping: where the closed form
/// would cancel, the integral of its derivative is taken.
DisplacementValue exact_displacement(const LinearLangevin& process, const LinearStart& start, double time);

/// The same for the map after whole steps; the exponent is the slope between the neighbouring steps.
DisplacementValue exact_displacement(const LinearSgd& map, const LinearStart& start, long steps);

/// Stationary E (u_n − u_0)² of minibatch SGD with replacement along a mode of curvature h whose E u² is known: the
/// noise has mean 0 whatever the distance, so that E u_n given the start is that of the map.
double minibatch_displacement(double curvature, double learning_rate, double momentum, double variance, long steps);

/// The closed form of a mode of a spec, and the sum over all modes.
DisplacementValue exact_mode(const Displacement& displacement, int l, double time);
DisplacementValue exact_total(const Displacement& displacement, double time);

}  // namespace underdamp
