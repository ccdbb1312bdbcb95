#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "kernels/bodies/column_source.hpp"
#include "kernels/host/host_pack.hpp"

namespace underdamp {

/// A group of neighbouring columns of one run (of planes: a plane) on one host thread, taken in panels of rows so that
/// memory is read and written in runs of several cache lines.
///
/// The sweep writes where it reads. Each pack of columns goes through its panels against the direction of its shift, so
/// that no row is overwritten before it was staged; rows that two panels share stay in scratch. A pack whose columns
/// are carried far in both directions, and any pack between periodic or reflecting walls, is staged whole.
template <class Real, int stencil>
class HostColumns {
  static constexpr int reach = reach_of(stencil);

 public:
  using P = HostPack<Real>;
  static constexpr int most_packs = 4;  ///< packs of a group
  static constexpr int panel_rows = 64;
  static constexpr int shared_rows = 2 * reach + 1;  ///< of two neighbouring panels

  /// Numbers of scratch for a group in columns of `rows` cells.
  static std::size_t scratch_size(int rows) {
    const int staged = std::max(rows, most_packs * (panel_rows + shared_rows));
    return static_cast<std::size_t>(staged + shared_rows) * P::width;
  }

  /// The group has `packs` packs from column `column` of the run on.
  HostColumns(Real* scratch, const ColumnSource<Real>& source, long run, int column, int packs)
      : scratch_(scratch),
        rows_(source.rows_of(run)),
        origin_(source.runs.origin(run)),
        lanes_(source.runs.lanes),
        column_(column),
        packs_(std::min(packs, (lanes_ - column + P::width - 1) / P::width)),
        run_(run),
        first_entry_(source.first_entry(run)),
        alike_(source.runs.alike),
        by_run_(source.by_run) {}

  /// Of column `lane` of the group in the table of the sweep.
  long entry(int lane) const { return alike_ ? first_entry_ : first_entry_ + column_ + lane; }
  int rows() const { return rows_.n; }

  /// body(lane, begin, end, staged) treats rows [begin, end) of the pack that starts at column `lane` of the group;
  /// staged.window<count>(row) are the values that the shift takes to `count` rows from `row` on. `offset`: of each
  /// entry, null where nothing is shifted.
  template <class Body>
  void for_each_strip(const int* offset, Body&& body) {
    Shift shifts[most_packs];
    bool whole = false;
    for (int k = 0; k < packs_; ++k) {
      shifts[k] = Shift(offset != nullptr ? offset + entry(k * P::width) : unshifted, valid(k * P::width));
      whole = whole || shifts[k].opposed() || rows_.periodic || rows_.mirrored || mirrors();
    }
    if (whole) {
      for (int k = 0; k < packs_; ++k) sweep_whole(k * P::width, shifts[k], body);
      return;
    }
    for (int k = 0; k < packs_; ++k) sum_departed(k * P::width, shifts[k]);
    const int panels = (rows_.n + panel_rows - 1) / panel_rows;
    for (int panel = 0; panel < panels; ++panel) {
      for (int k = 0; k < packs_; ++k) {
        Real* const memory = scratch_ + static_cast<std::ptrdiff_t>(k) * (panel_rows + shared_rows) * P::width;
        sweep_panel(k * P::width, shifts[k], panel, panels, memory, body);
      }
    }
  }

