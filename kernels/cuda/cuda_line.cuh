#pragma once
#include "kernels/bodies/moments.hpp"

namespace underdamp {

inline constexpr int largest_block = 1024;

/// One line of the field for one block of threads: sums and other work cell by cell. All threads call every function;
/// reductions add in a fixed order, so that results repeat bit for bit.
class CudaLine {
 public:
  __device__ void barrier() const { __syncthreads(); }

  template <class Body>
  __device__ void for_each(int count, Body&& body) const {
    for (int j = static_cast<int>(threadIdx.x); j < count; j += static_cast<int>(blockDim.x)) body(j);
  }

  template <class Body>
  __device__ void once(Body&& body) const {
    if (threadIdx.x == 0) body();
  }

  /// to[c] = Σ_t term(t, c), t < terms, for all c < count.
  template <class Term>
  __device__ void combine(int count, int terms, Term&& term, double* to) const {
    for_each(count, [&](int c) {
      double sum = 0.0;
      for (int t = 0; t < terms; ++t) sum += term(t, c);
      to[c] = sum;
    });
  }

  /// Particles: step(at(k), k, j, x[j], y[j]) for j < count, for each j with k = first … last in this order. A particle
  /// stays in registers for all its steps.
  template <class At, class Step>
  __device__ void march(int count, long first, long last, double* x, double* y, At&& at, Step&& step) const {
    for_each(count, [&](int j) {
      double mine_x = x[j];
      double mine_y = y[j];
      for (long k = first; k <= last; ++k) step(at(k), k, j, mine_x, mine_y);
      x[j] = mine_x;
      y[j] = mine_y;
    });
  }

  template <class Value>
  __device__ double sum(int count, Value&& value) const {
    double mine = 0.0;
    for_each(count, [&](int j) { mine += value(j); });
    return sum_of_threads(mine);
  }

  template <class Value>
  __device__ SmallestValue smallest(int count, Value&& value) const {
    __shared__ SmallestValue found[largest_block];
    SmallestValue mine{value(0), 0};
    for_each(count, [&](int j) { mine.take(value(j), j); });
    __syncthreads();
    found[threadIdx.x] = mine;
    __syncthreads();
    SmallestValue least = found[0];
    for (unsigned t = 1; t < blockDim.x; ++t) least.take(found[t].value, found[t].position);
    return least;
  }

 private:
  /// Sum over all threads, known to all of them afterwards.
  __device__ double sum_of_threads(double mine) const {
    __shared__ double partial[largest_block / 32];
    for (int distance = 16; distance > 0; distance /= 2) mine += __shfl_down_sync(0xffffffffU, mine, distance);
    __syncthreads();
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = mine;
    __syncthreads();
    double total = 0.0;
    for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) total += partial[warp];
    return total;
  }
};

}  // namespace underdamp
