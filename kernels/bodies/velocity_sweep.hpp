#pragma once
#include "kernels/bodies/pack.hpp"
#include "kernels/bodies/velocity_view.hpp"
#include "kernels/tables/coarse_grid.hpp"
#include "kernels/tables/remap.hpp"
#include "meshes/field_view.hpp"

/// Velocity sweep V: v ← e v + c_i + s_i ξ, line by line (docs/method.md, eqs. 7-9, 12-19).
///
///   contraction   q_j = Σ_{c=b_j}^{b_{j+1}−1} p_c − F_j + F_{j+1},  F_e = Σ_k w_k(a_e) p_{b_e−5+k},
///                 limited: 0 ≤ F_e ≤ p_{b_e}
///   convolution   p'_j = Σ_m g_m q_{j−m·stride}, level after level
///
/// A wide g acts on a coarser grid (coarse_grid.hpp). The whole cells of a kick move the line before the contraction
/// (c/e) or after the deposit (c); the rest is the mean of g. One read and one write of the field, 16 bytes per cell (8
/// in float32); everything between stays in the scratch of the bundle.
namespace underdamp {

template <class Real, bool limited, bool deposits>
struct VelocitySweep {
  static constexpr int scratch_arrays = 2;

  VelocityView<Real> table;
  FieldView<const Real> from;
  FieldView<Real> to;
  double* left_lower;  ///< [line] mass lost through v_min so far
  double* left_upper;
  double* created_in;  ///< [line] mass that clipping had to create so far

  /// `bundle`: P::width neighbouring lines of one plane, element (j, lane) of scratch at [j·width + lane]; see
  /// HostBundle and CudaBundle. `index` counts the bundles of all planes.
  template <class Bundle>
  UNDERDAMP_HD void operator()(Bundle& bundle, long index) const {
    using P = typename Bundle::P;
    const int n = to.velocity_cells;
    const auto plane = static_cast<int>(index / table.bundles_per_plane);
    const int row = static_cast<int>(index % table.bundles_per_plane) * P::width;
    const long line = static_cast<long>(plane) * to.theta_cells + row;
    const int lines = to.theta_cells - row < P::width ? to.theta_cells - row : P::width;
    Real* p = bundle.scratch(0) + table.margin * P::width;
    Real* q = bundle.scratch(1) + table.margin * P::width;

    WallPair<P> left{P::broadcast(0.0), P::broadcast(0.0)};
    if constexpr (deposits) {
      bundle.stage(from.line(line), n, lines, nullptr, p, table.margin);
      bundle.barrier();
      left = deposit(bundle, table.deposits[table.contraction_of_plane[plane]], table.shift + line, lines, p, q, n);
    } else {
      bundle.stage(from.line(line), n, lines, table.shift + line, p, table.margin);
      bundle.barrier();
      left = contract(bundle, table.contractions[table.contraction_of_plane[plane]], p, q, n);
      bundle.add_beyond_margin(from.line(line), n, lines, table.shift + line, table.margin, left.lower, left.upper);
    }
    bundle.barrier();

    const BundleEntry entry = table.bundles[index];
    const WallPair<P> through = entry.restrictions > 0 ? smooth_coarsely(bundle, entry, p, q, n, lines, line)
                                                       : smooth(bundle, entry, p, q, n, lines, line);
    bundle.add_to_lines(left_lower + line, left.lower + through.lower, lines);
    bundle.add_to_lines(left_upper + line, left.upper + through.upper, lines);
    bundle.barrier();
  }

 private:
  /// The levels of the convolution one after the other, from q to the lines of the field. Returns what left the box.
  template <class Bundle>
  UNDERDAMP_HD WallPair<typename Bundle::P> smooth(Bundle& bundle, const BundleEntry& entry, Real* p, Real* q, int n,
                                                   int lines, long line) const {
    using P = typename Bundle::P;
    WallPair<P> left{P::broadcast(0.0), P::broadcast(0.0)};
    for (int level = 0; level < entry.levels; ++level) {
      const LevelEntry kernel = table.levels[entry.first_level + level];
      clear_margins(bundle, q, 0, n, kernel.half_width << kernel.log2_stride);
      bundle.barrier();
      const WallPair<P> through = past_walls(bundle, kernel, q, n);
      left = {left.lower + through.lower, left.upper + through.upper};
      if (level + 1 < entry.levels) {
        convolve(bundle, kernel, q, 0, n, Keep<P>{p});
        bundle.barrier();
        exchange(p, q);
      } else {
        write_lines(bundle, entry, p, n, lines, line, [&](auto&& sink) { convolve(bundle, kernel, q, 0, n, sink); });
      }
    }
    return left;
  }

