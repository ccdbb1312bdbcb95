#pragma once
#include "solver/io/csv.hpp"
#include "solver/spec/spec.hpp"

/// Which eigenvalues of a spectrum a run solves.
namespace underdamp {

/// Leaves out eigenvalues that stand for no parameter (weight 0) and, with negative = "drop", those that hold none;
/// notes of the spec say so. Throws SpecError if one that holds none is left, or none at all. `table`: the file that
/// they come from, null if there is none.
void select_eigenvalues(Spec& spec, const CsvTable* table);

/// Throws SpecError if nothing holds a parameter: a parabola needs ρ + λ > 0; with a formula any number will do.
void require_eigenvalues(const Spec& spec);

}  // namespace underdamp
