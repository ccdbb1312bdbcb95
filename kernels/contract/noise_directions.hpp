#pragma once
#include <array>
#include <vector>

#include "meshes/field_shape.hpp"

/// A correlated Gaussian as a product of Gaussians along lattice directions (docs/method.md, section 16):
///
///   C = Σ_e ρ_e e eᵀ,   e ∈ Z^d,   ρ_e formally of any sign
///
/// d = 2: the two axes and the one diagonal (1, ε), ε = sign C_12, with ρ = C_11 − |C_12|, C_22 − |C_12|, |C_12|.
/// d = 3 with more than one pair correlated: Selling's decomposition, stopped as soon as no ρ is below −λ_1/5, from the
/// best of the four superbases of the axes with signs: the longer directions of the finished one leave the range of
/// narrow stencils.
namespace underdamp {

/// Upper triangle of a symmetric d × d matrix, row by row: 11, 12, …, 1d, 22, …
inline constexpr int most_entries = most_parameters * (most_parameters + 1) / 2;
using SymmetricEntries = std::array<double, most_entries>;
constexpr int entries_of(int parameters) {
  return parameters * (parameters + 1) / 2;
}
/// Where C_ij stands among them.
constexpr int entry_of(int parameters, int i, int j) {
  const int row = i < j ? i : j;
  const int column = i < j ? j : i;
  return row * parameters - row * (row - 1) / 2 + column - row;
}

struct NoiseDirection {
  std::array<int, most_parameters> direction{};
  double variance = 0.0;  ///< ρ, in cells²
};

/// The axes first, in their order and all of them, then the others. `covariance` in cells².
/// Throws Error (bad_input) if d = 3, more than one pair is correlated and λ_2 < λ_1/100: no stable set is known.
std::vector<NoiseDirection> noise_directions(const SymmetricEntries& covariance, int parameters);

}  // namespace underdamp
