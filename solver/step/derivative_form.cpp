#include "solver/step/derivative_form.hpp"

#include <algorithm>
#include <cmath>

namespace underdamp {
namespace {

template <int n>
constexpr std::array<double, n + 1> binomials() {
  std::array<double, n + 1> b{1.0};
  for (std::size_t k = 1; k < b.size(); ++k)
    b[k] = b[k - 1] * static_cast<double>(b.size() - k) / static_cast<double>(k);
  return b;
}

}  // namespace

template <int n>
void DerivativeForm<n>::add(double constant, const std::array<double, 2>& u) {
  constexpr auto binomial = binomials<n>();
  std::array<double, n + 1> power{1.0};
  for (std::size_t k = 1; k < power.size(); ++k) power[k] = power[k - 1] * u[1];
  double first = 1.0;
  for (std::size_t k = power.size(); k-- > 0;) {
    c[k] += constant * binomial[k] * first * power[k];
    first *= u[0];
  }
}

template <int n>
void DerivativeForm<n>::carry(const Matrix2& m) {
  // ∂_θ becomes the derivative along M's first column, ∂_v along its second; Horner's scheme in both.
  std::array<double, n + 1> result{c[0]};
  std::array<double, n + 1> power{1.0};
  const auto times = [](std::array<double, n + 1>& f, std::size_t degree, double a, double b) {
    for (std::size_t k = degree; k > 0; --k) f[k] = f[k] * a + f[k - 1] * b;
    f[0] *= a;
  };
  for (std::size_t k = 1; k < c.size(); ++k) {
    times(result, k, m[0][0], m[1][0]);
    times(power, k, m[0][1], m[1][1]);
    for (std::size_t i = 0; i <= k; ++i) result[i] += c[k] * power[i];
  }
  c = result;
}

template <int n>
double DerivativeForm<n>::norm(const Matrix2& covariance) const {
  constexpr auto binomial = binomials<n>();
  // In coordinates where the Gaussian is N(0, 1): form p/p is a sum of products of Hermite polynomials, of mean square
  // (n−k)! k!.
  const double l00 = std::sqrt(covariance[0][0]);
  const double l10 = covariance[0][1] / l00;
  const double l11 = std::sqrt(covariance[1][1] - l10 * l10);
  DerivativeForm white = *this;
  white.carry({{{1.0 / l00, 0.0}, {-l10 / (l00 * l11), 1.0 / l11}}});
  double square = 0.0;
  for (std::size_t k = 0; k < binomial.size(); ++k) square += white.c[k] * white.c[k] / binomial[k];
  return l1_per_root_mean_square * std::sqrt(square * factorial(n));
}

template struct DerivativeForm<12>;
template struct DerivativeForm<8>;

double gaussian_roughness(const Matrix2& c) {
  const double determinant = c[0][0] * c[1][1] - c[0][1] * c[0][1];
  if (!(determinant > 0.0)) return 4096.0;
  return std::min(4096.0, l1_per_root_mean_square * std::sqrt(factorial(12)) *
                              (std::pow(c[1][1] / determinant, 6) + std::pow(c[0][0] / determinant, 6)));
}

}  // namespace underdamp
