#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "kernels/contract/sweep_accuracy.hpp"

/// Convolution weights for the law of one velocity kick (docs/method.md, eqs. 13-18).
///
/// In cell units the kick is a random variable X of mean f (|f| ≤ 1/2 after the whole cells were split off), variance
/// s², and the fourth and sixth cumulants that take the box out of a contracted cell average again.
///
///   s < 1.15   moment stencil   weight_m = E[ℓ_m(X)], ℓ_m the Lagrange basis of the nodes −6 … 6
///   s ≥ 1.15   sampled kernel   weight_m ∝ exp(−z²/2) Σ_{n≤6} c_n He_n(z)/n!, z = (m − f)/s, with c_n such that
///                               Σ weight He_n(z) is what the law says: 0 but for n = 0 (1), 4 (κ₄/s⁴) and 6 (κ₆/s⁶)
///   s > 3.2    cascade          s² = 1.5² + (2 s_1)²: a second level of stride 2 takes the rest
///   s ≥ 7      coarser grids    the line is restricted to every second cell until s < 7 there, convolved, prolonged
///
/// Restriction and prolongation are those of the half-band filter a that interpolates midpoints from 18 cells:
///
///   c_k = ½ Σ_j a_{j−2k} p_j,   p_j = Σ_k a_{j−2k} c_k,   a_0 = 1, a_{±(2i+1)} = a_i, other even offsets 0
///
/// One is the transpose of the other and Σ_k a_{j−2k} = 1, so that mass and all moments up to degree 17 are kept; what
/// the pair changes at wavenumber ω, 2·24310 sin¹⁸(ω/2), is below 3e-9 of anything once the kernel has damped it.
namespace underdamp {

/// Mean, variance, fourth and sixth cumulant of a kick, in cells, cells², cells⁴, cells⁶.
struct KickLaw {
  double mean = 0.0;
  double variance = 0.0;
  double fourth_cumulant = 0.0;
  double sixth_cumulant = 0.0;

  friend bool operator==(const KickLaw&, const KickLaw&) = default;
};

/// What a contraction v → e v adds to the law of v when cell values are treated as cell averages, with the opposite
/// sign: −(1 − e^n) B_n / n for the cumulants n = 2, 4, 6 (B_n: Bernoulli numbers), in cells^n. `contraction` = e in
/// [0, 1].
KickLaw box_compensation(double contraction);

inline constexpr int moment_half_width = 6;       ///< the moment stencil has 13 nodes …
inline constexpr int wide_moment_half_width = 8;  ///< … and 17 for several parameters

/// E[ℓ_m(X)] for the nodes −half_width … half_width, 6 or 8. Exact for polynomials of degree 2·half_width whatever the
/// sign of the variance.
template <int half_width = moment_half_width>
std::array<double, 2 * half_width + 1> moment_stencil(const KickLaw& law);

/// Sampled and normalised kernel of 2·half_width + 1 weights; `law.variance` > 0.
std::vector<double> sampled_kernel(const KickLaw& law, int half_width);

/// Weights of a single kernel on its own, an odd number of them: the moment stencil of 17 nodes, or the sampled kernel
/// from `sampled_from` on.
std::vector<double> single_kernel(const KickLaw& law);

/// One level of the convolution of several lines that are treated alike:
/// out_j = Σ_{m=−half_width}^{half_width} weights[(m + half_width)·lanes + lane] in_{j − m·stride}.
struct KernelLevel {
  int stride = 1;
  int half_width = 0;
  std::vector<double> weights;
};

/// How several lines are convolved together.
struct Convolution {
  int restrictions = 0;  ///< the levels act on a grid of cells that are 2^restrictions times as wide
  std::vector<KernelLevel> levels;
};

/// The convolution lane by lane with `laws`, |mean| ≤ 1/2. The first level has stride 1 and carries the means; how
/// coarse the grid is and how many levels there are follows from the smallest variance, so that no lane is left with
/// less than its last level needs. A cascade relies on data that the grid resolves; without `cascade` there is one
/// level, right for any data.
Convolution convolution_with(std::span<const KickLaw> laws, bool cascade = true);

inline constexpr int half_band_pairs = 9;

/// a_i, the weight of the two cells at distance 2i + 1: ½ Π_{j≠i} x_j²/(x_j² − x_i²), x_i = 2i + 1. Σ_i a_i = ½.
constexpr std::array<double, half_band_pairs> half_band_weights() {
  std::array<double, half_band_pairs> a{};
  for (int i = 0; i < half_band_pairs; ++i) {
    double product = 0.5;
    for (int j = 0; j < half_band_pairs; ++j) {
      const double x = 2.0 * i + 1.0;
      const double y = 2.0 * j + 1.0;
      if (j != i) product *= y * y / (y * y - x * x);
    }
    a[static_cast<std::size_t>(i)] = product;
  }
  return a;
}

/// Share of each cell of a grid restricted `restrictions` times that ends up beyond a wall when it is prolonged again,
/// in fine cells: from `wall_reach` cells before the cell `wall_cell` that begins at the wall to as many after it.
/// `fine_wall`: fine cells before the wall.
struct BeyondWall {
  int wall_cell = 0;
  std::vector<double> below;  ///< what goes to fine cells before the wall
  std::vector<double> above;  ///< what goes to fine cells behind it
};
inline constexpr int wall_reach = 20;
BeyondWall beyond_wall(int fine_wall, int restrictions);

}  // namespace underdamp
