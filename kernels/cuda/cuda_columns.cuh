#pragma once
#include "kernels/drift_sweep.hpp"

namespace underdamp {

/// A tile of 32 neighbouring columns and `tile_rows` rows for one block of 32 × `strips` threads. Rows are staged in
/// shared memory, each column shifted by its own offset; neighbouring columns mostly share it, so that reads coalesce.
/// The sweep writes elsewhere than it reads.
class CudaColumns {
 public:
  using P = ScalarPack;
  static constexpr int lanes = 32;
  static constexpr int strips = 8;
  static constexpr int tile_rows = 64;
  static constexpr int staged_rows = tile_rows + 2 * remap_reach + 1;

  __device__ CudaColumns(double* tile, const ThetaRows& rows, int plane, int column, int first_row)
      : tile_(tile), rows_(rows), plane_(plane), column_(column), first_row_(first_row) {}

  __device__ int first_column() const { return plane_ * rows_.pitch + column_; }
  __device__ int rows() const { return rows_.n; }
  __device__ int staged_pitch() const { return lanes; }
  __device__ const double* staged(int row, int lane) const {
    return tile_ + (row - first_row_ + remap_reach) * lanes + lane;
  }

  __device__ void stage(const int* offset) {
    const int lane = static_cast<int>(threadIdx.x);
    if (column_ + lane < rows_.pitch) {
      const int shift = offset[first_column() + lane];
      for (int r = static_cast<int>(threadIdx.y); r < staged_rows; r += strips) {
        const double* const from = rows_.row(first_row_ - remap_reach + r + shift);
        tile_[r * lanes + lane] = from != nullptr ? from[column_ + lane] : 0.0;
      }
    }
    __syncthreads();
  }

  template <class Body>
  __device__ void for_each_strip(Body&& body) {
    const int lane = static_cast<int>(threadIdx.x);
    const int begin = first_row_ + static_cast<int>(threadIdx.y) * (tile_rows / strips);
    const int end = min(begin + tile_rows / strips, rows_.n);
    if (column_ + lane < rows_.pitch && begin < end) body(lane, begin, end);
  }

  __device__ void store(double* field, int row, int lane, P value) const {
    field[(static_cast<std::ptrdiff_t>(plane_) * rows_.n + row) * rows_.pitch + column_ + lane] = value.value;
  }

  __device__ void add_departed_below(int lane, P flux, const int* offset, double* left) const {
    const int shift = offset[first_column() + lane];
    left[first_column() + lane] += departed(lane, 0, min(shift, rows_.n)) + flux.value;
  }
  __device__ void add_departed_above(int lane, P flux, const int* offset, double* left) const {
    const int shift = offset[first_column() + lane];
    left[first_column() + lane] += departed(lane, max(rows_.n + shift, 0), rows_.n) - flux.value;
  }

 private:
  /// Sum of rows [begin, end) of a column before the sweep.
  __device__ double departed(int lane, int begin, int end) const {
    double sum = 0.0;
    for (int r = begin; r < end; ++r) sum += rows_.plane[static_cast<std::ptrdiff_t>(r) * rows_.pitch + column_ + lane];
    return sum;
  }

  double* tile_;
  ThetaRows rows_;
  int plane_;
  int column_;
  int first_row_;
};

}  // namespace underdamp
