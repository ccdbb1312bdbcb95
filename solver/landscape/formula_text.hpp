#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

/// Formulas as text: what a formula that cannot be read was most likely meant to be.
namespace underdamp {

/// What a formula may name.
struct FormulaNames {
  std::vector<std::string> functions;
  std::vector<std::string> values;  ///< variables and constants
  std::string variable;             ///< that of `values` which stands for the parameter; empty: there is none
};

struct CorrectedFormula {
  std::string text;           ///< with everything corrected that was recognised
  std::string problem;        ///< the first thing that was
  std::string cure;           ///< what to write there instead
  std::size_t character = 0;  ///< where, from 1
};

/// Recognises multiplication signs that are missing, names and signs of Python, C and other libraries, mathematical
/// signs that are not ASCII, and other names of the parameter. Absent if there is nothing of that kind.
std::optional<CorrectedFormula> correct_formula(const std::string& formula, const FormulaNames& names);

/// The formula with ^ for **, at the same positions.
std::string with_power_signs(std::string formula);

}  // namespace underdamp
