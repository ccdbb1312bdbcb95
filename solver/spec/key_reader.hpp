#pragma once
#include <optional>
#include <string>
#include <vector>

#include "solver/spec/key_list.hpp"
#include "solver/spec/spec_keys.hpp"
#include "solver/spec/table_reader.hpp"

namespace underdamp {

/// Visitor of spec_keys.hpp that reads a table. What is refused, or not there, leaves the place as it was.
class KeyReader {
 public:
  explicit KeyReader(TableReader& table) : table_(table) {}

  template <class Value, class Rule>
  void optional(const char* name, Value& place, const Rule& rule) {
    read(name, place, rule);
  }
  template <class Value, class Rule>
  void required(const char* name, Value& place, const Rule& rule) {
    if (!table_.has(name)) table_.missing(name, rule.expected());
    read(name, place, rule);
  }
  void fixed(const char* name, const char* word) {
    bool value = true;
    read(name, value, Words<bool>{{{word, true}}});
  }
  template <class Value, class Keys>
  void kind(Value& place, const Words<Value>& words, const Keys& keys) {
    const toml::node* node = table_.find("kind");
    if (node == nullptr) table_.missing("kind", join_names(words.names()));
    const auto value = node != nullptr ? table_.choice_of(*node, "kind", words) : std::nullopt;
    knows_kind_ = value.has_value();
    if (value) {
      place = *value;
      return keys(*value);
    }
    for (const std::string& name : key_names(table_.name())) table_.know(name);  // of any kind: none is called unknown
  }
  /// The key `kind` is there and says one of its words.
  bool knows_kind() const { return knows_kind_; }

  bool given(const char* name, bool /*is_given*/) const { return table_.has(name); }
  template <class Part, class Keys>
  void part(std::optional<Part>& place, const Keys& keys) {
    keys(place.emplace());
  }

 private:
  void read(const char* name, double& place, const Range& rule);
  void read(const char* name, std::optional<double>& place, const Range& rule);
  template <class Integer>
  void read(const char* name, Integer& place, const WholeNumber& rule) {
    if (const auto value = table_.integer(name, rule)) place = static_cast<Integer>(*value);
  }
  template <class Integer>
  void read(const char* name, std::optional<Integer>& place, const WholeNumber& rule) {
    if (const auto value = table_.integer(name, rule)) place = static_cast<Integer>(*value);
  }
  void read(const char* name, std::string& place, const Text& rule);
  void read(const char* name, std::string& place, const FileName& rule);
  void read(const char* name, bool& place, const TrueOrFalse& rule);
  template <class Value>
  void read(const char* name, Value& place, const Words<Value>& rule) {
    const toml::node* node = table_.find(name);
    if (node == nullptr) return;
    if (const auto value = table_.choice_of(*node, name, rule)) place = *value;
  }
  template <class Value>
  void read(const char* name, std::vector<Value>& place, const WordList<Value>& rule) {
    const toml::array* array = list(name, rule.expected());
    if (array == nullptr) return;
    place.clear();
    for (const toml::node& element : *array) {
      if (const auto value = table_.choice_of(element, name, rule.words)) place.push_back(*value);
    }
  }
  void read(const char* name, std::vector<double>& place, const Numbers& rule);
  void read(const char* name, std::optional<Interval>& place, const BoxSide& rule);
  void read(const char* name, std::array<std::string, 2>& place, const ColumnNames& rule);
  void read(const char* name, std::vector<int>& place, const ModeNumbers& rule);
  void read(const char* name, std::array<int, 2>& place, const CellCounts& rule);
  void read(const char* name, ThetaWalls& place, const WallWords<ThetaBoundary>& rule);
  void read(const char* name, double& place, const Variance& rule);
  void read(const char* name, std::optional<std::array<double, 2>>& place, const Point& rule);
  void read(const char* name, std::optional<std::array<std::array<double, 2>, 2>>& place, const Covariance& rule);

  /// A list that is not empty; null if the key is not there, or says something else.
  const toml::array* list(const char* name, const std::string& expected);

  TableReader& table_;
  bool knows_kind_ = false;
};

}  // namespace underdamp
