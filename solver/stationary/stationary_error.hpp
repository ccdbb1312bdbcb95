#pragma once
#include "solver/stationary/stationary_state.hpp"

/// What grid and box cost a stationary state (docs/method.md, section 10).
namespace underdamp {

/// Adds the errors of grid and box to a state that holds those of step and iteration, drops the lines of the spectrum
/// that say nothing, and decides whether it converged.
void estimate_errors(const StationaryProblem& problem, StationaryState& state);

}  // namespace underdamp
