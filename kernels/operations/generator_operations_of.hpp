#pragma once
#include <limits>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "kernels/bodies/csr_product.hpp"
#include "kernels/bodies/current.hpp"
#include "kernels/operations/device_context.hpp"
#include "kernels/operations/operations.hpp"
#include "kernels/tables/wall_stencils.hpp"

namespace underdamp {

/// The generator and currents, once for every device.
template <class Launcher>
class GeneratorOperationsOf final : public GeneratorOperations {
 public:
  explicit GeneratorOperationsOf(DeviceContext<Launcher>& context)
      : context_(context), launcher_(&context.launcher()) {}

  std::unique_ptr<GeneratorPlan> plan_generator(const PhaseMesh& mesh,
                                                const GeneratorCoefficients& coefficients) override {
    const auto scope = context_.begin_apart("plan generator");
    const std::size_t lines = as_size(mesh.shape().lines());
    require_size(coefficients.friction.size(), static_cast<std::size_t>(mesh.planes()));
    require_size(coefficients.force.size(), lines);
    require_size(coefficients.diffusion.size(), lines);
    require(lines <= std::numeric_limits<int>::max(), "the generator counts its lines by int");
    auto plan = std::make_unique<DeviceGeneratorPlan>(&context_, mesh.shape());
    std::vector<double> values(coefficients.friction.begin(), coefficients.friction.end());
    for (int p = 0; p < mesh.planes(); ++p) values.push_back(mesh.plane(p).velocity.center(0));
    for (int p = 0; p < mesh.planes(); ++p) values.push_back(mesh.plane(p).velocity.width());
    for (int p = 0; p < mesh.planes(); ++p) values.push_back(mesh.plane(p).theta.width());
    values.insert(values.end(), coefficients.force.begin(), coefficients.force.end());
    values.insert(values.end(), coefficients.diffusion.begin(), coefficients.diffusion.end());
    context_.send(values, plan->coefficients);
    const WallRows rows = wall_generator(mesh);
    std::vector<double> matrices = rows.incoming;
    matrices.insert(matrices.end(), rows.outgoing.begin(), rows.outgoing.end());
    matrices.insert(matrices.end(), rows.crossing.begin(), rows.crossing.end());
    context_.send(matrices, plan->wall_rows);
    const double* const wall = plan->wall_rows.data();
    const std::size_t size = rows.incoming.size();
    const double* const base = plan->coefficients.data();
    const int planes = mesh.planes();
    plan->view = {base,
                  base + 4 * planes,
                  base + 4 * planes + mesh.shape().lines(),
                  base + planes,
                  base + 2 * planes,
                  base + 3 * planes,
                  mesh.theta_cells(),
                  mesh.velocity_cells(),
                  mesh.walls(),
                  {rows.incoming_rows, rows.sources, wall, wall + size, wall + 2 * size}};
    return plan;
  }

  void apply_generator(const GeneratorPlan& plan, const Field& from, Field& to) override {
    const auto scope = context_.begin_apart("generator");
    require_same(from.shape(), to.shape());
    require(&from != &to, "the generator cannot write where it reads");
    launcher_->for_each_line(
        "generator", from.shape().lines(),
        ApplyGenerator<Real>{context_.template plan_for<DeviceGeneratorPlan>(plan, from.shape()).view,
                             context_.device(from).cells(), context_.device(to).cells()});
    scope.done(&to);
  }

  CurrentArrays cell_currents(const GeneratorPlan& plan, const Field& density, int plane, const CurrentParts& parts,
                              double factor) override {
    const auto scope = context_.begin_apart("cell currents");
    const GeneratorView& view = context_.template plan_for<DeviceGeneratorPlan>(plan, density.shape()).view;
    require(plane >= 0 && plane < density.shape().planes, "currents are asked for of a plane that there is not");
    const std::size_t cells = density.shape().cells() / as_size(density.shape().planes);
    const Real* const from = plane_times(context_.device(density).cells() + as_size(plane) * cells, cells, factor);
    context_.resize(cell_values_, 4 * cells);
    double* const theta = cell_values_.data();
    double* const velocity = theta + cells;
    double* const reversible = theta + 2 * cells;
    double* const irreversible = theta + 3 * cells;
    launcher_->for_each_line("cell currents", density.shape().theta_cells,
                             CellCurrents<Real>{view, plane, from, parts.theta ? theta : nullptr,
                                                parts.velocity || parts.reversible ? reversible : nullptr,
                                                parts.velocity || parts.irreversible ? irreversible : nullptr});
    if (parts.velocity) launcher_->for_each_value("current", cells, AddValues{reversible, irreversible, velocity});
    const auto received = [&](bool is_wanted, const double* values) {
      std::vector<double> result(is_wanted ? cells : 0);
      if (is_wanted) context_.download(values, cells, result.data());
      return result;
    };
    return {received(parts.theta, theta), received(parts.velocity, velocity), received(parts.reversible, reversible),
            received(parts.irreversible, irreversible)};
  }

