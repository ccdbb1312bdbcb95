#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "solver/io/checkpoint.hpp"

namespace underdamp::testing {

std::string text_of(const std::filesystem::path& file);
nlohmann::json json_of(const std::filesystem::path& file);
bool contains(const std::string& text, const std::string& part);

#define EXPECT_CONTAINS(text, part) \
  EXPECT_TRUE(::underdamp::testing::contains(text, part)) << "\"" << (part) << "\" is not in:\n" << (text)

/// For tests of what only a build with HDF5 can do.
#define NEEDS_CHECKPOINTS() \
  if (!has_checkpoints()) GTEST_SKIP() << "built without HDF5"

/// A summary without what a clock has measured: everything under `timing`, and what its `keys` name.
nlohmann::json without_clock(nlohmann::json summary);

/// What two output directories differ in, clocks apart: empty if in nothing.
std::vector<std::string> differing_files(const std::filesystem::path& a, const std::filesystem::path& b);

/// Files with a final name that are not complete: a table without its last line end or with a short row, a picture
/// without its end, JSON that cannot be read, a checkpoint with a wrong checksum.
std::vector<std::string> half_written_files(const std::filesystem::path& folder);
/// Files with a temporary name.
std::vector<std::string> temporary_files(const std::filesystem::path& folder);

}  // namespace underdamp::testing
