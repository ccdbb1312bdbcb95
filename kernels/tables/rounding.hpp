#pragma once
#include <cstddef>
#include <type_traits>
#include <vector>

#include "kernels/tables/drift_table.hpp"
#include "kernels/tables/remap.hpp"
#include "kernels/tables/velocity_table.hpp"

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

/// The stencils of a table; in double precision the table's own.
template <class Real>
using Stencils = std::conditional_t<std::is_same_v<Real, double>, const std::vector<double>&, std::vector<Real>>;

template <class Real>
Stencils<Real> rounded_stencils(const DriftTable& table) {
  if constexpr (std::is_same_v<Real, double>) {
    return table.weights;
  } else {
    std::vector<Real> weights(table.weights.size());
    for (long column = 0; column < table.weight_stride; ++column) {
      round_stencil(table.weights.data() + column, table.stencil, table.weight_stride, weights.data() + column);
    }
    return weights;
  }
}
template <class Real>
Stencils<Real> rounded_stencils(const ContractionTable& table) {
  if constexpr (std::is_same_v<Real, double>) {
    return table.weights;
  } else {
    std::vector<Real> weights(table.weights.size());
    for (std::size_t first = 0; first < weights.size(); first += remap_cells) {
      round_stencil(table.weights.data() + first, remap_cells, 1, weights.data() + first);
    }
    return weights;
  }
}
template <class Real>
Stencils<Real> rounded_stencils(const VelocityTable& table) {
  if constexpr (std::is_same_v<Real, double>) {
    return table.weights;
  } else {
    std::vector<Real> weights = rounded<Real>(table.weights);
    for (const LevelEntry& level : table.levels) {
      for (int lane = 0; lane < table.lanes; ++lane) {
        round_stencil(table.weights.data() + level.weights + lane, 2 * level.half_width + 1, table.lanes,
                      weights.data() + level.weights + lane);
      }
    }
    return weights;
  }
}

}  // namespace underdamp
