#pragma once
#include <functional>
#include <vector>

#include <Eigen/Core>

#include "kernels/contract/backend.hpp"
#include "solver/model/model.hpp"
#include "solver/model/tables.hpp"
#include "solver/model/wells.hpp"

namespace underdamp {

/// What is solved: a plane of a model on a grid of its own.
struct StationaryProblem {
  Backend& backend;
  const Model& model;
  int p;           ///< plane of the model
  PhaseMesh mesh;  ///< of that plane alone, as are the tables
  Tables tables;
  StationarySpec options;
  /// Called often enough for a progress bar; what it throws ends the work.
  std::function<void()> poll;

  const PhasePlane& plane() const { return mesh.plane(0); }
  double relaxation_time() const { return tables.relaxation_time[0]; }
  bool is_map() const { return tables.dynamics == Dynamics::sgd; }
  /// Is exp(−(v²/2 + k L_λ)/T) stationary? Constant noise, nothing drives, what leaves does not matter.
  bool is_gibbs() const;
  /// Wells behind barriers so high that what crosses them is slow against everything else; at least one.
  std::vector<Well> wells() const;
  /// So many of the slowest modes only change the shares of the wells, which are known beforehand.
  int known_crossings() const;
  /// The same plane in the same box, on another number of cells.
  StationaryProblem on_cells(int theta, int velocity) const;
};

/// How Φ_T is put together: equal windows, each extrapolated from `levels` levels.
struct PropagationPlan {
  double length = 0.0;
  int windows = 1;
  int levels = 5;
};

/// Density of the linearised process at the cell centres; on a circle folded onto it.
std::vector<double> linearised_density(const Model& model, int p, const PhaseMesh& mesh);
/// exp(−(v²/2 + k L_λ)/T) of plane p of a model at the cell centres, normalised by the sum over the cells with
/// theta_weights(): stationary where the noise is constant. `mesh`: of that plane alone, or of all.
std::vector<double> gibbs_density(const Model& model, int p, const PhaseMesh& mesh);
/// exp(−Φ − v²/2T(θ))/T^{3/2}, Φ = ∫ k dL_λ/T: the same for noise that depends on θ, stationary under strong friction.
std::vector<double> quasi_gibbs_density(const Model& model, int p, const PhaseMesh& mesh);

/// What a solver begins with: the one of these that comes nearest to the stationary density.
std::vector<double> nearest_density(const StationaryProblem& problem);
/// The same in one well, 0 outside.
std::vector<double> nearest_density(const StationaryProblem& problem, const Well& well);
/// A density and something of each mode.
std::vector<double> with_modes(std::vector<double> density, const std::vector<Eigen::VectorXcd>& modes);
/// A density times low polynomials: a start that holds all slow modes.
std::vector<double> with_slow_modes(const StationaryProblem& problem, std::vector<double> density);

}  // namespace underdamp
