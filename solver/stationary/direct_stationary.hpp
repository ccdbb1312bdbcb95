#pragma once
#include "solver/stationary/stationary_state.hpp"

namespace underdamp {

/// Null vector and slow spectrum of the generator matrix of one plane, by inverse iteration and shift-invert Arnoldi on
/// sparse LU factorisations (SuiteSparse UMFPACK): one at 0, and where the process oscillates one at each of its
/// frequencies. Open walls make the null vector the density that leaks slowest, whose rate is `leak`. Throws Error
/// (bad_input) for the SGD map, which has no generator, and Error (numerical) if the factorisation fails.
/// `is_refined`: by the propagator, whose grid error is smaller (refinement.hpp). `nearby`: with the same
/// windows and shifts, from there.
StationaryState solve_direct(const StationaryProblem& problem, bool is_refined, const NearbyState* nearby = nullptr);

/// The density to which each well relaxes before anything crosses a barrier, and the rate at which each is left.
std::vector<std::vector<double>> quasi_stationary_densities(const StationaryProblem& problem,
                                                            const std::vector<Well>& wells);

}  // namespace underdamp
