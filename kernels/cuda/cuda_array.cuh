#pragma once
#include <cstddef>
#include <utility>

#include "kernels/cuda/cuda_check.cuh"

namespace underdamp {

/// Throws Error (device) if there is none, with what there is.
inline void* allocate_cuda_memory(std::size_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // forget it: the device can go on
    std::size_t free = 0;
    std::size_t total = 0;
    cudaMemGetInfo(&free, &total);
    throw out_of_memory("the GPU", bytes, free, total);
  }
  check(status, "cannot take memory of the GPU");
  return memory;
}

/// Memory of the host that the GPU copies to without a detour; small, for the results of reductions.
struct PinnedMemory {
  static constexpr std::size_t bytes = std::size_t{64} << 10;
  void* data = nullptr;

  PinnedMemory() = default;
  void take() { check(cudaMallocHost(&data, bytes), "cannot take page-locked memory"); }
  ~PinnedMemory() { cudaFreeHost(data); }
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
};

/// Owned, uninitialised memory of the device.
template <class T>
class CudaArray {
 public:
  CudaArray() = default;
  CudaArray(const CudaArray&) = delete;
  CudaArray& operator=(const CudaArray&) = delete;
  ~CudaArray() { cudaFree(data_); }

  /// Contents are lost when it grows; true then.
  bool resize(std::size_t count) {
    const bool grows = count > capacity_;
    if (grows) {
      cudaFree(std::exchange(data_, nullptr));
      capacity_ = 0;
      data_ = static_cast<T*>(allocate_cuda_memory(count * sizeof(T)));
      capacity_ = count;
    }
    size_ = count;
    return grows;
  }
  T* data() const { return data_; }
  std::size_t size() const { return size_; }

  friend void swap(CudaArray& a, CudaArray& b) noexcept {
    std::swap(a.data_, b.data_);
    std::swap(a.size_, b.size_);
    std::swap(a.capacity_, b.capacity_);
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace underdamp
