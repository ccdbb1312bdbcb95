#pragma once
#include <array>

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

/// w_k(a), k = 0 … Q−1, for 0 ≤ a < 1. Σ_k w_k = a; w(0) = 0.
inline std::array<double, remap_cells> remap_weights(double a) {
  constexpr int edges = remap_cells + 1;
  std::array<double, edges> before{}, after{};  // Π_{j<i} (a − x_j), Π_{j>i} (a − x_j), x_j = j − reach
  before[0] = 1.0;
  for (int i = 1; i < edges; ++i) before[i] = before[i - 1] * (a - (i - 1 - remap_reach));
  after[edges - 1] = 1.0;
  for (int i = edges - 2; i >= 0; --i) after[i] = after[i + 1] * (a - (i + 1 - remap_reach));

  std::array<double, edges> denominator{};  // Π_{j≠i} (x_i − x_j) = (−1)^{Q−i} i! (Q−i)!
  denominator[0] = -1.0;                    // Q odd
  for (int i = 1; i < edges; ++i) denominator[0] *= i;
  for (int i = 1; i < edges; ++i) denominator[i] = -denominator[i - 1] * i / (edges - i);

  std::array<double, remap_cells> weights{};
  double sum = 0.0;  // Σ_{i>k} ℓ_i(a), from the far end; the cells left of b use Σ_{i≤k} instead, so nothing cancels
  for (int k = remap_cells - 1; k >= remap_reach; --k) {
    sum += before[k + 1] * after[k + 1] / denominator[k + 1];
    weights[k] = sum;
  }
  sum = 0.0;
  for (int k = 0; k < remap_reach; ++k) {
    sum += before[k] * after[k] / denominator[k];
    weights[k] = -sum;
  }
  return weights;
}

}  // namespace underdamp
