#pragma once
#include "kernels/pack.hpp"
#include "kernels/remap.hpp"
#include "kernels/velocity_table.hpp"
#include "meshes/field_view.hpp"

/// Velocity sweep V: v ← e v + c_i + s_i ξ, line by line (docs/method.md, eqs. 7-9, 12-19).
///
///   contraction   q_j = Σ_{c=b_j}^{b_{j+1}−1} p_c − F_j + F_{j+1},  F_e = Σ_k w_k(a_e) p_{b_e−5+k},  limited: 0 ≤ F_e
///   ≤ p_{b_e} convolution   p'_j = Σ_m g_m q_{j−m·stride}, level after level
///
/// The whole cells of a kick move the line before the contraction (c/e) or after the deposit (c); the rest is the mean
/// of g. One read and one write of the field, 16 bytes per cell; everything between stays in the scratch of the bundle.
namespace underdamp {

struct ContractionView {
  const int* base;
  const double* weights;
  const WholeCells* whole_cells;
  int whole_cells_count;
};

struct DepositView {
  const int* row_begin;
  const int* source;
  const double* weights;
  int first_target;
  int last_target;
};

struct VelocityView {
  int bundles_per_plane;
  const int* contraction_of_plane;
  const ContractionView* contractions;
  const DepositView* deposits;
  const int* shift;
  const BundleEntry* bundles;
  const LevelEntry* levels;
  const double* weights;
  int margin;
};

/// Mass (in cells, lane by lane) that crossed the two velocity walls.
template <class P>
struct WallPair {
  P lower;
  P upper;
};

template <bool limited, bool deposits>
struct VelocitySweep {
  static constexpr int scratch_arrays = 3;

  VelocityView table;
  FieldView<const double> from;
  FieldView<double> to;
  double* left_lower;  ///< [line] mass lost through v_min so far
  double* left_upper;
  double* created_in;  ///< [line] mass that clipping had to create so far

  /// `bundle`: P::width neighbouring lines of one plane, element (j, lane) of scratch at [j·width + lane]; see
  /// HostBundle and CudaBundle. `index` counts the bundles of all planes.
  template <class Bundle>
  UNDERDAMP_HD void operator()(Bundle& bundle, int index) const {
    using P = typename Bundle::P;
    const int n = to.velocity_cells;
    const int plane = index / table.bundles_per_plane;
    const int row = (index % table.bundles_per_plane) * P::width;
    const int line = plane * to.theta_cells + row;
    const int lines = to.theta_cells - row < P::width ? to.theta_cells - row : P::width;
    double* p = bundle.scratch(0) + table.margin * P::width;
    double* q = bundle.scratch(1) + table.margin * P::width;

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
    for (int level = 0; level < entry.levels; ++level) {
      const LevelEntry kernel = table.levels[entry.first_level + level];
      clear_margins(bundle, q, n, kernel.half_width * kernel.stride);
      bundle.barrier();
      const WallPair<P> through = past_walls(bundle, kernel, q, n);
      left = {left.lower + through.lower, left.upper + through.upper};
      if (level + 1 < entry.levels) {
        convolve(bundle, kernel, q, n, [&](int j, P value) { value.store(p + j * P::width); });
        bundle.barrier();
        double* const swapped = p;
        p = q;
        q = swapped;
        continue;
      }
      const P smallest = convolve_into_field(bundle, kernel, q, n, lines, to.line(line));
      if (limited && entry.may_undershoot != 0 && bundle.any_negative(smallest)) {
        convolve(bundle, kernel, q, n, [&](int j, P value) { value.store(p + j * P::width); });
        bundle.barrier();
        bundle.add_to_lines(created_in + line, clip(bundle, p, n), lines);
        bundle.barrier();
        bundle.unstage(p, n, lines, to.line(line));
      }
    }
    bundle.add_to_lines(left_lower + line, left.lower, lines);
    bundle.add_to_lines(left_upper + line, left.upper, lines);
    bundle.barrier();
  }

 private:
  template <class Bundle>
  UNDERDAMP_HD void clear_margins(Bundle& bundle, double* p, int n, int width) const {
    using P = typename Bundle::P;
    bundle.for_each(width, [&](int j) {
      P::broadcast(0.0).store(p + (-1 - j) * P::width);
      P::broadcast(0.0).store(p + (n + j) * P::width);
    });
  }

  /// Flux-form remap p → q. Returns what left the box.
  template <class Bundle>
  UNDERDAMP_HD WallPair<typename Bundle::P> contract(Bundle& bundle, const ContractionView& c, const double* p,
                                                     double* q, int n) const {
    using P = typename Bundle::P;
    const auto flux = [&](int e) {
      const double* const cell = p + c.base[e] * P::width;
      const double* const weights = c.weights + e * remap_cells;
      P even = weights[0] * P::load(cell - remap_reach * P::width);
      P odd = weights[1] * P::load(cell - (remap_reach - 1) * P::width);
      UNDERDAMP_UNROLL
      for (int k = 2; k < remap_cells - 1; k += 2) {
        even = even + weights[k] * P::load(cell + (k - remap_reach) * P::width);
        odd = odd + weights[k + 1] * P::load(cell + (k + 1 - remap_reach) * P::width);
      }
      const P sum = even + weights[remap_cells - 1] * P::load(cell + remap_reach * P::width) + odd;
      return limited ? min(P::load(cell), max(P::broadcast(0.0), sum)) : sum;
    };
    bundle.for_each_interval(n, flux, [&](int j, P below, P above) {
      (P::load(p + c.base[j] * P::width) - below + above).store(q + j * P::width);
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
    return {bundle.sum(below, [&](int cell) { return P::load(p + (cell - table.margin) * P::width); }) + flux(0),
            bundle.sum(above, [&](int cell) { return P::load(p + (c.base[n] + cell) * P::width); }) - flux(n)};
  }

  /// Sparse deposit p → q, moved by the whole cells of each line's kick. Returns what left the box.
  template <class Bundle>
  UNDERDAMP_HD WallPair<typename Bundle::P> deposit(Bundle& bundle, const DepositView& d, const int* shift, int lines,
                                                    const double* p, double* q, int n) const {
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
        q[j * P::width + lane] = sum;
      }
    });
    bundle.barrier();
    // Only the kick carries mass out, and only through the wall it points to.
    const P lost = bundle.sum(n, [&](int j) { return P::load(p + j * P::width) - P::load(q + j * P::width); });
    double lower[P::width];
    double upper[P::width];
    lost.store(upper);
    for (int lane = 0; lane < P::width; ++lane) {
      const int moved = shift[lane < lines ? lane : 0];
      lower[lane] = d.first_target + moved < 0 ? upper[lane] : 0.0;
      if (d.last_target + moved < n) upper[lane] = 0.0;
    }
    return {P::load(lower), P::load(upper)};
  }

