#pragma once
#include <string>

namespace underdamp {

inline constexpr int most_key_parts = 32;  ///< of a dotted key

/// Throws SpecError if a key of a TOML text has more parts, a.b.c…, than a spec can mean: the tables inside one another
/// that it stands for would exhaust the stack of toml++, which only limits values inside one another.
void require_shallow_keys(const std::string& text, const std::string& path);

}  // namespace underdamp
