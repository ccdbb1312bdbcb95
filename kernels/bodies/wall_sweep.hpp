#pragma once
#include <cstddef>

#include "kernels/bodies/drift_sweep.hpp"

/// What a drift sweep leaves next to reflecting walls on which a force acts (docs/method.md, eqs. 21a-21d;
/// wall_stencils.hpp): the sweep itself treats such a wall as open, then these bodies replace the rows beside
/// it.
///
///   u'_r = Σ_s B_rs u_s   for the incoming column and, with what comes from it, for the outgoing one,
///   Σ_r w_r u'_r = Σ_r w_r u_r − flux through the last row,   to rounding
///
/// Rows are counted by their distance from the wall.
namespace underdamp {

/// Dense rows for each speed |v| of each plane, in the memory of a device; see WallTable.
struct WallView {
  int pairs;                 ///< columns of either direction, per plane
  int sources;               ///< rows next to the wall that are read
  int incoming_rows;         ///< of each
  int stride;                ///< rows of a matrix, padded
  const int* outgoing_rows;  ///< [plane · pairs + pair]
  const double* incoming;    ///< [(pair · sources + s) · stride + row]
  const double* outgoing;
  const double* crossing;
  const double* weights;  ///< [row] w, `stride` of them
  const double* bump;  ///< [pair · stride + row]: where the outgoing column takes what mass its rows lack; Σ w bump = 1
  int first_wall;      ///< 0: lower wall; 1: the upper wall alone
  int walls;           ///< 1 or 2
};

/// Rows next to the walls, column by column, before the sweep overwrites them.
template <class Real>
struct SaveWallRows {
  WallView walls;
  const Real* field;
  double* saved;  ///< [((plane · walls + wall) · columns + j) · sources + s]
  int theta_cells;
  int velocity_cells;

  UNDERDAMP_HD void operator()(int column) const {
    const int plane = column / velocity_cells;
    const int j = column % velocity_cells;
    const Real* const p = field + static_cast<std::ptrdiff_t>(plane) * theta_cells * velocity_cells + j;
    for (int wall = 0; wall < walls.walls; ++wall) {
      const bool upper = wall + walls.first_wall == 1;
      double* const to =
          saved + (static_cast<std::ptrdiff_t>(plane * walls.walls + wall) * velocity_cells + j) * walls.sources;
      for (int s = 0; s < walls.sources; ++s) {
        const int row = upper ? theta_cells - 1 - s : s;
        to[s] = p[static_cast<std::ptrdiff_t>(row) * velocity_cells];
      }
    }
  }
};

template <class Real, bool limited>
struct WallSweep {
  WallView walls;
  DriftView<Real> table;
  const double* saved;
  double* work;  ///< [(plane · walls + wall) · pairs + pair][2 · stride]: the rows of both columns as they become
  Real* to;
  int theta_cells;
  int velocity_cells;
  double* created_below;  ///< [column] mass (in cells) that the limiter could take from nowhere counts as come in here
  double* created_above;