  /// One level, Σ_m g_m in_{j−m·stride}, given to store(j, value).
  template <class Bundle, class Store>
  UNDERDAMP_HD void convolve(Bundle& bundle, const LevelEntry& kernel, const double* in, int n, Store&& store) const {
    using P = typename Bundle::P;
    bundle.for_each_block(n, [&]<int block>(int j, int spacing) {
      P sum[block];
      accumulate<P, block>(kernel, in + j * P::width, spacing, sum);
      UNDERDAMP_UNROLL
      for (int b = 0; b < block; ++b) store(j + b * spacing, sum[b]);
    });
  }

  /// The last level goes straight to the lines of the field. Returns the smallest values seen.
  template <class Bundle>
  UNDERDAMP_HD typename Bundle::P convolve_into_field(Bundle& bundle, const LevelEntry& kernel, const double* in, int n,
                                                      int lines, double* target) const {
    using P = typename Bundle::P;
    P smallest = P::broadcast(0.0);
    bundle.for_each_block(n, [&]<int block>(int j, int spacing) {
      P sum[block];
      accumulate<P, block>(kernel, in + j * P::width, spacing, sum);
      UNDERDAMP_UNROLL
      for (int b = 0; b < block; ++b) smallest = min(sum[b], smallest);
      bundle.template write<block>(sum, j, spacing, n, lines, target);
    });
    return smallest;
  }

  template <class P, int block>
  UNDERDAMP_HD void accumulate(const LevelEntry& kernel, const double* in, int spacing, P (&sum)[block]) const {
    const int h = kernel.half_width;
    const int step = kernel.stride * P::width;
    const double* weight = table.weights + kernel.weights;
    const double* source = in + h * step;
    UNDERDAMP_UNROLL
    for (int b = 0; b < block; ++b) sum[b] = P::broadcast(0.0);
    for (int m = 0; m <= 2 * h; ++m, source -= step, weight += P::width) {
      const P g = P::load(weight);
      UNDERDAMP_UNROLL
      for (int b = 0; b < block; ++b) sum[b] = sum[b] + g * P::load(source + b * spacing * P::width);
    }
  }

  /// Mass that a level carries past the walls: tail sums of the kernel, G_m = Σ_{m' ≥ m} g_m', times the cells within
  /// reach.
  template <class Bundle>
  UNDERDAMP_HD WallPair<typename Bundle::P> past_walls(Bundle& bundle, const LevelEntry& kernel, const double* in,
                                                       int n) const {
    using P = typename Bundle::P;
    const int h = kernel.half_width;
    const double* const tail = table.weights + kernel.weights + (2 * h + 1 + h) * P::width;
    const int reach = h * kernel.stride < n ? h * kernel.stride : n;
    const P all = P::load(tail - h * P::width);
    return {bundle.sum(reach,
                       [&](int c) {
                         const int last = -(c / kernel.stride + 1);  // c + m·stride < 0 for m ≤ last
                         return P::load(in + c * P::width) * (all - P::load(tail + (last + 1) * P::width));
                       }),
            bundle.sum(reach, [&](int r) {
              const int first = r / kernel.stride + 1;  // n − 1 − r + m·stride ≥ n for m ≥ first
              return P::load(in + (n - 1 - r) * P::width) * P::load(tail + first * P::width);
            })};
  }

  /// Sets negative values to zero and takes what that created from the rest of the line; a line whose sum is negative
  /// becomes empty. Returns the mass (in cells) that could not be taken from anywhere.
  template <class Bundle>
  UNDERDAMP_HD typename Bundle::P clip(Bundle& bundle, double* p, int n) const {
    using P = typename Bundle::P;
    const P zero = P::broadcast(0.0);
    const P sum = bundle.sum(n, [&](int j) { return P::load(p + j * P::width); });
    const P positive = bundle.sum(n, [&](int j) { return max(zero, P::load(p + j * P::width)); });
    const P kept = max(zero, sum);
    double factors[P::width];
    double totals[P::width];
    kept.store(factors);
    positive.store(totals);
    for (int lane = 0; lane < P::width; ++lane) factors[lane] = totals[lane] > 0.0 ? factors[lane] / totals[lane] : 0.0;
    const P factor = P::load(factors);
    bundle.barrier();
    bundle.for_each(n, [&](int j) { (factor * max(zero, P::load(p + j * P::width))).store(p + j * P::width); });
    return kept - sum;
  }
};

}  // namespace underdamp
