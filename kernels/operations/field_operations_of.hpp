#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/bodies/extrapolation.hpp"
#include "kernels/operations/device_context.hpp"
#include "kernels/operations/operations.hpp"
#include "kernels/operations/plane_sums.hpp"

namespace underdamp {

/// Fields, once for every device.
template <class Launcher>
class FieldOperationsOf final : public FieldOperations {
 public:
  explicit FieldOperationsOf(DeviceContext<Launcher>& context) : context_(context), launcher_(&context.launcher()) {}

  std::unique_ptr<Field> allocate(const FieldShape& shape) override {
    const auto scope = context_.begin_apart("allocate field");
    require(shape.planes > 0 && shape.theta_cells > 0 && shape.velocity_cells > 0, "a field needs cells");
    auto field = std::make_unique<DeviceField>(&context_, shape);
    context_.resize(field->cell_memory, field->size.cells);
    context_.resize(field->departed_memory, field->size.departed);
    launcher_->reserve_drift_target(field->size.cells);
    fill_zero(*field);
    scope.done(field.get());
    return field;
  }

  void upload(std::span<const double> values, Field& field) override {
    const auto scope = context_.begin_apart("upload field");
    require_size(values.size(), field.shape().cells());
    if constexpr (std::is_same_v<Real, double>) {
      context_.upload(values.data(), field.shape().cells(), context_.device(field).cells());
    } else {
      const std::vector<Real> all(values.begin(), values.end());
      context_.upload(all.data(), field.shape().cells(), context_.device(field).cells());
    }
    forget_departed(context_.device(field));
    scope.done(&field);
  }

  void download_planes(const Field& field, int first, int count, std::span<double> values) override {
    const auto scope = context_.begin_apart("download field");
    const DeviceField& f = context_.device(field);
    const FieldShape& shape = f.shape();
    require(first >= 0 && count >= 0 && count <= shape.planes - first, "a field has no such planes");
    const std::size_t of_plane = shape.cells() / static_cast<std::size_t>(shape.planes);
    require_size(values.size(), static_cast<std::size_t>(count) * of_plane);
    const Real* const from = f.cells() + static_cast<std::size_t>(first) * of_plane;
    if constexpr (std::is_same_v<Real, double>) {
      context_.download(from, values.size(), values.data());
    } else {
      std::vector<Real> all(values.size());
      context_.download(from, all.size(), all.data());
      std::copy(all.begin(), all.end(), values.begin());
    }
    scope.done();
  }

  void copy(const Field& from, Field& to) override {
    const auto scope = context_.begin("copy field");
    const DeviceField& source = context_.device(from);
    DeviceField& target = context_.device(to);
    require_same(source.shape(), target.shape());
    if (&source == &target) return;
    launcher_->copy(source.cells(), source.size.cells, target.cells());
    launcher_->copy(source.departed(), source.size.departed, target.departed());
    scope.done(&to);
  }

  void fill_zero(Field& field) override {
    const auto scope = context_.begin("clear field");
    launcher_->zero(context_.device(field).cells(), context_.device(field).size.cells);
    forget_departed(context_.device(field));
    scope.done(&field);
  }

  void absorb_created(Field& field, std::span<const double> factor) override {
    const auto scope = context_.begin_apart("absorb created");
    DeviceField& f = context_.device(field);
    const FieldShape& shape = f.shape();
    require_size(factor.size(), static_cast<std::size_t>(shape.planes));
    context_.send(std::vector<double>(factor.begin(), factor.end()), plane_values_);
    launcher_->for_each_line("absorb created", shape.lines(), ScaleLines<Real>{f.view(), plane_values_.data()});
    launcher_->zero(f.created_in_lines(), f.size.created);
    scope.done(&field);
  }

