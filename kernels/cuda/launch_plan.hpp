#pragma once
#include <algorithm>
#include <cstddef>
#include <limits>

#include "meshes/host_device.hpp"
#include "meshes/phase_mesh.hpp"

/// How a launch is cut into blocks and threads, as numbers. Nothing here needs CUDA: tests/launch_plan_test.cpp goes
/// through all sizes without a GPU.
namespace underdamp {

inline constexpr int warp_threads = 32;
/// The registers of a multiprocessor are enough for so many threads of a velocity sweep.
inline constexpr int largest_team = 384;
/// Consecutive cells of a line that a thread takes at a time; odd, so that no two threads meet in a bank.
inline constexpr int bundle_block = 7;
/// Blocks of a grid along its first axis and along the others.
inline constexpr long most_blocks = 2147483647;
inline constexpr long most_rows_of_blocks = 65535;
/// Shared memory that the kernels declare is less than this.
inline constexpr std::size_t static_shared_bytes = 1024;

/// Of a device, in bytes of shared memory.
struct LaunchLimits {
  std::size_t of_block = 48 << 10;           ///< that a block may ask for
  std::size_t of_multiprocessor = 96 << 10;  ///< that the blocks of a multiprocessor share
};

/// What a bundle of lines needs.
struct BundleNeeds {
  int arrays;      ///< of scratch
  int lanes;       ///< lines of a bundle
  int cells;       ///< of a line
  int margin;      ///< cells beyond either end of it
  int real_bytes;  ///< of a number
};

/// Teams of threads, one to a bundle; short lines share a block.
struct BundleLaunch {
  int threads;        ///< of a team: whole warps
  int teams;          ///< of a block
  int stride;         ///< numbers of one array of scratch
  int size;           ///< numbers of the scratch of a team
  std::size_t bytes;  ///< of shared memory of a block

  long blocks(long bundles) const { return (bundles + teams - 1) / teams; }
};

/// As many threads to a team as have a block of cells each, over as few rounds as largest_team allows; as many teams as
/// leave room for two blocks on a multiprocessor.
inline BundleLaunch bundle_launch(const BundleNeeds& needs, const LaunchLimits& limits) {
  BundleLaunch launch{};
  const int round = largest_team * bundle_block;
  const int rounds = (needs.cells + round - 1) / round;
  const int of_warp = rounds * bundle_block * warp_threads;  // cells that a warp takes
  launch.threads = (needs.cells + of_warp - 1) / of_warp * warp_threads;
  // An even stride of single numbers would put both arrays into the same banks.
  const int padding = needs.lanes == 1 && needs.cells % 2 == 0 ? 1 : 0;
  launch.stride = (needs.cells + 2 * needs.margin + 1) * needs.lanes + padding;
  launch.size = needs.arrays * launch.stride;
  const auto bytes = static_cast<std::size_t>(launch.size) * static_cast<std::size_t>(needs.real_bytes);
  const std::size_t of_block = limits.of_block > static_shared_bytes ? limits.of_block - static_shared_bytes : 0;
  const auto room = static_cast<int>(std::min(limits.of_multiprocessor / 2, of_block) / bytes);
  launch.teams = std::clamp(std::min(128 / launch.threads, room), 1, 4);
  launch.bytes = static_cast<std::size_t>(launch.teams) * bytes;
  return launch;
}

/// Has a block the shared memory for it?
inline bool fits(const BundleLaunch& launch, const LaunchLimits& limits) {
  return launch.bytes + static_shared_bytes <= limits.of_block;
}

/// Reductions of a block, a warp to each.
inline constexpr int reductions_of_block = 4;
inline long reduction_blocks(long count) {
  return (count + reductions_of_block - 1) / reductions_of_block;
}

/// Planes times blocks across the columns of a plane along the first axis of the grid, blocks down its rows along the
/// second: that has 65535 at most, too few for planes.
struct PlaneLaunch {
  int across;  ///< blocks of a plane along v
  int down;    ///< blocks of a plane along θ

  long blocks(int planes) const { return static_cast<long>(planes) * across; }
};

/// Blocks of `columns` columns and `rows` rows.
inline PlaneLaunch plane_launch(int velocity_cells, int theta_cells, int columns, int rows) {
  return {(velocity_cells + columns - 1) / columns, (theta_cells + rows - 1) / rows};
}

/// Where block `index` of the first axis lies.
struct PlaneBlock {
  int plane;
  int across;

  UNDERDAMP_HD PlaneBlock(long index, int blocks_across)
      : plane(static_cast<int>(index / blocks_across)), across(static_cast<int>(index % blocks_across)) {}
};

/// Rows of a column that a thread treats, threads of a block that sweeps runs of columns, and of one that sweeps blocks
/// of velocities.
inline constexpr int column_strip_rows = 32;
inline constexpr int largest_run_block = 128;
inline constexpr int block_threads = 256;

/// Threads of a block: x across the columns of a run, y along its rows, z runs.
struct RunLaunch {
  int across;
  int down;
  int runs;

  long blocks(long all) const { return (all + runs - 1) / runs; }
};
inline RunLaunch run_launch(int lanes, int rows, int pack_width) {
  RunLaunch launch{};
  launch.across = std::clamp((lanes + pack_width - 1) / pack_width, 2, 32);
  launch.down = std::clamp((rows + column_strip_rows - 1) / column_strip_rows, 1, largest_run_block / launch.across);
  launch.runs = std::max(1, largest_run_block / (launch.across * launch.down));
  return launch;
}

/// Can a drift sweep count so many columns, or runs of them?
inline bool counts(long columns) {
  return columns <= std::numeric_limits<int>::max();
}

/// Can a grid have so many blocks?
inline bool is_grid(long blocks, long rows_of_blocks = 1) {
  return blocks >= 1 && blocks <= most_blocks && rows_of_blocks >= 1 && rows_of_blocks <= most_rows_of_blocks;
}

}  // namespace underdamp
