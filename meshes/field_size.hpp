#pragma once
#include <cstddef>

#include "meshes/phase_mesh.hpp"
#include "meshes/precision.hpp"

namespace underdamp {

/// Numbers that a field takes, so that memory can be counted before it is taken.
struct FieldSize {
  static constexpr std::size_t margin = 64;  ///< cells that a pack may read beyond the last one
  static constexpr int segment_rows = 64;    ///< rows of a column that are clipped together

  explicit FieldSize(const FieldShape& shape)
      : cells(shape.cells() + margin),
        segments(static_cast<std::size_t>((shape.theta_cells + segment_rows - 1) / segment_rows) *
                 static_cast<std::size_t>(shape.columns())),
        created(static_cast<std::size_t>(shape.lines()) + segments),
        departed(2 * static_cast<std::size_t>(shape.columns() + shape.lines()) + created) {}

  std::size_t cells;     ///< in the precision of the backend
  std::size_t segments;  ///< doubles: what clipping created by segment and column …
  std::size_t created;   ///< … and by line …
  std::size_t departed;  ///< … and what left through the walls by line and column
  std::size_t bytes(Precision precision) const { return cells * bytes_of(precision) + departed * sizeof(double); }
};

}  // namespace underdamp
