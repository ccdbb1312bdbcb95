#pragma once
#include <cmath>

#include "kernels/bodies/differences.hpp"
#include "kernels/contract/line_sums.hpp"
#include "meshes/field_view.hpp"

/// Sums over one line that every observable is made of (docs/method.md, eqs. 30-32).
namespace underdamp {

/// Smallest of some values and where it is; the first one that is not finite counts as smaller than any number.
struct SmallestValue {
  double value;
  int position;

  UNDERDAMP_HD void take(double other, int other_position) {
    const bool finite = value - value == 0.0;
    const bool other_finite = other - other == 0.0;
    const bool better = other_finite ? finite && (other < value || (other == value && other_position < position))
                                     : finite || other_position < position;
    if (better) {
      value = other;
      position = other_position;
    }
  }
};

/// Coefficients of J_irr,v = −γ v p − D ∂_v p; `friction` 0 and `diffusion` null leave `dissipation` 0.
struct DissipationView {
  const double* friction;   ///< [plane] γ
  const double* diffusion;  ///< [line] D
  double floor;             ///< cells with p below this are left out: the ratio has no digits there
};

/// LineMoments of p, v of cell centre 0 and h_v given.
template <class Line, class Real>
UNDERDAMP_HD LineMoments line_moments(Line& line, const Real* p, int n, double origin, double width) {
  LineMoments moments{};
  moments.mass = line.sum(n, [&](int j) { return p[j]; });
  moments.velocity = line.sum(n, [&](int j) { return p[j] * (origin + j * width); });
  moments.velocity_squared = line.sum(n, [&](int j) { return p[j] * (origin + j * width) * (origin + j * width); });
  return moments;
}

/// One read of the field, without the logarithm of the entropy.
template <class Real>
struct SumLineMoments {
  FieldView<const Real> field;
  const double* velocity_origin;  ///< [plane] v of cell centre 0
  const double* velocity_width;   ///< [plane] h_v
  LineMoments* moments;           ///< [line]

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, long l) const {
    const auto plane = static_cast<int>(l / field.theta_cells);
    const LineMoments result =
        line_moments(line, field.line(l), field.velocity_cells, velocity_origin[plane], velocity_width[plane]);
    line.once([&] { moments[l] = result; });
    line.barrier();
  }
};

/// One read of the field.
template <class Real>
struct SumLines {
  FieldView<const Real> density;
  const double* velocity_origin;  ///< [plane] v of cell centre 0
  const double* velocity_width;   ///< [plane] h_v
  DissipationView dissipation;
  LineSums* sums;

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, long l) const {
    const int n = density.velocity_cells;
    const auto plane = static_cast<int>(l / density.theta_cells);
    const Real* p = density.line(l);
    const double origin = velocity_origin[plane];
    const double width = velocity_width[plane];
    LineSums result{};
    const LineMoments moments = line_moments(line, p, n, origin, width);
    result.mass = moments.mass;
    result.velocity = moments.velocity;
    result.velocity_squared = moments.velocity_squared;
    result.entropy = line.sum(n, [&](int j) {
      const double value = p[j];
      return value > 0.0 ? -value * log(value) : 0.0 * value;
    });
    if (dissipation.diffusion != nullptr) {
      const double friction = dissipation.friction[plane];
      const double diffusion = dissipation.diffusion[l];
      result.dissipation = line.sum(n, [&](int j) {
        if (!(p[j] > dissipation.floor) || !(diffusion > 0.0)) return 0.0;
        const double current = friction * (origin + j * width) * p[j] + diffusion * central_slope(p, j, n) / width;
        return current * current / (diffusion * p[j]);
      });
    }
    const SmallestValue least = line.smallest(n, [&](int j) { return p[j]; });
    result.minimum = least.value;
    result.minimum_column = least.position;
    line.once([&] { sums[l] = result; });
    line.barrier();
  }
};

/// Σ_i w_i p of each column (plane, j), 8 bytes per cell; one thread or lane per column.
template <class Real>
struct SumColumns {
  const Real* density;
  const double* weights;  ///< [row], or null: all 1
  int theta_cells;
  int velocity_cells;
  double* sums;  ///< [column]

  UNDERDAMP_HD void operator()(long column) const {
    const long plane = column / velocity_cells;
    const Real* p = density + plane * theta_cells * velocity_cells + column % velocity_cells;
    double sum = 0.0;
    if (weights == nullptr) {
      for (int i = 0; i < theta_cells; ++i) sum += p[static_cast<std::ptrdiff_t>(i) * velocity_cells];
    } else {
      for (int i = 0; i < theta_cells; ++i) sum += weights[i] * p[static_cast<std::ptrdiff_t>(i) * velocity_cells];
    }
    sums[column] = sum;
  }
};

/// Differences that reach beyond a wall are left out. One read of the field.
template <class Real>
struct Roughness {
  FieldView<const Real> density;
  const double* from_middle;  ///< [j] y; read rather than computed, so that sums over a line vectorise
  LineShape* shapes;          ///< [line]

  static constexpr int order = 12;

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, long l) const {
    const int n = density.velocity_cells;
    const auto i = static_cast<int>(l % density.theta_cells);
    const Real* p = density.line(l);
    const double* y = from_middle;
    LineShape shape{};
    shape.along_velocity = line.sum(n - order, [&](int j) { return magnitude(p + j + order / 2, 1); });
    if (i >= order / 2 && i + order / 2 < density.theta_cells) {
      shape.along_theta = line.sum(n, [&](int j) { return magnitude(p + j, n); });
    }
    shape.mass = line.sum(n, [&](int j) { return p[j]; });
    shape.first = line.sum(n, [&](int j) { return p[j] * y[j]; });
    shape.second = line.sum(n, [&](int j) { return p[j] * y[j] * y[j]; });
    line.once([&] { shapes[l] = shape; });
  }

  static UNDERDAMP_HD double magnitude(const Real* center, std::ptrdiff_t stride) {
    const auto at = [&](int k) -> double { return center[k * stride]; };
    double difference = 924.0 * at(0) - 792.0 * (at(1) + at(-1)) + 495.0 * (at(2) + at(-2)) - 220.0 * (at(3) + at(-3)) +
                        66.0 * (at(4) + at(-4)) - 12.0 * (at(5) + at(-5)) + at(6) + at(-6);
    return difference < 0.0 ? -difference : difference;
  }
};

}  // namespace underdamp
