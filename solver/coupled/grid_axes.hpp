#pragma once
#include "solver/coupled/coupled_model.hpp"

namespace underdamp {

/// Axes of a grid as linear combinations of parameters (docs/method.md, section 16): θ = θ0 + T y, v = T w. The form of
/// the equation stays: dy = w dt, friction γ, force T⁻¹ F(θ0 + T y), noise T⁻¹ D T⁻ᵀ.
struct GridAxes {
  ParameterMatrix matrix;   ///< T, its columns are the axes
  ParameterMatrix inverse;  ///< T⁻¹
  ParameterVector origin;   ///< θ0

  ParameterVector theta(const ParameterVector& y) const { return origin + matrix * y; }
  /// Moments of (θ, v) from those of (y, w), and back.
  PhaseMoments to_user(const PhaseMoments& grid) const;
  PhaseMoments to_grid(const PhaseMoments& user) const;
  bool is_given() const { return matrix.isIdentity(0.0) && origin.isZero(0.0); }
};

/// The parameters themselves: T = 1, θ0 = 0.
GridAxes given_axes(int parameters);
/// The columns of `matrix`, the origin at the minimum. Throws Error (bad_input) if they are not independent.
GridAxes axes_of(const ParameterMatrix& matrix, const ParameterVector& origin);
/// Those that make the stationary covariances of θ and of v of the linearised process diagonal, with Cov v = 1: where
/// the density is least narrow along an axis. The largest variance of θ first; what has no noise at all keeps a width.
GridAxes diagonal_axes(const CoupledModel& model);

}  // namespace underdamp
