#pragma once
#include <cstddef>
#include <utility>

#include "kernels/cuda/cuda_check.cuh"

namespace underdamp {

/// Owned, uninitialised memory of the device.
template <class T>
class CudaArray {
 public:
  CudaArray() = default;
  CudaArray(const CudaArray&) = delete;
  CudaArray& operator=(const CudaArray&) = delete;
  ~CudaArray() { cudaFree(data_); }

  /// Contents are lost when it grows.
  void resize(std::size_t count) {
    if (count > capacity_) {
      cudaFree(std::exchange(data_, nullptr));
      capacity_ = 0;
      const std::string what = "no room for " + std::to_string((count * sizeof(T)) >> 20) + " MiB on the GPU";
      check(cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(T)), what.c_str());
      capacity_ = count;
    }
    size_ = count;
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
