#pragma once
#include <vector>

#include "kernels/contract/block_velocity_law.hpp"
#include "meshes/phase_space.hpp"
#include "solver/coupled/grid_axes.hpp"

namespace underdamp {

/// The model on the cells of one problem, in the axes of its grid: all that sweeps need to know of it.
struct CoupledTables {
  Dynamics dynamics = Dynamics::langevin;
  int parameters = 0;
  double friction = 0.0;          ///< γ
  std::vector<double> force;      ///< [line · d + k] T⁻¹ F; of the map the kick −T⁻¹ ∇L_λ
  std::vector<double> diffusion;  ///< [line · d(d+1)/2 + entry] T⁻¹ D T⁻ᵀ; of the map Σ/S so transformed
  std::vector<double> loss;       ///< [line] L_λ
  double learning_rate = 0.0;     ///< η of the map
  double momentum = 0.0;          ///< β of the map
  double relaxation_time = 0.0;   ///< of the linearised process
  double rate = 0.0;              ///< its fastest

  /// V(τ) of the Langevin equation: e = e^{−γτ}, c = F (1 − e)/γ, S = (1 − e²) D/γ.
  BlockVelocityLaw velocity_law(double duration, bool keep_mass) const;
  /// One velocity update of SGD.
  BlockVelocityLaw sgd_law(bool keep_mass) const;
};

/// Evaluates loss and noise at all θ cell centres of a space of one problem. Throws SpecError naming θ where one is not
/// finite, or the noise not positive semi-definite.
CoupledTables tabulate(const CoupledModel& model, const GridAxes& axes, const PhaseSpace& space);

/// Centre of a θ cell, counted as in FieldShape, in the coordinates of the grid.
ParameterVector theta_center(const PhaseSpace& space, int problem, long cell);

}  // namespace underdamp
