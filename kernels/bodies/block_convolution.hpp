#pragma once
#include <cstddef>

#include "kernels/bodies/block_view.hpp"

/// Convolutions of a block of velocities along lattice directions e (docs/method.md, section 16):
///
///   q_j = Σ_m g_m p_{j − m e}
namespace underdamp {

template <class Real>
struct BlockConvolution {
  BlockShape shape;
  const Real* weights;

  /// From p to q, both scratch of the block.
  template <class Block>
  UNDERDAMP_HD void convolve(Block& block, const PassOfBlock& pass, const Real* p, Real* q) const {
    const int last = shape.parameters - 1;
    int axes = 0;
    int axis = 0;
    for (int k = 0; k < shape.parameters; ++k) {
      if (pass.direction[k] == 0) continue;
      ++axes;
      axis = k;
    }
    if (axes == 1 && axis < last) {
      convolve_rows(block, pass, axis, p, q);
    } else if (axes == 1) {
      convolve_lanes(block, pass, p, q);
    } else {
      convolve_across(block, pass, p, q);
    }
  }

  /// What a convolution carries past the walls, by the wall that is met first.
  template <class Block>
  UNDERDAMP_HD void lose(Block& block, const PassOfBlock& pass, const Real* p,
                         LostOfBlock<typename Block::P>& lost) const {
    using P = typename Block::P;
    const int last = shape.parameters - 1;
    Real* const shares = block.scratch(2);
    if (pass.direction[last] != 0) {
      block.for_each_row(2, shape.packs, [&](int side, int begin, int end) {
        const int a = side == 0 ? pass.direction[last] : -pass.direction[last];
        for (int pack = begin; pack < end; ++pack) {
          const int cell = pack * P::width;
          P::of([&](int lane) {
            const int j = cell + lane;
            if (j >= shape.width) return Real{0};
            return tail(pass, side == 0, a > 0 ? (shape.width - 1 - j) / a : j / -a);
          }).store(shares + side * shape.pitch + cell);
        }
      });
      block.barrier();
    }
    block.for_each_row(shape.rows, shape.packs, [&](int row, int begin, int end) {
      const Real* const in = p + static_cast<std::ptrdiff_t>(row) * shape.pitch;
      lose_of_row<P>(pass, room_of(pass, row, true), true, shares, in, begin, end, lost);
      lose_of_row<P>(pass, room_of(pass, row, false), false, shares + shape.pitch, in, begin, end, lost);
    });
  }

 private:
  /// Along an axis that is not the fastest: a row is read once for several outputs.
  template <class Block>
  UNDERDAMP_HD void convolve_rows(Block& block, const PassOfBlock& pass, int k, const Real* p, Real* q) const {
    using P = typename Block::P;
    constexpr int outputs = 4;  // more of them would read more rows behind the ends of the kernel
    static_assert(outputs <= kernel_padding + 1);
    const int n = shape.cells[k];
    const int stride = shape.row_stride[k];
    const int chunks = (n + outputs - 1) / outputs;
    const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(stride) * shape.pitch;
    const Real* const kernel = weights + pass.weights + kernel_padding;
    block.for_each_row(shape.rows / n * chunks, shape.packs, [&](int group, int begin, int end) {
      const int j = group / stride % chunks * outputs;
      const int row = group / (stride * chunks) * n * stride + group % stride;  // of cell 0
      const int first = larger(0, j - pass.first - pass.count + 1);
      const int stop = smaller(n, j + outputs - pass.first);
      const int valid = smaller(outputs, n - j);
      in_parts<2>(begin, end, [&]<int packs>(int pack) {
        const std::ptrdiff_t cell = static_cast<std::ptrdiff_t>(row) * shape.pitch + pack * P::width;
        slide_rows<P, outputs, packs>(p + cell, step, kernel + (j - pass.first), first, stop, valid,
                                      q + cell + j * step);
      });
    });
  }

