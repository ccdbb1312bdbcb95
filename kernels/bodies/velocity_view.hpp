#pragma once
#include "kernels/tables/velocity_table.hpp"

/// The tables of a velocity sweep as a kernel sees them (velocity_sweep.hpp): pointers into memory of the device.
namespace underdamp {

template <class Real>
struct ContractionView {
  const int* base;
  const Real* fraction;
  const Real* weights;  ///< null where Bundle::computes_weights
  const WholeCells* whole_cells;
  int whole_cells_count;
};

struct DepositView {
  const int* row_begin;
  const int* source;
  const double* weights;
  int first_target;
  int last_target;
};

template <class Real>
struct VelocityView {
  int bundles_per_plane;
  const int* contraction_of_plane;
  const ContractionView<Real>* contractions;
  const DepositView* deposits;
  const int* shift;
  const BundleEntry* bundles;
  const LevelEntry* levels;
  const Real* weights;
  int margin;
};

/// Mass (in cells, lane by lane) that crossed the two velocity walls.
template <class P>
struct WallPair {
  P lower;
  P upper;
};

}  // namespace underdamp
