#pragma once
#include "kernels/pack.hpp"
#include "kernels/remap.hpp"
#include "meshes/phase_mesh.hpp"

/// Drift sweep X(τ): θ ← θ + τ v (docs/method.md, eqs. 6, 10, 11, 19).
///
///   F_e = Σ_k w_k(a) p_{e+β−5+k},   limited: 0 ≤ F_e ≤ p_{e+β}
///   p'_i = p_{i+β} − F_i + F_{i+1},  δ = τ v_j / h_θ = −β − a
///
/// Along each column (plane, j). The limited flux keeps p' ≥ 0 exactly. 16 bytes per cell: one read, one write.
namespace underdamp {

struct DriftView {
  const int* offset;
  const double* weights;
  int weight_stride;
};

/// Rows of one plane as a column sees them: inside the box the field, beyond a wall what the boundary puts there.
struct ThetaRows {
  const double* plane;  ///< first cell of the plane
  const double* below;  ///< halo rows −depth … −1 (reflecting walls, neighbouring ranks), else null
  const double* above;  ///< halo rows n … n + depth − 1
  int depth;
  int n;
  int pitch;
  bool periodic;

  /// Row r, or null where it is empty. r may lie anywhere.
  UNDERDAMP_HD const double* row(int r) const {
    if (periodic) {
      r %= n;
      if (r < 0) r += n;
    }
    if (r >= 0 && r < n) return plane + static_cast<std::ptrdiff_t>(r) * pitch;
    if (below != nullptr && r < 0 && r >= -depth) return below + static_cast<std::ptrdiff_t>(r + depth) * pitch;
    if (above != nullptr && r >= n && r < n + depth) return above + static_cast<std::ptrdiff_t>(r - n) * pitch;
    return nullptr;
  }
};

template <bool limited>
struct DriftSweep {
  DriftView table;
  double* to;
  double* left_below;  ///< [column] mass (in cells) lost through θ_min so far; null at closed boundaries
  double* left_above;

  /// Flux part F at one edge; `s` points at the staged row of the edge, rows are `pitch` apart.
  template <class P>
  static UNDERDAMP_HD P edge_flux(const double* s, int pitch, const P* w) {
    P even = w[0] * P::load(s - remap_reach * pitch);
    P odd = w[1] * P::load(s - (remap_reach - 1) * pitch);
    UNDERDAMP_UNROLL
    for (int k = 2; k < remap_cells - 1; k += 2) {
      even = even + w[k] * P::load(s + (k - remap_reach) * pitch);
      odd = odd + w[k + 1] * P::load(s + (k + 1 - remap_reach) * pitch);
    }
    P flux = even + w[remap_cells - 1] * P::load(s + remap_reach * pitch) + odd;
    if (limited) flux = min(P::load(s), max(P::broadcast(0.0), flux));
    return flux;
  }

  /// `columns` describes a group of neighbouring columns of one plane; see HostColumns and CudaColumns.
  template <class Columns>
  UNDERDAMP_HD void operator()(Columns& columns) const {
    using P = typename Columns::P;
    columns.stage(table.offset);
    columns.for_each_strip([&](int lane, int begin, int end) {
      const int column = columns.first_column() + lane;
      P w[remap_cells];
      UNDERDAMP_UNROLL
      for (int k = 0; k < remap_cells; ++k) w[k] = P::load(table.weights + k * table.weight_stride + column);
      const double* s = columns.staged(begin, lane);
      const int pitch = columns.staged_pitch();
      P below = edge_flux<P>(s, pitch, w);
      if (begin == 0 && left_below != nullptr) columns.add_departed_below(lane, below, table.offset, left_below);
      for (int i = begin; i < end; ++i, s += pitch) {
        const P above = edge_flux<P>(s + pitch, pitch, w);
        columns.store(to, i, lane, P::load(s) - below + above);
        below = above;
      }
      if (end == columns.rows() && left_above != nullptr) {
        columns.add_departed_above(lane, below, table.offset, left_above);
      }
    });
  }
};

}  // namespace underdamp
