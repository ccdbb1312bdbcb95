#pragma once
#include <cstdint>
#include <filesystem>
#include <span>

namespace underdamp::fuzz {

/// Writes a file that HDF5 finds in order, behind a first line with the right checksum, whose content is not what a run
/// writes: each step takes a few of the bytes, for a name, a type, a layout, a shape and a value.
void write_crafted_checkpoint(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);

}  // namespace underdamp::fuzz
