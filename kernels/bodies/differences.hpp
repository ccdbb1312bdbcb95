#pragma once
#include "meshes/host_device.hpp"

namespace underdamp {

/// Sixth-order central derivative per cell at j of a line of n values; beyond its ends p = 0.
template <class Real>
UNDERDAMP_HD double central_slope(const Real* p, int j, int n) {
  const auto at = [&](int c) { return c >= 0 && c < n ? static_cast<double>(p[c]) : 0.0; };
  return (45.0 * (at(j + 1) - at(j - 1)) - 9.0 * (at(j + 2) - at(j - 2)) + (at(j + 3) - at(j - 3))) / 60.0;
}

}  // namespace underdamp
