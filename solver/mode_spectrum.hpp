#pragma once
#include <cstddef>
#include <vector>

#include "solver/csv.hpp"
#include "solver/spec.hpp"

/// Eigenvalues of a Hessian that are given, instead of data that have one (docs/method.md, section 15).
namespace underdamp {

/// Modes of one run.
inline constexpr std::size_t most_modes = 100'000;

struct SpectrumModes {
  std::vector<double> eigenvalues;  ///< ρ, largest first
  std::vector<double> weights;      ///< number of parameters that each stands for
};

/// g(ρ) ∝ ρ^−α by the trapezoidal rule in ln ρ: weights ∝ ρ^(1−α), half at both ends; they add up to `parameters`.
SpectrumModes power_law_modes(const PowerLaw& law);

/// Fills eigenvalues and weights from the columns that the spec names. Throws SpecError.
void read_eigenvalues(const CsvTable& table, LossSpec& loss);

/// Leaves out eigenvalues that stand for no parameter (weight 0) and, with negative = "drop", those that hold none;
/// notes of the spec say so. Throws SpecError if one that holds none is left, or none at all. `table`: the file that
/// they come from, null if there is none.
void select_eigenvalues(Spec& spec, const CsvTable* table);

/// Throws SpecError if nothing holds a parameter: a parabola needs ρ + λ > 0; with a formula any number will do.
void require_eigenvalues(const Spec& spec);

}  // namespace underdamp
