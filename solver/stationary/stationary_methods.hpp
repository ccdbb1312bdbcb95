#pragma once
#include "solver/stationary/stationary_state.hpp"

namespace underdamp {

/// By one of the methods, without errors of grid and box. `nearby`: in the same way, with the same plan, from there.
StationaryState solve_by(StationaryMethod method, const StationaryProblem& problem,
                         const NearbyState* nearby = nullptr);

/// Is there a generator matrix of this plane, and room for its factors?
bool direct_fits(const StationaryProblem& problem);

}  // namespace underdamp
