#pragma once
#include "kernels/bodies/pack.hpp"
#include "kernels/cuda/cuda_line.cuh"
#include "kernels/cuda/launch_plan.hpp"

namespace underdamp {

/// A bundle of P::width neighbouring lines for one team of threads: whole warps, one or several teams to a block
/// (threadIdx.x counts within the team, threadIdx.y the teams). Scratch is shared memory, element (j, lane) at
/// [j·width + lane]. Every thread takes `block` consecutive cells at a time: their stencils overlap, so that a cell is
/// loaded once for several of them, and since `block` is odd no two threads meet in a bank.
template <class Pack>
class CudaBundle {
 public:
  using P = Pack;
  using Real = typename Pack::Real;
  static constexpr int block = bundle_block;
  static constexpr bool writes_through = false;
  static constexpr bool computes_weights = true;  ///< cheaper than reading eleven of them for every edge
  static constexpr bool slides = true;

  /// `memory`: scratch of all teams, `size` numbers each, arrays of `stride`.
  __device__ CudaBundle(Real* memory, int size, int stride)
      : memory_(memory + static_cast<int>(threadIdx.y) * size), stride_(stride) {}

  __device__ Real* scratch(int k) const { return memory_ + k * stride_; }

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
    for (int lane = 0; lane < P::width; ++lane) mine.lane[lane] = static_cast<Real>(sum_of_threads(mine.lane[lane]));
    return mine;
  }

  __device__ bool any_negative(P smallest) const {
    bool found = false;
    for (const Real value : smallest.lane) found = found || value < 0.0;
    return sum_of_threads(found ? 1.0 : 0.0) > 0.0;
  }

  /// p[c] = source[c − shift] for the cells c in [−margin, n + margin), zero where the source has none.
  __device__ void stage(const Real* source, int n, int lines, const int* shift, Real* p, int margin) const {
    const int lane = thread() % P::width;
    const int first = thread() / P::width;
    const int step = threads() / P::width;
    const bool real = lane < lines;
    const int moved = shift != nullptr && real ? shift[lane] : 0;
    const int begin = min(max(moved, -margin), n + margin);
    const int end = min(max(n + moved, begin), n + margin);
    const Real* const line = source + static_cast<std::ptrdiff_t>(real ? lane : 0) * n;
    for (int c = -margin + first; c < begin; c += step) p[c * P::width + lane] = 0;
    for (int c = end + first; c < n + margin; c += step) p[c * P::width + lane] = 0;
    if (n % Run::width == 0) {
      for (int run = first; Run::width * run < n; run += step) {
        const Run values = real ? Run::load(line + Run::width * run) : Run::broadcast(0.0);
        const int c = Run::width * run + moved;
        UNDERDAMP_UNROLL
        for (int k = 0; k < Run::width; ++k) {
          if (c + k >= -margin && c + k < n + margin) p[(c + k) * P::width + lane] = values.lane[k];
        }
      }
    } else {
      for (int c = begin + first; c < end; c += step) p[c * P::width + lane] = real ? line[c - moved] : Real{0};
    }
  }

  __device__ void unstage(const Real* q, int n, int lines, Real* target) const {
    const int lane = thread() % P::width;
    const int first = thread() / P::width;
    const int step = threads() / P::width;
    if (lane >= lines) return;
    Real* const line = target + static_cast<std::ptrdiff_t>(lane) * n;
    if (n % Run::width == 0) {
      for (int run = first; Run::width * run < n; run += step) {
        Run::of([&](int k) { return q[(Run::width * run + k) * P::width + lane]; }).store(line + Run::width * run);
      }
    } else {
      for (int j = first; j < n; j += step) line[j] = q[j * P::width + lane];
    }
  }

  /// Adds what a shift carried beyond the margins of `stage`.
  __device__ void add_beyond_margin(const Real* source, int n, int lines, const int* shift, int margin, P& lower,
                                    P& upper) const {
    P below = P::broadcast(0.0);
    P above = P::broadcast(0.0);
    for (int lane = 0; lane < lines; ++lane) {
      const int moved = shift[lane];
      if (moved >= -margin && moved <= margin) continue;
      const Real* const line = source + static_cast<std::ptrdiff_t>(lane) * n;
      const int first_kept = min(max(-margin - moved, 0), n);
      const int last_kept = min(max(n + margin - moved, 0), n);
      below.lane[lane] = sum_of_line(line, 0, first_kept);
      above.lane[lane] = sum_of_line(line, last_kept, n);
    }
    lower = lower + below;
    upper = upper + above;
  }

  __device__ void add_to_lines(double* target, P value, int lines) const {
    if (thread() != 0) return;
    UNDERDAMP_UNROLL
    for (int lane = 0; lane < P::width; ++lane) {
      if (lane < lines) target[lane] += value.lane[lane];
    }
  }

 private:
  using Run = WidePack<Real>;  ///< neighbouring cells of a line, read and written in one access

  __device__ int thread() const { return static_cast<int>(threadIdx.x); }
  __device__ int threads() const { return static_cast<int>(blockDim.x); }

  __device__ Real sum_of_line(const Real* line, int begin, int end) const {
    double mine = 0.0;
    for (int j = begin + thread(); j < end; j += threads()) mine += line[j];
    return static_cast<Real>(sum_of_threads(mine));
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

  Real* memory_;
  int stride_;
};

}  // namespace underdamp
