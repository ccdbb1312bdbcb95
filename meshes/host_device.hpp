#pragma once
/// What the compiler and the vector registers that it may use call for. Elsewhere only two files ask what they are
/// compiled for: kernels/host/host_array.cpp for Linux, app/openblas.cpp for x86.
///
/// Functions marked UNDERDAMP_HD run on host and device. They are always inlined: two compilers would otherwise
/// emit the same weak symbol and the linker would pick one of them, so that the host result depended on link order.

#if defined(__CUDACC__)
#define UNDERDAMP_HD __host__ __device__ __forceinline__
#else
#define UNDERDAMP_HD inline __attribute__((always_inline))
#endif

/// Tells the compiler that the iterations of the loop that follows do not depend on each other.
#if defined(__CUDACC__)
#define UNDERDAMP_INDEPENDENT
#elif defined(__clang__)
#define UNDERDAMP_INDEPENDENT _Pragma("clang loop vectorize(enable)")
#else
#define UNDERDAMP_INDEPENDENT _Pragma("GCC ivdep")
#endif

/// Unrolls the loop that follows completely (trip counts here are compile-time constants up to 32).
#if defined(__CUDACC__)
#define UNDERDAMP_UNROLL _Pragma("unroll")
#elif defined(__clang__)
#define UNDERDAMP_UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNDERDAMP_UNROLL _Pragma("GCC unroll 32")
#endif

/// Picks lanes of two host vectors: lane k of the result is lane indices[k] of a followed by b.
#if defined(__clang__)
#define UNDERDAMP_SHUFFLE(a, b, indices) ::underdamp::shuffle_lanes(a, b, indices)
#else
#define UNDERDAMP_SHUFFLE(a, b, indices) __builtin_shuffle(a, b, indices)
#endif

/// Bytes that the widest vector register of the processor holds, as far as this file's flags allow.
#if defined(__AVX512F__)
#define UNDERDAMP_HOST_VECTOR_BYTES 64
#elif defined(__AVX__)
#define UNDERDAMP_HOST_VECTOR_BYTES 32
#else
#define UNDERDAMP_HOST_VECTOR_BYTES 16
#endif

#if defined(__SSE2__)
#define UNDERDAMP_HAS_SSE2 1
#else
#define UNDERDAMP_HAS_SSE2 0
#endif

namespace underdamp {

/// Counts one more, from any thread: whole numbers add up to the same in any order.
UNDERDAMP_HD void add_one(unsigned long long* counter) {
#if defined(__CUDA_ARCH__)
  atomicAdd(counter, 1ULL);
#else
  __atomic_fetch_add(counter, 1ULL, __ATOMIC_RELAXED);
#endif
}

#if defined(__clang__) && !defined(__CUDACC__)
template <class Vector, class Indices>
UNDERDAMP_HD Vector shuffle_lanes(Vector a, Vector b, Indices indices) {
  constexpr int width = sizeof(Vector) / sizeof(Vector{}[0]);
  Vector result;
  for (int k = 0; k < width; ++k) result[k] = indices[k] < width ? a[indices[k]] : b[indices[k] - width];
  return result;
}
#endif

}  // namespace underdamp
