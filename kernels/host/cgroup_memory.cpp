#include "kernels/host/cgroup_memory.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

namespace underdamp {
namespace {

namespace fs = std::filesystem;

/// The number in a file; 0 if there is no such file, or no number in it: "max".
std::size_t number_in(const fs::path& path) {
  std::ifstream stream(path);
  std::string word;
  stream >> word;
  std::size_t number = 0;
  const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), number);
  return code == std::errc() && end == word.data() + word.size() ? number : 0;
}

std::size_t smaller_limit(std::size_t a, std::size_t b) {
  return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
}

/// Of the group `name` below `root` and all that hold it, up to the root.
std::size_t limit_of(const fs::path& root, std::string_view name, const char* file) {
  std::size_t limit = number_in(root / file);
  fs::path group = root;
  for (const fs::path& part : fs::path(name).relative_path()) {
    if (part == "..") break;  // a group outside of what this process sees
    group /= part;
    limit = smaller_limit(limit, number_in(group / file));
  }
  return limit;
}

/// Is `word` one of the words between commas?
bool names(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == word) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

std::size_t cgroup_memory_limit(std::string_view groups, const fs::path& mount) {
  std::size_t limit = 0;
  while (!groups.empty()) {  // number:controllers:name
    const std::string_view line = groups.substr(0, groups.find('\n'));
    groups.remove_prefix(std::min(line.size() + 1, groups.size()));
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view name = line.substr(second + 1);
    if (controllers.empty()) limit = smaller_limit(limit, limit_of(mount, name, "memory.max"));
    if (names(controllers, "memory"))
      limit = smaller_limit(limit, limit_of(mount / "memory", name, "memory.limit_in_bytes"));
  }
  return limit;
}

}  // namespace underdamp
