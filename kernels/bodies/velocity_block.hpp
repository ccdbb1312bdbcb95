#pragma once
#include <cstddef>

#include "kernels/bodies/block_convolution.hpp"
#include "kernels/bodies/block_view.hpp"

/// Velocity sweep V of several parameters: v ← e v + c(θ) + ξ on the block of all velocities at one θ (docs/method.md,
/// section 16).
///
///   contraction   along each axis v_k: q_j = Σ_s M_js p_s, M the remap of eq. (12) with Q = 19 as a banded matrix
///   convolution   along lattice directions e: q_j = Σ_m g_m p_{j − m e}; the axes carry the kick, all the noise
///
/// One read and one write of the field; what is between stays in the scratch of the block.
namespace underdamp {

template <class Real>
struct VelocityBlockSweep {
  static constexpr int scratch_arrays = 2;  ///< of a block, and two rows

  VelocityBlockView<Real> table;
  BlockShape shape;
  int lines_of_problem;
  bool limited;  ///< no value becomes negative
  bool keeps_mass;
  const Real* from;
  Real* to;
  double* left;  ///< [(2 · axis + side) · lines + line] what left through v_min and v_max so far
  long lines;
  double* created_in;  ///< [line] what clipping and keeping the mass had to create so far

  /// `block`: threads and scratch for one block; see HostBlock and CudaBlock.
  template <class Block>
  UNDERDAMP_HD void operator()(Block& block, long line) const {
    using P = typename Block::P;
    const std::ptrdiff_t origin = static_cast<std::ptrdiff_t>(line) * shape.rows * shape.width;
    Real* p = block.scratch(0);
    Real* q = block.scratch(1);
    load(block, from + origin, p);
    block.barrier();
    const double mass = keeps_mass ? sum(block, p) : 0.0;
    LostOfBlock<P> lost;
    for (int k = 0; k < shape.parameters; ++k) lost.lower[k] = lost.upper[k] = P::broadcast(0.0);
    const BlockConvolution<Real> convolution{shape, table.weights};
    const int* const contraction_of = table.contraction_of + line / lines_of_problem * shape.parameters;
    for (int k = 0; k < shape.parameters; ++k) {
      contract(block, table.contractions[contraction_of[k]], k, p, q, lost);
      block.barrier();
      exchange(p, q);
    }
    for (long pass = table.first_pass[line]; pass < table.first_pass[line + 1]; ++pass) {
      convolution.convolve(block, table.passes[pass], p, q);
      convolution.lose(block, table.passes[pass], p, lost);
      block.barrier();
      exchange(p, q);
    }
    finish(block, p, to + origin, mass, line);
    for (int k = 0; k < shape.parameters; ++k) {
      block.add(lost.lower[k], left + (2 * k) * lines + line);
      block.add(lost.upper[k], left + (2 * k + 1) * lines + line);
    }
    block.barrier();
  }

 private:
  static UNDERDAMP_HD void exchange(Real*& p, Real*& q) {
    Real* const swapped = p;
    p = q;
    q = swapped;
  }
  template <class Block>
  UNDERDAMP_HD void load(Block& block, const Real* source, Real* p) const {
    using P = typename Block::P;
    block.for_each_row(shape.rows, shape.packs, [&](int row, int begin, int end) {
      const Real* const in = source + static_cast<std::ptrdiff_t>(row) * shape.width;
      Real* const out = p + static_cast<std::ptrdiff_t>(row) * shape.pitch;
      for (int pack = begin; pack < end; ++pack) {
        const int cells = shape.template cells_of<P>(pack);
        const P value = cells == P::width ? P::load(in + pack * P::width) : P::load_first(in + pack * P::width, cells);
        value.store(out + pack * P::width);
      }
    });
  }

  template <class Block>
  UNDERDAMP_HD double sum(Block& block, const Real* p) const {
    using P = typename Block::P;
    P mine = P::broadcast(0.0);
    block.for_each_row(shape.rows, shape.packs, [&](int row, int begin, int end) {
      for (int pack = begin; pack < end; ++pack)
        mine = mine + P::load(p + static_cast<std::ptrdiff_t>(row) * shape.pitch + pack * P::width);
    });
    return block.total(mine);
  }

