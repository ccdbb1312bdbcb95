#pragma once
#include <array>
#include <cstddef>

namespace underdamp {

/// Most parameters that a phase space has: six axes.
inline constexpr int most_parameters = 3;

/// Cells along the axes θ1 … θd and v1 … vd of a phase space.
struct AxisCells {
  int parameters = 0;  ///< d; 0: a plane (θ, v), of which FieldShape says all
  std::array<int, most_parameters> theta{};
  std::array<int, most_parameters> velocity{};

  friend bool operator==(const AxisCells&, const AxisCells&) = default;
};

/// Number of cells of a field: planes × θ-cells × v-cells, v fastest in memory. Cells along an axis and planes are
/// int; what they multiply to is not.
///
/// Of several parameters a "plane" is one problem, a "line" the block of all velocities at one θ, a "column" all θ at
/// one velocity: their cells are counted together, θ1 slowest, θd fastest, and v1 … vd alike.
struct FieldShape {
  int planes = 1;
  int theta_cells = 1;
  int velocity_cells = 1;
  AxisCells axes{};

  long lines() const { return static_cast<long>(planes) * theta_cells; }       ///< along v, one per (plane, θ cell)
  long columns() const { return static_cast<long>(planes) * velocity_cells; }  ///< along θ, one per (plane, v cell)
  std::size_t cells() const {
    return static_cast<std::size_t>(planes) * static_cast<std::size_t>(theta_cells) *
           static_cast<std::size_t>(velocity_cells);
  }
  friend bool operator==(const FieldShape&, const FieldShape&) = default;
};

}  // namespace underdamp
