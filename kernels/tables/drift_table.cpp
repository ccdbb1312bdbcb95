#include "kernels/tables/drift_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numbers>

#include "kernels/tables/remap.hpp"
#include "kernels/tables/wall_stencils.hpp"
#include "meshes/error.hpp"
#include "meshes/parallel_runs.hpp"
#include "meshes/theta_runs.hpp"

namespace underdamp {
namespace {

/// Cells beyond the rows that are replaced from which these are computed.
constexpr int wall_halo = 24;

/// Largest shift in cells of any column of a plane.
double largest_shift(const PhasePlane& plane, double duration) {
  const double v = std::max(std::abs(plane.velocity.lower), std::abs(plane.velocity.upper));
  return std::abs(duration) * v / plane.theta.width();
}
double largest_shift(const PhaseMesh& mesh, std::span<const double> duration) {
  double largest = 0.0;
  for (int p = 0; p < mesh.planes(); ++p)
    largest = std::max(largest, largest_shift(mesh.plane(p), duration[static_cast<std::size_t>(p)]));
  return largest;
}

/// Where the outgoing rows take what mass they lack: their last ones, smoothly.
void append_bump(int rows, int stride, const std::vector<double>& weights, std::vector<double>& bump) {
  constexpr int width = 8;
  std::vector<double> shape(static_cast<std::size_t>(stride), 0.0);
  double sum = 0.0;
  for (int k = 0; k < std::min(width, rows); ++k) {
    const auto row = static_cast<std::size_t>(rows - 1 - k);
    shape[row] = std::pow(std::sin(std::numbers::pi * (k + 1) / (width + 1)), 2);
    sum += shape[row] * weights[row];
  }
  for (const double value : shape) bump.push_back(value / sum);
}

/// Matrix [row][s] to [s][row], padded by zeros to the sizes of a table.
void append_transposed(const std::vector<double>& matrix, int rows, int sources, const WallTable& table,
                       std::vector<double>& to) {
  for (int s = 0; s < table.sources; ++s) {
    for (int row = 0; row < table.stride; ++row)
      to.push_back(row < rows && s < sources ? matrix[static_cast<std::size_t>(row * sources + s)] : 0.0);
  }
}

/// Rows of the field that the rows beside a wall of a plane are computed from.
int wall_sources(const PhaseMesh& mesh, double largest_shift) {
  return std::min(mesh.theta_cells(), static_cast<int>(std::ceil(largest_shift)) + wall_zone(mesh) + wall_halo);
}

}  // namespace

double largest_wall_shift(const PhaseMesh& mesh) {
  constexpr double wanted = 12.0;  // more makes the tables large and the error of a window too
  return std::min(wanted, static_cast<double>(mesh.theta_cells() - 2 * wall_zone(mesh)));
}

int unfiltered_wall_rows(const PhaseMesh& mesh) {
  return std::min(mesh.theta_cells() / 3, static_cast<int>(largest_wall_shift(mesh)) + wall_zone(mesh));
}

int drift_repeats(const PhaseMesh& mesh, std::span<const double> duration) {
  if (!mesh.walls().any_reflecting()) return 1;
  const double most =
      mesh.walls().any_pressed() ? largest_wall_shift(mesh) : static_cast<double>(mesh.theta_cells() - remap_reach - 2);
  return std::max(1, static_cast<int>(std::ceil(largest_shift(mesh, duration) / most)));
}

WallTable make_wall_table(const PhaseMesh& mesh, std::span<const double> duration) {
  WallTable table;
  if (!mesh.walls().any_pressed()) return table;
  for (const double tau : duration) {
    if (tau < 0.0) throw Error(ExitCode::bad_input, "no density flows back through a reflecting wall in time");
  }
  constexpr int packed = 8;
  const int reach = wall_zone(mesh);
  const int most_rows = static_cast<int>(std::ceil(largest_shift(mesh, duration))) + reach;
  table.pairs = mesh.velocity_cells() / 2;
  table.incoming_rows = reach;
  table.stride = (most_rows + packed - 1) / packed * packed;
  table.sources = wall_sources(mesh, largest_shift(mesh, duration));
  table.weights = theta_weights(mesh);
  if (!mesh.walls().lower_pressed) std::reverse(table.weights.begin(), table.weights.end());
  table.weights.resize(static_cast<std::size_t>(table.stride), 1.0);
  for (int p = 0; p < mesh.planes(); ++p) {
    const PhasePlane& plane = mesh.plane(p);
    const double increment = duration[static_cast<std::size_t>(p)] * plane.velocity.width() / plane.theta.width();
    const double first = increment * (mesh.velocity_cells() % 2 == 0 ? 0.5 : 1.0);
    std::vector<int> rows;
    for (int pair = 0; pair < table.pairs; ++pair)
      rows.push_back(static_cast<int>(std::ceil(first + pair * increment)) + reach);
    const int sources = wall_sources(mesh, largest_shift(plane, duration[static_cast<std::size_t>(p)]));
    for (const WallRows& set : wall_shifts(first, increment, rows, reach, sources)) {
      append_transposed(set.incoming, set.incoming_rows, sources, table, table.incoming);
      append_transposed(set.outgoing, set.outgoing_rows, sources, table, table.outgoing);
      append_transposed(set.crossing, set.outgoing_rows, sources, table, table.crossing);
      append_bump(set.outgoing_rows, table.stride, table.weights, table.bump);
    }
    table.outgoing_rows.insert(table.outgoing_rows.end(), rows.begin(), rows.end());
  }
  return table;
}

namespace {

/// A shift in cells of an axis of `cells` cells: without whole turns, or no further than out of the box.
double bounded_shift(double shift, int cells, bool periodic, int stencil) {
  require(std::isfinite(shift), "a drift takes a time that is not finite");
  const double largest = cells + 2.0 * stencil;
  return periodic ? std::fmod(shift, cells) : std::clamp(shift, -largest, largest);  // fmod is exact
}

/// `count` entries from `column` on of a shift by so many cells; returns how far they reach.
template <int stencil>
int put_entries(DriftTable& table, std::size_t column, int count, double shift) {
  const double floor = std::floor(-shift);
  const auto weights = remap_weights<stencil>(-shift - floor);
  for (std::size_t c = column; c < column + static_cast<std::size_t>(count); ++c) {
    table.offset[c] = static_cast<int>(floor);
    for (std::size_t k = 0; k < static_cast<std::size_t>(stencil); ++k)
      table.weights[k * static_cast<std::size_t>(table.weight_stride) + c] = weights[k];
  }
  return std::abs(static_cast<int>(floor)) + reach_of(stencil) + 1;
}

/// Columns of the planes first … last − 1; returns how far they reach.
int fill_columns(const PhaseMesh& mesh, std::span<const double> duration, int first, int last, DriftTable& table) {
  const int columns = mesh.velocity_cells();
  int reach = 0;
  for (int plane = first; plane < last; ++plane) {
    const PhasePlane& box = mesh.plane(plane);
    for (int j = 0; j < columns; ++j) {
      const auto column =
          static_cast<std::size_t>(plane) * static_cast<std::size_t>(columns) + static_cast<std::size_t>(j);
      const double shift = duration[static_cast<std::size_t>(plane)] * box.velocity.center(j) / box.theta.width();
      reach = std::max(reach, put_entries<remap_cells>(
                                  table, column, 1,
                                  bounded_shift(shift, mesh.theta_cells(), mesh.walls().is_periodic(), remap_cells)));
    }
  }
  return reach;
}

DriftTable empty_table(long columns, int stencil) {
  constexpr int padding = 16;
  DriftTable table;
  table.columns = columns;
  table.stencil = stencil;
  table.weight_stride = columns + padding;
  table.offset.resize(static_cast<std::size_t>(table.weight_stride));
  table.weights.resize(static_cast<std::size_t>(stencil) * static_cast<std::size_t>(table.weight_stride));
  return table;
}

}  // namespace

DriftTable make_drift_table(const PhaseMesh& mesh, std::span<const double> duration) {
  constexpr int planes_together = 64;
  DriftTable table = empty_table(mesh.shape().columns(), remap_cells);
  const int parts = (mesh.planes() + planes_together - 1) / planes_together;
  const auto reaches = parallel_runs<int>(
      static_cast<std::size_t>(parts), 0,
      [&](std::uint64_t part) {
        const int first = static_cast<int>(part) * planes_together;
        return fill_columns(mesh, duration, first, std::min(first + planes_together, mesh.planes()), table);
      },
      [](double) {});
  table.reach = std::max(table.reach, *std::max_element(reaches.begin(), reaches.end()));
  return table;
}

DriftTable make_drift_table(const PhaseSpace& space, int k, std::span<const double> duration) {
  const ThetaRuns runs(space.shape(), k);
  const int lanes = runs.alike ? alike_lanes : 1;
  DriftTable table = empty_table(static_cast<long>(space.problems()) * runs.velocities * lanes, wide_remap_cells);
  const auto axis = static_cast<std::size_t>(k);
  for (int p = 0; p < space.problems(); ++p) {
    const Axis& theta = space.problem(p).theta[axis];
    const Axis& velocity = space.problem(p).velocity[axis];
    for (int j = 0; j < runs.velocities; ++j) {
      const auto first = static_cast<std::size_t>((static_cast<long>(p) * runs.velocities + j) * lanes);
      const double shift = duration[static_cast<std::size_t>(p)] * velocity.center(j) / theta.width();
      table.reach = std::max(
          table.reach,
          put_entries<wide_remap_cells>(
              table, first, lanes, bounded_shift(shift, runs.cells, space.walls(k).is_periodic(), wide_remap_cells)));
    }
  }
  return table;
}

}  // namespace underdamp