  /// The same on a coarser grid: restrict, convolve, prolong. What left the box is known once all is smooth.
  template <class Bundle>
  UNDERDAMP_HD WallPair<typename Bundle::P> smooth_coarsely(Bundle& bundle, const BundleEntry& entry, Real* p, Real* q,
                                                            int n, int lines, long line) const {
    using P = typename Bundle::P;
    const int coarsest = entry.restrictions;
    for (int g = 1; g <= coarsest; ++g) {
      const int outside = coarse_extent(g - 1);
      clear_margins(bundle, q, -outside, coarse_cells(n, g - 1) + outside, restriction_margin);
      bundle.barrier();
      restrict_line(bundle, q, n, g, p);
      bundle.barrier();
      exchange(p, q);
    }
    const LevelEntry kernel = table.levels[entry.first_level];
    const int cells = coarse_cells(n, coarsest);
    const int outside = coarse_extent(coarsest);
    clear_margins(bundle, q, -outside, cells + outside, kernel.half_width);
    bundle.barrier();
    const WallPair<P> left = past_coarse_walls(bundle, kernel, q, cells, outside);
    convolve(bundle, kernel, q, -outside, cells + outside, Keep<P>{p});
    bundle.barrier();
    exchange(p, q);
    for (int g = coarsest - 1; g > 0; --g) {
      prolong_line(bundle, q, n, g, Keep<P>{p});
      bundle.barrier();
      exchange(p, q);
    }
    write_lines(bundle, entry, p, n, lines, line, [&](auto&& sink) { prolong_line(bundle, q, n, 0, sink); });
    return left;
  }

  /// Keeps what a convolution or prolongation gives in scratch.
  template <class P>
  struct Keep {
    Real* target;

    template <int count>
    UNDERDAMP_HD void operator()(int j, const P (&values)[count]) const {
      UNDERDAMP_UNROLL
      for (int b = 0; b < count; ++b) values[b].store(target + (j + b) * P::width);
    }
  };

  /// Writes what `evaluate` gives to the lines of the field, without negative values if `limited`.
  template <class Bundle, class Evaluate>
  UNDERDAMP_HD void write_lines(Bundle& bundle, const BundleEntry& entry, [[maybe_unused]] Real* p, int n, int lines,
                                long line, Evaluate&& evaluate) const {
    using P = typename Bundle::P;
    Real* const target = to.line(line);
    const bool may_clip = limited && entry.may_undershoot != 0;
    if constexpr (Bundle::writes_through) {
      P sum = P::broadcast(0.0);
      P positive = P::broadcast(0.0);
      evaluate([&]<int count>(int j, P(&values)[count]) {
        if constexpr (limited) {
          UNDERDAMP_UNROLL
          for (int b = 0; b < count; ++b) {
            sum = sum + values[b];
            values[b] = max(P::broadcast(0.0), values[b]);
            positive = positive + values[b];
          }
        }
        bundle.template write<count>(values, j, n, lines, target);
      });
      if (may_clip && bundle.any_negative(sum - positive)) settle(bundle, sum, positive, n, lines, line);
    } else {
      P least = P::broadcast(0.0);
      evaluate([&]<int count>(int j, P(&values)[count]) {
        UNDERDAMP_UNROLL
        for (int b = 0; b < count; ++b) least = min(values[b], least);
        Keep<P>{p}(j, values);
      });
      bundle.barrier();
      if (may_clip && bundle.any_negative(least)) {
        bundle.add_to_lines(created_in + line, clip(bundle, p, n), lines);
        bundle.barrier();
      }
      bundle.unstage(p, n, lines, target);
    }
  }

