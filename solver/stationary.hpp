#pragma once
#include <functional>
#include <string>
#include <vector>

#include "kernels/backend.hpp"
#include "solver/model.hpp"
#include "solver/spectrum.hpp"
#include "solver/tables.hpp"

/// Stationary density and slow spectrum of one plane (docs/method.md, section 10).
namespace underdamp {

struct StationaryState {
  std::string method;  ///< "arnoldi", "direct" or "evolve"
  std::string reason;  ///< why this method
  bool converged = false;
  double residual = 0.0;        ///< ‖Φ_T p − p‖₁/T, or ‖L_h p‖₁ for `direct`
  double error_estimate = 0.0;  ///< L1, from the step (arnoldi, evolve) or from rounding (direct)
  double seconds = 0.0;
  long applications = 0;               ///< of Φ_T, or solves with the factored matrix
  std::vector<double> density;         ///< normalised, in the order of FieldView
  std::vector<SpectralLine> spectrum;  ///< slowest decay first, conjugate pairs together; 0 left out
  std::vector<Mode> modes;             ///< the same with eigenvectors
  std::vector<std::string> warnings;
};

/// Solves for plane `p` of the model on its own mesh and tables (of that plane alone). `poll` is called often enough
/// for a progress bar; what it throws ends the work. Not converged: the result says so, nothing is thrown. Throws Error
/// (bad_input) if the method cannot serve: `direct` for the SGD map, which has no generator.
StationaryState solve_stationary(Backend& backend, const Model& model, int p, const PhaseMesh& mesh,
                                 const Tables& tables, const StationarySpec& options,
                                 const std::function<void()>& poll);

/// The method that serves for a plane of that many cells, and why: the one asked for, or for `automatic` the first try.
StationaryMethod stationary_method(const StationarySpec& options, const FieldShape& plane, Dynamics dynamics,
                                   std::string& reason);

/// Density of the linearised process at the cell centres.
std::vector<double> linearised_density(const Model& model, int p, const PhaseMesh& mesh);
/// exp(−(v²/2 + k L_λ)/T) at the cell centres, normalised over the cells: stationary where the noise is constant.
std::vector<double> gibbs_density(const Model& model, int p, const PhasePlane& plane);
/// The linearised one times low polynomials: a start that holds all slow modes.
std::vector<double> arnoldi_start(const Model& model, int p, const PhaseMesh& mesh);

}  // namespace underdamp
