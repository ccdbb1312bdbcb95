#include "kernels/drift_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "kernels/remap.hpp"
#include "meshes/error.hpp"

namespace underdamp {

DriftTable make_drift_table(const PhaseMesh& mesh, std::span<const double> duration) {
  constexpr int padding = 16;
  DriftTable table;
  table.columns = mesh.shape().columns();
  table.weight_stride = table.columns + padding;
  table.offset.resize(static_cast<std::size_t>(table.weight_stride));
  table.weights.resize(static_cast<std::size_t>(remap_cells) * static_cast<std::size_t>(table.weight_stride));
  const double largest_shift = mesh.theta_cells() + 2.0 * remap_cells;
  for (long column = 0; column < table.columns; ++column) {
    const auto plane = static_cast<int>(column / mesh.velocity_cells());
    const PhasePlane& box = mesh.plane(plane);
    const double v = box.velocity.center(static_cast<int>(column % mesh.velocity_cells()));
    double shift = duration[static_cast<std::size_t>(plane)] * v / box.theta.width();
    require(std::isfinite(shift), "a drift takes a time that is not finite");
    shift = mesh.boundary() == ThetaBoundary::periodic ? std::fmod(shift, mesh.theta_cells())  // exact
                                                       : std::clamp(shift, -largest_shift, largest_shift);
    const double floor = std::floor(-shift);
    const auto weights = remap_weights(-shift - floor);
    table.offset[static_cast<std::size_t>(column)] = static_cast<int>(floor);
    for (int k = 0; k < remap_cells; ++k) {
      table.weights[static_cast<std::size_t>(k) * static_cast<std::size_t>(table.weight_stride) +
                    static_cast<std::size_t>(column)] = weights[static_cast<std::size_t>(k)];
    }
    table.reach = std::max(table.reach, std::abs(static_cast<int>(floor)) + remap_reach + 1);
  }
  return table;
}

}  // namespace underdamp
