#pragma once
#include <string>

#include "solver/spec/spec.hpp"

namespace underdamp {

/// Reads and validates a spec, with the formulas and files that it names. Throws SpecError with every problem found.
Spec read_spec(const std::string& path);

/// The same from text; `path` names it in messages and anchors relative file names.
Spec parse_spec(const std::string& text, const std::string& path);

}  // namespace underdamp
