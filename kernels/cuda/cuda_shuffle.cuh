#pragma once
#include <cub/util_ptx.cuh>

#include "kernels/cuda/launch_plan.hpp"

namespace underdamp {

/// The value of another lane of the warp; all lanes call it together.
template <class Value>
__device__ Value of_lane(const Value& value, int lane) {
  return cub::ShuffleIndex<warp_threads>(value, lane, 0xffffffffU);
}

}  // namespace underdamp
