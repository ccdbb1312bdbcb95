#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "meshes/error.hpp"

namespace underdamp {

/// Aligned memory, in large pages where the system has them. Throws Error (device) if there is none.
void* allocate_host_memory(std::size_t bytes);
/// `bytes`: as many as were asked for.
void release_host_memory(void* memory, std::size_t bytes) noexcept;

/// What all of it comes to, so that tests can compare it with what was counted before.
struct HostMemoryUse {
  std::size_t bytes = 0;  ///< that are held now
  long allocations = 0;   ///< how often memory was taken
};
HostMemoryUse host_memory_use();

/// Memory that this process may have: of the machine, or of its container or job if that has less. And the caches that
/// hold data by level. 0 and empty where the system does not say.
std::size_t host_memory_bytes();
std::vector<std::size_t> host_cache_bytes();

/// Owned, uninitialised memory of the host. T must be trivial.
template <class T>
class HostArray {
 public:
  HostArray() = default;
  HostArray(const HostArray&) = delete;
  HostArray& operator=(const HostArray&) = delete;
  ~HostArray() { release_host_memory(data_, capacity_ * sizeof(T)); }

  /// Contents are lost when it grows; true then.
  bool resize(std::size_t count) {
    const bool grows = count > capacity_;
    if (grows) {
      release_host_memory(std::exchange(data_, nullptr), std::exchange(capacity_, 0) * sizeof(T));
      data_ = static_cast<T*>(allocate_host_memory(count * sizeof(T)));
      capacity_ = count;
    }
    size_ = count;
    return grows;
  }
  friend void swap(HostArray& a, HostArray& b) noexcept {
    std::swap(a.data_, b.data_);
    std::swap(a.size_, b.size_);
    std::swap(a.capacity_, b.capacity_);
  }
  T* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace underdamp
