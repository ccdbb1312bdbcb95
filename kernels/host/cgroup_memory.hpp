#pragma once
#include <cstddef>
#include <filesystem>
#include <string_view>

namespace underdamp {

/// The smallest limit on the memory of a process whose control groups are `groups` (the text of /proc/self/cgroup):
/// that of a group, or of one that holds it, below `mount` (/sys/fs/cgroup). Of version 1 and 2 and both together; in
/// a container, whose groups may have other names outside, that of its root counts too. 0 if there is none.
std::size_t cgroup_memory_limit(std::string_view groups, const std::filesystem::path& mount);

}  // namespace underdamp
