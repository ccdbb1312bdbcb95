#pragma once
#include <cstddef>

#include "kernels/bodies/pack.hpp"
#include "kernels/tables/velocity_block_table.hpp"
#include "meshes/field_shape.hpp"

/// What a velocity sweep of several parameters works on: a block in scratch, and its coefficients on a device.
namespace underdamp {

UNDERDAMP_HD int smaller(int a, int b) {
  return a < b ? a : b;
}
UNDERDAMP_HD int larger(int a, int b) {
  return a > b ? a : b;
}

/// [begin, end) in parts of `most` and what is left in fewer of them: many sums side by side keep the units busy.
template <int most, class Body>
UNDERDAMP_HD void in_parts(int begin, int end, Body&& body) {
  for (; begin + most <= end; begin += most) body.template operator()<most>(begin);
  if constexpr (most > 1) {
    if (begin < end) in_parts<(most > 4 ? most / 2 : most - 1)>(begin, end, body);
  }
}

/// Where the cells of a block lie in scratch: rows along the fastest axis, whole packs and `margin` zeros on both
/// sides.
struct BlockShape {
  int parameters = 1;
  int cells[most_parameters] = {1, 1, 1};
  int row_stride[most_parameters] = {0, 0, 0};  ///< rows from a cell of axis k < d to the next; 0 of the fastest
  int rows = 1;                                 ///< cells of all axes but the fastest
  int width = 1;                                ///< cells of the fastest
  int packs = 1;                                ///< of a row
  int margin = 0;
  int pitch = 1;  ///< numbers from a row to the next

  BlockShape() = default;
  BlockShape(const AxisCells& axes, int lanes) : parameters(axes.parameters) {
    for (int k = 0; k < parameters; ++k) cells[k] = axes.velocity[static_cast<std::size_t>(k)];
    for (int k = parameters - 2; k >= 0; --k) {
      row_stride[k] = rows;
      rows *= cells[k];
    }
    width = cells[parameters - 1];
    packs = (width + lanes - 1) / lanes;
    margin = lanes > 1 ? lanes : 0;
    pitch = packs * lanes + 2 * margin;
  }

  std::size_t numbers() const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(pitch); }
  /// Cells of pack `pack` of a row.
  template <class P>
  UNDERDAMP_HD int cells_of(int pack) const {
    return smaller(P::width, width - pack * P::width);
  }
  /// Without what lies behind the last cell of a row.
  template <class P>
  UNDERDAMP_HD P inside(P value, int pack) const {
    return P::width == 1 || cells_of<P>(pack) == P::width ? value : keep_first(value, cells_of<P>(pack));
  }
  /// Of axis k in a row.
  UNDERDAMP_HD int position(int row, int k) const {
    if (parameters == 2) return row;
    return k == 0 ? row / row_stride[0] : row % cells[k];
  }
};

template <class Real>
struct ContractionOfBlock {
  int taps;
  int lower_count;
  int upper_first;
  const int* first;
  const int* count;
  const Real* weights;
  const Real* lower;
  const Real* upper;
};

struct PassOfBlock {
  int direction[most_parameters];
  int first;
  int count;
  long weights;
};

template <class Real>
struct VelocityBlockView {
  const int* contraction_of;
  const ContractionOfBlock<Real>* contractions;
  const long* first_pass;
  const PassOfBlock* passes;
  const Real* weights;
};

/// Through the walls of each axis.
template <class P>
struct LostOfBlock {
  P lower[most_parameters];
  P upper[most_parameters];
};

}  // namespace underdamp
