#pragma once
#include <cstddef>

#include "kernels/bodies/drift_sweep.hpp"
#include "kernels/tables/drift_table.hpp"
#include "meshes/theta_runs.hpp"

namespace underdamp {

/// Where a drift sweep reads: the runs of columns of a field.
template <class Real>
struct ColumnSource {
  ThetaRows<Real> first;  ///< of the first run
  ThetaRuns runs;
  bool by_run;  ///< what leaves is counted by run, not by column

  UNDERDAMP_HD ThetaRows<Real> rows_of(long run) const {
    ThetaRows<Real> rows = first;
    rows.plane += runs.origin(run);
    // Only planes (θ, v) have rows beyond their walls.
    if (rows.below != nullptr) rows.below += static_cast<std::ptrdiff_t>(run) * rows.depth * rows.pitch;
    if (rows.above != nullptr) rows.above += static_cast<std::ptrdiff_t>(run) * rows.depth * rows.pitch;
    return rows;
  }
  /// Entry of the first column of a run in the table of a sweep.
  UNDERDAMP_HD long first_entry(long run) const {
    const long of_problem = static_cast<long>(runs.problem(run)) * runs.velocities;
    return runs.alike ? (of_problem + runs.velocity(run)) * alike_lanes : of_problem;
  }
};

}  // namespace underdamp
