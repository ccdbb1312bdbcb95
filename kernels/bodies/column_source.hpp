#pragma once
#include <cstddef>

#include "kernels/bodies/drift_sweep.hpp"

namespace underdamp {

/// Where a drift sweep reads.
template <class Real>
struct ColumnSource {
  ThetaRows<Real> first_plane;
  FieldShape shape;

  UNDERDAMP_HD ThetaRows<Real> rows_of(int plane) const {
    ThetaRows<Real> rows = first_plane;
    rows.plane += static_cast<std::ptrdiff_t>(plane) * rows.n * rows.pitch;
    if (rows.below != nullptr) rows.below += static_cast<std::ptrdiff_t>(plane) * rows.depth * rows.pitch;
    if (rows.above != nullptr) rows.above += static_cast<std::ptrdiff_t>(plane) * rows.depth * rows.pitch;
    return rows;
  }
};

}  // namespace underdamp
