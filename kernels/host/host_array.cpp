#include "kernels/host/host_array.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "kernels/host/cgroup_memory.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace underdamp {
namespace {

std::atomic<std::size_t> held{0};
std::atomic<long> allocations{0};

}  // namespace

void* allocate_host_memory(std::size_t bytes) {
  constexpr std::size_t line = 64;
  constexpr std::size_t large_page = std::size_t{1} << 21;
  void* memory = nullptr;
  const std::size_t rounded = std::max(line, (bytes + line - 1) / line * line);
  if (posix_memalign(&memory, bytes >= large_page ? large_page : line, rounded) != 0)
    throw out_of_memory("the host", bytes);
#if defined(__linux__)
  // Whole large pages only: what is left over would take another one.
  if (bytes >= large_page) madvise(memory, bytes / large_page * large_page, MADV_HUGEPAGE);
#endif
  held.fetch_add(bytes, std::memory_order_relaxed);
  allocations.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

void release_host_memory(void* memory, std::size_t bytes) noexcept {
  std::free(memory);
  if (memory != nullptr) held.fetch_sub(bytes, std::memory_order_relaxed);
}

HostMemoryUse host_memory_use() {
  return {held.load(std::memory_order_relaxed), allocations.load(std::memory_order_relaxed)};
}

#if defined(__linux__)
std::size_t host_memory_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  const std::size_t all = pages > 0 && page > 0 ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page) : 0;
  std::ifstream stream("/proc/self/cgroup");
  const std::string groups{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const std::size_t limit = cgroup_memory_limit(groups, "/sys/fs/cgroup");
  return limit > 0 && (all == 0 || limit < all) ? limit : all;
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
