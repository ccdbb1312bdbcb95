#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "validation/checks.hpp"

/// The table of `verify` as text, JSON and JUnit, and its comparison with an earlier one.
namespace underdamp {

/// Columns: quantity, computed, reference, error, tolerance, verdict; notes below.
std::string verify_table(const std::vector<Check>& checks);

nlohmann::ordered_json verify_json(const std::string& title, const std::string& device,
                                   const std::vector<Check>& checks);

/// One test case for each check; reported ones are skipped tests.
std::string verify_junit(const std::string& title, const std::vector<Check>& checks);

/// Judges the errors against those of a file that verify_json made: an error that has more than doubled, by more than a
/// tenth of its tolerance, is drift, and so is a check that has gone. Adds failed checks. Throws Error (bad_input) if
/// the file is none.
void compare_with_baseline(const std::filesystem::path& baseline, std::vector<Check>& checks);

}  // namespace underdamp
