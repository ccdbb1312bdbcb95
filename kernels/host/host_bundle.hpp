#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "kernels/host/host_pack.hpp"

namespace underdamp {

/// A bundle of neighbouring lines on one host thread, transposed into scratch so that one vector register holds the
/// same cell of every line: all loads are aligned and no loop along a line has a remainder. Barriers are empty.
template <class Real>
class HostBundle {
 public:
  using P = HostPack<Real>;
  static constexpr int block = P::width;           ///< cells of a line that a convolution keeps in registers
  static constexpr bool writes_through = true;     ///< results go from registers to the field
  static constexpr bool computes_weights = false;  ///< of the contraction; else they come from a table
  static constexpr bool slides = false;            ///< cells of a convolution are kept in registers from tap to tap

  HostBundle(Real* memory, std::size_t stride) : memory_(memory), stride_(stride) {}

  /// Numbers of one scratch array for lines of `cells` cells and a margin.
  static std::size_t scratch_size(int cells, int margin) {
    return static_cast<std::size_t>(cells + 2 * margin + 1) * P::width;
  }

  UNDERDAMP_HD Real* scratch(int k) const { return memory_ + static_cast<std::size_t>(k) * stride_; }
  UNDERDAMP_HD void barrier() const {}

  template <class Body>
  UNDERDAMP_HD void for_each(int count, Body&& body) const {
    for (int j = 0; j < count; ++j) body(j);
  }

  /// body.operator()<block>(j) treats cells j … j + block − 1.
  template <class Body>
  UNDERDAMP_HD void for_each_block(int count, Body&& body) const {
    int j = 0;
    for (; j + block <= count; j += block) body.template operator()<block>(j);
    for (; j < count; ++j) body.template operator()<1>(j);
  }

  /// Four interleaved partial sums, added pairwise: the order is fixed.
  template <class Value>
  UNDERDAMP_HD P sum(int count, Value&& value) const {
    P partial[4] = {P::broadcast(0.0), P::broadcast(0.0), P::broadcast(0.0), P::broadcast(0.0)};
    int j = 0;
    for (; j + 4 <= count; j += 4) {
      for (int k = 0; k < 4; ++k) partial[k] = partial[k] + value(j + k);
    }
    for (int k = 0; j < count; ++j, ++k) partial[k] = partial[k] + value(j);
    return (partial[0] + partial[1]) + (partial[2] + partial[3]);
  }

  UNDERDAMP_HD bool any_negative(P smallest) const {
    Real values[P::width];
    smallest.store(values);
    bool found = false;
    for (const Real value : values) found = found || value < 0.0;
    return found;
  }

  /// p[c] = source[c − shift] for the cells c in [−margin, n + margin), zero where the source has none. `source` is the
  /// first of `lines` consecutive lines; `shift` one number per line, null for none.
  void stage(const Real* source, int n, int lines, const int* shift, Real* p, int margin) const {
    int least = 0;
    int most = 0;
    if (shift != nullptr) {
      least = *std::min_element(shift, shift + lines);
      most = *std::max_element(shift, shift + lines);
    }
    const int begin = std::clamp(most, -margin, n + margin);  // cells that every line has
    const int end = std::max(begin, std::clamp(n + least, -margin, n + margin));
    const Real* rows[P::width];
    for (int lane = 0; lane < P::width; ++lane) {
      const int moved = shift != nullptr && lane < lines ? shift[lane] : 0;
      rows[lane] = source + static_cast<std::ptrdiff_t>(lane < lines ? lane : 0) * n - moved;
    }
    const int first = std::clamp(least, -margin, begin);  // cells that no line has
    const int last = std::clamp(n + most, end, n + margin);
    clear(p, -margin, first);
    stage_edges(rows, n, lines, shift, p, first, begin);
    int c = begin;
    if (lines == P::width) {
      for (; c + P::width <= end; c += P::width) {
        P block_of[P::width];
        for (int lane = 0; lane < P::width; ++lane) block_of[lane] = P::load(rows[lane] + c);
        transpose(block_of);
        for (int k = 0; k < P::width; ++k) block_of[k].store(p + (c + k) * P::width);
      }
    }
    stage_edges(rows, n, lines, shift, p, c, last);
    clear(p, last, n + margin);
  }

