#pragma once
#include <cstddef>

#include "kernels/bodies/reduction.hpp"
#include "kernels/contract/reduction_operations.hpp"
#include "meshes/field_shape.hpp"
#include "meshes/host_device.hpp"

/// From lines and columns to planes: bodies of reductions (reduction.hpp). They are compiled without fused
/// multiply-add, so that host and GPU make the same bits of the same lines.
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

  UNDERDAMP_HD long size(long /*number*/) const { return theta_cells; }
  UNDERDAMP_HD double part(long number, long row) const {
    const long l = number / sums * theta_cells + row;
    const long sum = number % sums;
    double of_line = term(terms[first_term[sum]], l);
    for (int t = first_term[sum] + 1; t < first_term[sum + 1]; ++t) of_line += term(terms[t], l);
    return of_line;
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

  UNDERDAMP_HD long size(long /*number*/) const { return theta_cells; }
  UNDERDAMP_HD double part(long number, long row) const {
    const long l = number / sums * theta_cells + row;
    const double* const f = factors + (number % sums * all_lines + l) * 3;
    return f[0] * lines[l].mass + f[1] * lines[l].velocity + f[2] * lines[l].velocity_squared;
  }
};

/// The smallest of the LineSums of each plane.
struct SmallestOfRows {
  const LineSums* lines;
  int theta_cells;
  PlaneSmallest* results;  ///< [plane]

  UNDERDAMP_HD long size(long /*plane*/) const { return theta_cells; }
  UNDERDAMP_HD PlaneSmallest part(long plane, long row) const {
    const LineSums& line = lines[plane * theta_cells + row];
    return {line.minimum, static_cast<int>(row), static_cast<int>(line.minimum_column)};
  }
};

/// Σ over consecutive values.
struct SumConsecutive {
  const double* values;
  long count;
  double* results;

  UNDERDAMP_HD long size(long /*number*/) const { return count; }
  UNDERDAMP_HD double part(long number, long k) const { return values[number * count + k]; }
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

  /// Columns first, then lines.
  UNDERDAMP_HD long size(long number) const { return columns(number % 5) + (number % 5 >= 2 ? theta_cells : 0); }
  UNDERDAMP_HD double part(long position, long k) const {
    const long plane = position / 5;
    const long number = position % 5;
    const long of_columns = columns(number);
    if (k < of_columns) {
      const double* const values = number == 0 ? below : number == 1 ? above : in_segments;
      return values[plane * velocity_cells + k];
    }
    const double* const values = number == 2 ? lower : number == 3 ? upper : in_lines;
    return values[plane * theta_cells + k - of_columns];
  }

 private:
  UNDERDAMP_HD long columns(long number) const { return number == 2 || number == 3 ? 0 : velocity_cells; }
};

/// The 4d + 1 numbers of Departed of each problem of d parameters: θ1 … θd and v1 … vd, lower wall and upper, and what
/// was created.
struct SumDepartedOfAxes {
  const double* departed;  ///< of a field, as FieldSize has it
  int parameters;
  std::size_t of_theta[most_parameters];
  std::size_t slots[most_parameters];  ///< of all problems
  std::size_t of_velocity[most_parameters];
  std::size_t of_created;
  std::size_t lines;  ///< of all problems
  long problems;
  double* results;  ///< [problem · (4d + 1) + number]

  UNDERDAMP_HD long numbers() const { return 4 * parameters + 1; }
  UNDERDAMP_HD long size(long position) const {
    const long number = position % numbers();
    return static_cast<long>(number < 2 * parameters ? slots[number / 2] : lines) / problems;
  }
  UNDERDAMP_HD double part(long position, long k) const {
    const long number = position % numbers();
    std::size_t first = of_created;
    if (number < 2 * parameters) {
      first = of_theta[number / 2] + static_cast<std::size_t>(number % 2) * slots[number / 2];
    } else if (number < 4 * parameters) {
      const long wall = number - 2 * parameters;
      first = of_velocity[wall / 2] + static_cast<std::size_t>(wall % 2) * lines;
    }
    return departed[first + static_cast<std::size_t>(position / numbers() * size(position) + k)];
  }
};

/// What clipping created in the segments of each column. One thread per column.
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

}  // namespace underdamp