  std::unique_ptr<MatrixPlan> plan_matrix(const SparseMatrix& matrix) override {
    const auto scope = context_.begin_apart("plan matrix");
    require(!matrix.row_begin.empty(), "a sparse matrix needs the end of its last row");
    const auto entries = static_cast<std::size_t>(matrix.row_begin.back());
    require_size(matrix.column.size(), entries);
    require_size(matrix.value.size(), entries);
    auto plan = std::make_unique<DeviceMatrixPlan>(&context_);
    context_.send(matrix.row_begin, plan->row_begin);
    context_.send(matrix.column, plan->column);
    context_.send(matrix.value, plan->value);
    launcher_->prepare(plan->view(), plan->handle);
    return plan;
  }

  void multiply(const MatrixPlan& matrix, const Field& from, Field& to) override {
    const auto scope = context_.begin_apart("multiply");
    if constexpr (std::is_same_v<Real, double>) {
      const auto& plan = context_.template own<DeviceMatrixPlan>(matrix);
      const auto rows = static_cast<std::size_t>(plan.view().rows);
      require(from.shape().cells() == rows && to.shape().cells() == rows,
              "a matrix multiplies fields of as many cells");
      require(&from != &to, "a matrix cannot write where it reads");
      launcher_->multiply(plan.view(), plan.handle, context_.device(from).cells(), context_.device(to).cells());
    } else {
      throw Error(ExitCode::bad_input, "sparse matrices multiply fields of double precision only", "evolve.precision",
                  "use precision = \"float64\"");
    }
    scope.done(&to);
  }

 private:
  using Real = typename Launcher::Real;
  template <class T>
  using Array = typename Launcher::template Array<T>;
  using DeviceField = underdamp::DeviceField<Launcher>;

  struct DeviceGeneratorPlan final : GeneratorPlan {
    DeviceGeneratorPlan(const void* maker, const FieldShape& s) : GeneratorPlan(maker), shape(s) {}
    FieldShape shape;
    Array<double> coefficients;  ///< friction, origin, widths by plane, then force and diffusion by line
    Array<double> wall_rows;     ///< incoming, outgoing, crossing
    GeneratorView view{};
  };

  struct DeviceMatrixPlan final : MatrixPlan {
    explicit DeviceMatrixPlan(const void* maker) : MatrixPlan(maker) {}
    Array<int> row_begin;
    Array<int> column;
    Array<double> value;
    typename Launcher::MatrixHandle handle;
    CsrView view() const {
      return {static_cast<int>(row_begin.size()) - 1, row_begin.data(), column.data(), value.data()};
    }
  };

  /// Where the cells of a plane lie, or a copy of them times `factor`.
  const Real* plane_times(const Real* plane, std::size_t cells, double factor) {
    if (factor == 1.0) return plane;
    context_.resize(scaled_plane_, cells);
    launcher_->for_each_value("scale", cells, ScaleValues<Real>{plane, factor, scaled_plane_.data()});
    return scaled_plane_.data();
  }

  DeviceContext<Launcher>& context_;
  Launcher* launcher_;
  Array<double> cell_values_;  ///< of one plane
  Array<Real> scaled_plane_;
};

template <class Launcher>
std::unique_ptr<GeneratorOperations> make_generator_operations(DeviceContext<Launcher>& context) {
  return std::make_unique<GeneratorOperationsOf<Launcher>>(context);
}

}  // namespace underdamp
