#include "solver/model/gaussian.hpp"

#include <algorithm>
#include <cmath>

namespace underdamp {

double gaussian_density(const Vector2& mean, const Matrix2& covariance, double theta, double v) {
  constexpr double two_pi = 6.283185307179586476925;
  const double determinant = covariance[0][0] * covariance[1][1] - covariance[0][1] * covariance[1][0];
  const double x = theta - mean[0];
  const double y = v - mean[1];
  const double form =
      (covariance[1][1] * x * x - 2.0 * covariance[0][1] * x * y + covariance[0][0] * y * y) / determinant;
  return std::exp(-0.5 * form) / (two_pi * std::sqrt(determinant));
}

CholeskyFactor cholesky_factor(const Matrix2& covariance) {
  const double first = std::sqrt(std::max(0.0, covariance[0][0]));
  const double across = first > 0.0 ? covariance[0][1] / first : 0.0;
  return {first, across, std::sqrt(std::max(0.0, covariance[1][1] - across * across))};
}

}  // namespace underdamp
