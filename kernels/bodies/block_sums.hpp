#pragma once
#include <cmath>
#include <cstddef>

#include "kernels/bodies/moments.hpp"
#include "kernels/bodies/reduction.hpp"
#include "meshes/field_view.hpp"

/// Sums over the blocks of velocities of several parameters (docs/method.md, section 16). One read of the field each.
namespace underdamp {

/// Σ_j f_j p_j for each f, the entropy, the smallest value and its cell.
template <class Real>
struct SumBlocks {
  FieldView<const Real> density;
  const double* of_velocity;  ///< [(f · problems + problem) · v cells + cell]
  long problems;
  int functions;
  bool linear;
  double* lines;  ///< [line · (functions + 3) + quantity]

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, long l) const {
    const int n = density.velocity_cells;
    const Real* const p = density.line(l);
    const long problem = l / density.theta_cells;
    double* const result = lines + l * (functions + 3);
    for (int f = 0; f < functions; ++f) {
      const double* const weights = of_velocity + (f * problems + problem) * n;
      const double sum = line.sum(n, [&](int j) { return weights[j] * p[j]; });
      line.once([&] { result[f] = sum; });
    }
    double entropy = 0.0;
    SmallestValue least{0.0, 0};
    if (!linear) {
      entropy = line.sum(n, [&](int j) {
        const double value = p[j];
        return value > 0.0 ? -value * log(value) : 0.0 * value;
      });
      least = line.smallest(n, [&](int j) -> double { return p[j]; });
    }
    line.once([&] {
      result[functions] = entropy;
      result[functions + 1] = least.value;
      result[functions + 2] = least.position;
    });
    line.barrier();
  }
};

/// The smallest of the lines of each problem.
struct SmallestOfBlocks {
  const double* lines;  ///< of SumBlocks
  int stride;
  int theta_cells;
  PlaneSmallest* results;  ///< [problem]

  UNDERDAMP_HD long size(long /*problem*/) const { return theta_cells; }
  UNDERDAMP_HD PlaneSmallest part(long problem, long row) const {
    const double* const line = lines + (problem * theta_cells + row + 1) * stride;
    return {line[-2], static_cast<int>(row), static_cast<int>(line[-1])};
  }
};

/// A BlockProjection of each line.
template <class Real>
struct ProjectLines {
  FieldView<const Real> density;
  const int* row_begin;
  const int* cell;
  const double* weight;
  int rows;
  double* results;  ///< [line · rows + row]

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, long l) const {
    const Real* const p = density.line(l);
    double* const result = results + l * rows;
    line.for_each(rows, [&](int row) {
      double sum = 0.0;
      for (int k = row_begin[row]; k < row_begin[row + 1]; ++k) sum += weight[k] * p[cell[k]];
      result[row] = sum;
    });
  }
};

/// Σ_lines w p of each column, for several w at once.
template <class Real>
struct WeightedColumns {
  static constexpr int most = 4;  ///< weights that one read of the field serves

  const Real* density;
  const double* weights;  ///< [w · lines + line]
  int count;
  long lines;
  int theta_cells;
  int velocity_cells;
  long columns;
  double* sums;  ///< [w · columns + column]

  UNDERDAMP_HD void operator()(long column) const {
    const long problem = column / velocity_cells;
    const Real* const p = density + problem * theta_cells * velocity_cells + column % velocity_cells;
    double sum[most] = {};
    for (int i = 0; i < theta_cells; ++i) {
      const double value = p[static_cast<std::ptrdiff_t>(i) * velocity_cells];
      const long line = problem * theta_cells + i;
      for (int w = 0; w < count; ++w) sum[w] += weights[w * lines + line] * value;
    }
    for (int w = 0; w < count; ++w) sums[w * columns + column] = sum[w];
  }
};

}  // namespace underdamp
