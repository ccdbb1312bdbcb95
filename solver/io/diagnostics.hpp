#pragma once
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "meshes/error.hpp"

namespace underdamp {

/// One thing that is wrong with an input.
struct Diagnostic {
  std::string place;  ///< file:line:column, may be empty
  std::string key;    ///< dotted key, may be empty
  std::string problem;
  std::string remedy;  ///< what to change

  std::string text() const;
};

/// Collects everything that is wrong with an input, so that it can be reported at once.
class Diagnostics {
 public:
  Diagnostics() = default;
  /// Keeps the first `limit` problems and counts the others: a large file may hold the same mistake in every row.
  explicit Diagnostics(std::size_t limit) : limit_(limit) {}

  void add(std::string place, std::string key, std::string problem, std::string remedy);
  bool empty() const { return entries_.empty(); }
  const std::vector<Diagnostic>& entries() const { return entries_; }

  /// Throws SpecError if anything was added.
  void throw_if_any() const;

 private:
  std::size_t limit_ = std::numeric_limits<std::size_t>::max();
  std::size_t left_out_ = 0;
  std::vector<Diagnostic> entries_;
};

/// All problems of one input; exit code 2.
class SpecError : public Error {
 public:
  explicit SpecError(std::vector<Diagnostic> entries);
  const std::vector<Diagnostic>& entries() const { return entries_; }

 private:
  std::vector<Diagnostic> entries_;
};

/// Throws SpecError with this one problem.
[[noreturn]] void refuse(std::string place, std::string key, std::string problem, std::string remedy);

/// The candidate that a misspelt `name` most likely means (Damerau-Levenshtein distance); empty if none is close,
/// or if it is longer than 64 bytes.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// A number for a message: as short as it can be, "1.0" rather than "1", and NaN without a sign.
std::string number_text(double value);

/// The first 60 bytes of a text that a user wrote, for a message.
std::string shortened(const std::string& text);

/// "a, b or c"; of many names the first 30.
std::string join_names(const std::vector<std::string>& names);

}  // namespace underdamp
