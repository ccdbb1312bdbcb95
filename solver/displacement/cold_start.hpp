#pragma once
#include "solver/displacement/correlation_flow.hpp"
#include "solver/model/gaussian.hpp"

/// Displacement from a start at rest in the minimum: a point that no grid resolves (docs/method.md, section 15). The
/// density is followed through boxes that grow with it, from when it is a ten-thousandth of its final width on.
namespace underdamp {

/// Plane p of a model; `box` is that of the stationary state, in the units of the user.
FlowResult propagate_cold_start(Backend& backend, const Model& model, int p, const PhasePlane& box,
                                const FlowOptions& options);

/// Narrowest direction of a density of the map when it is put on the grid, in cells.
inline constexpr double fewest_cells_across = 1.5;
/// Cells of an axis with which a life of the map that begins at rest is ever that wide.
int cells_for_map_from_rest(const Model& model, int p);

}  // namespace underdamp
