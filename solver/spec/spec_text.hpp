#pragma once
#include <functional>
#include <string>

namespace underdamp {

inline constexpr int most_key_parts = 32;  ///< of a dotted key

/// Throws SpecError if a key of a TOML text has more parts, a.b.c…, than a spec can mean: the tables inside one another
/// that it stands for would exhaust the stack of toml++, which only limits values inside one another.
void require_shallow_keys(const std::string& text, const std::string& path);

/// A line of TOML in which every value that is neither text nor list, such as -pi in "theta = [-pi, 1]", was given to
/// `replacement`, which returns what is to stand in its place, or the same; empty if nothing is replaced.
std::string with_replaced_values(const std::string& line,
                                 const std::function<std::string(const std::string&)>& replacement);

}  // namespace underdamp
