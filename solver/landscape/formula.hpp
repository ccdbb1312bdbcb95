#pragma once
#include <cstddef>
#include <optional>
#include <string>

namespace mu {
class Parser;
}

/// Formulas that users write, read by muParser. Mathematics only: no assignments, no texts.
namespace underdamp {

inline constexpr std::size_t longest_formula = 1024;  ///< characters
inline constexpr int deepest_formula = 100;           ///< parentheses inside one another

/// Gives a formula to a parser that knows its variables; pi and e are added, ** is ^. `variable` is the name that
/// stands for the parameter, empty if there is none. Throws SpecError with the position in the formula if it is not
/// one, or if it is longer or deeper than the limits.
void read_formula(mu::Parser& parser, const std::string& formula, const std::string& variable);

/// The value of a formula without variables, such as "2*pi"; absent if a text is none. Throws SpecError if it is not
/// clear how it is meant, as in "2pi".
std::optional<double> constant_value(const std::string& formula);

}  // namespace underdamp