  /// Σ_r g_{j+t−r} p_r of `outputs` rows t; `kernel`: of t = r = 0.
  template <class P, int outputs, int packs>
  static UNDERDAMP_HD void slide_rows(const Real* in, std::ptrdiff_t step, const Real* kernel, int first, int stop,
                                      int valid, Real* out) {
    P sum[outputs][packs];
    UNDERDAMP_UNROLL
    for (int t = 0; t < outputs; ++t) {
      UNDERDAMP_UNROLL
      for (int k = 0; k < packs; ++k) sum[t][k] = P::broadcast(0.0);
    }
    for (int r = first; r < stop; ++r) {
      P value[packs];
      UNDERDAMP_UNROLL
      for (int k = 0; k < packs; ++k) value[k] = P::load(in + r * step + k * P::width);
      UNDERDAMP_UNROLL
      for (int t = 0; t < outputs; ++t) {
        UNDERDAMP_UNROLL
        for (int k = 0; k < packs; ++k) sum[t][k] = sum[t][k] + kernel[t - r] * value[k];
      }
    }
    UNDERDAMP_UNROLL
    for (int t = 0; t < outputs; ++t) {
      if (t >= valid) break;
      UNDERDAMP_UNROLL
      for (int k = 0; k < packs; ++k) sum[t][k].store(out + t * step + k * P::width);
    }
  }

  /// Along the fastest axis: several rows share the weights.
  template <class Block>
  UNDERDAMP_HD void convolve_lanes(Block& block, const PassOfBlock& pass, const Real* p, Real* q) const {
    using P = typename Block::P;
    constexpr int together = Block::rows_together;
    const Real* const kernel = weights + pass.weights + kernel_padding;
    const int groups = (shape.rows + together - 1) / together;
    block.for_each_row(groups, shape.packs, [&](int group, int begin, int end) {
      const int last = smaller(shape.rows, (group + 1) * together);
      for (int pack = begin; pack < end; ++pack) {
        const MRange m = lanes_range<P>(1, pack * P::width, {pass.first, pass.first + pass.count});
        in_parts<together>(group * together, last, [&]<int rows>(int row) {
          const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(row) * shape.pitch + pack * P::width;
          gather_lanes<P, rows>(p + at, kernel - pass.first, m, pack, q + at);
        });
      }
    });
  }

  /// Whole steps [begin, end) along a direction.
  struct MRange {
    int begin;
    int end;
  };
  /// Those of `m` that leave a pack from cell `cell` of a row on, or a part of it, inside the row: −width < cell − a m
  /// < n.
  template <class P>
  UNDERDAMP_HD MRange lanes_range(int a, int cell, MRange m) const {
    return clipped(a, cell + P::width - 1, shape.width + P::width - 1, m);
  }
  /// Those of `m` with 0 ≤ position − a m < n.
  static UNDERDAMP_HD MRange clipped(int a, int position, int n, MRange m) {
    if (a == 0) return m;
    const int from_low = position;           // a m ≤ this
    const int from_high = n - 1 - position;  // −a m ≤ this
    const int steps = a < 0 ? -a : a;
    const int forward = (a > 0 ? from_low : from_high) / steps;
    const int backward = (a > 0 ? from_high : from_low) / steps;
    return {larger(m.begin, -backward), smaller(m.end, forward + 1)};
  }

  /// `kernel`: of m = 0.
  template <class P, int rows>
  UNDERDAMP_HD void gather_lanes(const Real* in, const Real* kernel, MRange m, int pack, Real* out) const {
    P sum[rows];
    UNDERDAMP_UNROLL
    for (int r = 0; r < rows; ++r) sum[r] = P::broadcast(0.0);
    for (int k = m.begin; k < m.end; ++k) {
      const P w = P::broadcast(kernel[k]);
      UNDERDAMP_UNROLL
      for (int r = 0; r < rows; ++r) sum[r] = sum[r] + w * P::load(in + r * shape.pitch - k);
    }
    UNDERDAMP_UNROLL
    for (int r = 0; r < rows; ++r) shape.inside(sum[r], pack).store(out + r * shape.pitch);
  }