  /// Cells j … j + count − 1 of the lines at `target`.
  template <int count>
  UNDERDAMP_HD void write(P (&values)[count], int j, int n, int lines, Real* target) const {
    if constexpr (count == P::width) {
      if (lines == P::width) {
        transpose(values);
        UNDERDAMP_UNROLL
        for (int lane = 0; lane < P::width; ++lane)
          values[lane].store(target + static_cast<std::ptrdiff_t>(lane) * n + j);
        return;
      }
    }
    for (int k = 0; k < count; ++k) {
      Real lanes[P::width];
      values[k].store(lanes);
      for (int lane = 0; lane < lines; ++lane) target[static_cast<std::ptrdiff_t>(lane) * n + j + k] = lanes[lane];
    }
  }

  /// target lines = q.
  void unstage(const Real* q, int n, int lines, Real* target) const {
    int j = 0;
    if (lines == P::width) {
      for (; j + P::width <= n; j += P::width) {
        P block_of[P::width];
        for (int k = 0; k < P::width; ++k) block_of[k] = P::load(q + (j + k) * P::width);
        transpose(block_of);
        for (int lane = 0; lane < P::width; ++lane)
          block_of[lane].store(target + static_cast<std::ptrdiff_t>(lane) * n + j);
      }
    }
    for (; j < n; ++j) {
      for (int lane = 0; lane < lines; ++lane)
        target[static_cast<std::ptrdiff_t>(lane) * n + j] = q[j * P::width + lane];
    }
  }

  /// Multiplies each of the lines by its factor.
  void scale_lines(Real* target, int n, int lines, const Real* factors) const {
    for (int lane = 0; lane < lines; ++lane) {
      Real* const row = target + static_cast<std::ptrdiff_t>(lane) * n;
      if (factors[lane] == 1.0) continue;
      for (int j = 0; j < n; ++j) row[j] *= factors[lane];
    }
  }

  /// Adds what a shift carried beyond the margins of `stage`.
  void add_beyond_margin(const Real* source, int n, int lines, const int* shift, int margin, P& lower, P& upper) const {
    if (std::all_of(shift, shift + lines, [=](int moved) { return moved >= -margin && moved <= margin; })) return;
    Real below[P::width] = {};
    Real above[P::width] = {};
    for (int lane = 0; lane < lines; ++lane) {
      const Real* row = source + static_cast<std::ptrdiff_t>(lane) * n;
      const int first_kept = std::clamp(-margin - shift[lane], 0, n);
      const int last_kept = std::clamp(n + margin - shift[lane], 0, n);
      for (int j = 0; j < first_kept; ++j) below[lane] += row[j];
      for (int j = last_kept; j < n; ++j) above[lane] += row[j];
    }
    lower = lower + P::load(below);
    upper = upper + P::load(above);
  }

  UNDERDAMP_HD void add_to_lines(double* target, P value, int lines) const {
    if constexpr (std::is_same_v<Real, double>) {
      if (lines == P::width) {
        (P::load(target) + value).store(target);
        return;
      }
    }
    Real values[P::width];
    value.store(values);
    for (int lane = 0; lane < lines; ++lane) target[lane] += values[lane];
  }

 private:
  static void clear(Real* p, int begin, int end) {
    if (begin < end)
      std::memset(p + static_cast<std::ptrdiff_t>(begin) * P::width, 0,
                  static_cast<std::size_t>(end - begin) * sizeof(P));
  }

  void stage_edges(const Real* const* rows, int n, int lines, const int* shift, Real* p, int begin, int end) const {
    for (int c = begin; c < end; ++c) {
      for (int lane = 0; lane < P::width; ++lane) {
        const int cell = c - (shift != nullptr && lane < lines ? shift[lane] : 0);
        p[c * P::width + lane] = lane < lines && cell >= 0 && cell < n ? rows[lane][c] : Real{0};
      }
    }
  }

  Real* memory_;
  std::size_t stride_;
};

}  // namespace underdamp