  /// One pair of columns at one wall.
  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, int index) const {
    const int pair = index % walls.pairs;
    const int place = index / walls.pairs;  // plane · walls + wall
    const int plane = place / walls.walls;
    const bool upper = place % walls.walls + walls.first_wall == 1;
    const int away = upper ? walls.pairs - 1 - pair : velocity_cells - walls.pairs + pair;
    const int towards = velocity_cells - 1 - away;
    const int set = plane * walls.pairs + pair;
    const int rows_out = walls.outgoing_rows[set];
    const int rows_in = walls.incoming_rows;
    const double* const in = saved + (static_cast<std::ptrdiff_t>(place) * velocity_cells + towards) * walls.sources;
    const double* const out = saved + (static_cast<std::ptrdiff_t>(place) * velocity_cells + away) * walls.sources;
    double* const new_in = work + static_cast<std::ptrdiff_t>(index) * 2 * walls.stride;
    double* const new_out = new_in + walls.stride;
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(set) * walls.sources * walls.stride;
    line.combine(
        rows_in, walls.sources, [&](int s, int row) { return walls.incoming[first + s * walls.stride + row] * in[s]; },
        new_in);
    line.combine(
        rows_out, walls.sources,
        [&](int s, int row) {
          const std::ptrdiff_t entry = first + s * walls.stride + row;
          return walls.outgoing[entry] * out[s] + walls.crossing[entry] * in[s];
        },
        new_out);
    line.barrier();
    // Mass of the rows: what was there, less what leaves with the outgoing column, and what the incoming one brings.
    const double before = line.sum(rows_in, [&](int row) { return walls.weights[row] * in[row]; }) +
                          line.sum(rows_out, [&](int row) { return walls.weights[row] * out[row]; });
    const int edge_out = upper ? theta_cells - rows_out : rows_out;
    const int edge_in = upper ? theta_cells - rows_in : rows_in;
    const double sign = upper ? -1.0 : 1.0;
    const double mass = before - sign * upwards(out, upper, plane, away, edge_out) +
                        -sign * upwards(in, upper, plane, towards, edge_in);
    const double lacking = mass - weighted(line, new_in, rows_in) - weighted(line, new_out, rows_out);
    const double* const bump = walls.bump + static_cast<std::ptrdiff_t>(set) * walls.stride;
    line.for_each(rows_out, [&](int row) { new_out[row] += lacking * bump[row]; });
    line.barrier();
    double factor = 1.0;
    if constexpr (limited) factor = clip(line, new_in, rows_in, new_out, rows_out, mass, upper, plane, away);
    store(line, new_in, rows_in, upper, plane, towards, factor);
    store(line, new_out, rows_out, upper, plane, away, factor);
    line.barrier();
  }

 private:
  template <class Line>
  UNDERDAMP_HD double weighted(Line& line, const double* values, int rows) const {
    return line.sum(rows, [&](int row) { return walls.weights[row] * values[row]; });
  }

  /// What the sweep carries up through θ-edge e of column j, from the rows next to the wall (as in DriftSweep).
  UNDERDAMP_HD double upwards(const double* rows, bool upper, int plane, int j, int e) const {
    const int column = plane * velocity_cells + j;
    const auto value = [&](int i) -> double { return rows[upper ? theta_cells - 1 - i : i]; };
    const int shift = table.offset[column];
    double flux = 0.0;
    for (int k = 0; k < remap_cells; ++k)
      flux += static_cast<double>(table.weights[k * table.weight_stride + column]) * value(e + shift - remap_reach + k);
    if constexpr (limited) {
      const double most = value(e + shift);
      flux = flux > 0.0 ? flux : 0.0;
      flux = flux < most ? flux : most;
    }
    double carried = -flux;
    for (int c = e + shift; c < e; ++c) carried += value(c);
    for (int c = e; c < e + shift; ++c) carried -= value(c);
    return carried;
  }

  /// Negative values become zero; returns the factor by which the rest must be multiplied so that the mass stays. Rows
  /// without mass become empty.
  template <class Line>
  UNDERDAMP_HD double clip(Line& line, double* new_in, int rows_in, double* new_out, int rows_out, double mass,
                           bool upper, int plane, int away) const {
    const auto least = [](double x) { return x > 0.0 ? x : 0.0; };
    const double sum = line.sum(rows_in, [&](int row) { return walls.weights[row] * least(new_in[row]); }) +
                       line.sum(rows_out, [&](int row) { return walls.weights[row] * least(new_out[row]); });
    line.for_each(rows_in, [&](int row) { new_in[row] = least(new_in[row]); });
    line.for_each(rows_out, [&](int row) { new_out[row] = least(new_out[row]); });
    if (mass <= 0.0) {
      line.once([&] { (upper ? created_above : created_below)[plane * velocity_cells + away] += mass; });
      return 0.0;
    }
    return mass / sum;  // NaN stays NaN
  }

  template <class Line>
  UNDERDAMP_HD void store(Line& line, const double* values, int rows, bool upper, int plane, int j,
                          double factor) const {
    Real* const p = to + static_cast<std::ptrdiff_t>(plane) * theta_cells * velocity_cells + j;
    line.for_each(rows, [&](int row) {
      p[static_cast<std::ptrdiff_t>(upper ? theta_cells - 1 - row : row) * velocity_cells] =
          static_cast<Real>(factor * values[row]);
    });
  }
};

}  // namespace underdamp
