#pragma once
#include <span>
#include <vector>

#include "meshes/phase_mesh.hpp"

/// Tables of the drift sweep X(τ): θ ← θ + τ v (docs/method.md, eq. 6). Built on the host, once per step size.
namespace underdamp {

/// One entry per column (plane, j): after the shift, cell i holds C(i + 1 − δ) − C(i − δ), δ = τ v_j / h_θ.
struct DriftTable {
  long columns = 0;
  long weight_stride = 0;       ///< columns, rounded up so that a whole pack may be read at the last one
  std::vector<int> offset;      ///< [column] β = ⌊−δ⌋: edge e is pulled back into cell e + β
  std::vector<double> weights;  ///< [k·weight_stride + column] w_k(a), a = −δ − β, of remap.hpp
  int reach = 0;                ///< rows beyond a wall that a column may read
};

/// `duration` τ of each plane. Shifts of more than the whole box are clamped: everything has left; on a periodic axis
/// they count without the whole turns. Throws Error (bad_input) if a shift is not finite.
DriftTable make_drift_table(const PhaseMesh& mesh, std::span<const double> duration);

}  // namespace underdamp
