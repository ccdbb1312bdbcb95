#pragma once
#include "solver/stationary.hpp"

namespace underdamp {

/// Stationary density and slow spectrum from the eigenvalues μ = e^{λT} of the propagator Φ_T that are largest in
/// modulus (docs/method.md, section 10), by implicitly restarted Arnoldi iteration (Spectra). Windows are refined until
/// the estimated errors are below the tolerance, or the grid leaves no more to gain.
StationaryState solve_by_arnoldi(Backend& backend, const Model& model, int p, const PhaseMesh& mesh,
                                 const Tables& tables, const StationarySpec& options,
                                 const std::function<void()>& poll);

}  // namespace underdamp
