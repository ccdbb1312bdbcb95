#pragma once
#include <vector>

namespace underdamp {

/// Order of elimination of the cells of a θ × v grid whose stencil reaches `theta_reach` cells along θ and
/// `velocity_reach` along v: halves first, the strip that separates them last (George, SIAM J. Numer. Anal. 10, 1973).
/// Needs no look at the matrix, unlike a general ordering, and fills as little. `periodic`: θ closes on itself.
///
/// Returns the cell (i · velocity_cells + j) that comes k-th. Any matrix may be ordered so; only the fill depends on
/// it.
std::vector<int> nested_dissection(int theta_cells, int velocity_cells, int theta_reach, int velocity_reach,
                                   bool periodic);

}  // namespace underdamp