  // --- contraction ---

  template <class Block>
  UNDERDAMP_HD void contract(Block& block, const ContractionOfBlock<Real>& c, int k, const Real* p, Real* q,
                             LostOfBlock<typename Block::P>& lost) const {
    if (k + 1 < shape.parameters) {
      contract_rows(block, c, k, p, q);
      lose_rows(block, c, k, p, lost);
    } else {
      contract_lanes(block, c, p, q);
      lose_lanes(block, c, p, lost);
    }
  }

  /// Along an axis that is not the fastest: rows are combined.
  template <class Block>
  UNDERDAMP_HD void contract_rows(Block& block, const ContractionOfBlock<Real>& c, int k, const Real* p,
                                  Real* q) const {
    using P = typename Block::P;
    const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(shape.row_stride[k]) * shape.pitch;
    block.for_each_row(shape.rows, shape.packs, [&](int row, int begin, int end) {
      const int j = shape.position(row, k);
      const Real* const in = p + static_cast<std::ptrdiff_t>(row) * shape.pitch + (c.first[j] - j) * step;
      Real* const out = q + static_cast<std::ptrdiff_t>(row) * shape.pitch;
      const Real* const weights = c.weights + static_cast<std::ptrdiff_t>(j) * c.taps;
      in_parts<4>(begin, end, [&]<int packs>(int pack) {
        combine_rows<P, packs>(in + pack * P::width, step, weights, c.count[j], out + pack * P::width);
      });
    });
  }

  template <class P, int packs>
  static UNDERDAMP_HD void combine_rows(const Real* in, std::ptrdiff_t step, const Real* weights, int count,
                                        Real* out) {
    P sum[packs];
    UNDERDAMP_UNROLL
    for (int k = 0; k < packs; ++k) sum[k] = P::broadcast(0.0);
    for (int s = 0; s < count; ++s) {
      const P w = P::broadcast(weights[s]);
      UNDERDAMP_UNROLL
      for (int k = 0; k < packs; ++k) sum[k] = sum[k] + w * P::load(in + s * step + k * P::width);
    }
    UNDERDAMP_UNROLL
    for (int k = 0; k < packs; ++k) sum[k].store(out + k * P::width);
  }

  /// Along the fastest axis: every lane has weights of its own, which several rows share.
  template <class Block>
  UNDERDAMP_HD void contract_lanes(Block& block, const ContractionOfBlock<Real>& c, const Real* p, Real* q) const {
    using P = typename Block::P;
    constexpr int together = Block::rows_together;
    const int groups = (shape.rows + together - 1) / together;
    block.for_each_row(groups, shape.packs, [&](int group, int begin, int end) {
      const int last = smaller(shape.rows, (group + 1) * together);
      for (int pack = begin; pack < end; ++pack) {
        const Real* const weights = c.weights + static_cast<std::ptrdiff_t>(pack) * c.taps * P::width;
        in_parts<together>(group * together, last, [&]<int rows>(int row) {
          const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(row) * shape.pitch;
          combine_lanes<P, rows>(p + at + c.first[pack], weights, c.count[pack], q + at + pack * P::width);
        });
      }
    });
  }

  template <class P, int rows>
  UNDERDAMP_HD void combine_lanes(const Real* in, const Real* weights, int count, Real* out) const {
    P sum[rows];
    UNDERDAMP_UNROLL
    for (int r = 0; r < rows; ++r) sum[r] = P::broadcast(0.0);
    for (int s = 0; s < count; ++s) {
      const P w = P::load(weights + s * P::width);
      UNDERDAMP_UNROLL
      for (int r = 0; r < rows; ++r) sum[r] = sum[r] + w * P::load(in + r * shape.pitch + s);
    }
    UNDERDAMP_UNROLL
    for (int r = 0; r < rows; ++r) sum[r].store(out + r * shape.pitch);
  }

