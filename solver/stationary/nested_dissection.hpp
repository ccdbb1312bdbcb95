#pragma once
#include <vector>

namespace underdamp {

/// A θ × v grid and which of its cells a matrix connects.
struct ConnectedGrid {
  int theta_cells = 0;
  int velocity_cells = 0;
  int theta_reach = 1;  ///< of the stencil, in cells
  int velocity_reach = 1;
  bool is_periodic = false;  ///< θ closes on itself
  /// Columns at a mirror, all of which are connected with each other and with those of −v; 0: no mirror.
  int lower_zone = 0;
  int upper_zone = 0;
};

/// Order of elimination of the cells: halves first, the strip that separates them last (George, SIAM J. Numer. Anal.
/// 10, 1973). Needs no look at the matrix, unlike a general ordering, and fills as little. v and −v, which a mirror
/// connects, are cut together next to one.
///
/// Returns the cell (i · velocity_cells + j) that comes k-th. Any matrix may be ordered so; only the fill depends on
/// it.
std::vector<int> nested_dissection(const ConnectedGrid& grid);

}  // namespace underdamp
