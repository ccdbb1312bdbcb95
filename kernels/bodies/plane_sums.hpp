#pragma once
#include <cstddef>

#include "kernels/contract/reduction_operations.hpp"
#include "meshes/host_device.hpp"

/// From lines and columns to planes: sums in the order of the rows, so that host and GPU give the same bits from the
/// same lines. They are compiled without fused multiply-add for the same reason. One thread per number.
namespace underdamp {

/// A RowSumLaw and the lines that it adds up.
struct SumRows {
  const double* lines;  ///< [line · stride + quantity]
  int stride;
  int theta_cells;
  long all_lines;
  const double* factors;  ///< [factor · all_lines + line]
  const int* first_term;  ///< [sum], and one more
  const RowTerm* terms;
  int sums;
  double* results;  ///< [plane · sums + sum]

  UNDERDAMP_HD void operator()(std::size_t position) const {
    const long plane = static_cast<long>(position) / sums;
    const int begin = first_term[static_cast<long>(position) % sums];
    const int end = first_term[static_cast<long>(position) % sums + 1];
    double total = 0.0;
    for (long l = plane * theta_cells; l < (plane + 1) * theta_cells; ++l) {
      double of_line = term(terms[begin], l);
      for (int t = begin + 1; t < end; ++t) of_line += term(terms[t], l);
      total += of_line;
    }
    results[position] = total;
  }

 private:
  UNDERDAMP_HD double term(const RowTerm& t, long l) const {
    double value = lines[l * stride + t.quantity];
    for (int k = 0; k < 3; ++k) {
      const int factor = t.factors[k];
      if (factor >= 0) value *= factors[factor * all_lines + l];
    }
    return value;
  }
};

/// A MomentLaw and the lines that it adds up.
struct SumMomentsOfLines {
  const LineMoments* lines;
  int theta_cells;
  long all_lines;
  const double* factors;  ///< [(sum · all_lines + line) · 3 + moment]
  int sums;
  double* results;  ///< [plane · sums + sum]

  UNDERDAMP_HD void operator()(std::size_t position) const {
    const long plane = static_cast<long>(position) / sums;
    const double* f = factors + (static_cast<long>(position) % sums * all_lines + plane * theta_cells) * 3;
    double total = 0.0;
    for (long l = plane * theta_cells; l < (plane + 1) * theta_cells; ++l, f += 3)
      total += f[0] * lines[l].mass + f[1] * lines[l].velocity + f[2] * lines[l].velocity_squared;
    results[position] = total;
  }
};

/// The smallest of the LineSums of each plane.
struct SmallestOfRows {
  const LineSums* lines;
  int theta_cells;
  PlaneSmallest* results;  ///< [plane]

  UNDERDAMP_HD void operator()(std::size_t plane) const {
    const LineSums* const first = lines + static_cast<long>(plane) * theta_cells;
    PlaneSmallest least{first->minimum, 0, static_cast<int>(first->minimum_column)};
    for (int i = 1; i < theta_cells && is_finite(least.value); ++i) {
      const LineSums& line = first[i];
      if (!is_finite(line.minimum) || line.minimum < least.value)
        least = {line.minimum, i, static_cast<int>(line.minimum_column)};
    }
    results[plane] = least;
  }

 private:
  static UNDERDAMP_HD bool is_finite(double value) { return value - value == 0.0; }
};

/// Σ over consecutive values.
struct SumConsecutive {
  const double* values;
  long count;
  double* results;

  UNDERDAMP_HD void operator()(std::size_t position) const {
    double total = 0.0;
    for (long k = 0; k < count; ++k) total += values[static_cast<long>(position) * count + k];
    results[position] = total;
  }
};

/// What clipping created in the segments of each column.
struct SumSegments {
  const double* in_segments;  ///< [segment · columns + column]
  long segments;
  long columns;
  double* results;  ///< [column]

  UNDERDAMP_HD void operator()(std::size_t column) const {
    double total = 0.0;
    for (long s = 0; s < segments; ++s) total += in_segments[s * columns + static_cast<long>(column)];
    results[column] = total;
  }
};

/// The five numbers of Departed of each plane, from those of its columns and lines.
struct SumDeparted {
  const double* below;  ///< [column]
  const double* above;
  const double* lower;  ///< [line]
  const double* upper;
  const double* in_segments;  ///< [column], of SumSegments
  const double* in_lines;     ///< [line]
  int theta_cells;
  int velocity_cells;
  double* results;  ///< [plane · 5 + number]

  UNDERDAMP_HD void operator()(std::size_t position) const {
    const long plane = static_cast<long>(position) / 5;
    const int number = static_cast<int>(position % 5);
    double total = 0.0;
    if (number != 2 && number != 3) {
      const double* const of_columns = number == 0 ? below : number == 1 ? above : in_segments;
      for (long c = plane * velocity_cells; c < (plane + 1) * velocity_cells; ++c) total += of_columns[c];
    }
    if (number >= 2) {
      const double* const of_lines = number == 2 ? lower : number == 3 ? upper : in_lines;
      for (long l = plane * theta_cells; l < (plane + 1) * theta_cells; ++l) total += of_lines[l];
    }
    results[position] = total;
  }
};

}  // namespace underdamp
