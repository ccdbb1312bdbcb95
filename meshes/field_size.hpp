#pragma once
#include <array>
#include <cstddef>

#include "meshes/field_shape.hpp"
#include "meshes/precision.hpp"
#include "meshes/theta_runs.hpp"

namespace underdamp {

/// Numbers that a field takes, so that memory can be counted before it is taken. What departed from a plane (θ, v) is
/// listed by column and line; from a problem of several parameters by run along each θ axis (ThetaRuns), then by line
/// along each v axis; what clipping created comes last.
struct FieldSize {
  static constexpr std::size_t margin = 64;  ///< cells that a pack may read beyond the last one
  static constexpr int segment_rows = 64;    ///< rows of a column that are clipped together

  explicit FieldSize(const FieldShape& shape)
      : cells(shape.cells() + margin),
        segments(shape.axes.parameters > 0
                     ? 0
                     : static_cast<std::size_t>((shape.theta_cells + segment_rows - 1) / segment_rows) *
                           static_cast<std::size_t>(shape.columns())),
        created(static_cast<std::size_t>(shape.lines()) + segments) {
    const int axes = shape.axes.parameters > 0 ? shape.axes.parameters : 1;
    for (int k = 0; k < axes; ++k) {
      const auto axis = static_cast<std::size_t>(k);
      of_theta[axis] = departed;
      slots[axis] = static_cast<std::size_t>(shape.axes.parameters > 0 ? ThetaRuns(shape, k).runs : shape.columns());
      departed += 2 * slots[axis];
    }
    for (int k = 0; k < axes; ++k) {
      of_velocity[static_cast<std::size_t>(k)] = departed;
      departed += 2 * static_cast<std::size_t>(shape.lines());
    }
    of_created = departed;
    departed += created;
  }

  std::size_t cells;                                    ///< in the precision of the backend
  std::size_t segments;                                 ///< doubles: what clipping created by segment and column …
  std::size_t created;                                  ///< … and by line …
  std::size_t departed = 0;                             ///< … and what left through the walls, all together
  std::size_t of_created = 0;                           ///< where the first of these begins among all …
  std::array<std::size_t, most_parameters> of_theta{};  ///< … what left through the lower wall of θ_k, then the upper
  std::array<std::size_t, most_parameters> slots{};     ///< numbers of each of them
  std::array<std::size_t, most_parameters> of_velocity{};  ///< … of v_k: lines of each wall
  std::size_t bytes(Precision precision) const { return cells * bytes_of(precision) + departed * sizeof(double); }
};

}  // namespace underdamp
