#pragma once
#include <functional>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/displacement/correlation_flow.hpp"
#include "solver/model/model.hpp"
#include "solver/spec/spec.hpp"

namespace underdamp {

/// The answer to one problem, in its own units: x = (θ − θ*)/std θ, τ = ωt.
struct SolvedProblem {
  FlowResult flow;
  double velocity_square = 0.0;  ///< E y² of the stationary state; not a number where that is not known
  double potential = 0.0;        ///< E k (L_λ − L_λ*) of it
};

/// Displacements of all planes of `spec`, whose [displacement] says from where. On a GPU the planes advance together,
/// on the host one after the other. `until`: [plane] last time, in units of 1/ω. `steps`: of a map, those that are
/// asked for. Throws what Model and boxes throw; Error (numerical) if a stationary state does not converge.
std::vector<SolvedProblem> solve_problems(Backend& backend, const Spec& spec, const Model& model,
                                          const std::vector<double>& until, const std::vector<long>& steps,
                                          const std::function<void(double)>& poll);

/// The stationary density of plane p at its cell centres, not normalised: Gibbs's or the Gaussian of the map where they
/// are exact. Throws Error (numerical) if it has to be solved for and does not converge.
std::vector<double> stationary_density(Backend& backend, const Spec& spec, const Model& model, int p,
                                       const PhaseMesh& mesh, const std::function<void()>& poll);

}  // namespace underdamp
