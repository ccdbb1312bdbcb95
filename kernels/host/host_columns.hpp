#pragma once
#include <algorithm>
#include <cstddef>

#include "kernels/drift_sweep.hpp"
#include "kernels/host/host_pack.hpp"

namespace underdamp {

/// A group of neighbouring columns of one plane on one host thread. The columns are staged whole, each shifted by its
/// own offset, so that the sweep may write where it read.
class HostColumns {
 public:
  using P = HostPack;
  static constexpr int packs = 1;
  static constexpr int lanes = packs * P::width;
  static constexpr int margin_rows = remap_reach + 1;

  /// Doubles of scratch for columns of `rows` cells.
  static std::size_t scratch_size(int rows) { return static_cast<std::size_t>(rows + 2 * margin_rows) * lanes; }

  /// `rows`: those of `plane`; the group starts at column `column` of it.
  HostColumns(double* scratch, const ThetaRows& rows, int plane, int column)
      : scratch_(scratch), rows_(rows), plane_(plane), column_(column), first_column_(plane * rows.pitch + column) {}

  /// Index of the first column among those of all planes.
  int first_column() const { return first_column_; }
  int rows() const { return rows_.n; }
  int staged_pitch() const { return lanes; }
  const double* staged(int row, int lane) const {
    return scratch_ + static_cast<std::ptrdiff_t>(row + margin_rows) * lanes + lane;
  }

  void stage(const int* offset) {
    for (int lane = 0; lane < lanes && column_ + lane < rows_.pitch; lane += P::width) {
      const int* const shift = offset + first_column_ + lane;
      const int count = valid(lane);
      const int least = *std::min_element(shift, shift + count);
      const int most = *std::max_element(shift, shift + count);
      // Rows whose source lies inside the box for every lane.
      const int begin = std::clamp(-least, first_row(), end_row());
      const int end = std::clamp(rows_.n - most, begin, end_row());
      stage_beyond_walls(lane, shift, count, first_row(), begin);
      stage_inside(lane, shift, count, begin, end);
      stage_beyond_walls(lane, shift, count, end, end_row());
      sum_departed(lane, shift, count);
    }
  }

  template <class Body>
  UNDERDAMP_HD void for_each_strip(Body&& body) {
    for (int lane = 0; lane < lanes && column_ + lane < rows_.pitch; lane += P::width) body(lane, 0, rows_.n);
  }

  UNDERDAMP_HD void store(double* field, int row, int lane, P value) const {
    double* const target = field + (static_cast<std::ptrdiff_t>(plane_) * rows_.n + row) * rows_.pitch + column_ + lane;
    if (valid(lane) == P::width) {
      value.store(target);
    } else {
      value.store_first(target, valid(lane));
    }
  }

  void add_departed_below(int lane, P flux, const int*, double* left) const {
    add(lane, departed_below_, flux, 1.0, left);
  }
  void add_departed_above(int lane, P flux, const int*, double* left) const {
    add(lane, departed_above_, flux, -1.0, left);
  }

 private:
  UNDERDAMP_HD int valid(int lane) const {
    const int left = rows_.pitch - column_ - lane;
    return left < P::width ? left : P::width;
  }

  int first_row() const { return -remap_reach; }
  int end_row() const { return rows_.n + remap_reach + 1; }
  UNDERDAMP_HD double* target(int row, int lane) const {
    return scratch_ + static_cast<std::ptrdiff_t>(row + margin_rows) * lanes + lane;
  }
  const double* source(int row, int lane) const {
    return rows_.plane + static_cast<std::ptrdiff_t>(row) * rows_.pitch + column_ + lane;
  }

  /// Rows near and beyond the walls, element by element.
  void stage_beyond_walls(int lane, const int* shift, int count, int begin, int end) const {
    for (int row = begin; row < end; ++row) {
      for (int k = 0; k < count; ++k) {
        const double* const from = rows_.row(row + shift[k]);
        target(row, lane)[k] = from != nullptr ? from[column_ + lane + k] : 0.0;
      }
    }
  }

  /// Rows inside the box. Neighbouring columns mostly share their shift, so that whole packs are copied, or two
  /// blended.
  void stage_inside(int lane, const int* shift, int count, int begin, int end) const {
    const int first =
        static_cast<int>(std::find_if(shift, shift + count, [&](int s) { return s != shift[0]; }) - shift);
    const bool two = std::all_of(shift + first, shift + count, [&](int s) { return s == shift[count - 1]; });
    double* to = target(begin, lane);
    const double* one = source(begin + shift[0], lane);
    const double* other = source(begin + shift[count - 1], lane);
    if (first == count) {
      for (int row = begin; row < end; ++row, to += lanes, one += rows_.pitch) P::load(one).store(to);
    } else if (two) {
      const P::Mask mask = P::lanes(0, first);
      for (int row = begin; row < end; ++row, to += lanes, one += rows_.pitch, other += rows_.pitch) {
        P::select(mask, P::load(one), P::load(other)).store(to);
      }
    } else {
      const double* from[P::width];
      for (int k = 0; k < P::width; ++k) from[k] = source(begin + shift[k < count ? k : 0], lane) + (k < count ? k : 0);
      for (int row = begin; row < end; ++row, to += lanes)
        P::gather(from, (row - begin) * static_cast<std::ptrdiff_t>(rows_.pitch)).store(to);
    }
  }

  /// Whole cells that leave: rows below `shift` when it is positive, rows from n + shift on when it is negative.
  void sum_departed(int lane, const int* shift, int count) {
    const bool closed = rows_.periodic || rows_.below != nullptr;
    for (int k = 0; k < count; ++k) {
      double below = 0.0;
      double above = 0.0;
      if (!closed) {
        for (int r = 0; r < std::min(shift[k], rows_.n); ++r) below += source(r, lane)[k];
        for (int r = std::max(rows_.n + shift[k], 0); r < rows_.n; ++r) above += source(r, lane)[k];
      }
      departed_below_[lane + k] = below;
      departed_above_[lane + k] = above;
    }
  }

  void add(int lane, const double* departed, P flux, double sign, double* left) const {
    double values[P::width];
    flux.store(values);
    for (int k = 0; k < valid(lane); ++k) left[first_column_ + lane + k] += departed[lane + k] + sign * values[k];
  }

  double* scratch_;
  ThetaRows rows_;
  int plane_;
  int column_;
  int first_column_;
  double departed_below_[lanes] = {};
  double departed_above_[lanes] = {};
};

}  // namespace underdamp
