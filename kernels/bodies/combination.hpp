#pragma once
#include <array>
#include <cstddef>

#include "kernels/bodies/extrapolation.hpp"
#include "kernels/bodies/pack.hpp"
#include "kernels/tables/remap.hpp"
#include "meshes/field_view.hpp"

/// What puts levels of several parameters together (docs/method.md, section 16): they are added up as they finish, so
/// that the window needs no more memory with more of them.
namespace underdamp {

/// to = Σ_k w_k from_k of each line, w of its plane. `to` may be one of them.
template <class Real>
struct CombineFields {
  LevelPointers<Real> from;
  const double* weights;  ///< [plane · fields + k]
  Real* to;
  int theta_cells;
  int velocity_cells;

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, long l) const {
    const std::ptrdiff_t first = l * velocity_cells;
    const double* const w = weights + l / theta_cells * from.count;
    line.for_each(velocity_cells, [&](int j) {
      double value = 0.0;
      for (int k = 0; k < from.count; ++k) value += w[k] * from.level[k][first + j];
      to[first + j] = static_cast<Real>(value);
    });
  }
};

/// Sets negative values of a line to zero and scales the rest so that the sum stays; a line whose sum is not positive
/// becomes empty and what that created is counted.
template <class Real>
struct ClipLines {
  FieldView<Real> density;
  double* created_in;  ///< [line]

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, long l) const {
    Real* const p = density.line(l);
    const int n = density.velocity_cells;
    const double sum = line.sum(n, [&](int j) -> double { return p[j]; });
    const double positive = line.sum(n, [&](int j) -> double { return p[j] > 0 ? p[j] : Real{0}; });
    line.barrier();
    if (!(positive > sum)) return;
    const double kept = sum > 0.0 ? sum : 0.0;
    const double factor = kept / positive;
    line.for_each(n, [&](int j) { p[j] = p[j] > 0 ? static_cast<Real>(p[j] * factor) : Real{0}; });
    line.once([&] { created_in[l] += kept - sum; });
  }
};

/// (−1)^m binom(2h, h − m)/4^h, m = 0 … h: the stencil of (−δ²/4)^h.
template <int h>
constexpr std::array<double, h + 1> difference_stencil() {
  std::array<double, h + 1> weights{};
  double binomial = 1.0;  // binom(2h, 0)
  double power = 1.0;
  for (int i = 0; i < h; ++i) power *= 4.0;
  for (int i = 0; i <= h; ++i) {
    weights[static_cast<std::size_t>(h - i)] = ((h - i) % 2 == 0 ? 1.0 : -1.0) * binomial / power;
    binomial = binomial * (2 * h - i) / (i + 1);
  }
  return weights;
}

/// S = 1 − (−δ²/4)^{(Q+1)/2} along an axis θ_k, for the Q of several parameters. Beyond open walls the rows come back
/// in reverse order, so that S conserves the sum.
template <class Real>
struct FilterAxis {
  static constexpr int reach = (wide_remap_cells + 1) / 2;
  static constexpr int stencil = 2 * reach + 1;

  Real* to;

  template <class Columns>
  UNDERDAMP_HD void operator()(Columns& columns) const {
    using P = typename Columns::P;
    constexpr auto weights = difference_stencil<reach>();
    columns.for_each_strip(nullptr, [&](int lane, int begin, int end, const auto& staged) {
      for (int i = begin; i < end; ++i) {
        const auto rows = staged.template window<stencil>(i - reach);
        const P middle = rows[reach];
        P removed = static_cast<Real>(weights[0]) * middle;
        UNDERDAMP_UNROLL
        for (int m = 1; m <= reach; ++m)
          removed =
              removed + static_cast<Real>(weights[static_cast<std::size_t>(m)]) * (rows[reach - m] + rows[reach + m]);
        columns.store(to, i, lane, middle - removed);
      }
    });
  }
};

}  // namespace underdamp
