#pragma once
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/bodies/extrapolation.hpp"
#include "kernels/bodies/moments.hpp"
#include "kernels/operations/device_context.hpp"
#include "kernels/operations/operations.hpp"
#include "kernels/operations/plane_sums.hpp"
#include "kernels/operations/sum_plans.hpp"

namespace underdamp {

/// Sums over fields, once for every device.
template <class Launcher>
class ReductionOperationsOf final : public ReductionOperations {
 public:
  explicit ReductionOperationsOf(DeviceContext<Launcher>& context)
      : context_(context), launcher_(&context.launcher()) {}

  std::vector<double> combination_norm(std::span<const Field* const> levels,
                                       std::span<const double> coefficients) override {
    const auto scope = context_.begin_apart("combination norm");
    require_levels(levels.size(), coefficients.size());
    const FieldShape& shape = levels.front()->shape();
    context_.resize(line_values_, as_size(shape.lines()));
    CombinationNorm<Real> body{{{}, static_cast<int>(levels.size())}, {}, shape.velocity_cells, line_values_.data()};
    for (std::size_t k = 0; k < levels.size(); ++k) {
      require_same(levels[k]->shape(), shape);
      body.levels.level[k] = context_.device(*levels[k]).cells();
      body.coefficients.value[k] = coefficients[k];
    }
    launcher_->for_each_line("combination norm", shape.lines(), body);
    launch_plane_sums(*launcher_, SumConsecutive{line_values_.data(), shape.theta_cells, results_of(shape.planes)},
                      shape.planes);
    auto result = context_.received(results_, static_cast<std::size_t>(shape.planes));
    scope.done();
    return result;
  }

  std::unique_ptr<RowSumPlan> plan_row_sums(const PhaseMesh& mesh, const RowSumLaw& law,
                                            const Dissipation& dissipation) override {
    const auto scope = context_.begin_apart("plan row sums");
    return make_row_sum_plan(context_, mesh, law, dissipation);
  }

  RowSums sum_rows(const Field& field, const RowSumPlan& plan) override {
    const auto scope = context_.begin_apart("sum rows");
    const auto& p = context_.template plan_for<DeviceRowSumPlan>(plan, field.shape());
    const LineSums* const lines = launch_line_sums(field, p);
    const int planes = p.shape.planes;
    context_.resize(smallest_, as_size(planes));
    launch_plane_sums(*launcher_, SmallestOfRows{lines, p.shape.theta_cells, smallest_.data()}, planes);
    auto sums = add_rows(p, &lines->mass, sizeof(LineSums) / sizeof(double));
    return {std::move(sums), context_.received(smallest_, as_size(planes))};
  }

  std::unique_ptr<MomentPlan> plan_moments(const PhaseMesh& mesh, const MomentLaw& law) override {
    const auto scope = context_.begin_apart("plan moments");
    return make_moment_plan(context_, mesh, law);
  }

  std::vector<double> sum_moments(const Field& field, const MomentPlan& plan) override {
    const auto scope = context_.begin_apart("sum moments");
    const auto& p = context_.template plan_for<DeviceMomentPlan>(plan, field.shape());
    const int planes = p.shape.planes;
    const LineMoments* const lines =
        launch_line_moments(field, p.memory.at(p.velocity_origin), p.memory.at(p.velocity_width));
    launch_plane_sums(*launcher_,
                      SumMomentsOfLines{lines, p.shape.theta_cells, p.shape.lines(), p.memory.at(p.factors), p.sums,
                                        results_of(planes, p.sums)},
                      planes);
    return context_.received(results_, as_size(planes) * as_size(p.sums));
  }

  std::vector<double> sum_shapes(const Field& field, const RowSumPlan& plan) override {
    const auto scope = context_.begin_apart("sum shapes");
    const auto& p = context_.template plan_for<DeviceRowSumPlan>(plan, field.shape());
    context_.resize(line_shapes_, as_size(p.shape.lines()));
    LineShape* const lines = line_shapes_.data();
    launcher_->for_each_line("line shapes", p.shape.lines(),
                             Roughness<Real>{context_.device(field).const_view(), p.memory.at(p.from_middle), lines});
    return add_rows(p, &lines->along_theta, sizeof(LineShape) / sizeof(double));
  }

