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

inline constexpr int remap_cells = 11;       ///< Q of planes (θ, v)
inline constexpr int wide_remap_cells = 19;  ///< Q of several parameters, which have few cells per deviation
constexpr int reach_of(int stencil) {        ///< cells on either side of cell b
  return (stencil - 1) / 2;
}
inline constexpr int remap_reach = reach_of(remap_cells);

/// 0! … (count − 1)!
template <int count>
constexpr std::array<double, count> factorials() {
  std::array<double, count> values{1.0};
  for (std::size_t i = 1; i < count; ++i) values[i] = values[i - 1] * static_cast<double>(i);
  return values;
}

/// Writes w_k(a), k = 0 … Q−1, for 0 ≤ a < 1. Σ_k w_k = a; w(0) = 0.
template <class Real, int stencil>
UNDERDAMP_HD void compute_remap_weights(Real a, Real (&weights)[stencil]) {
  constexpr int edges = stencil + 1;
  constexpr int reach = reach_of(stencil);
  Real before[edges];  // Π_{j<i} (a − x_j), x_j = j − reach
  Real after[edges];   // Π_{j>i} (a − x_j)
  before[0] = 1;
  UNDERDAMP_UNROLL
  for (int i = 1; i < edges; ++i) before[i] = before[i - 1] * (a - (i - 1 - reach));
  after[edges - 1] = 1;
  UNDERDAMP_UNROLL
  for (int i = edges - 2; i >= 0; --i) after[i] = after[i + 1] * (a - (i + 1 - reach));

  constexpr auto factorial = factorials<edges>();
  const auto basis = [&](int i) {  // ℓ_i(a); Π_{j≠i} (x_i − x_j) = (−1)^{Q−i} i! (Q−i)!
    const double sign = (stencil - i) % 2 == 0 ? 1.0 : -1.0;
    return before[i] * after[i] * static_cast<Real>(sign / (factorial[i] * factorial[stencil - i]));
  };
  Real sum = 0;  // Σ_{i>k} ℓ_i(a), from the far end; the cells left of b use Σ_{i≤k} instead, so nothing cancels
  UNDERDAMP_UNROLL
  for (int k = stencil - 1; k >= reach; --k) {
    sum += basis(k + 1);
    weights[k] = sum;
  }
  sum = 0;
  UNDERDAMP_UNROLL
  for (int k = 0; k < reach; ++k) {
    sum += basis(k);
    weights[k] = -sum;
  }
}

/// The same as an array.
template <int stencil = remap_cells>
std::array<double, stencil> remap_weights(double a) {
  double weights[stencil];
  compute_remap_weights(a, weights);
  std::array<double, stencil> result{};
  for (int k = 0; k < stencil; ++k) result[static_cast<std::size_t>(k)] = weights[k];
  return result;
}

}  // namespace underdamp
