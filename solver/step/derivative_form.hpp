#pragma once
#include <array>

#include "solver/model/gaussian.hpp"

/// Derivatives of order n of a density of (θ, v), and their size for a Gaussian. Lengths are in cells.
namespace underdamp {

constexpr double factorial(int n) {
  double product = 1.0;
  for (int k = 2; k <= n; ++k) product *= k;
  return product;
}

/// L1 norm over root of mean square of the derivatives of a Gaussian: 0.43 (order 12) and 0.48 (order 8) along one
/// direction, 0.47 where all directions are alike.
inline constexpr double l1_per_root_mean_square = 0.46;

/// Σ_k c_k ∂_θ^{n−k} ∂_v^k.
template <int n>
struct DerivativeForm {
  std::array<double, n + 1> c{};

  /// += constant · (u·∇)ⁿ
  void add(double constant, const std::array<double, 2>& u);
  /// The form after the flow z → M z.
  void carry(const Matrix2& m);
  /// ‖form p‖₁ of a Gaussian, from the root of the mean square of form p/p.
  double norm(const Matrix2& covariance) const;
};

/// (‖Δ¹²_θ p‖₁ + ‖Δ¹²_v p‖₁)/‖p‖₁ of a resolved Gaussian of that covariance, in cells.
double gaussian_roughness(const Matrix2& covariance);

}  // namespace underdamp