  std::vector<double> sum_planes(const PhaseMesh& mesh, const Field& field) override {
    const auto scope = context_.begin_apart("sum planes");
    const FieldShape& shape = field.shape();
    add_columns(mesh, field);
    launch_plane_sums(*launcher_, SumConsecutive{line_values_.data(), shape.velocity_cells, results_of(shape.planes)},
                      shape.planes);
    return context_.received(results_, static_cast<std::size_t>(shape.planes));
  }

  std::vector<LineMoments> line_moments(const PhaseMesh& mesh, const Field& field) override {
    const auto scope = context_.begin_apart("line moments");
    const FieldShape& shape = field.shape();
    require_same(mesh.shape(), shape);
    auto coefficients = velocity_origins(mesh);
    const auto widths = velocity_widths(mesh);
    coefficients.insert(coefficients.end(), widths.begin(), widths.end());
    context_.send(coefficients, plane_values_);
    launch_line_moments(field, plane_values_.data(), plane_values_.data() + shape.planes);
    return context_.received(line_moments_, as_size(shape.lines()));
  }

  std::vector<double> sum_columns(const PhaseMesh& mesh, const Field& field) override {
    const auto scope = context_.begin_apart("sum columns");
    add_columns(mesh, field);
    return context_.received(line_values_, as_size(field.shape().columns()));
  }

 private:
  using Real = typename Launcher::Real;
  template <class T>
  using Array = typename Launcher::template Array<T>;
  using DeviceField = underdamp::DeviceField<Launcher>;
  using DeviceRowSumPlan = underdamp::DeviceRowSumPlan<Launcher>;
  using DeviceMomentPlan = underdamp::DeviceMomentPlan<Launcher>;

  /// Into line_sums_.
  const LineSums* launch_line_sums(const Field& field, const DeviceRowSumPlan& plan) {
    context_.resize(line_sums_, as_size(plan.shape.lines()));
    launcher_->for_each_line(
        "sum lines", plan.shape.lines(),
        SumLines<Real>{context_.device(field).const_view(), plan.memory.at(plan.velocity_origin),
                       plan.memory.at(plan.velocity_width), plan.dissipation(), line_sums_.data()});
    return line_sums_.data();
  }
  /// Into line_moments_.
  const LineMoments* launch_line_moments(const Field& field, const double* velocity_origin,
                                         const double* velocity_width) {
    context_.resize(line_moments_, as_size(field.shape().lines()));
    launcher_->for_each_line("line moments", field.shape().lines(),
                             SumLineMoments<Real>{context_.device(field).const_view(), velocity_origin, velocity_width,
                                                  line_moments_.data()});
    return line_moments_.data();
  }
  /// Into line_values_.
  void add_columns(const PhaseMesh& mesh, const Field& field) {
    const FieldShape& shape = field.shape();
    require_same(mesh.shape(), shape);
    context_.resize(line_values_, as_size(shape.columns()));
    launcher_->for_each_column("sum columns", shape.columns(),
                               SumColumns<Real>{context_.device(field).cells(), context_.row_weights(mesh),
                                                shape.theta_cells, shape.velocity_cells, line_values_.data()});
  }
  double* results_of(int planes, int numbers = 1) {
    context_.resize(results_, static_cast<std::size_t>(planes) * static_cast<std::size_t>(numbers));
    return results_.data();
  }
  std::vector<double> add_rows(const DeviceRowSumPlan& plan, const double* lines, int stride) {
    const int planes = plan.shape.planes;
    SumRows body = plan.view(lines, stride);
    body.results = results_of(planes, body.sums);
    launch_plane_sums(*launcher_, body, planes);
    return context_.received(results_, static_cast<std::size_t>(planes) * static_cast<std::size_t>(body.sums));
  }

  DeviceContext<Launcher>& context_;
  Launcher* launcher_;
  Array<double> line_values_;
  Array<double> plane_values_;
  Array<LineSums> line_sums_;
  Array<LineMoments> line_moments_;
  Array<LineShape> line_shapes_;
  Array<double> results_;
  Array<PlaneSmallest> smallest_;
};

template <class Launcher>
std::unique_ptr<ReductionOperations> make_reduction_operations(DeviceContext<Launcher>& context) {
  return std::make_unique<ReductionOperationsOf<Launcher>>(context);
}

}  // namespace underdamp
