#pragma once
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/bodies/column_source.hpp"
#include "kernels/bodies/combination.hpp"
#include "kernels/bodies/extrapolation.hpp"
#include "kernels/bodies/reflected_rows.hpp"
#include "kernels/operations/axis_sweeps.hpp"
#include "kernels/operations/block_plans.hpp"
#include "kernels/operations/operations.hpp"
#include "kernels/operations/sweep_plans.hpp"

namespace underdamp {

/// Sweeps, and what puts several levels of them together, once for every device.
template <class Launcher>
class SweepOperationsOf final : public SweepOperations {
 public:
  explicit SweepOperationsOf(DeviceContext<Launcher>& context) : context_(context), launcher_(&context.launcher()) {}

  std::unique_ptr<DriftPlan> plan_drift(const PhaseMesh& mesh, std::span<const double> duration) override {
    const auto scope = context_.begin_apart("plan drift");
    auto plan = make_drift_plan(context_, mesh, duration);
    scope.done();
    return plan;
  }
  std::unique_ptr<VelocityPlan> plan_velocity(const PhaseMesh& mesh, const VelocityLaw& law) override {
    const auto scope = context_.begin_apart("plan velocity");
    auto plan = make_velocity_plan(context_, mesh, law);
    scope.done();
    return plan;
  }

  std::unique_ptr<DriftPlan> plan_drift(const PhaseSpace& space, std::span<const double> duration) override {
    const auto scope = context_.begin_apart("plan drift");
    auto plan = make_drift_plan(context_, space, duration);
    scope.done();
    return plan;
  }
  std::unique_ptr<VelocityPlan> plan_velocity(const PhaseSpace& space, const BlockVelocityLaw& law) override {
    const auto scope = context_.begin_apart("plan velocity");
    auto plan = make_velocity_plan(context_, space, law);
    scope.done();
    return plan;
  }

  void drift(Field& field, const DriftPlan& plan, Positivity positivity) override {
    const auto scope = context_.begin("drift");
    drift_elsewhere(context_.device(field), plan, positivity);
    launcher_->finish_drift(context_.device(field).cell_memory);
    scope.done(&field);
  }

  void velocity(const Field& from, Field& to, const VelocityPlan& plan, Positivity positivity) override {
    const auto scope = context_.begin("velocity");
    const DeviceField& source = context_.device(from);
    DeviceField& target = context_.device(to);
    require_same(source.shape(), target.shape());
    static_cast<void>(context_.template plan_for<VelocityPlan>(plan, target.shape()));
    if (&source != &target) launcher_->copy(source.departed(), source.size.departed, target.departed());
    velocity_from(source.cells(), target, plan, positivity);
    scope.done(&to);
  }

  void drift_velocity(Field& field, const DriftPlan& drift, const VelocityPlan& velocity,
                      Positivity positivity) override {
    const auto scope = context_.begin("drift and velocity");
    static_cast<void>(context_.template plan_for<VelocityPlan>(velocity, field.shape()));  // before the drift has begun
    velocity_from(drift_elsewhere(context_.device(field), drift, positivity), context_.device(field), velocity,
                  positivity);
    scope.done(&field);
  }

  std::unique_ptr<Sequence> make_sequence(std::function<void()> operations) override {
    require(static_cast<bool>(operations), "a sequence needs operations");
    auto sequence = std::make_unique<DeviceSequence>(&context_);
    sequence->operations = std::move(operations);
    return sequence;
  }

  void replay(Sequence& sequence) override {
    const auto scope = context_.begin("replay");
    auto& s = context_.template own<DeviceSequence>(sequence);
    launcher_->replay(s.recording, s.operations);
  }

