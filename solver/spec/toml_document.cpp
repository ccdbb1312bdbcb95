#include "solver/spec/toml_document.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "solver/io/files.hpp"
#include "solver/landscape/formula.hpp"
#include "solver/spec/spec_text.hpp"

namespace underdamp {
namespace {

/// A line of a text, counted from 1.
std::string line_of(const std::string& text, std::size_t number) {
  std::size_t begin = 0;
  for (std::size_t line = 1; line < number && begin < text.size(); ++line)
    begin = std::min(text.find('\n', begin), text.size() - 1) + 1;
  const std::string line = text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
  const std::size_t first = std::min(line.find_first_not_of(" \t"), line.size());
  return line.substr(first, line.find_last_not_of(" \t\r") + 1 - first);
}

bool is_toml(const std::string& value) {
  try {
    static_cast<void>(toml::parse(std::string_view("value = " + value)));
    return true;
  } catch (const toml::parse_error&) {
    return false;
  }
}

bool is_constant_formula(const std::string& text) {
  try {
    return constant_value(text).has_value();
  } catch (const SpecError&) {
    return false;
  }
}

/// What a value that is not TOML was meant to be: a number of another spelling, a word or a formula in quotation marks.
std::string valid_value(const std::string& value) {
  if (value.size() > longest_formula || is_toml(value)) return value;
  if (value == "True" || value == "False") return value == "True" ? "true" : "false";
  std::string number = value;
  for (const char* minus : {"−", "–"}) {
    if (number.rfind(minus, 0) == 0) number = "-" + number.substr(std::string_view(minus).size());
  }
  const std::size_t digits = number[0] == '-' || number[0] == '+' ? 1 : 0;
  if (number.compare(digits, 1, ".") == 0) number.insert(digits, "0");
  if (number.back() == '.') number += "0";
  if (is_toml(number)) return number;
  const bool is_word = std::all_of(value.begin(), value.end(),
                                   [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
  return is_word || is_constant_formula(value) ? "\"" + value + "\"" : value;
}

}  // namespace

toml::table toml_document(const std::string& text, const std::string& path) {
  require_plain_text(text, path);
  require_shallow_keys(text, path);
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    const std::string line = line_of(text, error.source().begin.line);
    const std::string meant = with_replaced_values(line, valid_value);
    const auto marks = [](const std::string& part) { return std::count(part.begin(), part.end(), '"'); };
    const char* const why =
        marks(meant) > marks(line) ? ": words, and formulas for numbers, stand in quotation marks" : "";
    refuse(place_of(path, error.source()), "", "not valid TOML: " + std::string(error.description()),
           meant.empty() ? "correct this line; every key may appear once" : "write " + shortened(meant) + why);
  }
}

}  // namespace underdamp
