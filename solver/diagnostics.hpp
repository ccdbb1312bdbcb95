#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "meshes/error.hpp"

namespace underdamp {

/// One thing that is wrong with an input.
struct Diagnostic {
  std::string place;  ///< file:line:column
  std::string key;    ///< dotted key, may be empty
  std::string problem;
  std::string remedy;  ///< what to change

  std::string text() const;
};

/// Collects everything that is wrong with an input, so that it can be reported at once.
class Diagnostics {
 public:
  void add(std::string place, std::string key, std::string problem, std::string remedy);
  bool empty() const { return entries_.empty(); }
  const std::vector<Diagnostic>& entries() const { return entries_; }

  /// Throws SpecError if anything was added.
  void throw_if_any() const;

 private:
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

/// The candidate that a misspelt `name` most likely means (Damerau-Levenshtein distance); empty if none is close.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// "a, b or c".
std::string join_names(const std::vector<std::string>& names);

}  // namespace underdamp
