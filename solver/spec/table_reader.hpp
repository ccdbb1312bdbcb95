#pragma once
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "solver/io/diagnostics.hpp"
#include "solver/spec/spec.hpp"

namespace underdamp {

/// A number's valid range, with the words for it.
struct Range {
  double lower = -std::numeric_limits<double>::infinity();
  double upper = std::numeric_limits<double>::infinity();
  bool lower_open = false;
  bool upper_open = false;

  bool contains(double x) const {
    return (lower_open ? x > lower : x >= lower) && (upper_open ? x < upper : x <= upper);
  }
  /// "a number > 0"
  std::string text() const;
};
inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr Range any{};
inline constexpr Range positive{0.0, infinity, true, false};
inline constexpr Range non_negative{0.0, infinity, false, false};
inline constexpr Range coordinate{-1e60, 1e60, false, false};  // squares and products of four stay finite

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

  std::optional<double> number(const std::string& key, const Range& range);
  double number(const std::string& key, const Range& range, double fallback) {
    return number(key, range).value_or(fallback);
  }
  std::optional<double> required_number(const std::string& key, const Range& range);

  std::optional<long> integer(const std::string& key, long lower, long upper);

  std::optional<std::string> text(const std::string& key);
  std::string required_text(const std::string& key, const std::string& what);

  bool boolean(const std::string& key, bool fallback);

  template <class Value>
  using Choices = std::vector<std::pair<std::string, Value>>;

  template <class Value>
  Value choice(const std::string& key, const Choices<Value>& choices, Value fallback) {
    const toml::node* node = find(key);
    if (node == nullptr) return fallback;
    return choice_of(*node, key, choices).value_or(fallback);
  }

  /// The key `kind`, on which depends what else the table holds: `keys` are those of any kind, so that none of them is
  /// called unknown if the kind itself is not known.
  template <class Value>
  std::optional<Value> kind(const Choices<Value>& choices, const std::vector<std::string>& keys) {
    const toml::node* node = find("kind");
    std::optional<Value> value;
    if (node != nullptr) value = choice_of(*node, "kind", choices);
    if (node == nullptr) missing("kind", join_names(names_of(choices)));
    for (const std::string& key : keys) {
      if (!value) know(key);
    }
    return value;
  }

  /// Absent if one of the numbers is none.
  std::vector<double> numbers(const std::string& key, std::size_t least, const Range& range, const std::string& what);

  /// "auto" (absent) or [min, max].
  std::optional<Interval> interval(const std::string& key);

  /// Rows of numbers, all of length `columns`.
  std::vector<std::vector<double>> matrix(const std::string& key, std::size_t rows, std::size_t columns,
                                          const std::string& expected);

  /// A symmetric matrix: entries that differ by rounding are replaced by their mean.
  std::vector<std::vector<double>> symmetric_matrix(const std::string& key, std::size_t size,
                                                    const std::string& expected);

  const toml::node* find(const std::string& key);

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
  std::optional<long> integer_of(const toml::node& node, const std::string& key, long lower, long upper);
  template <class Value>
  std::optional<Value> choice_of(const toml::node& node, const std::string& key, const Choices<Value>& choices) {
    const std::vector<std::string> names = names_of(choices);
    const auto found = node.value_exact<std::string>();
    if (!found) {
      bad(node, key, join_names(names));
      return std::nullopt;
    }
    for (const auto& [name, value] : choices) {
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

  void know(const std::string& key) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  }

  ForeignKey meaning_of(const std::string& name) const;

  template <class Value>
  static std::vector<std::string> names_of(const Choices<Value>& choices) {
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) names.push_back(name);
    return names;
  }

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