  /// Along any other direction.
  template <class Block>
  UNDERDAMP_HD void convolve_across(Block& block, const PassOfBlock& pass, const Real* p, Real* q) const {
    using P = typename Block::P;
    const int last = shape.parameters - 1;
    const int a = pass.direction[last];
    std::ptrdiff_t step = a;
    for (int k = 0; k < last; ++k)
      step += static_cast<std::ptrdiff_t>(pass.direction[k]) * shape.row_stride[k] * shape.pitch;
    const Real* const kernel = weights + pass.weights + kernel_padding - pass.first;
    block.for_each_row(shape.rows, shape.packs, [&](int row, int begin, int end) {
      MRange of_row{pass.first, pass.first + pass.count};
      for (int k = 0; k < last; ++k)
        of_row = clipped(pass.direction[k], shape.position(row, k), shape.cells[k], of_row);
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(row) * shape.pitch;
      for (int pack = begin; pack < end; ++pack) {
        const MRange m = lanes_range<P>(a, pack * P::width, of_row);
        const Real* const in = p + at + pack * P::width;
        P sum[4] = {P::broadcast(0.0), P::broadcast(0.0), P::broadcast(0.0), P::broadcast(0.0)};
        int k = m.begin;
        for (; k + 4 <= m.end; k += 4) {
          UNDERDAMP_UNROLL
          for (int t = 0; t < 4; ++t) sum[t] = sum[t] + kernel[k + t] * P::load(in - (k + t) * step);
        }
        for (; k < m.end; ++k) sum[0] = sum[0] + kernel[k] * P::load(in - k * step);
        shape.inside((sum[0] + sum[1]) + (sum[2] + sum[3]), pack).store(q + at + pack * P::width);
      }
    });
  }

  /// Steps that a cell can go along the direction, or against it, and whose wall then stops it.
  struct Room {
    int steps;
    int axis;
    bool upper;
  };

  /// Of a row: by all axes but the fastest.
  UNDERDAMP_HD Room room_of(const PassOfBlock& pass, int row, bool forward) const {
    Room room{1 << 30, -1, false};
    for (int k = 0; k + 1 < shape.parameters; ++k) {
      const int a = forward ? pass.direction[k] : -pass.direction[k];
      if (a == 0) continue;
      const int j = shape.position(row, k);
      const int steps = a > 0 ? (shape.cells[k] - 1 - j) / a : j / -a;
      if (steps < room.steps) room = {steps, k, a > 0};
    }
    return room;
  }

  /// Share of a cell that goes more than `steps` steps forward, or backward.
  UNDERDAMP_HD Real tail(const PassOfBlock& pass, bool forward, int steps) const {
    const Real* const tails = weights + pass.weights + 2 * kernel_padding + pass.count;
    const int i = (forward ? steps + 1 : -steps) - pass.first;  // Σ_{m ≥ first + i}, or 1 minus it
    const Real above = i <= 0 ? Real{1} : i >= pass.count ? Real{0} : tails[i];
    return forward ? above : (i <= 0 ? Real{0} : Real{1} - above);
  }

  /// `shares`: what the cells of a row send past the wall of the fastest axis.
  template <class P>
  UNDERDAMP_HD void lose_of_row(const PassOfBlock& pass, const Room& room, bool forward, const Real* shares,
                                const Real* in, int begin, int end, LostOfBlock<P>& lost) const {
    const int farthest = forward ? pass.first + pass.count - 1 : -pass.first;  // steps of the kernel
    if (farthest <= 0) return;
    const int last = shape.parameters - 1;
    const int a = forward ? pass.direction[last] : -pass.direction[last];
    const bool by_row = room.steps < farthest;
    // Cells before `split` (a < 0), or from it on, meet a wall of the fastest axis first.
    const int reach = smaller(room.steps, farthest);
    const int split = a > 0 ? larger(0, shape.width - reach * a) : smaller(shape.width, reach * -a);
    if (!by_row) {
      if (a > 0) begin = larger(begin, split / P::width);
      if (a <= 0) end = smaller(end, (split + P::width - 1) / P::width);
    }
    P by_wall_of_row = P::broadcast(0.0);
    P by_fastest = P::broadcast(0.0);
    for (int pack = begin; pack < end; ++pack) {
      const int cell = pack * P::width;
      const P value = P::load(in + cell);
      const P head = keep_first(value, split - cell);
      const P rest = value - head;
      by_wall_of_row = by_wall_of_row + (a > 0 ? head : rest);
      if (a != 0) by_fastest = by_fastest + P::load(shares + cell) * (a > 0 ? rest : head);
    }
    if (a > 0) lost.upper[last] = lost.upper[last] + by_fastest;
    if (a < 0) lost.lower[last] = lost.lower[last] + by_fastest;
    if (by_row) {
      P& through = room.upper ? lost.upper[room.axis] : lost.lower[room.axis];
      through = through + tail(pass, forward, room.steps) * by_wall_of_row;
    }
  }
};

}  // namespace underdamp
