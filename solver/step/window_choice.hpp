#pragma once
#include <array>

#include "solver/step/window.hpp"

/// What the choice of a window goes by: the error that its levels leave, and what they cost (docs/method.md,
/// section 5).
namespace underdamp {

/// c_K: a window of length H and K levels is wrong by c_K (ωH)^{2K+1}, measured on harmonic oscillators of rate ω with
/// densities as wide as the stationary one.
inline constexpr std::array<double, most_levels + 1> oscillator_error_constant{0.0,  0.0,    0.0,  1e-4,
                                                                               1e-6, 1.5e-8, 1e-10};

/// Work of a window in Strang steps: its sweeps, the norms and the combination.
constexpr double window_work(int levels) {
  return 0.5 * levels * (levels + 1) + 2.0;
}
/// The same with the step of the field of errors that the integrator carries along.
constexpr double window_work_with_errors(int levels) {
  return 0.5 * levels * (levels + 1) + 0.6 * levels + 2.0;
}

}  // namespace underdamp
