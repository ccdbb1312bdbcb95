#pragma once
#include "kernels/moments.hpp"
#include "kernels/pack.hpp"

namespace underdamp {

inline constexpr int largest_block = 1024;

/// Work shared by the threads of one block. All threads call every function; reductions add in a fixed order, so that
/// results repeat bit for bit.
class CudaBlock {
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

 protected:
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

/// One line of the field for one block of threads: sums and other work cell by cell.
class CudaLine : public CudaBlock {
 public:
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
};

/// A bundle of one line: its scratch is shared memory, its cells are spread over the threads of the block.
class CudaBundle : public CudaBlock {
 public:
  using P = ScalarPack;
  static constexpr int block = 4;  ///< cells of a line that a thread convolves together

  __device__ CudaBundle(double* memory, int stride) : memory_(memory), stride_(stride) {}

  __device__ double* scratch(int k) const { return memory_ + k * stride_; }

  template <class Value, class Use>
  __device__ void for_each_interval(int count, Value&& value, Use&& use) const {
    double* const values = scratch(2);
    for_each(count + 1, [&](int e) { values[e] = value(e).value; });
    __syncthreads();
    for_each(count, [&](int j) { use(j, P{values[j]}, P{values[j + 1]}); });
  }

  template <class Body>
  __device__ void for_each_block(int count, Body&& body) const {
    const int threads = static_cast<int>(blockDim.x);
    int j = static_cast<int>(threadIdx.x);
    for (; j + (block - 1) * threads < count; j += block * threads) body.template operator()<block>(j, threads);
    for (; j < count; j += threads) body.template operator()<1>(j, threads);
  }

  template <class Value>
  __device__ P sum(int count, Value&& value) const {
    double mine = 0.0;
    for_each(count, [&](int j) { mine += value(j).value; });
    return {sum_of_threads(mine)};
  }

  __device__ bool any_negative(P smallest) const { return __syncthreads_or(smallest.value < 0.0 ? 1 : 0) != 0; }

  __device__ void stage(const double* source, int n, int, const int* shift, double* p, int margin) const {
    const int moved = shift != nullptr ? shift[0] : 0;
    for_each(n + 2 * margin, [&](int k) {
      const int cell = k - margin - moved;
      p[k - margin] = cell >= 0 && cell < n ? source[cell] : 0.0;
    });
  }

  template <int count>
  __device__ void write(P (&values)[count], int j, int spacing, int, int, double* target) const {
    UNDERDAMP_UNROLL
    for (int k = 0; k < count; ++k) target[j + k * spacing] = values[k].value;
  }

  __device__ void unstage(const double* q, int n, int, double* target) const {
    for_each(n, [&](int j) { target[j] = q[j]; });
  }

  __device__ void add_beyond_margin(const double* source, int n, int, const int* shift, int margin, P& lower,
                                    P& upper) const {
    const int moved = shift[0];
    if (moved >= -margin && moved <= margin) return;
    const int first_kept = min(max(-margin - moved, 0), n);
    const int last_kept = min(max(n + margin - moved, 0), n);
    lower = lower + sum(first_kept, [&](int j) { return P{source[j]}; });
    upper = upper + sum(n - last_kept, [&](int j) { return P{source[last_kept + j]}; });
  }

  __device__ void add_to_lines(double* target, P value, int) const {
    once([&] { *target += value.value; });
  }

 private:
  double* memory_;
  int stride_;
};

}  // namespace underdamp
