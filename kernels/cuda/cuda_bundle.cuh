#pragma once
#include "kernels/cuda/cuda_line.cuh"
#include "kernels/cuda/cuda_pack.cuh"

namespace underdamp {

/// A bundle of P::width neighbouring lines for one team of threads: whole warps, one or several teams to a block
/// (threadIdx.x counts within the team, threadIdx.y the teams). Scratch is shared memory, element (j, lane) at
/// [j·width + lane]. Every thread takes `block` consecutive cells at a time: their stencils overlap, so that a cell is
/// loaded once for several of them, and since `block` is odd no two threads meet in a bank.
template <class Pack>
class CudaBundle {
 public:
  using P = Pack;
  static constexpr int block = 7;
  static constexpr bool writes_through = false;
  static constexpr bool computes_weights = true;  ///< cheaper than reading eleven of them for every edge
  static constexpr bool slides = true;

  /// `memory`: scratch of all teams, `size` doubles each, arrays of `stride`.
  __device__ CudaBundle(double* memory, int size, int stride)
      : memory_(memory + static_cast<int>(threadIdx.y) * size), stride_(stride) {}

  __device__ double* scratch(int k) const { return memory_ + k * stride_; }

  /// All threads of the team.
  __device__ void barrier() const {
    if (blockDim.y == 1) {
      __syncthreads();
    } else {
      team_barrier(static_cast<int>(threadIdx.y), static_cast<int>(blockDim.x));
    }
  }

  template <class Body>
  __device__ void for_each(int count, Body&& body) const {
    for (int j = thread(); j < count; j += threads()) body(j);
  }

  /// The last block begins where it ends with the last cell; what two threads compute alike both write.
  template <class Body>
  __device__ void for_each_block(int count, Body&& body) const {
    if (count < block) {
      for_each(count, [&](int j) { body.template operator()<1>(j); });
      return;
    }
    for (int j = thread() * block; j < count; j += threads() * block) {
      body.template operator()<block>(min(j, count - block));
    }
  }

  /// Known to all threads; added in a fixed order.
  template <class Value>
  __device__ P sum(int count, Value&& value) const {
    P mine = P::broadcast(0.0);
    for_each(count, [&](int j) { mine = mine + value(j); });
    double lanes[P::width];
    mine.store_first(lanes, P::width);
    for (int lane = 0; lane < P::width; ++lane) lanes[lane] = sum_of_threads(lanes[lane]);
    if constexpr (P::width == 2) {
      return {lanes[0], lanes[1]};
    } else {
      return {lanes[0]};
    }
  }

  __device__ bool any_negative(P smallest) const {
    double lanes[P::width];
    smallest.store_first(lanes, P::width);
    bool found = false;
    for (const double value : lanes) found = found || value < 0.0;
    return sum_of_threads(found ? 1.0 : 0.0) > 0.0;
  }

  /// p[c] = source[c − shift] for the cells c in [−margin, n + margin), zero where the source has none.
  __device__ void stage(const double* source, int n, int lines, const int* shift, double* p, int margin) const {
    const int lane = thread() % P::width;
    const int first = thread() / P::width;
    const int step = threads() / P::width;
    const bool real = lane < lines;
    const int moved = shift != nullptr && real ? shift[lane] : 0;
    const int begin = min(max(moved, -margin), n + margin);
    const int end = min(max(n + moved, begin), n + margin);
    const double* const line = source + static_cast<std::ptrdiff_t>(real ? lane : 0) * n;
    for (int c = -margin + first; c < begin; c += step) p[c * P::width + lane] = 0.0;
    for (int c = end + first; c < n + margin; c += step) p[c * P::width + lane] = 0.0;
    if (n % 2 == 0) {
      for (int pair = first; 2 * pair < n; pair += step) {
        const PairPack values = real ? PairPack::load(line + 2 * pair) : PairPack::broadcast(0.0);
        const int c = 2 * pair + moved;
        if (c >= -margin && c < n + margin) p[c * P::width + lane] = values.first;
        if (c + 1 >= -margin && c + 1 < n + margin) p[(c + 1) * P::width + lane] = values.second;
      }
    } else {
      for (int c = begin + first; c < end; c += step) p[c * P::width + lane] = real ? line[c - moved] : 0.0;
    }
  }

  __device__ void unstage(const double* q, int n, int lines, double* target) const {
    const int lane = thread() % P::width;
    const int first = thread() / P::width;
    const int step = threads() / P::width;
    if (lane >= lines) return;
    double* const line = target + static_cast<std::ptrdiff_t>(lane) * n;
    if (n % 2 == 0) {
      for (int pair = first; 2 * pair < n; pair += step) {
        PairPack{q[2 * pair * P::width + lane], q[(2 * pair + 1) * P::width + lane]}.store(line + 2 * pair);
      }
    } else {
      for (int j = first; j < n; j += step) line[j] = q[j * P::width + lane];
    }
  }

  /// Adds what a shift carried beyond the margins of `stage`.
  __device__ void add_beyond_margin(const double* source, int n, int lines, const int* shift, int margin, P& lower,
                                    P& upper) const {
    double below[P::width] = {};
    double above[P::width] = {};
    for (int lane = 0; lane < lines; ++lane) {
      const int moved = shift[lane];
      if (moved >= -margin && moved <= margin) continue;
      const double* const line = source + static_cast<std::ptrdiff_t>(lane) * n;
      const int first_kept = min(max(-margin - moved, 0), n);
      const int last_kept = min(max(n + margin - moved, 0), n);
      below[lane] = sum_of_line(line, 0, first_kept);
      above[lane] = sum_of_line(line, last_kept, n);
    }
    if constexpr (P::width == 2) {
      lower = lower + P{below[0], below[1]};
      upper = upper + P{above[0], above[1]};
    } else {
      lower = lower + P{below[0]};
      upper = upper + P{above[0]};
    }
  }

  __device__ void add_to_lines(double* target, P value, int lines) const {
    if (thread() != 0) return;
    double values[P::width];
    value.store_first(values, P::width);
    for (int lane = 0; lane < lines; ++lane) target[lane] += values[lane];
  }

 private:
  __device__ int thread() const { return static_cast<int>(threadIdx.x); }
  __device__ int threads() const { return static_cast<int>(blockDim.x); }

  __device__ double sum_of_line(const double* line, int begin, int end) const {
    double mine = 0.0;
    for (int j = begin + thread(); j < end; j += threads()) mine += line[j];
    return sum_of_threads(mine);
  }

  /// Sum over the team, known to all of its threads afterwards.
  __device__ double sum_of_threads(double mine) const {
    __shared__ double partial[largest_block / 32];
    const int warps = threads() / 32;
    double* const of_team = partial + static_cast<int>(threadIdx.y) * warps;
    for (int distance = 16; distance > 0; distance /= 2) mine += __shfl_down_sync(0xffffffffU, mine, distance);
    barrier();
    if (threadIdx.x % 32 == 0) of_team[threadIdx.x / 32] = mine;
    barrier();
    double total = 0.0;
    for (int warp = 0; warp < warps; ++warp) total += of_team[warp];
    return total;
  }

  double* memory_;
  int stride_;
};

}  // namespace underdamp
