#pragma once
#include "solver/stationary/stationary_state.hpp"

/// What grid and box cost a stationary state (docs/method.md, section 10).
namespace underdamp {

/// Adds the errors of grid and box to a state that holds those of step and iteration, drops the lines of the spectrum
/// that say nothing, and decides whether it converged.
void estimate_errors(const StationaryProblem& problem, StationaryState& state);

/// Error on the grid whose spacing is 1, from the differences between grids k and k + 1 of the given spacings, fine to
/// coarse: with two differences the order that explains both is carried on, at least a half and at most `most_order`,
/// and the coarser one alone at half as much again as that; with one the first order is assumed.
double extrapolated_error(const std::vector<double>& differences, const std::vector<double>& spacing,
                          double most_order);

}  // namespace underdamp
