#pragma once
#include "kernels/bodies/column_source.hpp"
#include "kernels/bodies/pack.hpp"
#include "kernels/cuda/launch_plan.hpp"

namespace underdamp {

/// What one thread has seen leave through the walls of a run, and where the sum over the run goes.
struct RunTally {
  double left[2] = {0.0, 0.0};
  double* to[2] = {nullptr, nullptr};
};

/// One pack of neighbouring columns and `strip_rows` rows for one thread. Rows come straight from the field, each
/// column shifted by its own offset, and stay in registers while the fluxes that need them are summed: neighbouring
/// threads read neighbouring packs, so that reads and writes coalesce. The sweep writes elsewhere than it reads.
template <class Pack>
class CudaColumns {
 public:
  using P = Pack;
  using Real = typename Pack::Real;
  static constexpr int strip_rows = column_strip_rows;
  static constexpr int packs = 32;  ///< of a block, along v
  static constexpr int strips = 4;  ///< of a block, along θ

  /// The pack from column `column` of a run on and the rows from `begin` on. `tally`: where what leaves is counted by
  /// run, else null.
  __device__ CudaColumns(const ColumnSource<Real>& source, int run, int column, int begin, RunTally* tally)
      : rows_(source.rows_of(run)),
        origin_(source.runs.origin(run)),
        first_slot_(run * source.runs.lanes + column),
        first_entry_(static_cast<int>(source.first_entry(run)) + (source.runs.alike ? 0 : column)),
        column_(column),
        begin_(begin),
        tally_(tally) {}

  /// By int: more columns than that fill no GPU, and a wider number costs 20 registers.
  __device__ int entry(int) const { return first_entry_; }
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
    for (int k = 0; k < P::width; ++k) staged.shift[k] = offset != nullptr ? offset[first_entry_ + k] : 0;
    for (int k = 1; k < P::width; ++k) staged.alike = staged.alike && staged.shift[k] == staged.shift[0];
    body(0, begin_, min(begin_ + strip_rows, rows_.n), staged);
  }

  __device__ void store(Real* field, int row, int, P value) const {
    value.store(field + origin_ + static_cast<std::ptrdiff_t>(row) * rows_.pitch + column_);
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
      const int wall = end(offset[first_entry_ + k], rows_.n);
      const int last = below ? wall : rows_.n;
      double sum = 0.0;
      for (int r = below ? 0 : wall; r < last; ++r) {
        sum += rows_.plane[static_cast<std::ptrdiff_t>(r) * rows_.pitch + column_ + k];
      }
      if (tally_ == nullptr) {
        left[first_slot_ + k] += sum + sign * flux.lane[k];
      } else {
        tally_->left[below ? 0 : 1] += sum + sign * flux.lane[k];
      }
    }
    if (tally_ != nullptr) tally_->to[below ? 0 : 1] = left;
  }

  ThetaRows<Real> rows_;
  std::ptrdiff_t origin_;
  int first_slot_;
  int first_entry_;
  int column_;
  int begin_;
  RunTally* tally_;
};

/// All columns of a run, by the threads of one plane z of a block.
template <class Pack, class Body>
__device__ void sweep_run(const Body& body, const ColumnSource<typename Pack::Real>& source, long run,
                          RunTally& tally) {
  const int rows = source.runs.cells;
  const int lanes = source.runs.lanes;
  for (int begin = static_cast<int>(threadIdx.y) * column_strip_rows; begin < rows;
       begin += static_cast<int>(blockDim.y) * column_strip_rows) {
    for (int column = static_cast<int>(threadIdx.x) * Pack::width; column < lanes;
         column += static_cast<int>(blockDim.x) * Pack::width) {
      CudaColumns<Pack> columns(source, static_cast<int>(run), column, begin, &tally);
      body(columns);
    }
  }
}

/// Adds what the threads of each plane z have counted, in their order. All threads of the block.
__device__ inline void settle_run(const RunTally& tally, long run) {
  __shared__ RunTally tallies[largest_run_block];
  const int threads = static_cast<int>(blockDim.x * blockDim.y);
  const int thread = static_cast<int>(threadIdx.x + blockDim.x * threadIdx.y);
  RunTally* const of_run = tallies + static_cast<int>(threadIdx.z) * threads;
  of_run[thread] = tally;
  __syncthreads();
  if (thread > 1) return;
  double sum = 0.0;
  double* to = nullptr;
  for (int t = 0; t < threads; ++t) {
    sum += of_run[t].left[thread];
    if (of_run[t].to[thread] != nullptr) to = of_run[t].to[thread];
  }
  if (to != nullptr) to[run] += sum;
}

}  // namespace underdamp
