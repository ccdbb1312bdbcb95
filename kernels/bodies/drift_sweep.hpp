#pragma once
#include "kernels/bodies/pack.hpp"
#include "kernels/tables/remap.hpp"
#include "meshes/phase_mesh.hpp"

/// Drift sweep X(τ): θ ← θ + τ v (docs/method.md, eqs. 6, 10, 11, 19).
///
///   F_e = Σ_k w_k(a) p_{e+β−(Q−1)/2+k},   limited: 0 ≤ F_e ≤ p_{e+β}
///   p'_i = p_{i+β} − F_i + F_{i+1},        δ = τ v_j / h_θ = −β − a
///
/// Along each column (plane, j); of several parameters along one axis θ_k, δ = τ v_k / h_θk. The limited flux keeps p'
/// ≥ 0 exactly. One read and one write of the field: 16 bytes per cell, 8 in float32.
namespace underdamp {

template <class Real>
struct DriftView {
  const int* offset;
  const Real* weights;
  long weight_stride;
};

/// Rows of one plane, or of a run of columns (meshes/theta_runs.hpp), as a column sees them: inside the box the field,
/// beyond a wall what the boundary puts there.
template <class Real>
struct ThetaRows {
  const Real* plane;  ///< first cell of the first column
  const Real* below;  ///< halo rows −depth … −1 (mirroring walls, neighbouring ranks), else null
  const Real* above;  ///< halo rows n … n + depth − 1
  int depth;
  int n;
  int pitch;
  bool periodic;
  bool mirrored;  ///< beyond an open wall the rows come back in reverse order

  /// Row r, or null where it is empty. r may lie anywhere.
  UNDERDAMP_HD const Real* row(int r) const {
    if (periodic) {
      r %= n;
      if (r < 0) r += n;
    }
    if (mirrored) {
      r = r < 0 ? -1 - r : r;
      r = r >= n ? 2 * n - 1 - r : r;
    }
    if (r >= 0 && r < n) return plane + static_cast<std::ptrdiff_t>(r) * pitch;
    if (below != nullptr && r < 0 && r >= -depth) return below + static_cast<std::ptrdiff_t>(r + depth) * pitch;
    if (above != nullptr && r >= n && r < n + depth) return above + static_cast<std::ptrdiff_t>(r - n) * pitch;
    return nullptr;
  }
};

template <class Real, bool limited, int Q = remap_cells>
struct DriftSweep {
  static constexpr int stencil = Q;

  DriftView<Real> table;
  Real* to;
  /// [column], of several parameters [run], mass (in cells) lost through θ_min so far; null where the wall is closed.
  double* left_below;
  double* left_above;

  /// `columns` describes a group of neighbouring columns of one plane or run; see HostColumns and CudaColumns.
  template <class Columns>
  UNDERDAMP_HD void operator()(Columns& columns) const {
    using P = typename Columns::P;
    columns.for_each_strip(table.offset, [&](int lane, int begin, int end, const auto& staged) {
      const auto column = columns.entry(lane);
      P w[Q];
      UNDERDAMP_UNROLL
      for (int k = 0; k < Q; ++k) w[k] = P::load(table.weights + k * table.weight_stride + column);
      P below[1];
      edge_fluxes<P, 1>(staged.template window<Q>(begin - reach), w, below);
      if (begin == 0 && left_below != nullptr) columns.add_departed_below(lane, below[0], table.offset, left_below);
      int i = begin;
      for (; i + block <= end; i += block) transport<P, block>(columns, staged, lane, i, w, below[0]);
      for (; i < end; ++i) transport<P, 1>(columns, staged, lane, i, w, below[0]);
      if (end == columns.rows() && left_above != nullptr) {
        columns.add_departed_above(lane, below[0], table.offset, left_above);
      }
    });
  }

 private:
  static constexpr int reach = reach_of(Q);
  static constexpr int block = 8;  ///< rows whose fluxes are summed side by side

  /// Rows i … i + count − 1; `below` is the flux at the edge below row i, and becomes that below row i + count.
  template <class P, int count, class Columns, class Staged>
  UNDERDAMP_HD void transport(Columns& columns, const Staged& staged, int lane, int i, const P* w, P& below) const {
    const auto rows = staged.template window<count + Q - 1>(i + 1 - reach);
    P flux[count];
    edge_fluxes<P, count>(rows, w, flux);
    UNDERDAMP_UNROLL
    for (int b = 0; b < count; ++b) {
      columns.store(to, i + b, lane, rows[b + reach - 1] - below + flux[b]);
      below = flux[b];
    }
  }

  /// Flux parts F at `count` neighbouring edges; `rows` begins with the first row that the first of them needs.
  template <class P, int count, class Rows>
  static UNDERDAMP_HD void edge_fluxes(const Rows& rows, const P* w, P* flux) {
    UNDERDAMP_UNROLL
    for (int b = 0; b < count; ++b) flux[b] = w[0] * rows[b];
    UNDERDAMP_UNROLL
    for (int k = 1; k < Q; ++k) {
      UNDERDAMP_UNROLL
      for (int b = 0; b < count; ++b) flux[b] = flux[b] + w[k] * rows[b + k];
    }
    if constexpr (limited) {
      UNDERDAMP_UNROLL
      for (int b = 0; b < count; ++b) flux[b] = min(rows[b + reach], max(P::broadcast(0.0), flux[b]));
    }
  }
};

}  // namespace underdamp
