#pragma once
#include "kernels/bodies/reduction.hpp"
#include "kernels/cuda/launch_plan.hpp"

namespace underdamp {

/// cuda_shuffle.cuh; tests emulate it.
template <class Value>
__device__ Value of_lane(const Value& value, int lane);

/// One result, by a warp: every lane makes its parts, then all lanes join them in their order.
template <class Body>
__device__ void reduce_by_warp(const Body& body, long number, int lane) {
  using Value = ReductionValue<Body>;
  const long size = body.size(number);
  const auto part = [&](long k) {
    Value value;
    clear(value);
    if (k < size) value = body.part(number, k);
    return value;
  };
  Value total;
  clear(total);
  Value next = part(lane);
  for (long first = 0; first < size; first += warp_threads) {
    const Value mine = next;
    next = part(first + warp_threads + lane);  // is on its way while the others are joined
    const int most = size - first < warp_threads ? static_cast<int>(size - first) : warp_threads;
    for (int from = 0; from < most; ++from) total = joined(total, of_lane(mine, from));
  }
  if (lane == 0) body.results[number] = total;
}

}  // namespace underdamp
