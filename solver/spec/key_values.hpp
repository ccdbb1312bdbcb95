#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "meshes/axis.hpp"
#include "meshes/phase_mesh.hpp"
#include "solver/spec/key_rules.hpp"

/// Values of a spec as they would be written there; null: not at all.
namespace underdamp {

using Json = nlohmann::ordered_json;

template <class Value, class Rule>
Json value_of(const Value& value, const Rule& /*rule*/) {
  return value;
}
template <class Value, class Rule>
Json value_of(const std::optional<Value>& value, const Rule& rule) {
  return value ? value_of(*value, rule) : Json();
}
inline Json value_of(const std::string& value, const Text& /*rule*/) {
  return value.empty() ? Json() : Json(value);
}
inline Json value_of(const std::string& value, const FileName& /*rule*/) {
  return value.empty() ? Json() : Json(value);
}
template <class Value>
Json value_of(const Value& value, const Words<Value>& rule) {
  return rule.name_of(value);
}
/// What is absent has a word too.
template <class Value>
Json value_of(const std::optional<Value>& value, const Words<std::optional<Value>>& rule) {
  return rule.name_of(value);
}
template <class Value>
Json value_of(const std::vector<Value>& values, const WordList<Value>& rule) {
  Json list = Json::array();
  for (const Value& value : values) list.push_back(rule.words.name_of(value));
  return list;
}
inline Json value_of(const Interval& value, const FromTo& /*rule*/) {
  return Json::array({value.lower, value.upper});
}
inline Json value_of(const std::optional<Interval>& value, const BoxSide& /*rule*/) {
  return value ? value_of(*value, FromTo{}) : Json("auto");
}
inline Json value_of(const std::vector<int>& modes, const ModeNumbers& /*rule*/) {
  return modes.empty() ? Json("all") : Json(modes);
}
inline Json value_of(const ThetaWalls& walls, const WallWords<ThetaBoundary>& rule) {
  const Json lower = rule.words.name_of(walls.lower);
  return walls.lower == walls.upper ? lower : Json::array({lower, rule.words.name_of(walls.upper)});
}
inline Json value_of(double value, const Variance& /*rule*/) {
  return Json::array({Json::array({value})});
}

}  // namespace underdamp
