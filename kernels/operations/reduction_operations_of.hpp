#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/bodies/extrapolation.hpp"
#include "kernels/bodies/moments.hpp"
#include "kernels/operations/device_context.hpp"
#include "kernels/operations/operations.hpp"
#include "kernels/operations/plane_sums.hpp"
#include "kernels/operations/row_sum_plan.hpp"

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

  std::vector<double> sum_rows(const Field& field, const RowSumPlan& plan) override {
    const auto scope = context_.begin_apart("sum rows");
    const auto& p = context_.template plan_for<DeviceRowSumPlan>(plan, field.shape());
    LineSums* const lines = p.memory.at(p.line_sums);
    launcher_->for_each_line("sum lines", p.shape.lines(),
                             SumLines<Real>{context_.device(field).const_view(), p.memory.at(p.velocity_origin),
                                            p.memory.at(p.velocity_width), p.dissipation(), lines});
    p.has_line_sums = true;
    return add_rows(p, &lines->mass, sizeof(LineSums) / sizeof(double));
  }

  std::vector<PlaneSmallest> smallest_of_rows(const RowSumPlan& plan) override {
    const auto scope = context_.begin_apart("smallest of rows");
    const auto& p = context_.template own<DeviceRowSumPlan>(plan);
    require(p.has_line_sums, "the smallest of rows were asked for before the rows were added up");
    context_.resize(smallest_, static_cast<std::size_t>(p.shape.planes));
    launch_plane_sums(*launcher_, SmallestOfRows{p.memory.at(p.line_sums), p.shape.theta_cells, smallest_.data()},
                      p.shape.planes);
    return context_.received(smallest_, static_cast<std::size_t>(p.shape.planes));
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

  std::vector<LineSums> sum_lines(const PhaseMesh& mesh, const Field& field, const Dissipation& dissipation) override {
    const auto scope = context_.begin_apart("sum lines");
    const DeviceField& f = context_.device(field);
    const FieldShape& shape = f.shape();
    const auto planes = static_cast<std::size_t>(shape.planes);
    require_same(mesh.shape(), shape);
    const bool dissipates = !dissipation.diffusion.empty();
    if (dissipates) require_size(dissipation.diffusion.size(), as_size(shape.lines()));
    if (dissipates || !dissipation.friction.empty()) require_size(dissipation.friction.size(), planes);
    // [origin, width, friction] per plane, then D per line.
    std::vector<double> coefficients(3 * planes, 0.0);
    for (std::size_t p = 0; p < planes; ++p) {
      coefficients[p] = mesh.plane(static_cast<int>(p)).velocity.center(0);
      coefficients[planes + p] = mesh.plane(static_cast<int>(p)).velocity.width();
      if (!dissipation.friction.empty()) coefficients[2 * planes + p] = dissipation.friction[p];
    }
    coefficients.insert(coefficients.end(), dissipation.diffusion.begin(), dissipation.diffusion.end());
    context_.send(coefficients, plane_values_);
    context_.resize(line_sums_, as_size(shape.lines()));
    const double* base = plane_values_.data();
    launcher_->for_each_line(
        "sum lines", shape.lines(),
        SumLines<Real>{f.const_view(),
                       base,
                       base + planes,
                       {base + 2 * planes, dissipates ? base + 3 * planes : nullptr, dissipation.floor},
                       line_sums_.data()});
    return context_.received(line_sums_, as_size(shape.lines()));
  }

  std::vector<LineMoments> sum_moments(const PhaseMesh& mesh, const Field& field) override {
    const auto scope = context_.begin_apart("sum moments");
    const DeviceField& f = context_.device(field);
    const FieldShape& shape = f.shape();
    require_same(mesh.shape(), shape);
    std::vector<double> coefficients;  // [origin, width] per plane
    for (int p = 0; p < shape.planes; ++p) coefficients.push_back(mesh.plane(p).velocity.center(0));
    for (int p = 0; p < shape.planes; ++p) coefficients.push_back(mesh.plane(p).velocity.width());
    context_.send(coefficients, plane_values_);
    context_.resize(line_moments_, as_size(shape.lines()));
    launcher_->for_each_line("sum moments", shape.lines(),
                             SumMoments<Real>{f.const_view(), plane_values_.data(), plane_values_.data() + shape.planes,
                                              line_moments_.data()});
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
