#pragma once
#include <vector>

#include "kernels/contract/phase_sum_operations.hpp"
#include "solver/coupled/coupled_tables.hpp"
#include "solver/coupled/phase_grid_error.hpp"

namespace underdamp {

/// Numbers of a density on a grid of several parameters, in the coordinates of the grid.
struct CoupledSums {
  double mass = 0.0;
  PhaseMoments moments;        ///< of the normalised density
  double expected_loss = 0.0;  ///< E L_λ
  double entropy = 0.0;        ///< −∫ p ln p
  double minimum = 0.0;        ///< smallest cell value
  long minimum_cell = 0;       ///< its number in the field
  PhaseShape shape;            ///< in cells
};

/// What CoupledSums are made of: one read of the field.
BlockSumLaw coupled_sum_law(const PhaseSpace& space, const CoupledTables& tables);
/// The numbers of it.
CoupledSums coupled_sums(const PhaseSpace& space, const RowSums& sums);

/// Mass and mean velocities of each line: by how they differ levels of a window are compared without being kept.
BlockSumLaw profile_law(const PhaseSpace& space);

}  // namespace underdamp
