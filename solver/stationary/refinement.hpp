#pragma once
#include <functional>

#include "solver/stationary/stationary_state.hpp"
#include "solver/stationary/vector_space.hpp"

/// From the generator matrix to the accuracy of the propagator (docs/method.md, section 10).
namespace underdamp {

/// Corrects what the generator matrix L_h has given by the propagator Φ_H of one window, whose grid error is smaller.
class Refinement {
 public:
  using Vector = Eigen::VectorXd;
  /// L_h⁻¹ on perturbations, whose integral is 0.
  using Inverse = std::function<Vector(const Vector&)>;

  /// `plan`: windows to begin with; they are made shorter until their error is within the tolerance.
  Refinement(const StationaryProblem& problem, Inverse inverse, const std::optional<PropagationPlan>& plan);

  /// Solves (Φ_H − 1) p = 0 from a density near p. False, and nothing has happened, if that did not converge.
  bool refine(Vector& density);
  /// Of a density so found, in L1: what the step does in one window, summed up over all of them.
  double step_error() const { return step_error_; }
  double residual() const { return residual_; }
  const PropagationPlan& plan() const { return plan_; }
  long applications() const { return applications_; }

  /// Eigenvalue and error of its step from ⟨ψ, Φ_H φ⟩/⟨ψ, φ⟩, ψ(θ, v) = φ(θ, −v)/p: correct to second order in what is
  /// wrong with φ, for a process that obeys detailed balance but for v → −v.
  void refine(const Vector& gibbs, SpectralLine& line, const Eigen::VectorXcd& vector);

 private:
  void choose_windows(const Vector& density);
  double spread(const Vector& defect);
  Vector change(const Vector& vector);
  Vector preconditioned(const Vector& right);

  const StationaryProblem& problem_;
  Inverse inverse_;
  VectorSpace space_;
  PropagationPlan plan_;
  std::unique_ptr<Propagator> propagator_;
  Vector shape_;             ///< the density before it is refined
  std::vector<Well> wells_;  ///< those whose shares are known
  double step_error_ = 0.0;
  double residual_ = 0.0;
  long applications_ = 0;
};

}  // namespace underdamp
