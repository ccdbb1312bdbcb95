#pragma once
#include <array>
#include <cstddef>

#include "meshes/host_device.hpp"

/// Conservative remap along a line (docs/method.md, eqs. 10-12).
///
///   C(b + a) = Σ_{c<b} p_c + F,      F = Σ_{k=0}^{Q−1} w_k(a) p_{b−(Q−1)/2+k},      0 ≤ a < 1
///
/// C is the cumulative sum of the cell values p_c (in units of one cell), interpolated by the polynomial of degree Q
/// through the Q + 1 edges around cell b. A cell that ends up holding what lay between y and y' becomes C(y') − C(y).
/// Q is odd, so the stencil is symmetric about cell b: a mirrored line gives the mirrored result, and the leading error
/// is dissipative.
namespace underdamp {

inline constexpr int remap_cells = 11;                     ///< Q
inline constexpr int remap_reach = (remap_cells - 1) / 2;  ///< cells on either side of cell b

/// Writes w_k(a), k = 0 … Q−1, for 0 ≤ a < 1. Σ_k w_k = a; w(0) = 0.
template <class Real>
UNDERDAMP_HD void compute_remap_weights(Real a, Real (&weights)[remap_cells]) {
  constexpr int edges = remap_cells + 1;
  Real before[edges];  // Π_{j<i} (a − x_j), x_j = j − reach
  Real after[edges];   // Π_{j>i} (a − x_j)
  before[0] = 1;
  UNDERDAMP_UNROLL
  for (int i = 1; i < edges; ++i) before[i] = before[i - 1] * (a - (i - 1 - remap_reach));
  after[edges - 1] = 1;
  UNDERDAMP_UNROLL
  for (int i = edges - 2; i >= 0; --i) after[i] = after[i + 1] * (a - (i + 1 - remap_reach));

  constexpr double factorial[edges] = {1.0,   1.0,    2.0,     6.0,      24.0,      120.0,
                                       720.0, 5040.0, 40320.0, 362880.0, 3628800.0, 39916800.0};
  const auto basis = [&](int i) {  // ℓ_i(a); Π_{j≠i} (x_i − x_j) = (−1)^{Q−i} i! (Q−i)!
    const double sign = (remap_cells - i) % 2 == 0 ? 1.0 : -1.0;
    return before[i] * after[i] * static_cast<Real>(sign / (factorial[i] * factorial[remap_cells - i]));
  };
  Real sum = 0;  // Σ_{i>k} ℓ_i(a), from the far end; the cells left of b use Σ_{i≤k} instead, so nothing cancels
  UNDERDAMP_UNROLL
  for (int k = remap_cells - 1; k >= remap_reach; --k) {
    sum += basis(k + 1);
    weights[k] = sum;
  }
  sum = 0;
  UNDERDAMP_UNROLL
  for (int k = 0; k < remap_reach; ++k) {
    sum += basis(k);
    weights[k] = -sum;
  }
}

/// The same as an array.
inline std::array<double, remap_cells> remap_weights(double a) {
  double weights[remap_cells];
  compute_remap_weights(a, weights);
  std::array<double, remap_cells> result{};
  for (int k = 0; k < remap_cells; ++k) result[static_cast<std::size_t>(k)] = weights[k];
  return result;
}

}  // namespace underdamp
