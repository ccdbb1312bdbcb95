#pragma once
#include <cstddef>

#include "kernels/bodies/pack.hpp"
#include "meshes/field_size.hpp"
#include "meshes/field_view.hpp"

/// Extrapolation of a window in the step size (docs/method.md, eqs. 23, 24, 27).
///
///   D = Σ_l a_l P_l − P_K,     P = P_K + S D,     S = 1 − (−δ_θ²/4)^6   along θ
///
/// P_l is the density after the window was crossed in l steps, a_l the Aitken-Neville coefficients of τ². The filter S
/// leaves resolved scales alone (symbol 1 − sin¹²(ω/2)) and removes the grid-scale part of the correction: without it
/// the columns whose shift is a whole number of cells on one level and a fraction on another amplify that part, and
/// long runs blow up.
namespace underdamp {

inline constexpr int maximum_levels = 6;
inline constexpr int filter_reach = 6;
inline constexpr int segment_rows = FieldSize::segment_rows;

template <class Real>
struct LevelPointers {
  const Real* level[maximum_levels];
  int count;
};

struct LevelCoefficients {
  double value[maximum_levels];
};

/// Σ_cells |Σ_l c_l P_l| of each line. 8·levels bytes per cell.
template <class Real>
struct CombinationNorm {
  LevelPointers<Real> levels;
  LevelCoefficients coefficients;
  int velocity_cells;
  double* norm;  ///< [line]

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, long l) const {
    const std::ptrdiff_t first = l * velocity_cells;
    const double sum = line.sum(velocity_cells, [&](int j) {
      double value = 0.0;
      for (int k = 0; k < levels.count; ++k) value += coefficients.value[k] * levels.level[k][first + j];
      return value < 0.0 ? -value : value;
    });
    line.once([&] { norm[l] = sum; });
  }
};

/// First pass, line by line: error += scale_plane · Σ_l d_l P_l, and D into `correction` (which may be P_1).
template <class Real>
struct CombineLevels {
  LevelPointers<Real> levels;
  LevelCoefficients combination;   ///< a_l
  LevelCoefficients difference;    ///< d_l
  const double* difference_scale;  ///< [plane]
  Real* error;
  Real* correction;
  int theta_cells;
  int velocity_cells;

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, long l) const {
    const std::ptrdiff_t first = l * velocity_cells;
    const double scale = difference_scale[l / theta_cells];
    line.for_each(velocity_cells, [&](int j) {
      const std::ptrdiff_t cell = first + j;
      double value = -levels.level[levels.count - 1][cell];
      double change = 0.0;
      for (int k = 0; k < levels.count; ++k) {
        value += combination.value[k] * levels.level[k][cell];
        change += difference.value[k] * levels.level[k][cell];
      }
      error[cell] = static_cast<Real>(error[cell] + scale * change);
      correction[cell] = static_cast<Real>(value);
    });
  }
};

/// p *= factor of its plane. 16 bytes per cell.
template <class Real>
struct ScaleLines {
  FieldView<Real> density;
  const double* factor;  ///< [plane]

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, long l) const {
    Real* const p = density.line(l);
    const double f = factor[l / density.theta_cells];
    line.for_each(density.velocity_cells, [&](int j) { p[j] = static_cast<Real>(p[j] * f); });
  }
};

/// target = Σ_l a_l of short arrays that go along with the fields.
struct CombineValues {
  LevelPointers<double> levels;
  LevelCoefficients combination;
  double* target;

  UNDERDAMP_HD void operator()(std::size_t position) const {
    double value = 0.0;
    for (int k = 0; k < levels.count; ++k) value += combination.value[k] * levels.level[k][position];
    target[position] = value;
  }
};

/// Rows of a column as the filter sees them.
struct FilterRows {
  bool periodic;
  /// Rows next to a wall that are left as they are: there the levels agree on every scale (wall_stencils.hpp), and the
  /// kink of the density must not be smoothed. 0 where the filter goes on to the wall.
  int unfiltered_below;
  int unfiltered_above;
  const double* weights;  ///< [row] quadrature weights of a plane, or null: all 1
};

/// Second pass, on segments of columns: P = P_K + S D. With `clipped` what would become negative is set to zero and
/// taken from the rest of the segment, so that the mass stays; a segment whose sum is not positive becomes empty and
/// what that created is counted.
template <class Real, bool clipped>
struct FilterAndClip {
  const Real* finest;      ///< P_K
  const Real* correction;  ///< D
  Real* density;
  double* created;  ///< [segment · columns + column] mass (in cells) that clipping had to create
  int theta_cells;
  int velocity_cells;
  long columns;
  FilterRows rows;

  /// Row beyond a wall: wrapped, or mirrored in the wall so that S conserves the mass of D.
  UNDERDAMP_HD int row_inside(int r) const {
    const int n = theta_cells;
    if (r < 0) return rows.periodic ? r + n : -1 - r;
    if (r >= n) return rows.periodic ? r - n : 2 * n - 1 - r;
    return r;
  }

