#include "kernels/host/host_array.hpp"

#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace underdamp {

void* allocate_host_memory(std::size_t bytes) {
  constexpr std::size_t line = 64;
  constexpr std::size_t large_page = std::size_t{1} << 21;
  const std::size_t alignment = bytes >= large_page ? large_page : line;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded > 0 ? rounded : alignment);
  if (memory == nullptr) throw out_of_memory("the host", bytes);
#if defined(__linux__)
  if (alignment == large_page) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  return memory;
}

void release_host_memory(void* memory) noexcept {
  std::free(memory);
}

#if defined(__linux__)
std::size_t host_memory_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page) : 0;
}
std::vector<std::size_t> host_cache_bytes() {
  std::vector<std::size_t> bytes;
  for (const int level : {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE}) {
    const long size = sysconf(level);
    if (size <= 0) break;
    bytes.push_back(static_cast<std::size_t>(size));
  }
  return bytes;
}
#else
std::size_t host_memory_bytes() {
  return 0;
}
std::vector<std::size_t> host_cache_bytes() {
  return {};
}
#endif

}  // namespace underdamp
