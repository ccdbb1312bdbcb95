#include "solver/spec/key_list.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "solver/spec/key_values.hpp"
#include "solver/spec/spec_keys.hpp"

namespace underdamp {
namespace {

std::string text_of(const Json& value) {
  if (value.is_null()) return {};
  if (value.is_number_float()) return short_number(value.get<double>());
  if (value.is_number()) return short_number(static_cast<double>(value.get<long>()));
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& element : value) text += (text.empty() ? "" : ", ") + text_of(element);
  return "[" + text + "]";
}

/// Visitor of spec_keys.hpp: defaults are those of values that nobody has set.
class KeyLister {
 public:
  explicit KeyLister(std::vector<KeyDescription>& list) : list_(list) {}

  template <class Value, class Rule>
  void optional(const char* name, const Value& place, const Rule& rule) {
    add(name, rule, has_default(place, rule) ? text_of(value_of(place, rule)) : "");
  }
  template <class Value, class Rule>
  void required(const char* name, const Value& /*place*/, const Rule& rule) {
    add(name, rule, "required");
  }
  void fixed(const char* name, const char* word) { add(name, Words<bool>{{{word, true}}}, ""); }
  template <class Value, class Keys>
  void kind(Value& /*place*/, const Words<Value>& words, const Keys& keys) {
    add("kind", words, "required");
    for (const auto& [word, value] : words.words) {
      kind_ = word;
      keys(value);
    }
    kind_.clear();
  }
  bool given(const char* /*name*/, bool /*is_given*/) const { return true; }
  template <class Part, class Keys>
  void part(std::optional<Part>& /*place*/, const Keys& keys) {
    Part untouched;
    keys(untouched);
  }
  template <class Part, class Keys>
  void table(const char* name, Part& /*place*/, const Keys& keys) {
    table_ = name;
    Part untouched;
    keys(*this, untouched);
  }
  template <class Part, class Keys>
  void table(const char* name, std::optional<Part>& /*place*/, const Keys& keys) {
    Part untouched;
    table(name, untouched, keys);
  }

 private:
  template <class Value, class Rule>
  static bool has_default(const Value& /*place*/, const Rule& /*rule*/) {
    return true;
  }
  /// A number out of its range stands for none.
  static bool has_default(double place, const Range& rule) { return rule.contains(place); }
  static bool has_default(const std::vector<double>& place, const Numbers& rule) { return place.size() >= rule.least; }

  template <class Rule>
  static std::vector<std::string> words_of(const Rule& rule) {
    if constexpr (requires { rule.names(); }) return rule.names();
    return {};
  }
  template <class Rule>
  void add(const char* name, const Rule& rule, const std::string& value) {
    list_.push_back({table_, kind_, name, rule.type(), rule.range(), value, words_of(rule)});
  }

  std::vector<KeyDescription>& list_;
  std::string table_;
  std::string kind_;
};

}  // namespace

const std::vector<KeyDescription>& key_list() {
  static const std::vector<KeyDescription> list = [] {
    std::vector<KeyDescription> keys;
    KeyLister lister(keys);
    Spec untouched;
    spec_tables(lister, untouched);
    return keys;
  }();
  return list;
}

std::vector<std::string> table_names() {
  std::vector<std::string> names;
  for (const KeyDescription& key : key_list()) {
    if (!key.table.empty() && (names.empty() || names.back() != key.table)) names.push_back(key.table);
  }
  return names;
}

std::vector<std::string> key_names(const std::string& table) {
  std::vector<std::string> names;
  for (const KeyDescription& key : key_list()) {
    const bool is_known = std::find(names.begin(), names.end(), key.name) != names.end();
    if (key.table == table && !is_known) names.push_back(key.name);
  }
  return names;
}

std::string key_list_text() {
  std::string text;
  std::string table;
  for (const KeyDescription& key : key_list()) {
    if (key.table != table) text += fmt::format("\n[{}]\n", key.table);
    table = key.table;
    std::string line = fmt::format("{:<16} ", key.name);
    if (!key.kind.empty()) line += key.kind + ": ";
    if (key.words.empty()) line += key.type;
    if (!key.words.empty() && key.type == list_of_words) line += "list of ";
    for (const std::string& word : key.words) line += (word == key.words.front() ? "\"" : " | \"") + word + "\"";
    if (!key.range.empty()) line += ", " + key.range;
    if (key.value == "required")
      line += "; required";
    else if (!key.value.empty())
      line += "; default " + key.value;
    text += line + "\n";
  }
  return text;
}

}  // namespace underdamp