  void extrapolate(const PhaseMesh& mesh, std::span<Field* const> levels, std::span<const double> combination,
                   std::span<const double> difference, std::span<const double> difference_scale, Field& error,
                   Field& density, Positivity positivity) override {
    const auto scope = context_.begin_apart("extrapolate");
    const FieldShape& shape = density.shape();
    DeviceField& target = context_.device(density);
    require_levels(levels.size(), combination.size());
    require_levels(levels.size(), difference.size());
    require_size(difference_scale.size(), static_cast<std::size_t>(shape.planes));
    require_same(mesh.shape(), shape);
    require_same(error.shape(), shape);
    for (const Field* const level : levels) require_same(level->shape(), shape);
    context_.send(std::vector<double>(difference_scale.begin(), difference_scale.end()), plane_values_);
    CombineLevels<Real> combine{{{}, static_cast<int>(levels.size())},
                                {},
                                {},
                                plane_values_.data(),
                                context_.device(error).cells(),
                                context_.device(*levels.front()).cells(),
                                shape.theta_cells,
                                shape.velocity_cells};
    for (std::size_t k = 0; k < levels.size(); ++k) {
      combine.levels.level[k] = context_.device(*levels[k]).cells();
      combine.combination.value[k] = combination[k];
      combine.difference.value[k] = difference[k];
    }
    // What departed is a field like any other: it is combined with the same coefficients, without filter or limiter.
    CombineValues departed{{{}, combine.levels.count}, combine.combination, target.departed()};
    for (std::size_t k = 0; k < levels.size(); ++k) departed.levels.level[k] = context_.device(*levels[k]).departed();
    launcher_->for_each_value("combine departed", target.size.departed, departed);
    launcher_->for_each_line("combine levels", shape.lines(), combine);
    const FilterRows rows = filter_rows(mesh);
    const Real* finest = context_.device(*levels.back()).cells();
    const Real* correction = context_.device(*levels.front()).cells();
    if (positivity == Positivity::limit) {
      launcher_->for_each_segment(
          "filter", shape,
          FilterAndClip<Real, true>{finest, correction, target.cells(), target.created_in_segments(), shape.theta_cells,
                                    shape.velocity_cells, shape.columns(), rows});
    } else {
      launcher_->for_each_segment(
          "filter", shape,
          FilterAndClip<Real, false>{finest, correction, target.cells(), target.created_in_segments(),
                                     shape.theta_cells, shape.velocity_cells, shape.columns(), rows});
    }
    scope.done(&density);
  }

  void combine(std::span<const Field* const> from, std::span<const double> weights, Field& to) override {
    const auto scope = context_.begin_apart("combine");
    DeviceField& target = context_.device(to);
    const FieldShape& shape = target.shape();
    const auto planes = static_cast<std::size_t>(shape.planes);
    require_levels(from.size(), weights.size() / planes);
    require_size(weights.size(), planes * from.size());
    for (const Field* const field : from) require_same(field->shape(), shape);
    context_.send(std::vector<double>(weights.begin(), weights.end()), plane_values_);
    CombineFields<Real> combine{{{}, static_cast<int>(from.size())},
                                plane_values_.data(),
                                target.cells(),
                                shape.theta_cells,
                                shape.velocity_cells};
    // What departed is combined alike; of a batch with the weights of the first plane, which are those of all but for
    // fields of errors, from which nothing is counted.
    CombineValues departed{{{}, combine.from.count}, {}, target.departed()};
    for (std::size_t k = 0; k < from.size(); ++k) {
      combine.from.level[k] = context_.device(*from[k]).cells();
      departed.levels.level[k] = context_.device(*from[k]).departed();
      departed.combination.value[k] = weights[k];
    }
    launcher_->for_each_value("combine departed", target.size.departed, departed);
    launcher_->for_each_line("combine fields", shape.lines(), combine);
    scope.done(&to);
  }

  void filter(const PhaseSpace& space, Field& field) override {
    const auto scope = context_.begin_apart("filter");
    require_same(space.shape(), field.shape());
    filter_along_axes(*launcher_, context_.device(field), space);
    scope.done(&field);
  }

  void clip(Field& field) override {
    const auto scope = context_.begin_apart("clip");
    DeviceField& f = context_.device(field);
    launcher_->for_each_line("clip lines", f.shape().lines(), ClipLines<Real>{f.view(), f.created_in_lines()});
    scope.done(&field);
  }

 private:
  using Real = typename Launcher::Real;
  template <class T>
  using Array = typename Launcher::template Array<T>;
  using DeviceField = underdamp::DeviceField<Launcher>;
  using DeviceDriftPlan = underdamp::DeviceDriftPlan<Launcher>;
  using DeviceVelocityPlan = underdamp::DeviceVelocityPlan<Launcher>;

  struct DeviceSequence final : Sequence {
    explicit DeviceSequence(const void* maker) : Sequence(maker) {}
    std::function<void()> operations;
    typename Launcher::Recording recording;
  };

  void fill_reflected_halo(const DeviceField& field, const DeviceDriftPlan& plan) {
    const FieldShape& shape = field.shape();
    launcher_->for_each_column(
        "reflect rows", shape.columns(),
        ReflectRows<Real>{field.cells(), plan.memory.at(plan.halo_below), plan.memory.at(plan.halo_above),
                          shape.theta_cells, shape.velocity_cells, plan.halo_rows});
  }

  void save_wall_rows(const DeviceField& field, const DeviceDriftPlan& plan) {
    const FieldShape& shape = field.shape();
    launcher_->for_each_column("save rows at walls", shape.columns(),
                               SaveWallRows<Real>{plan.wall_view(), field.cells(), plan.memory.at(plan.wall.rows),
                                                  shape.theta_cells, shape.velocity_cells});
  }

