#pragma once
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "kernels/contract/field_operations.hpp"
#include "kernels/contract/line_sums.hpp"
#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// Coefficients of the entropy production in line sums: per plane and line.
struct Dissipation {
  std::span<const double> friction;   ///< [plane] γ, 1/time
  std::span<const double> diffusion;  ///< [line] D, velocity²/time
  double floor = 0.0;                 ///< density below which a cell is left out
};

/// One number of a line times up to three factors that belong to the line, multiplied from left to right.
struct RowTerm {
  explicit RowTerm(int what, int first = -1, int second = -1, int third = -1)
      : quantity(what), factors{first, second, third} {}

  int quantity;    ///< member of LineSums or LineShape, in their order
  int factors[3];  ///< rows of RowSumLaw::factors; −1: none
};

/// Sums over the lines of a plane, in their order; each line adds the sum of some terms.
struct RowSumLaw {
  std::vector<std::vector<double>> factors;  ///< [factor][line]
  std::vector<std::vector<RowTerm>> sums;    ///< [sum][term]
};

/// A RowSumLaw on a device, with what its lines are made of.
class RowSumPlan : public DeviceObject {
  using DeviceObject::DeviceObject;
};

/// Sums Σ_ij (a_i + b_i v_j + c_i v_j²) f_ij over a plane.
struct MomentLaw {
  std::vector<std::vector<std::array<double, 3>>> sums;  ///< [sum][line] a, b, c
};

/// A MomentLaw on a device.
class MomentPlan : public DeviceObject {
  using DeviceObject::DeviceObject;
};

/// The smallest value of a plane and its cell: of equal ones the first; one that is not finite is smaller than all.
struct PlaneSmallest {
  double value;
  int row;
  int column;
};

struct RowSums {
  std::vector<double> sums;             ///< [plane · sums + sum]
  std::vector<PlaneSmallest> smallest;  ///< [plane]
};

/// Sums over the cells of fields, in a fixed order: results repeat bit for bit. But for line_moments() and
/// sum_columns(), whose callers want profiles, only numbers of planes come back to the host.
class ReductionOperations {
 public:
  virtual ~ReductionOperations() = default;

  /// Σ_cells |Σ_l c_l P_l| of each plane (without the cell area).
  virtual std::vector<double> combination_norm(std::span<const Field* const> levels,
                                               std::span<const double> coefficients) = 0;

  virtual std::unique_ptr<RowSumPlan> plan_row_sums(const PhaseMesh& mesh, const RowSumLaw& law,
                                                    const Dissipation& dissipation = {}) = 0;
  /// Of LineSums, by one read of the field.
  virtual RowSums sum_rows(const Field& field, const RowSumPlan& plan) = 0;
  virtual std::unique_ptr<MomentPlan> plan_moments(const PhaseMesh& mesh, const MomentLaw& law) = 0;
  /// Of any field, whatever its signs: [plane · sums + sum].
  virtual std::vector<double> sum_moments(const Field& field, const MomentPlan& plan) = 0;
  /// Sums of LineShape: [plane · sums + sum].
  virtual std::vector<double> sum_shapes(const Field& field, const RowSumPlan& plan) = 0;
  /// Σ_cells w_i p of each plane, w those of theta_weights().
  virtual std::vector<double> sum_planes(const PhaseMesh& mesh, const Field& field) = 0;

  /// [line]
  virtual std::vector<LineMoments> line_moments(const PhaseMesh& mesh, const Field& field) = 0;
  /// Σ_i w_i p of each column, w those of theta_weights().
  virtual std::vector<double> sum_columns(const PhaseMesh& mesh, const Field& field) = 0;
};

}  // namespace underdamp
