#include "solver/landscape/formula.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <muParser.h>
#include <boost/math/constants/constants.hpp>

#include "solver/io/diagnostics.hpp"
#include "solver/landscape/formula_text.hpp"

namespace underdamp {
namespace {

void require_limits(const std::string& formula) {
  if (formula.size() > longest_formula) {
    refuse("", "", fmt::format("the formula has {} characters, the limit is {}", formula.size(), longest_formula),
           "write it shorter, or give a table");
  }
  int depth = 0;
  for (std::size_t k = 0; k < formula.size(); ++k) {
    const auto c = static_cast<unsigned char>(formula[k]);
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (depth > deepest_formula) {
      refuse("", "",
             fmt::format("more than {} parentheses inside one another (at character {})", deepest_formula, k + 1),
             "write it flatter");
    }
    if (c < ' ' && c != '\t' && c != '\n' && c != '\r') {
      refuse("", "", fmt::format("the formula holds a control character (at character {})", k + 1), "remove it");
    }
  }
}

/// muParser would take "x = 2" as an assignment.
void refuse_assignment(const std::string& formula) {
  for (std::size_t k = 0; k < formula.size(); ++k) {
    if (formula[k] != '=') continue;
    const bool comparison = (k + 1 < formula.size() && formula[k + 1] == '=') ||
                            (k > 0 && std::string("=<>!").find(formula[k - 1]) != std::string::npos);
    if (!comparison) {
      refuse("", "", fmt::format("\"{}\" assigns to a variable (at character {})", shortened(formula), k + 1),
             "write the right-hand side only");
    }
  }
}

FormulaNames names_of(const mu::Parser& parser, const std::string& variable) {
  FormulaNames names;
  names.variable = variable;
  for (const auto& [name, function] : parser.GetFunDef()) names.functions.push_back(name);
  for (const auto& [name, address] : parser.GetVar()) names.values.push_back(name);
  for (const auto& [name, value] : parser.GetConst()) names.values.push_back(name);
  return names;
}

/// What is wrong with the formula that a parser has; absent if nothing is.
std::optional<mu::Parser::exception_type> problem_of(mu::Parser& parser, const std::string& formula) {
  try {
    parser.SetExpr(with_power_signs(formula));
    static_cast<void>(parser.Eval());
  } catch (const mu::Parser::exception_type& error) {
    return error;
  }
  return std::nullopt;
}

/// Messages of muParser that quote the whole formula are shortened.
std::string message(const mu::Parser::exception_type& error) {
  const std::string text = error.GetMsg();
  return text.size() > 200 ? text.substr(0, 197) + "..." : text;
}

/// What to write in place of a token that muParser does not know; `is_called`: a parenthesis follows.
std::string cure(const std::string& token, bool is_called, const FormulaNames& names) {
  std::vector<std::string> all = names.values;
  all.insert(all.end(), names.functions.begin(), names.functions.end());
  const auto knows = [&](const std::string& name) { return std::find(all.begin(), all.end(), name) != all.end(); };
  const bool is_name = !token.empty() && (std::isalpha(static_cast<unsigned char>(token[0])) != 0 || token[0] == '_');
  const std::string nearest = is_name && token.size() > 1 && !knows(token) ? nearest_name(token, all) : "";
  std::string text;
  if (!nearest.empty()) {
    text = "did you mean " + nearest + "? ";
  } else if (is_name && is_called && !knows(token)) {
    return "the functions are " + join_names(names.functions);
  } else if (token == "h") {
    text = "only formulas of loss.kind = \"spectrum\" know an eigenvalue h; ";
  } else if (is_name && !knows(token)) {
    text = "write the number that " + shortened(token) + " stands for; ";
  }
  return text + "use " + (names.variable.empty() ? "" : names.variable + ", ") +
         (knows("h") ? "the eigenvalue h, " : "") +
         "numbers, pi, e, + - * / ^, and functions such as sin, exp, log, sqrt, abs, tanh";
}

/// Is a parenthesis what follows the token at which muParser gave up?
bool is_called(const std::string& formula, const mu::Parser::exception_type& error) {
  const std::size_t next =
      formula.find_first_not_of(" \t\r\n", static_cast<std::size_t>(error.GetPos()) + error.GetToken().size());
  return next != std::string::npos && formula[next] == '(';
}

[[noreturn]] void refuse_formula(const std::string& formula, const std::string& problem, std::size_t character,
                                 const std::string& remedy) {
  refuse("", "", fmt::format("\"{}\" is not a formula: {} (at character {})", shortened(formula), problem, character),
         remedy);
}

/// By what the formula most likely means, if that is recognised before the place where muParser gave up; else by what
/// muParser says.
[[noreturn]] void explain(mu::Parser& parser, const std::string& formula, const mu::Parser::exception_type& error,
                          const FormulaNames& names) {
  const auto character = std::min(static_cast<std::size_t>(error.GetPos()) + 1, formula.size());
  const auto corrected = correct_formula(formula, names);
  const bool is_right = corrected && !problem_of(parser, corrected->text) && parser.GetNumResults() == 1;
  if (!corrected || (!is_right && character < corrected->character))
    refuse_formula(formula, message(error), character, cure(error.GetToken(), is_called(formula, error), names));
  std::string remedy = corrected->cure;
  constexpr std::size_t longest_shown = 200;
  if (is_right && remedy != "write " + corrected->text && corrected->text.size() <= longest_shown)
    remedy += ": the formula is then \"" + corrected->text + "\"";
  refuse_formula(formula, corrected->problem, corrected->character, remedy);
}

/// Under their usual names and under those of muParser, whose own values end early.
void define_constants(mu::Parser& parser) {
  for (const char* name : {"pi", "_pi"}) parser.DefineConst(name, boost::math::constants::pi<double>());
  for (const char* name : {"e", "_e"}) parser.DefineConst(name, boost::math::constants::e<double>());
}

}  // namespace

void read_formula(mu::Parser& parser, const std::string& formula, const std::string& variable) {
  require_limits(formula);
  refuse_assignment(formula);
  define_constants(parser);
  const FormulaNames names = names_of(parser, variable);
  if (const auto error = problem_of(parser, formula)) explain(parser, formula, *error, names);
  if (parser.GetNumResults() == 1) return;
  if (const auto corrected = correct_formula(formula, names))
    refuse_formula(formula, corrected->problem, corrected->character, corrected->cure);
  refuse("", "", "\"" + shortened(formula) + "\" gives several values", "write one formula, without commas");
}

std::optional<double> constant_value(const std::string& formula) {
  require_limits(formula);
  mu::Parser parser;
  define_constants(parser);
  if (problem_of(parser, formula) && !correct_formula(formula, names_of(parser, ""))) return std::nullopt;
  read_formula(parser, formula, "");
  return parser.Eval();
}

}  // namespace underdamp
