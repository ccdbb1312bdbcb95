#pragma once
#include <array>

/// Gaussians of (θ, v).
namespace underdamp {

using Vector2 = std::array<double, 2>;
using Matrix2 = std::array<std::array<double, 2>, 2>;

/// Mean and covariance of a density.
struct Moments {
  Vector2 mean{};
  Matrix2 covariance{};
};

/// Density of N(mean, covariance) at (theta, v).
double gaussian_density(const Vector2& mean, const Matrix2& covariance, double theta, double v);

/// Lower triangle L of a covariance C = L Lᵀ, which may have no width along an axis or across a correlation.
struct CholeskyFactor {
  double theta = 0.0;     ///< L_θθ, the standard deviation of θ
  double across = 0.0;    ///< L_vθ
  double velocity = 0.0;  ///< L_vv, the standard deviation of v at a given θ
};
CholeskyFactor cholesky_factor(const Matrix2& covariance);

}  // namespace underdamp
