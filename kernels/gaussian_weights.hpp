#pragma once
#include <array>
#include <span>
#include <vector>

/// Convolution weights for the law of one velocity kick (docs/method.md, eqs. 13-18).
///
/// In cell units the kick is a random variable X of mean f (|f| ≤ 1/2 after the whole cells were split off), variance
/// s², and the fourth and sixth cumulants that take the box out of a contracted cell average again.
///
///   s < 1.15   moment stencil   weight_m = E[ℓ_m(X)], ℓ_m the Lagrange basis of the nodes −6 … 6
///   s ≥ 1.15   sampled kernel   weight_m ∝ exp(−z²/2) Σ_{n≤6} c_n He_n(z)/n!, z = (m − f)/s, with c_n such that Σ
///   weight He_n(z)
///                               is what the law says: 0 but for n = 0 (1), 4 (κ₄/s⁴) and 6 (κ₆/s⁶)
///   s > 3.2    cascade          s² = Σ_m (2^m s_m)²: level m convolves with stride 2^m, the last takes the rest
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

inline constexpr int moment_half_width = 6;            ///< the moment stencil has 13 nodes
inline constexpr double sampled_from = 1.15;           ///< s from which the sampled kernel is the more accurate one
inline constexpr double cascade_from = 3.2;            ///< s from which two levels cost less than one
inline constexpr double fine_level_deviation = 1.5;    ///< s_0, s_1
inline constexpr double coarse_level_deviation = 2.0;  ///< s_m, m ≥ 2: narrow data stay exact to 1e-9 under wide kicks
inline constexpr double sampled_reach = 7.0;  ///< half-width of a sampled kernel in units of s: 3e-12 of the mass

/// E[ℓ_m(X)] for the 13 nodes. Exact for polynomials of degree 12 whatever the sign of the variance.
std::array<double, 2 * moment_half_width + 1> moment_stencil(const KickLaw& law);

/// Sampled and normalised kernel of 2·half_width + 1 weights; `law.variance` > 0.
std::vector<double> sampled_kernel(const KickLaw& law, int half_width);

/// One level of the convolution of several lines that are treated alike:
/// out_j = Σ_{m=−half_width}^{half_width} weights[(m + half_width)·lanes + lane] in_{j − m·stride}.
struct KernelLevel {
  int stride = 1;
  int half_width = 0;
  std::vector<double> weights;
};

/// The levels that together convolve lane by lane with `laws`, |mean| ≤ 1/2. The first has stride 1 and carries the
/// means; their number follows from the smallest variance, so that no lane is left with less than its last level needs.
/// A cascade relies on data that the grid resolves; without `cascade` there is one level, right for any data.
std::vector<KernelLevel> convolution_levels(std::span<const KickLaw> laws, bool cascade = true);

}  // namespace underdamp
