#pragma once
#include <cstddef>

#include "solver/model/gaussian.hpp"

/// Products of matrices of (θ, v).
namespace underdamp {

inline Matrix2 product(const Matrix2& a, const Matrix2& b) {
  Matrix2 c{};
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 2; ++j) c[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j];
  return c;
}

inline Matrix2 inverse(const Matrix2& a) {
  const double determinant = a[0][0] * a[1][1] - a[0][1] * a[1][0];
  return {{{a[1][1] / determinant, -a[0][1] / determinant}, {-a[1][0] / determinant, a[0][0] / determinant}}};
}

/// M C Mᵀ, the covariance after z → M z.
inline Matrix2 moved(const Matrix2& m, const Matrix2& c) {
  const Matrix2 half = product(m, c);
  return product(half, {{{m[0][0], m[1][0]}, {m[0][1], m[1][1]}}});
}

}  // namespace underdamp
