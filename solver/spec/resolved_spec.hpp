#pragma once
#include <nlohmann/json.hpp>

#include "solver/spec/spec.hpp"

/// The spec as it was understood: docs/user-guide.md lists every key.
namespace underdamp {

using Json = nlohmann::ordered_json;

/// The spec with all defaults filled in, under the key names of the spec file.
Json resolved_spec(const Spec& spec);

}  // namespace underdamp
