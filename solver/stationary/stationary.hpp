#pragma once
#include <string>

#include "solver/stationary/stationary_state.hpp"

/// Stationary density and slow spectrum of one plane (docs/method.md, section 10).
namespace underdamp {

/// Solves and estimates every error. Not converged: the result says so and why, nothing is thrown. Throws Error
/// (bad_input) if the method cannot serve: `direct` for the SGD map, which has no generator.
StationaryState solve_stationary(const StationaryProblem& problem);

/// The method that serves for a plane of that many cells, and why: the one asked for, or for `automatic` the first try.
StationaryMethod stationary_method(const StationaryProblem& problem, std::string& reason);

}  // namespace underdamp
