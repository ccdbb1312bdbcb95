#pragma once
#include <array>
#include <vector>

#include "kernels/contract/block_velocity_law.hpp"
#include "meshes/phase_space.hpp"

/// Tables of the velocity sweep of several parameters (kernels/bodies/velocity_block.hpp). Built on the host, once per
/// step size.
namespace underdamp {

/// The contraction v_k ← e v_k along one axis as a banded matrix: q_j = Σ_s M_js p_{first + s}. Along the fastest axis
/// the outputs of a pack of `lanes` are one row: out_{j+lane} = Σ_s M[s][lane] p_{first + lane + s}.
struct BlockContraction {
  int rows = 0;                      ///< cells of the axis, or packs of them
  int taps = 0;                      ///< of each row, in memory
  int lanes = 1;                     ///< of a pack
  std::vector<int> first;            ///< [row]
  std::vector<int> count;            ///< [row] taps that read within the box
  std::vector<double> weights;       ///< [(row · taps + s) · lanes + lane]
  int lower_count = 0;               ///< cells below this lose something through the lower wall …
  int upper_first = 0;               ///< … and cells from this on through the upper one:
  std::vector<double> lower, upper;  ///< [cell, up to whole packs] what share
};

/// One convolution along a lattice direction e: out_j = Σ_m g_m in_{j − m e}, m = first … first + count − 1. Its
/// weights begin with `kernel_padding` zeros and end with as many. Tails follow: Σ_{m ≥ first + i} g_m, i = 0 … count.
struct BlockPass {
  std::array<int, most_parameters> direction{};
  int first = 0;
  int count = 0;
  long weights = 0;
};
inline constexpr int kernel_padding = 7;  ///< rows that a body convolves together, less one

struct VelocityBlockTable {
  int parameters = 0;
  int lanes = 1;
  std::vector<int> contraction_of;  ///< [problem · d + k]
  std::vector<BlockContraction> contractions;
  std::vector<long> first_pass;  ///< [line], and one more
  std::vector<BlockPass> passes;
  std::vector<double> weights;

  double taps() const;  ///< multiply-adds per cell: contractions and convolutions, mean over the lines
};

/// `lanes` of the packs that the sweep uses. Throws Error (bad_input) if a law does not fit, or if e < 1/3 and the box
/// of an axis is not around v = 0.
VelocityBlockTable make_velocity_block_table(const PhaseSpace& space, const BlockVelocityLaw& law, int lanes);

}  // namespace underdamp
