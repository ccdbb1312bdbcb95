#pragma once
#include <optional>
#include <string>
#include <vector>

#include "solver/model/gaussian.hpp"
#include "solver/model/wells.hpp"
#include "solver/stationary/spectrum.hpp"
#include "solver/stationary/stationary_problem.hpp"

/// What is found of the stationary state of one plane, by any method (docs/method.md, section 10).
namespace underdamp {

struct StationaryState {
  std::string method;  ///< "arnoldi", "direct" or "evolve"
  std::string reason;  ///< why this method
  bool converged = false;
  double residual = 0.0;  ///< ‖Φ_T p − p‖₁/T, or ‖L_h p − λ₀ p‖₁ for `direct`
  /// Errors in L1, estimated: of the step and of the iteration; of the grid; of what the box cuts off.
  double error_estimate = 0.0;
  double space_error_estimate = 0.0;
  double box_error_estimate = 0.0;
  /// Errors of its moments from all of these.
  Vector2 mean_error{};
  Matrix2 covariance_error{};
  double seconds = 0.0;
  long applications = 0;        ///< of Φ_T, or solves with a factored matrix
  std::vector<double> density;  ///< in the order of FieldView; ∫ p = 1, the sum over the cells with theta_weights()
  std::vector<SpectralLine> spectrum;  ///< slowest decay first, conjugate pairs together; 0 left out
  std::vector<Mode> modes;             ///< the same with eigenvectors
  double leak = 0.0;                   ///< rate at which probability leaves, 1/time
  /// Wells behind barriers that matter, if there are several, and the probability of each.
  std::vector<Well> wells;
  std::vector<double> well_shares;
  /// Where the shares could not be determined: [well] the density to which each relaxes before it crosses a barrier.
  std::vector<std::vector<double>> quasi_stationary;
  std::vector<std::string> warnings;
  std::string failure;  ///< why it did not converge; empty if it did

  /// How it was found: what the same method needs on another grid.
  std::optional<PropagationPlan> plan;
  std::vector<double> frequencies;  ///< of complex shifts, 1/time

  double total_error() const { return error_estimate + space_error_estimate + box_error_estimate; }
};

/// What was found on another grid, resampled on this one: where to begin.
struct NearbyState {
  const StationaryState& state;
  std::vector<double> density;
  std::vector<Eigen::VectorXcd> modes;
};

}  // namespace underdamp
