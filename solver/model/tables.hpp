#pragma once
#include <vector>

#include "kernels/contract/velocity_law.hpp"
#include "meshes/phase_mesh.hpp"
#include "solver/model/model.hpp"
#include "solver/spec/spec.hpp"

namespace underdamp {

/// The model on the cells of a mesh: all that sweeps need to know of it.
struct Tables {
  Dynamics dynamics = Dynamics::langevin;
  std::vector<double> friction;  ///< [plane] γ
  std::vector<double> force;     ///< [line] −k L'_λ(θ_i), velocity/time; where L_λ has a kink its mean in the cell
  std::vector<double> diffusion;        ///< [line] D(θ_i), velocity²/time
  std::vector<double> loss;             ///< [line] L_λ(θ_i)
  std::vector<double> relaxation_time;  ///< [plane]
  std::vector<double> rate;             ///< [plane] fastest rate max(√(k |L''|), γ/2) in the box
  std::vector<double> minimum;          ///< [plane] θ*
  std::vector<double> std_theta;        ///< [plane] of the stationary Gaussian
  std::vector<double> std_v;
  std::vector<double> kinks;  ///< [plane] cells where the force jumps
  // The SGD map v ← β v + kick + noise, θ ← θ + η v.
  double learning_rate = 0.0;
  double momentum = 0.0;
  std::vector<double> kick;           ///< [line] −L'_λ(θ_i), treated as the force is
  std::vector<double> step_variance;  ///< [line] Σ(θ_i)/S

  /// V(τ) of the Langevin equation.
  VelocityLaw velocity_law(double duration) const;
  /// One velocity update of SGD.
  VelocityLaw sgd_law() const;
  /// Those of plane p alone.
  Tables only(int p) const;
};

/// Evaluates loss and noise at all θ cell centres. Throws Error (bad_input) naming x where one is not finite or the
/// noise is negative, and if the velocity cells are wider than the standard deviation of v.
Tables tabulate(const Spec& spec, const Model& model, const PhaseMesh& mesh);
/// The same of plane p alone.
Tables tabulate_plane(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p);
/// The same on any grid of that plane, without a look at its cells.
Tables tabulate(const Model& model, int p, const PhasePlane& plane);

}  // namespace underdamp
