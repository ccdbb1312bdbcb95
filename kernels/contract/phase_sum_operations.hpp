#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/contract/reduction_operations.hpp"
#include "meshes/phase_space.hpp"

namespace underdamp {

/// Sums over the block of velocities of each line, and over the lines of a problem. Of a line l the quantities are
/// Σ_j f_j p_lj for each f, then −Σ_j p ln p over p > 0.
struct BlockSumLaw {
  std::vector<std::vector<double>> of_velocity;  ///< [quantity][problem · v cells + v cell] f
  std::vector<std::vector<double>> factors;      ///< [factor][line]
  std::vector<std::vector<RowTerm>> sums;        ///< [sum][term]
  bool linear = false;                           ///< without entropy and smallest value, which are 0 then

  int quantities() const { return static_cast<int>(of_velocity.size()) + 1; }
};

/// A BlockSumLaw on a device.
class BlockSumPlan : public DeviceObject {
  using DeviceObject::DeviceObject;
};

/// Linear functions of the block of velocities of a line, the same for every line: rows of a sparse matrix.
struct BlockProjection {
  std::vector<int> row_begin;  ///< one more than rows
  std::vector<int> cell;       ///< v cell of a problem
  std::vector<double> weight;

  int rows() const { return static_cast<int>(row_begin.size()) - 1; }
};

/// A BlockProjection on a device.
class BlockProjectionPlan : public DeviceObject {
  using DeviceObject::DeviceObject;
};

/// Sums over the cells of fields of several parameters, in a fixed order. What comes back to the host has the size of
/// lines or columns, never that of a field.
class PhaseSumOperations {
 public:
  virtual ~PhaseSumOperations() = default;

  virtual std::unique_ptr<BlockSumPlan> plan_block_sums(const PhaseSpace& space, const BlockSumLaw& law) = 0;
  /// The sums of each problem, and its smallest value. 8 bytes per cell.
  virtual RowSums sum_blocks(const Field& field, const BlockSumPlan& plan) = 0;
  /// The quantities of each line: [line · quantities + quantity].
  virtual std::vector<double> block_profile(const Field& field, const BlockSumPlan& plan) = 0;
  virtual std::unique_ptr<BlockProjectionPlan> plan_projection(const PhaseSpace& space,
                                                               const BlockProjection& projection) = 0;
  /// Σ_cells weight p for each row, of each line: [line · rows + row]. Marginals of the velocities, whatever the axes.
  virtual std::vector<double> project_blocks(const Field& field, const BlockProjectionPlan& plan) = 0;
  /// Σ_lines w p of each v cell: [w · columns + column].
  virtual std::vector<double> weighted_columns(const Field& field, std::span<const std::vector<double>> weights) = 0;
};

}  // namespace underdamp