  template <class Block>
  UNDERDAMP_HD void lose_rows(Block& block, const ContractionOfBlock<Real>& c, int k, const Real* p,
                              LostOfBlock<typename Block::P>& lost) const {
    using P = typename Block::P;
    block.for_each_row(shape.rows, shape.packs, [&](int row, int begin, int end) {
      const int j = shape.position(row, k);
      if (j >= c.lower_count && j < c.upper_first) return;
      P sum = P::broadcast(0.0);
      for (int pack = begin; pack < end; ++pack)
        sum = sum + P::load(p + static_cast<std::ptrdiff_t>(row) * shape.pitch + pack * P::width);
      if (j < c.lower_count) lost.lower[k] = lost.lower[k] + c.lower[j] * sum;
      if (j >= c.upper_first) lost.upper[k] = lost.upper[k] + c.upper[j] * sum;
    });
  }

  template <class Block>
  UNDERDAMP_HD void lose_lanes(Block& block, const ContractionOfBlock<Real>& c, const Real* p,
                               LostOfBlock<typename Block::P>& lost) const {
    using P = typename Block::P;
    const int k = shape.parameters - 1;
    block.for_each_row(shape.rows, shape.packs, [&](int row, int begin, int end) {
      const Real* const in = p + static_cast<std::ptrdiff_t>(row) * shape.pitch;
      const int stop = smaller(end, (c.lower_count + P::width - 1) / P::width);
      for (int pack = begin; pack < stop; ++pack)
        lost.lower[k] = lost.lower[k] + P::load(c.lower + pack * P::width) * P::load(in + pack * P::width);
      for (int pack = larger(begin, c.upper_first / P::width); pack < end; ++pack)
        lost.upper[k] = lost.upper[k] + P::load(c.upper + pack * P::width) * P::load(in + pack * P::width);
    });
  }

  // --- the result ---

  template <class Block>
  UNDERDAMP_HD void finish(Block& block, const Real* p, Real* target, double mass, long line) const {
    using P = typename Block::P;
    Real factor = 1;
    double created = 0.0;
    if (limited || keeps_mass) {
      const double now = sum(block, p);
      const double wanted = keeps_mass ? mass : now;
      const double positive = limited ? positive_sum(block, p) : now;
      if (positive > 0.0) factor = static_cast<Real>((wanted > 0.0 ? wanted : 0.0) / positive);
      created = (positive > 0.0 && wanted > 0.0 ? wanted : 0.0) - now;
      if (!limited && !(positive > 0.0 && wanted > 0.0)) {  // nothing to go by
        factor = 1;
        created = 0.0;
      }
    }
    block.for_each_row(shape.rows, shape.packs, [&](int row, int begin, int end) {
      const Real* const in = p + static_cast<std::ptrdiff_t>(row) * shape.pitch;
      Real* const out = target + static_cast<std::ptrdiff_t>(row) * shape.width;
      for (int pack = begin; pack < end; ++pack) {
        P value = P::load(in + pack * P::width);
        if (limited) value = max(P::broadcast(0.0), value);
        if (limited || keeps_mass) value = factor * value;
        const int cells = shape.template cells_of<P>(pack);
        if (cells == P::width) {
          value.store(out + pack * P::width);
        } else {
          value.store_first(out + pack * P::width, cells);
        }
      }
    });
    if (limited || keeps_mass) block.once([&] { created_in[line] += created; });
  }

  template <class Block>
  UNDERDAMP_HD double positive_sum(Block& block, const Real* p) const {
    using P = typename Block::P;
    P mine = P::broadcast(0.0);
    block.for_each_row(shape.rows, shape.packs, [&](int row, int begin, int end) {
      for (int pack = begin; pack < end; ++pack) {
        const P value = P::load(p + static_cast<std::ptrdiff_t>(row) * shape.pitch + pack * P::width);
        mine = mine + max(P::broadcast(0.0), value);
      }
    });
    return block.total(mine);
  }
};

}  // namespace underdamp
