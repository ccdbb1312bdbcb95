#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/bodies/extrapolation.hpp"
#include "kernels/bodies/moments.hpp"
#include "kernels/operations/device_context.hpp"
#include "kernels/operations/operations.hpp"

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
    auto result = plane_totals(line_values_, shape);
    scope.done();
    return result;
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
    std::vector<LineSums> sums(as_size(shape.lines()));
    context_.download(line_sums_.data(), sums.size(), sums.data());
    return sums;
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
    std::vector<LineMoments> moments(as_size(shape.lines()));
    context_.download(line_moments_.data(), moments.size(), moments.data());
    return moments;
  }

  std::vector<double> sum_columns(const PhaseMesh& mesh, const Field& field) override {
    const auto scope = context_.begin_apart("sum columns");
    const FieldShape& shape = field.shape();
    require_same(mesh.shape(), shape);
    context_.resize(line_values_, as_size(shape.columns()));
    launcher_->for_each_column("sum columns", shape.columns(),
                               SumColumns<Real>{context_.device(field).cells(), context_.row_weights(mesh),
                                                shape.theta_cells, shape.velocity_cells, line_values_.data()});
    std::vector<double> sums(as_size(shape.columns()));
    context_.download(line_values_.data(), sums.size(), sums.data());
    return sums;
  }

  std::vector<LineShape> line_shapes(const Field& field) override {
    const auto scope = context_.begin_apart("line shapes");
    const FieldShape& shape = field.shape();
    context_.resize(line_shapes_, as_size(shape.lines()));
    std::vector<double> from_middle(static_cast<std::size_t>(shape.velocity_cells));
    for (std::size_t j = 0; j < from_middle.size(); ++j)
      from_middle[j] = static_cast<double>(j) - 0.5 * static_cast<double>(from_middle.size() - 1);
    context_.send(from_middle, plane_values_);
    launcher_->for_each_line(
        "line shapes", shape.lines(),
        Roughness<Real>{context_.device(field).const_view(), plane_values_.data(), line_shapes_.data()});
    std::vector<LineShape> shapes(as_size(shape.lines()));
    context_.download(line_shapes_.data(), shapes.size(), shapes.data());
    return shapes;
  }

 private:
  using Real = typename Launcher::Real;
  template <class T>
  using Array = typename Launcher::template Array<T>;
  using DeviceField = underdamp::DeviceField<Launcher>;

  /// Sums per plane in the order of the lines, so that they repeat bit for bit.
  std::vector<double> plane_totals(const Array<double>& per_line, const FieldShape& shape) {
    std::vector<double> values(as_size(shape.lines()));
    context_.download(per_line.data(), values.size(), values.data());
    std::vector<double> total(static_cast<std::size_t>(shape.planes), 0.0);
    for (std::size_t l = 0; l < values.size(); ++l) total[l / static_cast<std::size_t>(shape.theta_cells)] += values[l];
    return total;
  }

  DeviceContext<Launcher>& context_;
  Launcher* launcher_;
  Array<double> line_values_;
  Array<double> plane_values_;
  Array<LineSums> line_sums_;
  Array<LineMoments> line_moments_;
  Array<LineShape> line_shapes_;
};

template <class Launcher>
std::unique_ptr<ReductionOperations> make_reduction_operations(DeviceContext<Launcher>& context) {
  return std::make_unique<ReductionOperationsOf<Launcher>>(context);
}

}  // namespace underdamp
