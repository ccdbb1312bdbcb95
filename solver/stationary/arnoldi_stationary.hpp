#pragma once
#include "solver/stationary/stationary_state.hpp"

namespace underdamp {

/// Stationary density and slow spectrum from the eigenvalues μ = e^{λT} of the propagator Φ_T that are largest in
/// modulus (docs/method.md, section 10), by implicitly restarted Arnoldi iteration (Spectra). Windows are refined until
/// the estimated errors are below the tolerance, or the grid leaves no more to gain.
StationaryState solve_by_arnoldi(const StationaryProblem& problem);

/// The same with the plan of a solution on another grid, from there.
StationaryState repeat_by_arnoldi(const StationaryProblem& problem, const NearbyState& nearby);

}  // namespace underdamp
