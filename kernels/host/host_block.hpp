#pragma once
#include <cstddef>
#include <cstring>

#include "kernels/bodies/velocity_block.hpp"
#include "kernels/host/host_pack.hpp"

namespace underdamp {

/// The block of velocities at one θ on one host thread: scratch with zeros around every row, loops one after the other.
/// Barriers are empty.
template <class Real>
class HostBlock {
 public:
  using P = HostPack<Real>;
  static constexpr int rows_together = 8;  ///< rows that a convolution keeps in registers

  /// Numbers of `arrays` arrays of a block and of two rows.
  static std::size_t scratch_size(const BlockShape& shape, int arrays) {
    return static_cast<std::size_t>(arrays) * shape.numbers() + 2 * static_cast<std::size_t>(shape.pitch);
  }

  /// `memory`: so many numbers. Margins are never written again.
  HostBlock(Real* memory, const BlockShape& shape, int arrays)
      : memory_(memory), stride_(shape.numbers()), margin_(shape.margin) {
    std::memset(memory, 0, scratch_size(shape, arrays) * sizeof(Real));
  }

  UNDERDAMP_HD Real* scratch(int k) const { return memory_ + static_cast<std::size_t>(k) * stride_ + margin_; }
  UNDERDAMP_HD void barrier() const {}

  /// body(row, begin, end) treats the packs [begin, end) of a row.
  template <class Body>
  UNDERDAMP_HD void for_each_row(int rows, int packs, Body&& body) const {
    for (int row = 0; row < rows; ++row) body(row, 0, packs);
  }

  /// Σ over lanes, and threads if there are any.
  UNDERDAMP_HD double total(P mine) const {
    Real values[P::width];
    mine.store(values);
    double sum = 0.0;
    for (const Real value : values) sum += value;
    return sum;
  }
  UNDERDAMP_HD void add(P mine, double* to) const { *to += total(mine); }

  template <class Body>
  UNDERDAMP_HD void once(Body&& body) const {
    body();
  }

 private:
  Real* memory_;
  std::size_t stride_;
  int margin_;
};

}  // namespace underdamp
