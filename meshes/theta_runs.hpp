#pragma once
#include <cstddef>

#include "meshes/field_shape.hpp"
#include "meshes/host_device.hpp"

namespace underdamp {

/// How the cells of a field lie along an axis θ_k: as runs of `lanes` neighbouring columns. Of the last parameter, and
/// of a plane (θ, v), the columns of a run are those of all v_d; of the others they are those of all that is faster
/// than v_k and share one v_k.
struct ThetaRuns {
  int cells = 1;             ///< along θ_k
  int lanes = 1;             ///< columns of a run
  int velocities = 1;        ///< cells along v_k
  bool alike = false;        ///< the columns of a run share their v_k
  int pitch = 1;             ///< from a cell of a column to the next one, in cells
  long runs_of_problem = 1;  ///< of each plane or problem
  long runs = 1;

  ThetaRuns() = default;
  ThetaRuns(const FieldShape& shape, int k) {
    const AxisCells& axes = shape.axes;
    long slower = 1;  // θ cells of slower axes
    pitch = shape.velocity_cells;
    cells = shape.theta_cells;
    velocities = lanes = shape.velocity_cells;
    if (axes.parameters > 0) {
      const auto axis = static_cast<std::size_t>(k);
      cells = axes.theta[axis];
      velocities = lanes = axes.velocity[axis];
      alike = k + 1 < axes.parameters;
      if (alike) lanes = 1;
      for (int l = 0; l < axes.parameters; ++l) {
        const auto other = static_cast<std::size_t>(l);
        if (l < k) slower *= axes.theta[other];
        if (l > k) pitch *= axes.theta[other];
        if (l > k) lanes *= axes.velocity[other];
      }
    }
    runs_of_problem = slower * (pitch / lanes);
    runs = shape.planes * runs_of_problem;
  }

  /// Where the first cell of the first column of a run lies.
  UNDERDAMP_HD std::ptrdiff_t origin(long run) const {
    const long beside = pitch / lanes;
    return static_cast<std::ptrdiff_t>(run / beside) * cells * pitch +
           static_cast<std::ptrdiff_t>(run % beside) * lanes;
  }
  /// Cell of v_k of the columns of a run that share it; else of its first column.
  UNDERDAMP_HD int velocity(long run) const { return alike ? static_cast<int>(run % velocities) : 0; }
  UNDERDAMP_HD int problem(long run) const { return static_cast<int>(run / runs_of_problem); }
};

}  // namespace underdamp
