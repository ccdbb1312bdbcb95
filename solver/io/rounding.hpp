#pragma once
#include <string>

/// Numbers for readers: no more digits than an estimated error supports.
namespace underdamp {

/// Significant digits that are shown at most.
inline constexpr int most_digits = 6;

/// A value to the decimal place of the first digit of its error, with at most six digits: 0.51487 with an error of 2e-4
/// is "0.5149"; "0" where the error is as large as the value. An error that is not known (negative, NaN) leaves six
/// digits.
std::string rounded_to_error(double value, double error);

/// The same with the error behind it, rounded up: "0.5149 ± 2e-4", "0 ± 1e-9". An error that no shown digit feels is
/// left out.
std::string with_error(double value, double error);

}  // namespace underdamp