  template <bool limited>
  void launch_walls(DeviceField& field, const DeviceDriftPlan& plan, Real* target) {
    const FieldShape& shape = field.shape();
    const WallView walls = plan.wall_view();
    launcher_->for_each_line("rows at walls", shape.planes * walls.walls * walls.pairs,
                             WallSweep<Real, limited>{walls, plan.view(), plan.memory.at(plan.wall.rows),
                                                      plan.memory.at(plan.wall.work), target, shape.theta_cells,
                                                      shape.velocity_cells, field.left_below(), field.left_above()});
  }

  /// One sweep of X(τ).
  template <bool limited>
  void launch_drift(DeviceField& field, const DeviceDriftPlan& plan, Real* target) {
    const FieldShape& shape = field.shape();
    const bool pressed = plan.pressed_walls() > 0;
    if (plan.halo_rows > 0) fill_reflected_halo(field, plan);
    if (pressed) save_wall_rows(field, plan);
    const ColumnSource<Real> source{{field.cells(), plan.mirrors_below() ? plan.memory.at(plan.halo_below) : nullptr,
                                     plan.mirrors_above() ? plan.memory.at(plan.halo_above) : nullptr, plan.halo_rows,
                                     shape.theta_cells, shape.velocity_cells, plan.walls.is_periodic(), false},
                                    ThetaRuns(shape, 0),
                                    false};
    const auto counted = [](ThetaBoundary wall, double* left) { return wall == ThetaBoundary::open ? left : nullptr; };
    launcher_->for_each_column_group(
        "drift", source,
        DriftSweep<Real, limited>{plan.view(), target, counted(plan.walls.lower, field.left_below()),
                                  counted(plan.walls.upper, field.left_above())});
    if (pressed) launch_walls<limited>(field, plan, target);
  }

  /// X(τ) into where the launcher wants it.
  Real* drift_elsewhere(DeviceField& field, const DriftPlan& plan, Positivity positivity) {
    if (field.shape().axes.parameters > 0) {
      const auto& axes = context_.template plan_for<DeviceAxesDriftPlan<Launcher>>(plan, field.shape());
      return drift_along_axes(*launcher_, field, axes, positivity);
    }
    const auto& p = context_.template plan_for<DeviceDriftPlan>(plan, field.shape());
    const auto sweep = [&] {
      Real* const target = launcher_->drift_target(field.cell_memory);
      if (positivity == Positivity::limit) {
        launch_drift<true>(field, p, target);
      } else {
        launch_drift<false>(field, p, target);
      }
      return target;
    };
    for (int part = 1; part < p.repeats; ++part) {
      sweep();
      launcher_->finish_drift(field.cell_memory);
    }
    return sweep();
  }

  template <bool limited, bool deposits>
  void launch_velocity(const Real* from, DeviceField& to, const DeviceVelocityPlan& plan) {
    const FieldShape& shape = to.shape();
    const long bundles = static_cast<long>(shape.planes) * plan.view.bundles_per_plane;
    launcher_->for_each_bundle("velocity", bundles, plan.lanes, shape.velocity_cells, plan.view.margin,
                               VelocitySweep<Real, limited, deposits>{plan.view,
                                                                      {from, shape.theta_cells, shape.velocity_cells},
                                                                      to.view(),
                                                                      to.left_lower(),
                                                                      to.left_upper(),
                                                                      to.created_in_lines()});
  }

  void velocity_from(const Real* from, DeviceField& to, const VelocityPlan& plan, Positivity positivity) {
    if (to.shape().axes.parameters > 0) {
      const auto& blocks = context_.template plan_for<DeviceBlockVelocityPlan<Launcher>>(plan, to.shape());
      return sweep_blocks(*launcher_, from, to, blocks, positivity);
    }
    const auto& p = context_.template plan_for<DeviceVelocityPlan>(plan, to.shape());
    if (positivity == Positivity::limit) {
      p.deposits ? launch_velocity<true, true>(from, to, p) : launch_velocity<true, false>(from, to, p);
    } else {
      p.deposits ? launch_velocity<false, true>(from, to, p) : launch_velocity<false, false>(from, to, p);
    }
  }

  FilterRows filter_rows(const PhaseMesh& mesh) {
    const ThetaWalls& walls = mesh.walls();
    if (!walls.any_pressed()) return {walls.is_periodic(), 0, 0, nullptr};
    const int rows = unfiltered_wall_rows(mesh);
    return {false, walls.lower_pressed ? rows : 0, walls.upper_pressed ? rows : 0, context_.row_weights(mesh)};
  }

  DeviceContext<Launcher>& context_;
  Launcher* launcher_;
  Array<double> plane_values_;
};

template <class Launcher>
std::unique_ptr<SweepOperations> make_sweep_operations(DeviceContext<Launcher>& context) {
  return std::make_unique<SweepOperationsOf<Launcher>>(context);
}

}  // namespace underdamp
