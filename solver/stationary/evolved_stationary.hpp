#pragma once
#include "solver/stationary/stationary_state.hpp"

namespace underdamp {

/// Stationary density as the limit of evolution: for grids whose Krylov basis would not fit into memory. No spectrum.
/// `nearby`: where to begin.
StationaryState solve_by_evolution(const StationaryProblem& problem, const NearbyState* nearby = nullptr);

/// The density to which each well relaxes before much crosses a barrier: forty relaxation times of evolution.
std::vector<std::vector<double>> relaxed_in_wells(const StationaryProblem& problem, const std::vector<Well>& wells);

}  // namespace underdamp
