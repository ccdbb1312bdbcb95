#pragma once
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

/// Sums over the cells of fields, in a fixed order: results repeat bit for bit.
class ReductionOperations {
 public:
  virtual ~ReductionOperations() = default;

  /// Σ_cells |Σ_l c_l P_l| of each plane (without the cell area).
  virtual std::vector<double> combination_norm(std::span<const Field* const> levels,
                                               std::span<const double> coefficients) = 0;

  virtual std::vector<LineSums> sum_lines(const PhaseMesh& mesh, const Field& field,
                                          const Dissipation& dissipation) = 0;
  /// What sum_lines() gives of mass, velocity and velocity_squared, bit for bit, without the rest.
  virtual std::vector<LineMoments> sum_moments(const PhaseMesh& mesh, const Field& field) = 0;
  /// Σ_i w_i p of each column, w those of theta_weights().
  virtual std::vector<double> sum_columns(const PhaseMesh& mesh, const Field& field) = 0;
  /// [line]
  virtual std::vector<LineShape> line_shapes(const Field& field) = 0;
};

}  // namespace underdamp