  UNDERDAMP_HD void store(Real* field, int row, int lane, P value) const {
    Real* const target = field + origin_ + static_cast<std::ptrdiff_t>(row) * rows_.pitch + column_ + lane;
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
  static constexpr int unshifted[P::width] = {};

  /// β of the columns of a pack: row r of a column is taken from row r + β.
  struct Shift {
    const int* of = nullptr;
    int count = 0;
    int least = 0;
    int most = 0;
    int first_other = 0;  ///< columns [0, first_other) share one shift …
    bool two = false;     ///< … and the others another

    Shift() = default;
    Shift(const int* offset, int columns)
        : of(offset),
          count(columns),
          least(*std::min_element(offset, offset + columns)),
          most(*std::max_element(offset, offset + columns)) {
      first_other = static_cast<int>(std::find_if(of, of + count, [&](int s) { return s != of[0]; }) - of);
      two = std::all_of(of + first_other, of + count, [&](int s) { return s == of[count - 1]; });
    }
    /// A row is read before it is overwritten from the last panel to the first if every β ≤ 5, from the first to the
    /// last if every β ≥ −6 (Q = 11).
    bool descends() const { return most <= reach; }
    bool opposed() const { return !descends() && least < -reach - 1; }
  };

  /// Rows of a pack in scratch; `origin` is where row 0 would lie.
  struct Staged {
    const Real* origin;

    /// Rows first … first + count − 1, loaded where they are used.
    template <int count>
    UNDERDAMP_HD Staged window(int first) const {
      return {origin + static_cast<std::ptrdiff_t>(first) * P::width};
    }
    UNDERDAMP_HD P operator[](int row) const { return P::load(origin + static_cast<std::ptrdiff_t>(row) * P::width); }
  };

  /// Does the density go on beyond a wall?
  bool mirrors() const { return rows_.below != nullptr || rows_.above != nullptr; }

  template <class Body>
  void sweep_whole(int lane, const Shift& shift, Body&& body) {
    stage(lane, shift, -reach, rows_.n + reach + 1, scratch_);
    sum_departed(lane, shift);
    run(lane, 0, rows_.n, scratch_, body);
  }

  template <class Body>
  void sweep_panel(int lane, const Shift& shift, int count, int panels, Real* memory, Body&& body) {
    const int panel = shift.descends() ? panels - 1 - count : count;
    const int begin = panel * panel_rows;
    const int end = std::min(begin + panel_rows, rows_.n);
    int first = begin - reach;
    int last = end + reach + 1;
    constexpr std::size_t shared = sizeof(Real) * shared_rows * P::width;
    if (count > 0 && shift.descends()) {
      last -= shared_rows;
      std::memcpy(memory + static_cast<std::ptrdiff_t>(end - begin) * P::width, memory, shared);
    } else if (count > 0) {
      first += shared_rows;
      std::memcpy(memory, memory + static_cast<std::ptrdiff_t>(panel_rows) * P::width, shared);
    }
    stage(lane, shift, first, last, memory + static_cast<std::ptrdiff_t>(first - begin + reach) * P::width);
    run(lane, begin, end, memory, body);
  }

  template <class Body>
  UNDERDAMP_HD void run(int lane, int begin, int end, const Real* memory, Body&& body) const {
    body(lane, begin, end, Staged{memory - static_cast<std::ptrdiff_t>(begin - reach) * P::width});
  }

  UNDERDAMP_HD int valid(int lane) const {
    const int left = lanes_ - column_ - lane;
    return left < P::width ? left : P::width;
  }

  const Real* source(int row, int lane) const {
    return rows_.plane + static_cast<std::ptrdiff_t>(row) * rows_.pitch + column_ + lane;
  }

  /// Rows [first, last) to `to`: where every column has its source inside the box by packs, elsewhere one by one. So
  /// are the last columns of a row that are no whole pack: what follows them is the next row, which another worker may
  /// be writing.
  void stage(int lane, const Shift& shift, int first, int last, Real* to) const {
    if (shift.count < P::width) return stage_one_by_one(lane, shift, first, last, to);
    const int begin = std::clamp(-shift.least, first, last);
    const int end = std::clamp(rows_.n - shift.most, begin, last);
    stage_one_by_one(lane, shift, first, begin, to);
    stage_inside(lane, shift, begin, end, to + static_cast<std::ptrdiff_t>(begin - first) * P::width);
    stage_one_by_one(lane, shift, end, last, to + static_cast<std::ptrdiff_t>(end - first) * P::width);
  }

  void stage_one_by_one(int lane, const Shift& shift, int begin, int end, Real* to) const {
    std::memset(to, 0, static_cast<std::size_t>(end - begin) * sizeof(P));
    const bool open = !rows_.periodic && !rows_.mirrored && !mirrors();
    // Between open walls nothing comes from rows that no column reaches.
    const int first = open ? std::clamp(-shift.most, begin, end) : begin;
    const int last = open ? std::clamp(rows_.n - shift.least, first, end) : end;
    for (int row = first; row < last; ++row) {
      for (int k = 0; k < shift.count; ++k) {
        const Real* const from = rows_.row(row + shift.of[k]);
        if (from != nullptr) to[(row - begin) * P::width + k] = from[column_ + lane + k];
      }
    }
  }

  /// Neighbouring columns mostly share their shift, so that whole packs are copied, or two blended.
  void stage_inside(int lane, const Shift& shift, int begin, int end, Real* to) const {
    const std::ptrdiff_t pitch = rows_.pitch;
    const Real* one = source(begin + shift.of[0], lane);
    const Real* other = source(begin + shift.of[shift.count - 1], lane);
    if (shift.first_other == shift.count) {
      for (int row = begin; row < end; ++row, to += P::width, one += pitch) P::load(one).store(to);
    } else if (shift.two) {
      const typename P::Mask mask = P::lanes(0, shift.first_other);
      for (int row = begin; row < end; ++row, to += P::width, one += pitch, other += pitch) {
        P::select(mask, P::load(one), P::load(other)).store(to);
      }
    } else {
      const Real* from[P::width];
      for (int k = 0; k < P::width; ++k) from[k] = source(begin + shift.of[k], lane) + k;
      for (int row = begin; row < end; ++row, to += P::width) P::gather(from, (row - begin) * pitch).store(to);
    }
  }

  /// Whole cells that leave: rows below β where that is positive, rows from n + β on where it is negative.
  void sum_departed(int lane, const Shift& shift) {
    for (int k = 0; k < shift.count; ++k) departed_below_[lane + k] = departed_above_[lane + k] = 0.0;
    if (rows_.periodic || rows_.mirrored || (rows_.below != nullptr && rows_.above != nullptr)) return;
    const auto add_rows = [&](int begin, int end, double* sum) {  // by packs where all columns lose the row
      P packed = P::broadcast(0.0);
      if (shift.count == P::width) {
        for (int r = begin; r < end; ++r) packed = packed + P::load(source(r, lane));
        Real sums[P::width];
        packed.store(sums);
        std::copy(sums, sums + P::width, sum + lane);
      } else {
        for (int r = begin; r < end; ++r) {
          for (int k = 0; k < shift.count; ++k) sum[lane + k] += source(r, lane)[k];
        }
      }
    };
    const int n = rows_.n;
    const int below = std::clamp(shift.least, 0, n);
    const int above = std::clamp(n + shift.most, 0, n);
    add_rows(0, below, departed_below_);
    add_rows(above, n, departed_above_);
    for (int k = 0; k < shift.count; ++k) {
      for (int r = below; r < std::min(shift.of[k], n); ++r) departed_below_[lane + k] += source(r, lane)[k];
      for (int r = std::max(n + shift.of[k], 0); r < above; ++r) departed_above_[lane + k] += source(r, lane)[k];
    }
  }

  void add(int lane, const double* departed, P flux, double sign, double* left) const {
    Real values[P::width];
    flux.store(values);
    if (!by_run_) {
      const long first = run_ * lanes_ + column_ + lane;
      for (int k = 0; k < valid(lane); ++k) left[first + k] += departed[lane + k] + sign * values[k];
      return;
    }
    double sum = 0.0;
    for (int k = 0; k < valid(lane); ++k) sum += departed[lane + k] + sign * values[k];
    left[run_] += sum;
  }

  Real* scratch_;
  ThetaRows<Real> rows_;
  std::ptrdiff_t origin_;
  int lanes_;
  int column_;
  int packs_;
  long run_;
  long first_entry_;
  bool alike_;
  bool by_run_;
  double departed_below_[most_packs * P::width];
  double departed_above_[most_packs * P::width];
};

}  // namespace underdamp