  template <class P>
  UNDERDAMP_HD P filtered(const Real* column, int i) const {
    const auto row = [&](int r) {
      return P::load(column + static_cast<std::ptrdiff_t>(row_inside(r)) * velocity_cells);
    };
    if (i < rows.unfiltered_below || i >= theta_cells - rows.unfiltered_above) return row(i);
    // What S takes out is the difference of a flux through the edges of row i; none passes into unfiltered rows.
    if (rows.unfiltered_below > 0 && i == rows.unfiltered_below) return row(i) - edge_flux<P>(row, i + 1);
    if (rows.unfiltered_above > 0 && i == theta_cells - 1 - rows.unfiltered_above) return row(i) + edge_flux<P>(row, i);
    // (−δ²/4)^6 as weights of the offsets 0 … 6: (−1)^m binom(12, 6 − m) / 4^6.
    constexpr double weights[filter_reach + 1] = {924.0 / 4096.0, -792.0 / 4096.0, 495.0 / 4096.0, -220.0 / 4096.0,
                                                  66.0 / 4096.0,  -12.0 / 4096.0,  1.0 / 4096.0};
    P removed = static_cast<Real>(weights[0]) * row(i);
    UNDERDAMP_UNROLL
    for (int m = 1; m <= filter_reach; ++m)
      removed = removed + static_cast<Real>(weights[m]) * (row(i - m) + row(i + m));
    return row(i) - removed;
  }

  /// G_e with (−δ²/4)^6 D = G_{i+1} − G_i: (−1)^m binom(11, 5 − m) / 4^6 times D_{e−1−m} − D_{e+m}, m = 0 … 5.
  template <class P, class Row>
  static UNDERDAMP_HD P edge_flux(const Row& row, int e) {
    constexpr double weights[filter_reach] = {462.0 / 4096.0, -330.0 / 4096.0, 165.0 / 4096.0,
                                              -55.0 / 4096.0, 11.0 / 4096.0,   -1.0 / 4096.0};
    P flux = static_cast<Real>(weights[0]) * (row(e - 1) - row(e));
    UNDERDAMP_UNROLL
    for (int m = 1; m < filter_reach; ++m) flux = flux + static_cast<Real>(weights[m]) * (row(e - 1 - m) - row(e + m));
    return flux;
  }

  /// Rows [begin, end) of the columns that start at `column` of `plane`; `lanes` of the pack are real columns.
  template <class P>
  UNDERDAMP_HD void operator()(int plane, int column, int begin, int end, int lanes) const {
    const std::ptrdiff_t origin = static_cast<std::ptrdiff_t>(plane) * theta_cells * velocity_cells + column;
    P sum = P::broadcast(0.0);
    P positive = P::broadcast(0.0);
    const P zero = P::broadcast(0.0);
    for (int i = begin; i < end; ++i) {
      const std::ptrdiff_t cell = origin + static_cast<std::ptrdiff_t>(i) * velocity_cells;
      P value = P::load(finest + cell) + filtered<P>(correction + origin, i);
      if (clipped) {
        const Real weight = rows.weights == nullptr ? Real{1} : static_cast<Real>(rows.weights[i]);
        sum = sum + weight * value;
        value = max(zero, value);
        positive = positive + weight * value;
      }
      value.store_first(density + cell, lanes);
    }
    if (clipped) rescale<P>(origin, begin, end, lanes, sum, positive, created_slot(plane, column, begin));
  }

 private:
  UNDERDAMP_HD double* created_slot(int plane, int column, int begin) const {
    return created + (begin / segment_rows) * columns + static_cast<long>(plane) * velocity_cells + column;
  }

  template <class P>
  UNDERDAMP_HD void rescale(std::ptrdiff_t origin, int begin, int end, int lanes, P sum, P positive,
                            double* slot) const {
    Real sums[P::width];
    Real factors[P::width];
    sum.store(sums);
    positive.store(factors);
    bool any = false;
    for (int lane = 0; lane < P::width; ++lane) {
      const Real total = factors[lane];
      const bool clips = lane < lanes && total > sums[lane];
      const Real kept = sums[lane] > 0.0 ? sums[lane] : Real{0};
      factors[lane] = clips ? (kept > 0.0 ? kept / total : Real{0}) : Real{1};
      if (clips && kept > sums[lane]) slot[lane] += kept - sums[lane];
      any = any || clips;
    }
    if (!any) return;
    const P factor = P::load(factors);
    for (int i = begin; i < end; ++i) {
      Real* const cell = density + origin + static_cast<std::ptrdiff_t>(i) * velocity_cells;
      const P value = lanes == P::width ? P::load(cell) : P::load_first(cell, lanes);  // others write the next row
      (factor * value).store_first(cell, lanes);
    }
  }
};

}  // namespace underdamp
