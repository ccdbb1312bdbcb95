#pragma once
#include "kernels/bodies/differences.hpp"
#include "kernels/tables/generator_stencil.hpp"

/// Probability current and generator applied to a density (docs/method.md, eqs. 34-39), by the weights of
/// generator_stencil.hpp.
namespace underdamp {

/// J_θ through θ-face e of column j; `p` is the first cell of the plane.
template <class Real>
UNDERDAMP_HD double theta_current(const GeneratorView& g, const Real* p, int plane, int e, int j) {
  const double v = g.velocity(plane, j);
  if (!theta_face_open(g, e, v)) return 0.0;
  double sum = 0.0;
  for (int m = -theta_reach; m < theta_reach; ++m) {
    const std::ptrdiff_t cell = neighbour(g, e + m, j);
    if (cell >= 0) sum += theta_face_weight(m, v > 0.0) * p[cell];
  }
  return v * sum;
}

/// −∂_θ J_θ in row i of column j; `p` is the first cell of the plane.
template <class Real>
UNDERDAMP_HD double theta_rate(const GeneratorView& g, const Real* p, int plane, int i, int j) {
  const int row = row_beside_wall(g, i);
  if (row < 0) return -(theta_current(g, p, plane, i + 1, j) - theta_current(g, p, plane, i, j)) / g.theta_width[plane];
  const WallGeneratorView& wall = g.beside_walls;
  const bool upper = row != i;
  const double v = g.velocity(plane, j);
  const bool outgoing = upper ? v < 0.0 : v > 0.0;
  const double* const own = (outgoing ? wall.outgoing : wall.incoming) + row * wall.sources;
  double sum = 0.0;
  for (int s = 0; s < wall.sources; ++s) {
    const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(upper ? g.theta_cells - 1 - s : s) * g.velocity_cells;
    sum += own[s] * p[line + j];
    if (outgoing) sum += wall.crossing[row * wall.sources + s] * p[line + g.velocity_cells - 1 - j];
  }
  return (v < 0.0 ? -v : v) / g.theta_width[plane] * sum;
}

/// J_v through v-face e of line l; `p` is the first cell of the line. Zero at the walls.
template <class Real>
UNDERDAMP_HD double velocity_current(const GeneratorView& g, const Real* p, int plane, int l, int e) {
  const int n = g.velocity_cells;
  if (e <= 0 || e >= n) return 0.0;
  double sum = 0.0;
  for (int m = -velocity_reach; m < velocity_reach; ++m) {
    const int j = e + m;
    if (j < 0 || j >= n) continue;
    const double drift = g.force[l] - g.friction[plane] * g.velocity(plane, j);
    sum +=
        (velocity_face_weight(m) * drift - velocity_slope_weight(m) * g.diffusion[l] / g.velocity_width[plane]) * p[j];
  }
  return sum;
}

/// to = L_h from = −∂_θ J_θ − (J_v(j+1) − J_v(j))/h_v, line by line. 16 bytes per cell and the rows around.
template <class Real>
struct ApplyGenerator {
  GeneratorView g;
  const Real* from;
  Real* to;

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, int l) const {
    const int plane = l / g.theta_cells;
    const int i = l % g.theta_cells;
    const Real* const p = from + static_cast<std::ptrdiff_t>(plane) * g.theta_cells * g.velocity_cells;
    const Real* const row = from + static_cast<std::ptrdiff_t>(l) * g.velocity_cells;
    Real* const out = to + static_cast<std::ptrdiff_t>(l) * g.velocity_cells;
    line.for_each(g.velocity_cells, [&](int j) {
      const double velocity = velocity_current(g, row, plane, l, j + 1) - velocity_current(g, row, plane, l, j);
      out[j] = static_cast<Real>(theta_rate(g, p, plane, i, j) - velocity / g.velocity_width[plane]);
    });
  }
};

/// Current at the cell centres of a plane, J_θ = v p and the two parts of J_v = f p + (−γ v p − D ∂_v p), ∂_v central
/// of sixth order. What is null is not wanted.
template <class Real>
struct CellCurrents {
  GeneratorView g;
  int plane;
  const Real* density;   ///< first cell of the plane
  double* theta;         ///< v p, reversible
  double* reversible;    ///< f p
  double* irreversible;  ///< −γ v p − D ∂_v p

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, int i) const {
    const int n = g.velocity_cells;
    const int l = plane * g.theta_cells + i;
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(i) * n;
    const Real* const p = density + first;
    if (theta != nullptr) line.for_each(n, [&](int j) { theta[first + j] = g.velocity(plane, j) * p[j]; });
    if (reversible != nullptr) line.for_each(n, [&](int j) { reversible[first + j] = g.force[l] * p[j]; });
    if (irreversible != nullptr) {
      line.for_each(n, [&](int j) {
        irreversible[first + j] = -g.friction[plane] * g.velocity(plane, j) * p[j] -
                                  g.diffusion[l] * central_slope(p, j, n) / g.velocity_width[plane];
      });
    }
  }
};

/// sum = a + b. Apart from what makes a and b, so that their roundings are the same whether the sum is wanted or not.
struct AddValues {
  const double* a;
  const double* b;
  double* sum;
  UNDERDAMP_HD void operator()(std::size_t k) const { sum[k] = a[k] + b[k]; }
};

/// to = factor · from, rounded as a density is.
template <class Real>
struct ScaleValues {
  const Real* from;
  double factor;
  Real* to;
  UNDERDAMP_HD void operator()(std::size_t k) const { to[k] = static_cast<Real>(factor * from[k]); }
};

}  // namespace underdamp
