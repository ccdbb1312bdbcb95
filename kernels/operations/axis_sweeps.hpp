#pragma once
#include "kernels/bodies/column_source.hpp"
#include "kernels/bodies/combination.hpp"
#include "kernels/bodies/velocity_block.hpp"
#include "kernels/operations/block_plans.hpp"

/// Launches of the sweeps of several parameters.
namespace underdamp {

/// The runs along θ_k of a field.
template <class Launcher>
ColumnSource<typename Launcher::Real> runs_along(const DeviceField<Launcher>& field, int k, bool periodic,
                                                 bool mirrored) {
  const ThetaRuns runs(field.shape(), k);
  return {{field.cells(), nullptr, nullptr, 0, runs.cells, runs.pitch, periodic, mirrored}, runs, true};
}

/// X_k(τ) of every axis in turn; the last one to where the launcher wants it.
template <class Launcher>
typename Launcher::Real* drift_along_axes(Launcher& launcher, DeviceField<Launcher>& field,
                                          const DeviceAxesDriftPlan<Launcher>& plan, Positivity positivity) {
  using Real = typename Launcher::Real;
  const int parameters = field.shape().axes.parameters;
  for (int k = 0;; ++k) {
    const auto axis = static_cast<std::size_t>(k);
    const ThetaWalls& walls = plan.walls[axis];
    Real* const target = launcher.drift_target(field.cell_memory);
    const auto counted = [](ThetaBoundary wall, double* left) { return wall == ThetaBoundary::open ? left : nullptr; };
    double* const below = counted(walls.lower, field.left_below(k));
    double* const above = counted(walls.upper, field.left_above(k));
    const auto source = runs_along(field, k, walls.is_periodic(), false);
    if (positivity == Positivity::limit) {
      launcher.for_each_column_group("drift along an axis", source,
                                     DriftSweep<Real, true, wide_remap_cells>{plan.views[axis], target, below, above});
    } else {
      launcher.for_each_column_group("drift along an axis", source,
                                     DriftSweep<Real, false, wide_remap_cells>{plan.views[axis], target, below, above});
    }
    if (k + 1 == parameters) return target;
    launcher.finish_drift(field.cell_memory);
  }
}

/// V of every block.
template <class Launcher>
void sweep_blocks(Launcher& launcher, const typename Launcher::Real* from, DeviceField<Launcher>& to,
                  const DeviceBlockVelocityPlan<Launcher>& plan, Positivity positivity) {
  using Real = typename Launcher::Real;
  const FieldShape& shape = to.shape();
  const BlockShape block(shape.axes, Launcher::block_lanes);
  launcher.for_each_block(
      "velocity blocks", shape.lines(), block,
      VelocityBlockSweep<Real>{plan.view, block, shape.theta_cells, positivity == Positivity::limit, plan.keeps_mass,
                               from, to.cells(), to.left_lower(), shape.lines(), to.created_in_lines()});
}

/// S along every θ axis.
template <class Launcher>
void filter_along_axes(Launcher& launcher, DeviceField<Launcher>& field, const PhaseSpace& space) {
  for (int k = 0; k < space.parameters(); ++k) {
    const bool periodic = space.walls(k).is_periodic();
    auto* const target = launcher.drift_target(field.cell_memory);
    launcher.for_each_column_group("filter along an axis", runs_along(field, k, periodic, !periodic),
                                   FilterAxis<typename Launcher::Real>{target});
    launcher.finish_drift(field.cell_memory);
  }
}

}  // namespace underdamp
