#include "solver/io/rounding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace underdamp {
namespace {

bool is_known(double error) {
  return error >= 0.0;  // not for NaN
}

int exponent_of(double value) {
  return static_cast<int>(std::floor(std::log10(std::abs(value))));
}

/// Without what C writes and readers do not need: 1e-09 → 1e-9, "12." → "12".
std::string tidied(std::string text) {
  const std::size_t e = text.find('e');
  if (e != std::string::npos) {
    const std::size_t sign = text[e + 1] == '-' ? 1 : 0;
    std::size_t digits = e + 2;
    while (digits + 1 < text.size() && text[digits] == '0') ++digits;
    text = text.substr(0, e + 1) + (sign == 1 ? "-" : "") + text.substr(digits);
  }
  const std::size_t end = std::min(text.find('e'), text.size());
  if (end > 0 && text[end - 1] == '.') text.erase(end - 1, 1);
  return text;
}

/// Significant digits of a value down to the first digit of its error; none if the error is as large as the value.
int supported_digits(double value, double error) {
  if (!is_known(error) || error == 0.0) return std::numeric_limits<int>::max();
  if (std::abs(value) <= error) return 0;
  return std::max(1, exponent_of(value) - exponent_of(error) + 1);
}

/// One digit, rounded up.
std::string error_text(double error) {
  if (error == 0.0 || std::isinf(error)) return error == 0.0 ? "0" : "inf";
  int exponent = exponent_of(error);
  double digit = std::ceil(error / std::pow(10.0, exponent) * (1.0 - 1e-9));
  if (digit >= 10.0) {
    digit = 1.0;
    ++exponent;
  }
  if (exponent < -3 || exponent > 3) return fmt::format("{:.0f}e{}", digit, exponent);
  return fmt::format("{:.{}f}", digit * std::pow(10.0, exponent), std::max(0, -exponent));
}

}  // namespace

std::string rounded_to_error(double value, double error) {
  if (!std::isfinite(value)) return fmt::format("{}", value);
  const int digits = value == 0.0 ? 0 : supported_digits(value, error);
  if (digits == 0) return "0";
  if (const int exponent = exponent_of(value); exponent >= digits - 1 && exponent < most_digits) {
    const double unit = std::pow(10.0, exponent - digits + 1);
    return fmt::format("{:.0f}", std::nearbyint(value / unit) * unit);
  }
  // Zeros at the end say how much is known; where that is more than is shown, they say nothing.
  return tidied(digits > most_digits ? fmt::format("{:.{}g}", value, most_digits)
                                     : fmt::format("{:#.{}g}", value, digits));
}

std::string with_error(double value, double error) {
  const std::string text = rounded_to_error(value, error);
  if (!std::isfinite(value)) return text;
  if (!is_known(error)) return text + " ± ?";
  // Half of the last digit that is shown, where that hides the error.
  const double hidden = value == 0.0 ? 0.0 : 0.5 * std::pow(10.0, exponent_of(value) - most_digits + 1);
  return error <= hidden ? text : text + " ± " + error_text(error);
}

}  // namespace underdamp
