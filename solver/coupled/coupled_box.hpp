#pragma once
#include <optional>
#include <string>
#include <vector>

#include "meshes/phase_space.hpp"
#include "solver/coupled/phase_spread.hpp"

/// Boxes and cells of several parameters (docs/method.md, section 16): as narrow as the tolerance allows, because every
/// deviation of box costs cells in all 2d axes.
namespace underdamp {

/// What decides the error of a grid: cells per narrowest conditional deviation, and deviations to the walls. L1 error
/// at one relaxation time of linear cases, measured.
double grid_error_at(double cells_per_deviation);
double wall_error_at(double deviations, double friction_times);
/// The least of either for an error.
double cells_per_deviation_for(double error);
double deviations_for(double error, double friction_times);

/// Below the first L1 errors of 1e-2 and more: refused; below the second a warning.
inline constexpr double fewest_cells_of_coupled = 1.0;
inline constexpr double enough_cells_of_coupled = 1.5;

struct CoupledBoxOptions {
  /// Cells of each axis, θ1 … θd, v1 … vd; absent: from the tolerance.
  std::optional<std::vector<int>> cells;
  std::vector<std::optional<Interval>> theta;  ///< given sides, in the coordinates of the grid; empty: none
  std::vector<std::optional<Interval>> velocity;
  double tolerance = 1e-6;
  /// γt of the run: in each friction time velocity tries its walls anew. Of the map (1 − β) per step. 0 where the mass
  /// is kept.
  double friction_times = 0.0;
};

struct CoupledBox {
  PhaseBox box;
  double deviations = 0.0;           ///< from the mean to the walls
  double cells_per_deviation = 0.0;  ///< of the narrowest conditional deviation on the way
  std::string reason;                ///< why it is so wide
};

/// Holds ± so many deviations of everything on the way: as many as the tolerance asks for, or with given cells as make
/// the errors of grid and walls together least. Throws Error (bad_input) if that leaves less than
/// fewest_cells_of_coupled, naming the cells that it would take.
CoupledBox choose_box(const std::vector<PhaseSpread>& way, const CoupledBoxOptions& options);

}  // namespace underdamp
