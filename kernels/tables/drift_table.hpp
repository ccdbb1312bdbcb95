#pragma once
#include <span>
#include <vector>

#include "kernels/contract/theta_walls.hpp"
#include "meshes/phase_space.hpp"

/// Tables of the drift sweep X(τ): θ ← θ + τ v (docs/method.md, eq. 6). Built on the host, once per step size.
namespace underdamp {

/// One entry per column (plane, j), or per velocity v_k of a problem `lanes` of the same: after the shift, cell i holds
/// C(i + 1 − δ) − C(i − δ), δ = τ v_j / h_θ.
struct DriftTable {
  long columns = 0;
  int stencil = 0;              ///< Q
  long weight_stride = 0;       ///< columns, rounded up so that a whole pack may be read at the last one
  std::vector<int> offset;      ///< [column] β = ⌊−δ⌋: edge e is pulled back into cell e + β
  std::vector<double> weights;  ///< [k·weight_stride + column] w_k(a), a = −δ − β, of remap.hpp
  int reach = 0;                ///< rows beyond a wall that a column may read
};

/// Rows of a drift sweep next to a reflecting wall on which a force acts (wall_stencils.hpp), for each speed
/// |v| of each plane; the same at both walls.
struct WallTable {
  int pairs = 0;                   ///< columns of either direction: velocity cells / 2
  int sources = 0;                 ///< rows next to the wall that are read
  int incoming_rows = 0;           ///< rows of the incoming column that are replaced
  int stride = 0;                  ///< rows of a matrix, padded
  std::vector<int> outgoing_rows;  ///< [plane · pairs + pair], slowest first
  std::vector<double> incoming;    ///< [(set · sources + s) · stride + row]
  std::vector<double> outgoing;
  std::vector<double> crossing;
  std::vector<double> weights;  ///< [row] w of theta_weights(), `stride` of them
  std::vector<double> bump;     ///< [set · stride + row], Σ_row w bump = 1

  bool empty() const { return pairs == 0; }
};

/// Empty unless a force acts at a wall.
WallTable make_wall_table(const PhaseMesh& mesh, std::span<const double> duration);

/// `duration` τ of each plane. Shifts of more than the whole box are clamped: everything has left; on a periodic axis
/// they count without the whole turns. Throws Error (bad_input) if a shift is not finite.
DriftTable make_drift_table(const PhaseMesh& mesh, std::span<const double> duration);

/// Of the axis θ_k, Q = 19. Entry of velocity j of problem p: p · cells + j, or where columns side by side share their
/// v_k (ThetaRuns) as many as the widest pack has lanes, from `alike_lanes` times that on.
inline constexpr int alike_lanes = 16;
DriftTable make_drift_table(const PhaseSpace& space, int k, std::span<const double> duration);

}  // namespace underdamp
