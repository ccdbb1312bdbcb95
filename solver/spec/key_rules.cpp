#include "solver/spec/key_rules.hpp"

#include <cmath>

#include <fmt/format.h>

namespace underdamp {

std::string short_number(double value) {
  constexpr double longest = 1e6;  // what is written out
  std::string text = fmt::format("{}", value);
  if (std::abs(value) >= longest) {
    int power = 0;
    double digits = value;
    while (std::fmod(digits, 10.0) == 0.0) {
      digits /= 10.0;
      ++power;
    }
    if (std::abs(digits) < 10.0) text = fmt::format("{}e{}", digits, power);
  }
  for (const char* padded : {"e-0", "e+0", "e+"}) {
    const auto at = text.find(padded);
    if (at != std::string::npos)
      text.replace(at, std::char_traits<char>::length(padded), padded[1] == '-' ? "e-" : "e");
  }
  return text;
}

std::string Range::expected() const {
  if (!std::isfinite(lower) && !std::isfinite(upper)) return "a number";
  if (!std::isfinite(upper)) return fmt::format("a number {} {}", lower_open ? ">" : "≥", lower);
  return fmt::format("a number in {}{}, {}{}", lower_open ? "(" : "[", lower, upper, upper_open ? ")" : "]");
}

std::string Range::range() const {
  if (!std::isfinite(lower) || lower <= -coordinate_limit) return {};
  const std::string from = short_number(lower);
  if (!std::isfinite(upper)) return (lower_open ? "> " : "≥ ") + from;
  const std::string to = short_number(upper);
  if (!lower_open && !upper_open) return from + " … " + to;
  return (lower_open ? "(" : "[") + from + ", " + to + (upper_open ? ")" : "]");
}

std::string WholeNumber::expected() const {
  return fmt::format("a whole number from {} to {}", lower, upper);
}

std::string WholeNumber::range() const {
  const std::string from = short_number(static_cast<double>(lower));
  if (upper == std::numeric_limits<long>::max()) return "≥ " + from;
  return from + " … " + short_number(static_cast<double>(upper));
}

std::string CellCounts::expected() const {
  return fmt::format("two whole numbers [theta, velocity] from {} to {}", each.lower, each.upper);
}

}  // namespace underdamp
