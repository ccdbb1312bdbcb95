#pragma once
#include "solver/coupled/phase_matrices.hpp"

/// The process of several parameters where force and noise are linear (docs/method.md, section 16).
///
///   Langevin   dz = A (z − z*) dt + noise,   A = [[0, 1], [−k H, −γ]],   noise covariance diag(0, 2 D) per time
///   SGD        z ← z* + M (z − z*) + noise,  v' = β v − H (θ − θ*) + ξ, θ' = θ + η v', ξ of covariance Σ/S
namespace underdamp {

class LinearProcess {
 public:
  /// dv = −stiffness (θ − θ*) dt − friction v dt + √(2 D) dW; stiffness = k H.
  static LinearProcess langevin(const ParameterMatrix& stiffness, double friction, const ParameterMatrix& diffusion,
                                const ParameterVector& minimum);
  /// v ← β v − H (θ − θ*) + ξ, θ ← θ + η v; time η per step.
  static LinearProcess sgd(const ParameterMatrix& hessian, double momentum, double learning_rate,
                           const ParameterMatrix& step_covariance, const ParameterVector& minimum);

  bool is_map() const { return is_map_; }
  int parameters() const { return static_cast<int>(center_.size() / 2); }
  /// Does everything relax? No eigenvalue of A has a real part ≥ 0, none of M a modulus ≥ 1.
  bool is_stable() const { return slowest_rate_ > 0.0; }
  double relaxation_time() const { return 1.0 / slowest_rate_; }
  double fastest_rate() const { return fastest_rate_; }  ///< largest |λ|

  /// Covariance that the process keeps. Needs is_stable().
  PhaseMatrix stationary_covariance() const;
  /// Mean and covariance at the end of a time, whole steps of the map, from those at its beginning: exact.
  PhaseMoments after(double time, const PhaseMoments& start) const;

  /// What carries deviations from the centre over a time.
  PhaseMatrix flow(double time) const;
  /// Noise of a time: ∫ flow(s) diag(0, 2D) flow(s)ᵀ ds, or its sum over the steps of the map.
  PhaseMatrix noise_of(double time) const;

 private:
  LinearProcess(bool is_map, double step, PhaseMatrix matrix, PhaseMatrix noise, const ParameterVector& minimum);

  bool is_map_;
  double step_;  ///< η of the map
  PhaseMatrix matrix_;
  PhaseMatrix noise_;
  PhaseVector center_;
  double slowest_rate_ = 0.0;
  double fastest_rate_ = 0.0;
};

/// 1/√((C⁻¹)_ii): how wide a Gaussian is along an axis where all other coordinates are held. What decides the error of
/// a grid. Zero of singular C.
PhaseVector conditional_deviations(const PhaseMatrix& covariance);

}  // namespace underdamp
