#pragma once
#include <string>
#include <vector>

#include "kernels/contract/generator_reach.hpp"
#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// A square sparse matrix by rows; columns of a row increase.
struct SparseMatrix {
  std::vector<int> row_begin;  ///< n + 1
  std::vector<int> column;
  std::vector<double> value;

  int rows() const { return static_cast<int>(row_begin.size()) - 1; }
};

/// The generator L_h of one plane as a matrix: the same face weights as current.hpp. Row and column i·v_cells +
/// j. `friction`, `force` and `diffusion` are those of the plane. Between closed walls each column sums to 0 but for
/// rounding, weighted with theta_weights(): mass is conserved.
SparseMatrix assemble_generator(const PhasePlane& plane, const ThetaWalls& walls, double friction,
                                const std::vector<double>& force, const std::vector<double>& diffusion);

/// In Matrix Market form, coordinates from 1.
std::string matrix_market(const SparseMatrix& matrix);

}  // namespace underdamp
