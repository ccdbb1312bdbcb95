#pragma once
#include <cstddef>

#include "kernels/bodies/velocity_block.hpp"
#include "kernels/cuda/launch_plan.hpp"

namespace underdamp {

/// The block of velocities at one θ for one block of threads. Scratch is shared memory, or memory of the GPU where that
/// is too small; every thread takes cells of its own, or several rows of one cell.
template <class Real>
class CudaBlock {
 public:
  using P = ScalarPack<Real>;
  static constexpr int rows_together = 8;  ///< rows that a convolution keeps in registers

  /// Numbers of `arrays` arrays of a block and of two rows.
  static std::size_t scratch_size(const BlockShape& shape, int arrays) {
    return static_cast<std::size_t>(arrays) * shape.numbers() + 2 * static_cast<std::size_t>(shape.pitch);
  }

  __device__ CudaBlock(Real* memory, const BlockShape& shape)
      : memory_(memory), stride_(static_cast<std::ptrdiff_t>(shape.rows) * shape.pitch) {}

  __device__ Real* scratch(int k) const { return memory_ + k * stride_; }
  __device__ void barrier() const { __syncthreads(); }

  /// body(row, begin, end) treats the packs [begin, end) of a row: here one cell.
  template <class Body>
  __device__ void for_each_row(int rows, int packs, Body&& body) const {
    const int count = rows * packs;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x))
      body(i / packs, i % packs, i % packs + 1);
  }

  /// Σ over all threads, known to all of them afterwards; added in a fixed order.
  __device__ double total(P mine) const {
    __shared__ double partial[block_threads / warp_threads];
    double sum = mine.lane[0];
    for (int distance = warp_threads / 2; distance > 0; distance /= 2)
      sum += __shfl_down_sync(0xffffffffU, sum, distance);
    __syncthreads();
    if (threadIdx.x % warp_threads == 0) partial[threadIdx.x / warp_threads] = sum;
    __syncthreads();
    double all = 0.0;
    for (unsigned warp = 0; warp < blockDim.x / warp_threads; ++warp) all += partial[warp];
    return all;
  }
  __device__ void add(P mine, double* to) const {
    const double sum = total(mine);
    if (threadIdx.x == 0) *to += sum;
  }

  template <class Body>
  __device__ void once(Body&& body) const {
    if (threadIdx.x == 0) body();
  }

 private:
  Real* memory_;
  std::ptrdiff_t stride_;
};

}  // namespace underdamp
