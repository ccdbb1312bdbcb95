#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A formula as tokens, with signs that are not ASCII in their place.
namespace underdamp {

enum class TokenKind { number, name, open, close, power, other };  // power: "^2" of a raised 2

struct Token {
  TokenKind kind;
  std::string text;
  std::string gap;        ///< blanks before it
  std::size_t character;  ///< from 1
};

/// What is wrong in a formula, and what to write instead.
struct FormulaFault {
  std::string problem;
  std::string cure;
  std::size_t character = 0;  ///< where, from 1
};

/// Keeps what comes first in the formula.
void note_first(std::optional<FormulaFault>& first, std::size_t character, const std::string& problem,
                const std::string& cure);

struct FormulaTokens {
  std::vector<Token> tokens;
  std::optional<FormulaFault> first;  ///< of what was read otherwise than it stands there
};
FormulaTokens read_tokens(const std::string& formula);

bool is_digit(char c);
/// A letter of the Greek alphabet; π has a value and is a sign.
bool is_greek(std::string_view sign);

}  // namespace underdamp
