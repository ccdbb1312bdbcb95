#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/bodies/drift_sweep.hpp"
#include "kernels/bodies/velocity_sweep.hpp"
#include "kernels/bodies/wall_sweep.hpp"
#include "kernels/operations/plan_memory.hpp"
#include "kernels/tables/drift_table.hpp"
#include "kernels/tables/make_velocity_table.hpp"
#include "kernels/tables/rounding.hpp"
#include "kernels/tables/wall_stencils.hpp"

/// Coefficients of sweeps on a device.
namespace underdamp {

/// Beside walls on which a force acts: what WallView points to.
template <class Launcher>
struct WallPlan {
  WallTable sizes;  ///< without its matrices
  typename PlanMemory<Launcher>::template Place<int> outgoing_rows;
  typename PlanMemory<Launcher>::template Place<double> matrices;  ///< incoming, outgoing, crossing, weights, bump
  typename PlanMemory<Launcher>::template Place<double> rows;
  typename PlanMemory<Launcher>::template Place<double> work;
};

template <class Launcher>
struct DeviceDriftPlan final : DriftPlan {
  using Real = typename Launcher::Real;
  template <class T>
  using Place = typename PlanMemory<Launcher>::template Place<T>;

  DeviceDriftPlan(const void* maker, const FieldShape& of) : DriftPlan(maker, of) {}
  PlanMemory<Launcher> memory;
  Place<int> offset;
  Place<Real> weights;
  long weight_stride = 0;
  int repeats = 1;  ///< sweeps that make up the drift
  ThetaWalls walls;
  int halo_rows = 0;  ///< rows beyond mirroring walls that must be filled before the sweep; 0 if none
  Place<Real> halo_below;
  Place<Real> halo_above;
  WallPlan<Launcher> wall;

  DriftView<Real> view() const { return {memory.at(offset), memory.at(weights), weight_stride}; }
  bool mirrors_below() const { return walls.lower == ThetaBoundary::reflecting && !walls.lower_pressed; }
  bool mirrors_above() const { return walls.upper == ThetaBoundary::reflecting && !walls.upper_pressed; }
  int pressed_walls() const { return (walls.lower_pressed ? 1 : 0) + (walls.upper_pressed ? 1 : 0); }
  WallView wall_view() const {
    const std::ptrdiff_t sets = static_cast<std::ptrdiff_t>(shape.planes) * wall.sizes.pairs;
    const std::ptrdiff_t matrices = sets * wall.sizes.sources * wall.sizes.stride;
    const double* const base = memory.at(wall.matrices);
    return {wall.sizes.pairs,
            wall.sizes.sources,
            wall.sizes.incoming_rows,
            wall.sizes.stride,
            memory.at(wall.outgoing_rows),
            base,
            base + matrices,
            base + 2 * matrices,
            base + 3 * matrices,
            base + 3 * matrices + wall.sizes.stride,
            walls.lower_pressed ? 0 : 1,
            pressed_walls()};
  }
};

template <class Launcher>
struct DeviceVelocityPlan final : VelocityPlan {
  using Real = typename Launcher::Real;