  /// Lines whose negative values were set to zero gained `positive` − `sum`. What is no more than rounding counts as
  /// created; more is taken from the rest of the line, and a line whose sum is negative becomes empty.
  template <class Bundle>
  UNDERDAMP_HD void settle(Bundle& bundle, typename Bundle::P sum, typename Bundle::P positive, int n, int lines,
                           long line) const {
    using P = typename Bundle::P;
    constexpr Real rounding = sizeof(Real) == sizeof(double) ? Real(1e-14) : Real(5e-7);
    Real sums[P::width];
    Real created[P::width];
    Real factors[P::width];
    sum.store(sums);
    positive.store(created);
    bool any = false;
    for (int lane = 0; lane < P::width; ++lane) {
      const Real total = created[lane];
      const Real kept = sums[lane] > 0.0 ? sums[lane] : Real{0};
      const bool scales = total - kept > rounding * kept;
      factors[lane] = scales ? kept / total : Real{1};
      created[lane] = (scales ? kept : total) - sums[lane];
      any = any || (scales && lane < lines);
    }
    if (any) bundle.scale_lines(to.line(line), n, lines, factors);
    bundle.add_to_lines(created_in + line, P::load(created), lines);
  }

  static UNDERDAMP_HD void exchange(Real*& p, Real*& q) {
    Real* const swapped = p;
    p = q;
    q = swapped;
  }

  /// Zeroes `width` cells on either side of [first, end).
  template <class Bundle>
  UNDERDAMP_HD void clear_margins(Bundle& bundle, Real* p, int first, int end, int width) const {
    using P = typename Bundle::P;
    bundle.for_each(width, [&](int j) {
      P::broadcast(0.0).store(p + (first - 1 - j) * P::width);
      P::broadcast(0.0).store(p + (end + j) * P::width);
    });
  }

  /// Flux-form remap p → q. Returns what left the box.
  template <class Bundle>
  UNDERDAMP_HD WallPair<typename Bundle::P> contract(Bundle& bundle, const ContractionView<Real>& c, const Real* p,
                                                     Real* q, int n) const {
    using P = typename Bundle::P;
    bundle.for_each_block(n, [&]<int block>(int j) {
      P flux[block + 1];
      edge_fluxes<Bundle, block + 1>(c, p, j, flux);
      UNDERDAMP_UNROLL
      for (int b = 0; b < block; ++b) {
        (P::load(p + c.base[j + b] * P::width) - flux[b] + flux[b + 1]).store(q + (j + b) * P::width);
      }
    });
    bundle.barrier();
    bundle.for_each(c.whole_cells_count, [&](int w) {
      const WholeCells gain = c.whole_cells[w];
      P sum = P::load(q + gain.target * P::width);
      for (int cell = gain.first; cell < gain.first + gain.count; ++cell) sum = sum + P::load(p + cell * P::width);
      sum.store(q + gain.target * P::width);
    });
    const int below = c.base[0] + table.margin;  // staged cells below the pulled-back lower wall
    const int above = n + table.margin - c.base[n];
    P first[1];
    P last[1];
    edge_fluxes<Bundle, 1>(c, p, 0, first);
    edge_fluxes<Bundle, 1>(c, p, n, last);
    return {bundle.sum(below, [&](int cell) { return P::load(p + (cell - table.margin) * P::width); }) + first[0],
            bundle.sum(above, [&](int cell) { return P::load(p + (c.base[n] + cell) * P::width); }) - last[0]};
  }

  /// Flux parts F at the edges e … e + count − 1. Where neighbouring edges are pulled back into neighbouring cells,
  /// each cell is loaded once for all of them.
  template <class Bundle, int count>
  UNDERDAMP_HD void edge_fluxes(const ContractionView<Real>& c, const Real* p, int e,
                                typename Bundle::P (&flux)[count]) const {
    using P = typename Bundle::P;
    if (!Bundle::computes_weights && c.base[e + count - 1] - c.base[e] == count - 1) {
      const Real* const cell = p + (c.base[e] - remap_reach) * P::width;
      const Real* const weights = c.weights + e * remap_cells;
      UNDERDAMP_UNROLL
      for (int b = 0; b < count; ++b) flux[b] = P::broadcast(0.0);
      UNDERDAMP_UNROLL
      for (int r = 0; r < remap_cells + count - 1; ++r) {
        const P value = P::load(cell + r * P::width);
        UNDERDAMP_UNROLL
        for (int b = 0; b < count; ++b) {
          if (r >= b && r < b + remap_cells) flux[b] = flux[b] + weights[b * remap_cells + r - b] * value;
        }
      }
    } else {
      UNDERDAMP_UNROLL
      for (int b = 0; b < count; ++b) flux[b] = edge_flux<Bundle>(c, p, e + b);
    }
    if constexpr (limited) {
      UNDERDAMP_UNROLL
      for (int b = 0; b < count; ++b) {
        flux[b] = min(P::load(p + c.base[e + b] * P::width), max(P::broadcast(0.0), flux[b]));
      }
    }
  }

