#pragma once
#include <vector>

/// Tables of the velocity sweep v ← e v + c_i + s_i ξ (docs/method.md, eqs. 7-9, 12-18). Built on the host, once per
/// step size, by make_velocity_table().
namespace underdamp {

/// Whole cells that a target gains beyond the first one: q_target += Σ_{c=first}^{first+count−1} p_c.
struct WholeCells {
  int target;
  int first;
  int count;
};

/// The contraction v ← e v of one plane as a remap in flux form. Planes of equal e and equal box (in cells) share one.
struct ContractionTable {
  std::vector<int> base;         ///< [edge] b_e, the cell that holds the pulled-back edge; may lie beyond the walls
  std::vector<double> fraction;  ///< [edge] a_e
  std::vector<double> weights;   ///< [edge·Q + k] w_k(a_e) of remap.hpp
  std::vector<WholeCells> whole_cells;
};

/// The contraction as a deposit, for e < 1/3: the value of source cell m is spread over the 13 cells around its image
/// e v_m so that all moments up to degree 12 are kept. Rows of a sparse matrix, by target cell.
struct DepositTable {
  std::vector<int> row_begin;  ///< [target], n + 1 entries
  std::vector<int> source;
  std::vector<double> weights;
  int first_target = 0;  ///< targets outside [first_target, last_target] receive nothing
  int last_target = 0;
};

/// One level of the convolution of a bundle of lines; see KernelLevel. What it carries past the walls, by lane: its
/// 2h + 2 tail sums Σ_{m' ≥ m} g_m'; on a coarse grid of extent e the share of cell k = −e … h + wall_reach that ends
/// up before the lower wall, Σ_m g_m W_{k+m} (W: BeyondWall), and as many from the other end on for the upper wall.
struct LevelEntry {
  long weights;    ///< where its (2h + 1)·lanes weights start; then what it carries past the walls follows
  int half_width;  ///< h
  int log2_stride;
};

/// How the convolution of one bundle of lines is done.
struct BundleEntry {
  long first_level;
  int levels;
  int may_undershoot;  ///< 1 if a weight is negative: of the kernel, of a deposit before it or of a half-band filter
  int restrictions;    ///< how often the line is halved before its level
};

/// Lines are taken in bundles of `lanes` neighbouring ones of one plane; the last bundle of a plane may be short.
struct VelocityTable {
  int lanes = 1;
  int bundles_per_plane = 0;
  bool deposits = false;  ///< which of the two contraction forms is used
  bool cascade = true;
  std::vector<int> contraction_of_plane;
  std::vector<ContractionTable> contractions;
  std::vector<DepositTable> deposit_tables;
  /// [line] Whole cells that the line moves: before a contraction in flux form, after a deposit.
  std::vector<int> shift;
  std::vector<BundleEntry> bundles;
  std::vector<LevelEntry> levels;
  std::vector<double> weights;  ///< [… · lanes + lane]
  int margin = 0;               ///< cells beyond either end of a line that scratch must hold

  /// Multiply-adds per cell of the convolution, mean over the bundles.
  double taps() const;
};

}  // namespace underdamp
