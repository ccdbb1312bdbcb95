#include "kernels/host/host_array.hpp"

#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace underdamp {

void* allocate_host_memory(std::size_t bytes) {
  constexpr std::size_t line = 64;
  constexpr std::size_t large_page = std::size_t{1} << 21;
  const std::size_t alignment = bytes >= large_page ? large_page : line;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded > 0 ? rounded : alignment);
  if (memory == nullptr) {
    throw Error(ExitCode::device, "the host has no " + std::to_string(bytes >> 20) + " MiB of memory left", {},
                "use fewer cells or planes");
  }
#if defined(__linux__)
  if (alignment == large_page) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  return memory;
}

void release_host_memory(void* memory) noexcept {
  std::free(memory);
}

}  // namespace underdamp
