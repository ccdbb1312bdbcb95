#pragma once
#include <cstddef>

#include "meshes/host_device.hpp"

namespace underdamp {

/// Halo rows of a reflecting wall: row −1 − m of column j is row m of the column of −v_j.
template <class Real>
struct ReflectRows {
  const Real* field;
  Real* below;
  Real* above;
  int theta_cells;
  int velocity_cells;
  int depth;

  UNDERDAMP_HD void operator()(int column) const {
    const int plane = column / velocity_cells;
    const int j = column % velocity_cells;
    const int mirrored = velocity_cells - 1 - j;
    const Real* p = field + static_cast<std::ptrdiff_t>(plane) * theta_cells * velocity_cells + mirrored;
    const std::ptrdiff_t origin = static_cast<std::ptrdiff_t>(plane) * depth * velocity_cells + j;
    for (int m = 0; m < depth; ++m) {
      below[origin + static_cast<std::ptrdiff_t>(depth - 1 - m) * velocity_cells] =
          p[static_cast<std::ptrdiff_t>(m) * velocity_cells];
      above[origin + static_cast<std::ptrdiff_t>(m) * velocity_cells] =
          p[static_cast<std::ptrdiff_t>(theta_cells - 1 - m) * velocity_cells];
    }
  }
};

}  // namespace underdamp
