#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "solver/io/diagnostics.hpp"
#include "solver/spec/key_rules.hpp"
#include "solver/spec/spec.hpp"

namespace underdamp {

/// file:line:column
std::string place_of(const std::string& file, const toml::source_region& source);

/// A key that other programs know: which one here means the same, or what to do without it.
struct ForeignKey {
  std::string meant;
  std::string remedy;
};

/// Reads one table: each key once, with type and range; what was never asked for is unknown.
class TableReader {
 public:
  TableReader(Spec& spec, Diagnostics& problems, const toml::table* table, std::string name)
      : spec_(spec), problems_(problems), table_(table), name_(std::move(name)) {
    if (table_ != nullptr && !name_.empty()) spec_.where[name_] = place_of(spec_.file, table_->source());
  }

  bool present() const { return table_ != nullptr; }
  bool has(const std::string& key) const { return table_ != nullptr && table_->contains(key); }
  /// The key is there, but what it says was refused.
  bool failed(const std::string& key) const { return failed_.count(key) > 0; }
  /// An unknown key was found that most likely means this one; known after `finish`.
  bool misspelt(const std::string& key) const { return misspelt_.count(key) > 0; }

  const std::string& name() const { return name_; }
  /// A file that the spec names, seen from the current folder.
  std::string path(const std::string& file) const;

  // Absent if the key is not there, or if it was refused.
  std::optional<double> number(const std::string& key, const Range& range);
  std::optional<long> integer(const std::string& key, const WholeNumber& rule);
  std::optional<std::string> text(const std::string& key);

  /// Empty if one of the numbers is none.
  std::vector<double> numbers(const std::string& key, const Numbers& rule);

  /// "auto" (absent) or [min, max].
  std::optional<Interval> interval(const std::string& key, const std::string& expected);

  /// Rows of numbers, all of length `columns`.
  std::vector<std::vector<double>> matrix(const std::string& key, std::size_t rows, std::size_t columns,
                                          const std::string& expected);

  /// A symmetric matrix: entries that differ by rounding are replaced by their mean.
  std::vector<std::vector<double>> symmetric_matrix(const std::string& key, std::size_t size,
                                                    const std::string& expected);

  /// From now on the key is known.
  const toml::node* find(const std::string& key);
  void know(const std::string& key) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  }

  /// Keys that are unknown but can be explained.
  void explain(const std::map<std::string, ForeignKey>& keys) { foreign_ = &keys; }

  /// Reports what was not asked for, with the nearest valid key, and what is missing unless a misspelt key means it.
  void finish(const std::string& context = {});

  void missing(const std::string& key, const std::string& expected) {
    missing({key}, "this key is missing", "add " + key + " = …, " + expected);
  }
  /// None of several keys is there.
  void missing(const std::vector<std::string>& keys, const std::string& problem, const std::string& remedy);

  void add(const toml::node& node, const std::string& key, const std::string& problem, const std::string& remedy);
  /// The same at the place of the key.
  void add(const std::string& key, const std::string& problem, const std::string& remedy);
  void bad(const toml::node& node, const std::string& key, const std::string& expected);

  std::optional<double> number_of(const toml::node& node, const std::string& key, const Range& range);
  /// A text in place of a number is a formula without variables. False if it is none, which was reported.
  bool formula_value(const toml::node& node, const std::string& key, const Range& range, std::optional<double>& value);
  std::optional<long> integer_of(const toml::node& node, const std::string& key, const WholeNumber& rule);
  template <class Value>
  std::optional<Value> choice_of(const toml::node& node, const std::string& key, const Words<Value>& words) {
    const std::vector<std::string> names = words.names();
    const auto found = node.value_exact<std::string>();
    if (!found) {
      bad(node, key, join_names(names));
      return std::nullopt;
    }
    for (const auto& [name, value] : words.words) {
      if (name == *found) return value;
    }
    const std::string nearest = nearest_name(*found, names);
    add(node, key, "\"" + shortened(*found) + "\" is not one of the choices",
        nearest.empty() ? "expected " + join_names(names)
                        : "did you mean \"" + nearest + "\"? choices: " + join_names(names));
    return std::nullopt;
  }

 private:
  std::string dotted(const std::string& key) const { return name_.empty() ? key : name_ + "." + key; }

  ForeignKey meaning_of(const std::string& name) const;

  /// Empty if one of them is none.
  std::vector<double> numbers_of(const toml::array& array, const std::string& key, const Range& range);

  Spec& spec_;
  Diagnostics& problems_;
  const toml::table* table_;
  std::string name_;
  std::vector<std::string> known_;
  std::set<std::string> failed_;
  std::set<std::string> misspelt_;
  const std::map<std::string, ForeignKey>* foreign_ = nullptr;
  std::vector<std::pair<std::vector<std::string>, Diagnostic>> missing_;
};

}  // namespace underdamp
