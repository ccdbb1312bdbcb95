#pragma once
#include "kernels/bodies/drift_sweep.hpp"
#include "kernels/bodies/pack.hpp"

namespace underdamp {

/// One pack of neighbouring columns and `strip_rows` rows for one thread. Rows come straight from the field, each
/// column shifted by its own offset, and stay in registers while the fluxes that need them are summed: neighbouring
/// threads read neighbouring packs, so that reads and writes coalesce. The sweep writes elsewhere than it reads.
template <class Pack>
class CudaColumns {
 public:
  using P = Pack;
  using Real = typename Pack::Real;
  static constexpr int strip_rows = 32;
  static constexpr int packs = 32;  ///< of a block, along v
  static constexpr int strips = 4;  ///< of a block, along θ

  /// The pack from column `column` of `plane` on and the rows from `begin` on.
  __device__ CudaColumns(const ThetaRows<Real>& rows, int plane, int column, int begin)
      : rows_(rows), plane_(plane), column_(column), begin_(begin) {}

  /// By int: more columns than that fill no GPU, and a wider number costs 20 registers.
  __device__ int first_column() const { return plane_ * rows_.pitch + column_; }
  __device__ int rows() const { return rows_.n; }

  /// `count` rows in registers.
  template <int count>
  struct Window {
    P row[count];
    __device__ P operator[](int r) const { return row[r]; }
  };

  struct Staged {
    const CudaColumns& columns;
    int shift[P::width];
    bool alike;  ///< one shift for all columns of the pack

    template <int count>
    __device__ Window<count> window(int first) const {
      Window<count> result;
      UNDERDAMP_UNROLL
      for (int r = 0; r < count; ++r) result.row[r] = columns.row(first + r, *this);
      return result;
    }
  };

  template <class Body>
  __device__ void for_each_strip(const int* offset, Body&& body) {
    Staged staged{*this, {}, true};
    for (int k = 0; k < P::width; ++k) staged.shift[k] = offset[first_column() + k];
    for (int k = 1; k < P::width; ++k) staged.alike = staged.alike && staged.shift[k] == staged.shift[0];
    body(0, begin_, min(begin_ + strip_rows, rows_.n), staged);
  }

  __device__ void store(Real* field, int row, int, P value) const {
    value.store(field + (static_cast<std::ptrdiff_t>(plane_) * rows_.n + row) * rows_.pitch + column_);
  }

  __device__ void add_departed_below(int, P flux, const int* offset, double* left) const {
    add_departed(
        flux, offset, left, 1.0, [](int shift, int n) { return min(shift, n); }, true);
  }
  __device__ void add_departed_above(int, P flux, const int* offset, double* left) const {
    add_departed(
        flux, offset, left, -1.0, [](int shift, int n) { return max(n + shift, 0); }, false);
  }

 private:
  /// Row r of the pack after the shift, zero where it is empty.
  __device__ P row(int r, const Staged& staged) const {
    if (!staged.alike) return P::of([&](int k) { return value(r + staged.shift[k], k); });
    const Real* const from = rows_.row(r + staged.shift[0]);
    return from != nullptr ? P::load(from + column_) : P::broadcast(0.0);
  }
  __device__ Real value(int r, int k) const {
    const Real* const from = rows_.row(r);
    return from != nullptr ? from[column_ + k] : Real{0};
  }

  /// Adds what left through a wall: the rows before `end` of the shift, or from it on, and the flux.
  template <class End>
  __device__ void add_departed(P flux, const int* offset, double* left, double sign, End&& end, bool below) const {
    UNDERDAMP_UNROLL
    for (int k = 0; k < P::width; ++k) {
      const int wall = end(offset[first_column() + k], rows_.n);
      const int last = below ? wall : rows_.n;
      double sum = 0.0;
      for (int r = below ? 0 : wall; r < last; ++r) {
        sum += rows_.plane[static_cast<std::ptrdiff_t>(r) * rows_.pitch + column_ + k];
      }
      left[first_column() + k] += sum + sign * flux.lane[k];
    }
  }

  ThetaRows<Real> rows_;
  int plane_;
  int column_;
  int begin_;
};

}  // namespace underdamp
