#pragma once
#include "solver/stationary.hpp"

namespace underdamp {

/// Null vector and slow spectrum of the generator matrix of one plane, by inverse iteration and shift-invert Arnoldi on
/// a sparse LU factorisation (SuiteSparse UMFPACK). Throws Error (bad_input) for the SGD map, which has no generator,
/// and Error (numerical) if the factorisation fails.
StationaryState solve_direct(const Model& model, int p, const PhaseMesh& mesh, const Tables& tables,
                             const StationarySpec& options, const std::function<void()>& poll);

}  // namespace underdamp