  template <class Bundle>
  UNDERDAMP_HD typename Bundle::P edge_flux(const ContractionView<Real>& c, const Real* p, int e) const {
    using P = typename Bundle::P;
    const Real* const cell = p + (c.base[e] - remap_reach) * P::width;
    Real computed[remap_cells];
    const Real* weights = computed;
    if constexpr (Bundle::computes_weights) {
      compute_remap_weights(c.fraction[e], computed);
    } else {
      weights = c.weights + e * remap_cells;
    }
    P sum = weights[0] * P::load(cell);
    UNDERDAMP_UNROLL
    for (int k = 1; k < remap_cells; ++k) sum = sum + weights[k] * P::load(cell + k * P::width);
    return sum;
  }

  /// Sparse deposit p → q, moved by the whole cells of each line's kick. Returns what left the box.
  template <class Bundle>
  UNDERDAMP_HD WallPair<typename Bundle::P> deposit(Bundle& bundle, const DepositView& d, const int* shift, int lines,
                                                    const Real* p, Real* q, int n) const {
    using P = typename Bundle::P;
    bundle.for_each(n, [&](int j) {
      for (int lane = 0; lane < P::width; ++lane) {
        const int target = j - shift[lane < lines ? lane : 0];
        double sum = 0.0;
        if (target >= 0 && target < n) {
          for (int entry = d.row_begin[target]; entry < d.row_begin[target + 1]; ++entry) {
            sum += d.weights[entry] * p[d.source[entry] * P::width + lane];
          }
        }
        q[j * P::width + lane] = static_cast<Real>(sum);
      }
    });
    bundle.barrier();
    // Only the kick carries mass out, and only through the wall it points to.
    const P lost = bundle.sum(n, [&](int j) { return P::load(p + j * P::width) - P::load(q + j * P::width); });
    alignas(16) Real lower[P::width];
    alignas(16) Real upper[P::width];
    lost.store(upper);
    for (int lane = 0; lane < P::width; ++lane) {
      const int moved = shift[lane < lines ? lane : 0];
      lower[lane] = d.first_target + moved < 0 ? upper[lane] : Real{0};
      if (d.last_target + moved < n) upper[lane] = 0.0;
    }
    return {P::load(lower), P::load(upper)};
  }

  /// One level, Σ_m g_m in_{j−m·stride} for the cells [first, end), given to sink.operator()<count>(j, values).
  template <class Bundle, class Sink>
  UNDERDAMP_HD void convolve(Bundle& bundle, const LevelEntry& kernel, const Real* in, int first, int end,
                             Sink&& sink) const {
    using P = typename Bundle::P;
    bundle.for_each_block(end - first, [&]<int block>(int t) {
      const int j = first + t;
      P sum[block];
      accumulate<Bundle, block>(kernel, in + j * P::width, sum);
      sink.template operator()<block>(j, sum);
    });
  }

  template <class Bundle, int block>
  UNDERDAMP_HD void accumulate(const LevelEntry& kernel, const Real* in, typename Bundle::P (&sum)[block]) const {
    using P = typename Bundle::P;
    const int taps = 2 * kernel.half_width + 1;
    const int step = P::width << kernel.log2_stride;
    const Real* weight = table.weights + kernel.weights;
    const Real* source = in + kernel.half_width * step;
    UNDERDAMP_UNROLL
    for (int b = 0; b < block; ++b) sum[b] = P::broadcast(0.0);
    int m = 0;
    if constexpr (Bundle::slides) m = accumulate_sliding<P, block>(taps, weight, source, sum);
    for (; m < taps; ++m) {
      const P g = P::load(weight + m * P::width);
      UNDERDAMP_UNROLL
      for (int b = 0; b < block; ++b) sum[b] = sum[b] + g * P::load(source - m * step + b * P::width);
    }
  }

