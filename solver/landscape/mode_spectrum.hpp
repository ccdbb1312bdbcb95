#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "solver/io/csv.hpp"

/// Eigenvalues of a Hessian that are given, instead of data that have one (docs/method.md, section 15).
namespace underdamp {

/// Modes of one run.
inline constexpr std::size_t most_modes = 100'000;

/// Spectrum by a law: `count` eigenvalues, equally spaced in ln ρ from `largest` down to `smallest`, that stand for
/// `parameters` parameters with the density g(ρ) ∝ ρ^−α.
struct PowerLaw {
  double alpha = 1.5;
  double smallest = 0.0;
  double largest = 0.0;
  int count = 0;
  double parameters = 0.0;
};

struct SpectrumModes {
  std::vector<double> eigenvalues;  ///< ρ, largest first
  std::vector<double> weights;      ///< number of parameters that each stands for
};

/// g(ρ) ∝ ρ^−α by the trapezoidal rule in ln ρ: weights ∝ ρ^(1−α), half at both ends; they add up to `parameters`.
SpectrumModes power_law_modes(const PowerLaw& law);

/// Eigenvalues and weights, in the order of the rows; without a `weight_column` every weight is 1. Throws SpecError.
SpectrumModes read_spectrum(const CsvTable& table, const std::string& column, const std::string& weight_column);

}  // namespace underdamp
