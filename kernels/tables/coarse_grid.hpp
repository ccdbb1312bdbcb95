#pragma once
#include "kernels/tables/gaussian_weights.hpp"
#include "meshes/host_device.hpp"

/// Half-band filters between a line and one of half as many cells (gaussian_weights.hpp; docs/method.md, eqs.
/// 18a-18c).
///
///   restriction    c_k = ½ p_{2k} + ½ Σ_i a_i (p_{2k−1−2i} + p_{2k+1+2i})
///   prolongation   p_{2k} = c_k,   p_{2k+1} = Σ_i a_i (c_{k−i} + c_{k+1+i})
///
/// Grid g has been restricted g times. A line that is zero outside its box is zero on grid g beyond `coarse_extent(g)`
/// cells outside of it.
namespace underdamp {

inline constexpr int half_band_reach = 2 * half_band_pairs - 1;
inline constexpr int largest_extent = half_band_reach + 1;
inline constexpr int restriction_margin =
    2 * largest_extent;  ///< empty cells beyond its extent that a restriction reads

/// Cells of a line of `cells` cells on grid g: ⌈cells/2^g⌉.
UNDERDAMP_HD int coarse_cells(int cells, int g) {
  return ((cells - 1) >> g) + 1;
}
/// e_0 = 0, e_{g+1} = ⌊(e_g + 18)/2⌋.
UNDERDAMP_HD int coarse_extent(int g) {
  return largest_extent - ((largest_extent - 1 + (1 << g)) >> g);
}

/// Σ_i a_i (in_{left−i·step} + in_{right+i·step}), cells of `P::width` numbers.
template <class P>
UNDERDAMP_HD P half_band_sum(const typename P::Real* left, const typename P::Real* right, int step) {
  constexpr auto a = half_band_weights();
  using Real = typename P::Real;
  P sum = static_cast<Real>(a[0]) * (P::load(left) + P::load(right));
  UNDERDAMP_UNROLL
  for (int i = 1; i < half_band_pairs; ++i) {
    sum = sum + static_cast<Real>(a[i]) * (P::load(left - i * step * P::width) + P::load(right + i * step * P::width));
  }
  return sum;
}

/// `in` on grid g − 1 to `out` on grid g. `in` must be zero for `restriction_margin` cells beyond its extent. `cells`:
/// of the line on grid 0.
template <class Bundle>
UNDERDAMP_HD void restrict_line(Bundle& bundle, const typename Bundle::P::Real* in, int cells, int g,
                                typename Bundle::P::Real* out) {
  using P = typename Bundle::P;
  const int outside = coarse_extent(g);
  bundle.for_each_block(coarse_cells(cells, g) + 2 * outside, [&]<int block>(int t) {
    UNDERDAMP_UNROLL
    for (int b = 0; b < block; ++b) {
      const int k = t + b - outside;
      const auto* const middle = in + 2 * k * P::width;
      const P sum = P::load(middle) + half_band_sum<P>(middle - P::width, middle + P::width, 2);
      (0.5 * sum).store(out + k * P::width);
    }
  });
}

/// `in` on grid g + 1 to grid g: calls sink.operator()<count>(j, values) for all of its cells within its extent.
template <class Bundle, class Sink>
UNDERDAMP_HD void prolong_line(Bundle& bundle, const typename Bundle::P::Real* in, int fine_cells, int g, Sink&& sink) {
  using P = typename Bundle::P;
  const int cells = coarse_cells(fine_cells, g);
  const int extent = coarse_extent(g);
  const int first = -(extent + 1) / 2;  // the even cell at or before −extent
  const int end = (cells + extent) / 2;
  const auto odd_cell = [=](int k) { return half_band_sum<P>(in + k * P::width, in + (k + 1) * P::width, 1); };
  bundle.for_each_block(end - first, [&]<int block>(int t) {
    const int k = first + t;
    if constexpr (block % 2 != 0) {
      UNDERDAMP_UNROLL
      for (int b = 0; b < block; ++b) {
        P values[2] = {P::load(in + (k + b) * P::width), odd_cell(k + b)};
        sink.template operator()<2>(2 * (k + b), values);
      }
    } else {  // as many cells at a time as are written together
      constexpr int half = block / 2;
      UNDERDAMP_UNROLL
      for (int part = 0; part < 2; ++part) {
        P values[block];
        UNDERDAMP_UNROLL
        for (int b = 0; b < half; ++b) {
          const int cell = k + part * half + b;
          values[2 * b] = P::load(in + cell * P::width);
          values[2 * b + 1] = odd_cell(cell);
        }
        sink.template operator()<block>(2 * (k + part * half), values);
      }
    }
  });
  if ((cells + extent) % 2 != 0) {
    bundle.for_each(1, [&](int) {
      P values[1] = {P::load(in + end * P::width)};
      sink.template operator()<1>(2 * end, values);
    });
  }
}

}  // namespace underdamp
