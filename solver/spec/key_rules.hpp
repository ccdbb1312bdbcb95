#pragma once
#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

/// What the value of a key may be. Of every rule expected() is the words of messages, type() and range() those of lists
/// of keys (docs/spec.md).
namespace underdamp {

/// A number.
struct Range {
  double lower = -std::numeric_limits<double>::infinity();
  double upper = std::numeric_limits<double>::infinity();
  bool lower_open = false;
  bool upper_open = false;

  bool contains(double x) const {
    return (lower_open ? x > lower : x >= lower) && (upper_open ? x < upper : x <= upper);
  }
  std::string expected() const;  ///< "a number > 0"
  std::string type() const { return "number"; }
  std::string range() const;  ///< "> 0"
};
inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr double coordinate_limit = 1e60;  // squares and products of four stay finite
inline constexpr Range any{};
inline constexpr Range positive{0.0, infinity, true, false};
inline constexpr Range non_negative{0.0, infinity, false, false};
inline constexpr Range coordinate{-coordinate_limit, coordinate_limit, false, false};

struct WholeNumber {
  long lower;
  long upper;

  std::string expected() const;
  std::string type() const { return "whole number"; }
  std::string range() const;
};

struct Text {
  std::string what;

  std::string expected() const { return what; }
  std::string type() const { return "text"; }
  std::string range() const { return {}; }
};

/// Of a file, relative to the folder of the spec.
struct FileName {
  std::string what;

  std::string expected() const { return what; }
  std::string type() const { return "text"; }
  std::string range() const { return {}; }
};

struct TrueOrFalse {
  std::string expected() const { return "true or false"; }
  std::string type() const { return "boolean"; }
  std::string range() const { return {}; }
};

/// One of some words, each of which stands for a value.
template <class Value>
struct Words {
  std::vector<std::pair<std::string, Value>> words;

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, value] : words) result.push_back(name);
    return result;
  }
  /// The word for a value; empty if it has none.
  std::string name_of(const Value& value) const {
    for (const auto& [name, meaning] : words) {
      if (meaning == value) return name;
    }
    return {};
  }
  std::string type() const { return "word"; }
  std::string range() const { return {}; }
};

inline const std::string list_of_words = "list of words";

/// A list of such words.
template <class Value>
struct WordList {
  Words<Value> words;
  std::string what;

  std::vector<std::string> names() const { return words.names(); }
  std::string expected() const { return what; }
  std::string type() const { return list_of_words; }
  std::string range() const { return {}; }
};

struct Numbers {
  std::size_t least;
  Range each;
  std::string what;

  std::string expected() const { return what; }
  std::string type() const { return "list of numbers"; }
  std::string range() const { return each.range(); }
};

/// "auto" or [min, max].
struct BoxSide {
  std::string expected() const { return R"("auto" or [min, max] with min < max, such as [0, "2*pi"])"; }
  std::string type() const { return "\"auto\" or [min, max]"; }
  std::string range() const { return "min < max"; }
};

/// The same where nothing is chosen: a key that is left out has no value.
struct FromTo : BoxSide {
  std::string type() const { return "[min, max]"; }
  std::string range() const { return {}; }
};

/// Names of abscissa and ordinate in a CSV.
struct ColumnNames {
  std::string expected() const { return R"(two column names, ["abscissa", "ordinate"])"; }
  std::string type() const { return "two texts"; }
  std::string range() const { return {}; }
};

/// Numbers of Hessian modes from 1; none are all.
struct ModeNumbers {
  std::string expected() const { return R"("all" or a list of mode numbers from 1, such as [1, 2, 5])"; }
  std::string type() const { return R"("all" or a list of whole numbers)"; }
  std::string range() const { return {}; }
};

/// Cells along θ and v.
struct CellCounts {
  WholeNumber each;

  std::string expected() const;
  std::string type() const { return "two whole numbers"; }
  std::string range() const { return each.range(); }
};

/// One word for both θ walls, or [lower, upper].
template <class Boundary>
struct WallWords {
  Words<Boundary> words;

  std::vector<std::string> names() const { return words.names(); }
  std::string expected() const { return R"(one word for both walls, or two: ["reflecting", "open"] = lower, upper)"; }
  std::string type() const { return "word or two words"; }
  std::string range() const { return {}; }
};

/// A covariance of one parameter, [[variance]].
struct Variance {
  std::string expected() const { return "[[variance]], one parameter"; }
  std::string type() const { return "[[number]]"; }
  std::string range() const { return {}; }
};

/// A point of the plane, [θ, v].
struct Point {
  std::string expected() const { return "two numbers [theta, velocity]"; }
  std::string type() const { return "two numbers"; }
  std::string range() const { return {}; }
};

/// A covariance of (θ, v).
struct Covariance {
  std::string expected() const { return "[[var_theta, cov], [cov, var_v]]"; }
  std::string type() const { return "symmetric matrix"; }
  std::string range() const { return "positive definite"; }
};

/// "1e-6" rather than "1e-06", "100000" and "1e6".
std::string short_number(double value);

}  // namespace underdamp
