#pragma once
#include "solver/stationary.hpp"

namespace underdamp {

/// Evolves the linearised stationary density until the distance still to go, the residual over the rate at which it
/// falls, is below the tolerance. Needs the memory of a run, gives no spectrum.
StationaryState solve_by_evolution(Backend& backend, const Model& model, int p, const PhaseMesh& mesh,
                                   const Tables& tables, const StationarySpec& options,
                                   const std::function<void()>& poll);

}  // namespace underdamp
