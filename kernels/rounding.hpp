#pragma once
#include <cstddef>
#include <vector>

/// Tables, built in double precision, in the precision of the sweeps.
namespace underdamp {

template <class Real>
std::vector<Real> rounded(const std::vector<double>& values) {
  return std::vector<Real>(values.begin(), values.end());
}

/// Rounds `count` weights of one stencil, `stride` apart. What rounding takes from one weight is given to the next, so
/// that their sum stays and a sweep changes neither the mass nor the mean by the same rounding error again and again.
/// No weight becomes negative that is not.
template <class Real>
void round_stencil(const double* weights, int count, std::ptrdiff_t stride, Real* to) {
  double carried = 0.0;
  for (int k = 0; k < count; ++k) {
    const double exact = weights[k * stride];
    double wanted = exact + carried;
    if (exact >= 0.0 && wanted < 0.0) wanted = 0.0;
    to[k * stride] = static_cast<Real>(wanted);
    carried += exact - static_cast<double>(to[k * stride]);
  }
}

}  // namespace underdamp