  std::vector<Departed> departed(const Field& field) override {
    const auto scope = context_.begin_apart("departed");
    const DeviceField& f = context_.device(field);
    const FieldShape& shape = f.shape();
    if (shape.axes.parameters > 0) return departed_of_axes(f);
    constexpr std::size_t numbers = 5;
    const auto planes = static_cast<std::size_t>(shape.planes);
    context_.resize(in_segments_, f.columns());
    context_.resize(plane_values_, numbers * planes);
    launch_segment_sums(*launcher_,
                        SumSegments{f.created_in_segments(), static_cast<long>(f.size.segments) / shape.columns(),
                                    shape.columns(), in_segments_.data()});
    launch_plane_sums(*launcher_,
                      SumDeparted{f.left_below(), f.left_above(), f.left_lower(), f.left_upper(), in_segments_.data(),
                                  f.created_in_lines(), shape.theta_cells, shape.velocity_cells, plane_values_.data()},
                      shape.planes);
    const std::vector<double> sums = context_.received(plane_values_, numbers * planes);
    std::vector<Departed> result;
    for (std::size_t p = 0; p < planes; ++p) {
      const double* const of_plane = sums.data() + numbers * p;
      Departed of{};
      of.theta[0] = {of_plane[0], of_plane[1]};
      of.velocity[0] = {of_plane[2], of_plane[3]};
      of.created = of_plane[4];
      result.push_back(of);
    }
    return result;
  }

  std::vector<double> departed_parts(const Field& field) override {
    const auto scope = context_.begin_apart("departed parts");
    const DeviceField& f = context_.device(field);
    std::vector<double> parts(f.size.departed);
    context_.download(f.departed(), parts.size(), parts.data());
    return parts;
  }

  void restore_departed(std::span<const double> parts, Field& field) override {
    const auto scope = context_.begin_apart("restore departed");
    DeviceField& f = context_.device(field);
    require(parts.size() == f.size.departed, "what departed from a field does not fit to its shape");
    context_.upload(parts.data(), parts.size(), f.departed());
    scope.done(&field);
  }

 private:
  using Real = typename Launcher::Real;
  template <class T>
  using Array = typename Launcher::template Array<T>;
  using DeviceField = underdamp::DeviceField<Launcher>;

  std::vector<Departed> departed_of_axes(const DeviceField& f) {
    const FieldShape& shape = f.shape();
    SumDepartedOfAxes sum{f.departed(), shape.axes.parameters, {},     {}, {}, f.size.of_created,
                          f.lines(),    shape.planes,          nullptr};
    for (std::size_t k = 0; k < static_cast<std::size_t>(sum.parameters); ++k) {
      sum.of_theta[k] = f.size.of_theta[k];
      sum.slots[k] = f.size.slots[k];
      sum.of_velocity[k] = f.size.of_velocity[k];
    }
    const std::size_t count = static_cast<std::size_t>(shape.planes) * static_cast<std::size_t>(sum.numbers());
    context_.resize(plane_values_, count);
    sum.results = plane_values_.data();
    launch_plane_sums(*launcher_, sum, shape.planes);
    const std::vector<double> sums = context_.received(plane_values_, count);
    std::vector<Departed> result;
    for (auto of = sums.begin(); of != sums.end(); of += sum.numbers()) {
      Departed departed{};
      for (int k = 0; k < sum.parameters; ++k) {
        const auto axis = static_cast<std::size_t>(k);
        departed.theta[axis] = {of[2 * k], of[2 * k + 1]};
        departed.velocity[axis] = {of[2 * (sum.parameters + k)], of[2 * (sum.parameters + k) + 1]};
      }
      departed.created = of[4 * sum.parameters];
      result.push_back(departed);
    }
    return result;
  }

  void forget_departed(DeviceField& field) { launcher_->zero(field.departed(), field.size.departed); }

  DeviceContext<Launcher>& context_;
  Launcher* launcher_;
  Array<double> plane_values_;
  Array<double> in_segments_;
};

template <class Launcher>
std::unique_ptr<FieldOperations> make_field_operations(DeviceContext<Launcher>& context) {
  return std::make_unique<FieldOperationsOf<Launcher>>(context);
}

}  // namespace underdamp