  /// Taps of stride 1, `block` at a time: each cell is loaded once and moves on from sum to sum. Returns how many were
  /// done.
  template <class P, int block>
  static UNDERDAMP_HD int accumulate_sliding(int taps, const Real* weight, const Real* source, P (&sum)[block]) {
    P cell[block];
    UNDERDAMP_UNROLL
    for (int b = 0; b < block; ++b) cell[b] = P::load(source + b * P::width);
    int m = 0;
    for (; m + block <= taps; m += block) {
      UNDERDAMP_UNROLL
      for (int u = 0; u < block; ++u) {
        const P g = P::load(weight + (m + u) * P::width);
        UNDERDAMP_UNROLL
        for (int b = 0; b < block; ++b) sum[b] = sum[b] + g * cell[(b + block - u) % block];
        cell[block - 1 - u] = P::load(source - (m + u + 1) * P::width);
      }
    }
    return m;
  }

  /// What a level on a coarse grid carries past the walls of the box; see LevelEntry.
  template <class Bundle>
  UNDERDAMP_HD WallPair<typename Bundle::P> past_coarse_walls(Bundle& bundle, const LevelEntry& kernel, const Real* in,
                                                              int cells, int extent) const {
    using P = typename Bundle::P;
    const int h = kernel.half_width;
    const int shares = extent + h + wall_reach + 1;
    const Real* const lower = table.weights + kernel.weights + (2 * h + 1) * P::width;
    const Real* const upper = lower + shares * P::width;
    const int count = shares < cells + 2 * extent ? shares : cells + 2 * extent;
    const Real* const first = in - extent * P::width;
    const Real* const last = in + (cells + extent - 1) * P::width;
    return {bundle.sum(count, [&](int c) { return P::load(lower + c * P::width) * P::load(first + c * P::width); }),
            bundle.sum(count, [&](int c) { return P::load(upper + c * P::width) * P::load(last - c * P::width); })};
  }

  /// Mass that a level carries past the walls: tail sums of the kernel, G_m = Σ_{m' ≥ m} g_m', times the cells within
  /// reach.
  template <class Bundle>
  UNDERDAMP_HD WallPair<typename Bundle::P> past_walls(Bundle& bundle, const LevelEntry& kernel, const Real* in,
                                                       int n) const {
    using P = typename Bundle::P;
    const int h = kernel.half_width;
    const Real* const tail = table.weights + kernel.weights + (2 * h + 1 + h) * P::width;
    const int reach = (h << kernel.log2_stride) < n ? h << kernel.log2_stride : n;
    const P all = P::load(tail - h * P::width);
    return {bundle.sum(reach,
                       [&](int c) {
                         const int last = -((c >> kernel.log2_stride) + 1);  // c + m·stride < 0 for m ≤ last
                         return P::load(in + c * P::width) * (all - P::load(tail + (last + 1) * P::width));
                       }),
            bundle.sum(reach, [&](int r) {
              const int first = (r >> kernel.log2_stride) + 1;  // n − 1 − r + m·stride ≥ n for m ≥ first
              return P::load(in + (n - 1 - r) * P::width) * P::load(tail + first * P::width);
            })};
  }

  /// Sets negative values to zero and takes what that created from the rest of the line; a line whose sum is negative
  /// becomes empty. Returns the mass (in cells) that could not be taken from anywhere.
  template <class Bundle>
  UNDERDAMP_HD typename Bundle::P clip(Bundle& bundle, Real* p, int n) const {
    using P = typename Bundle::P;
    const P zero = P::broadcast(0.0);
    const P sum = bundle.sum(n, [&](int j) { return P::load(p + j * P::width); });
    const P positive = bundle.sum(n, [&](int j) { return max(zero, P::load(p + j * P::width)); });
    const P kept = max(zero, sum);
    alignas(16) Real factors[P::width];
    alignas(16) Real totals[P::width];
    kept.store(factors);
    positive.store(totals);
    for (int lane = 0; lane < P::width; ++lane)
      factors[lane] = totals[lane] > 0.0 ? factors[lane] / totals[lane] : Real{0};
    const P factor = P::load(factors);
    bundle.barrier();
    bundle.for_each(n, [&](int j) { (factor * max(zero, P::load(p + j * P::width))).store(p + j * P::width); });
    return kept - sum;
  }
};

}  // namespace underdamp
