#include "solver/spec/resolved_spec.hpp"

#include "solver/spec/key_values.hpp"
#include "solver/spec/spec_keys.hpp"

namespace underdamp {
namespace {

/// Visitor of spec_keys.hpp.
class KeyWriter {
 public:
  explicit KeyWriter(Json& json) : json_(json) {}

  template <class Value, class Rule>
  void optional(const char* name, const Value& place, const Rule& rule) {
    const Json value = value_of(place, rule);
    if (!value.is_null()) json_[name] = value;
  }
  template <class Value, class Rule>
  void required(const char* name, const Value& place, const Rule& rule) {
    optional(name, place, rule);
  }
  void fixed(const char* name, const char* word) { json_[name] = word; }
  template <class Value, class Keys>
  void kind(const Value& place, const Words<Value>& words, const Keys& keys) {
    json_["kind"] = words.name_of(place);
    keys(place);
  }
  bool given(const char* /*name*/, bool is_given) const { return is_given; }
  template <class Part, class Keys>
  void part(const std::optional<Part>& place, const Keys& keys) {
    if (place) keys(*place);
  }
  template <class Part, class Keys>
  void table(const char* name, const Part& place, const Keys& keys) {
    Json json;
    KeyWriter writer(json);
    keys(writer, place);
    json_[name] = json;
  }
  template <class Part, class Keys>
  void table(const char* name, const std::optional<Part>& place, const Keys& keys) {
    if (place) table(name, *place, keys);
  }

 private:
  Json& json_;
};

}  // namespace

Json resolved_spec(const Spec& spec) {
  Spec all = spec;
  all.output.float64 = spec.has_float64_pictures();
  Json json;
  KeyWriter writer(json);
  spec_tables(writer, std::as_const(all));
  if (spec.noise.kind == NoiseKind::temperature) json.erase("noise");
  return json;
}

}  // namespace underdamp