  DeviceVelocityPlan(const void* maker, const FieldShape& of) : VelocityPlan(maker, of) {}
  bool deposits = false;
  int lanes = 1;
  PlanMemory<Launcher> memory;
  VelocityView<Real> view{};
};

template <class Launcher>
void plan_walls(const PhaseMesh& mesh, std::span<const double> duration, DeviceDriftPlan<Launcher>& plan) {
  WallTable table = make_wall_table(mesh, duration);
  std::vector<double> matrices;
  for (std::vector<double>* part : {&table.incoming, &table.outgoing, &table.crossing, &table.weights, &table.bump}) {
    matrices.insert(matrices.end(), part->begin(), part->end());
    *part = {};
  }
  plan.wall.outgoing_rows = plan.memory.add(table.outgoing_rows);
  plan.wall.matrices = plan.memory.add(std::move(matrices));
  plan.wall.sizes = std::move(table);
  const auto places = static_cast<std::size_t>(mesh.planes()) * static_cast<std::size_t>(plan.pressed_walls());
  plan.wall.rows = plan.memory.template reserve<double>(places * static_cast<std::size_t>(mesh.velocity_cells()) *
                                                        static_cast<std::size_t>(plan.wall.sizes.sources));
  plan.wall.work = plan.memory.template reserve<double>(2 * places * static_cast<std::size_t>(plan.wall.sizes.pairs) *
                                                        static_cast<std::size_t>(plan.wall.sizes.stride));
}

template <class Launcher>
std::unique_ptr<DriftPlan> make_drift_plan(DeviceContext<Launcher>& context, const PhaseMesh& mesh,
                                           std::span<const double> duration) {
  using Real = typename Launcher::Real;
  require_size(duration.size(), static_cast<std::size_t>(mesh.planes()));
  auto plan = std::make_unique<DeviceDriftPlan<Launcher>>(&context, mesh.shape());
  plan->walls = mesh.walls();
  plan->repeats = drift_repeats(mesh, duration);
  constexpr int most_repeats = 64;
  if (plan->repeats > most_repeats) {
    throw Error(ExitCode::bad_input, "one step carries the density many times across the box between reflecting walls",
                "grid.theta", "use a smaller step, or a smaller velocity box");
  }
  std::vector<double> part(duration.begin(), duration.end());
  for (double& tau : part) tau /= plan->repeats;
  DriftTable table = make_drift_table(mesh, part);
  plan->weight_stride = table.weight_stride;
  plan->weights = plan->memory.add(rounded_stencils<Real>(table));
  plan->offset = plan->memory.add(std::move(table.offset));
  if (plan->mirrors_below() || plan->mirrors_above()) {
    plan->halo_rows = table.reach;
    const std::size_t halo = static_cast<std::size_t>(mesh.planes()) * static_cast<std::size_t>(table.reach) *
                                 static_cast<std::size_t>(mesh.velocity_cells()) +
                             FieldSize::margin;
    plan->halo_below = plan->memory.template reserve<Real>(halo);
    plan->halo_above = plan->memory.template reserve<Real>(halo);
  }
  if (mesh.walls().any_pressed()) plan_walls(mesh, part, *plan);
  plan->memory.send(context);
  return plan;
}

/// In the widest bundles for which the device has the scratch.
template <class Launcher>
VelocityTable fitting_velocity_table(const Launcher& launcher, const PhaseMesh& mesh, const VelocityLaw& law) {
  VelocityTable table;
  for (const int lanes : Launcher::lane_choices) {
    table = make_velocity_table(mesh, law, lanes, Launcher::cascades);
    if (launcher.bundle_fits(VelocitySweep<typename Launcher::Real, true, false>::scratch_arrays, lanes,
                             mesh.velocity_cells(), table.margin))
      break;
  }
  return table;
}

template <class Launcher>
std::unique_ptr<VelocityPlan> make_velocity_plan(DeviceContext<Launcher>& context, const PhaseMesh& mesh,
                                                 const VelocityLaw& law) {
  using Real = typename Launcher::Real;
  require_size(law.contraction.size(), static_cast<std::size_t>(mesh.planes()));
  require_size(law.kick.size(), as_size(mesh.shape().lines()));
  require_size(law.variance.size(), as_size(mesh.shape().lines()));
  const VelocityTable table = fitting_velocity_table(context.launcher(), mesh, law);
  auto plan = std::make_unique<DeviceVelocityPlan<Launcher>>(&context, mesh.shape());
  plan->lanes = table.lanes;
  plan->deposits = table.deposits;
  plan->taps = table.taps();
  PlanMemory<Launcher>& memory = plan->memory;
  // Memory is taken once all places are known; only then can tables point into it.
  std::vector<std::function<ContractionView<Real>()>> contractions;
  for (const ContractionTable& c : table.contractions) {
    contractions.push_back([&memory, base = memory.add(c.base), fraction = memory.add(rounded<Real>(c.fraction)),
                            weights = memory.add(rounded_stencils<Real>(c)), whole = memory.add(c.whole_cells),
                            count = static_cast<int>(c.whole_cells.size())] {
      return ContractionView<Real>{memory.at(base), memory.at(fraction), memory.at(weights), memory.at(whole), count};
    });
  }
  std::vector<std::function<DepositView()>> deposits;
  for (const DepositTable& d : table.deposit_tables) {
    deposits.push_back([&memory, rows = memory.add(d.row_begin), source = memory.add(d.source),
                        weights = memory.add(d.weights), first = d.first_target, last = d.last_target] {
      return DepositView{memory.at(rows), memory.at(source), memory.at(weights), first, last};
    });
  }
  const auto contraction_views = memory.template reserve<ContractionView<Real>>(contractions.size());
  const auto deposit_views = memory.template reserve<DepositView>(deposits.size());
  const auto contraction_of_plane = memory.add(table.contraction_of_plane);
  const auto shift = memory.add(table.shift);
  const auto bundles = memory.add(table.bundles);
  const auto levels = memory.add(table.levels);
  const auto weights = memory.add(rounded_stencils<Real>(table));
  memory.send(context);
  std::vector<ContractionView<Real>> views;
  for (const auto& view : contractions) views.push_back(view());
  memory.put(context, contraction_views, views);
  std::vector<DepositView> views_of_deposits;
  for (const auto& view : deposits) views_of_deposits.push_back(view());
  memory.put(context, deposit_views, views_of_deposits);
  plan->view = {table.bundles_per_plane,
                memory.at(contraction_of_plane),
                memory.at(contraction_views),
                memory.at(deposit_views),
                memory.at(shift),
                memory.at(bundles),
                memory.at(levels),
                memory.at(weights),
                table.margin};
  return plan;
}

}  // namespace underdamp
