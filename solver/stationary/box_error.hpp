#pragma once
#include <vector>

#include "solver/stationary/stationary_problem.hpp"
#include "solver/stationary/stationary_state.hpp"

/// What walls cost a stationary state that the process does not have (docs/method.md, section 10).
namespace underdamp {

/// What walls cut off, to first order: twice what passes them while a disturbance relaxes.
void add_box_errors(const StationaryProblem& problem, StationaryState& state);

/// The same for an eigenvalue: of a process that is reversible but for v → −v, with p as the weight of its modes.
double box_error(const StationaryProblem& problem, const std::vector<double>& density, const Mode& mode);

}  // namespace underdamp
