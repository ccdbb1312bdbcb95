#pragma once

namespace underdamp {

/// Waits for the `threads` threads of one of several teams of a block; they are whole warps.
__device__ inline void team_barrier(int team, int threads) {
  if (threads == 32) {
    __syncwarp();
  } else {
    asm volatile("bar.sync %0, %1;" ::"r"(team + 1), "r"(threads) : "memory");
  }
}

}  // namespace underdamp
