#pragma once
#include <cstddef>

#include "meshes/host_device.hpp"
#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// Pointer and shape of a field.
///
/// Index convention, which every formula for a cell follows: cell (plane, i, j) lies at
/// ((plane·θ_cells) + i)·v_cells + j, i along θ, j along v.
/// A *line* l = plane·θ_cells + i is contiguous along v; a *column* c = plane·v_cells + j runs along θ with stride
/// v_cells. The view owns nothing.
template <class T>
struct FieldView {
  T* data = nullptr;
  int theta_cells = 0;
  int velocity_cells = 0;

  UNDERDAMP_HD T* line(long l) const { return data + l * velocity_cells; }
  UNDERDAMP_HD T* column(int plane, int j) const {
    return data + static_cast<std::ptrdiff_t>(plane) * theta_cells * velocity_cells + j;
  }
};

}  // namespace underdamp
