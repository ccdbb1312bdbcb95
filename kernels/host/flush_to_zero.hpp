#pragma once
#include "meshes/host_device.hpp"

#if UNDERDAMP_HAS_SSE2
#include <immintrin.h>
#endif

namespace underdamp {

/// While it lives, this thread takes denormal numbers for zero (where the processor can).
class FlushToZero {
 public:
#if UNDERDAMP_HAS_SSE2
  FlushToZero() : saved_(_mm_getcsr()) {
    _mm_setcsr(saved_ | 0x8040U);
  }  // flush results, treat inputs as zero
  ~FlushToZero() {
    _mm_setcsr(saved_);
  }
#else
  FlushToZero() = default;
  ~FlushToZero() = default;
#endif
  FlushToZero(const FlushToZero&) = delete;
  FlushToZero& operator=(const FlushToZero&) = delete;

 private:
#if UNDERDAMP_HAS_SSE2
  unsigned saved_;
#endif
};

}  // namespace underdamp
