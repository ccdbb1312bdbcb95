#include "solver/landscape/formula_tokens.hpp"

#include <cctype>
#include <map>
#include <set>
#include <utility>

namespace underdamp {
namespace {

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::size_t length_of_character(std::string_view text, std::size_t begin) {
  std::size_t end = begin + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
  return end - begin;
}

/// Signs that are not ASCII, and what they mean.
std::string_view ascii_of(std::string_view sign) {
  static const std::map<std::string_view, std::string_view> signs{
      {"−", "-"},      {"–", "-"},      {"—", "-"},    {"‐", "-"},     {"×", "*"},     {"·", "*"},     {"⋅", "*"},
      {"∙", "*"},      {"∗", "*"},      {"•", "*"},    {"÷", "/"},     {"∕", "/"},     {"⁄", "/"},     {"≤", "<="},
      {"≥", ">="},     {"≠", "!="},     {"⁰", "0"},    {"¹", "1"},     {"²", "2"},     {"³", "3"},     {"⁴", "4"},
      {"⁵", "5"},      {"⁶", "6"},      {"⁷", "7"},    {"⁸", "8"},     {"⁹", "9"},     {"⁺", "+"},     {"⁻", "-"},
      {"π", "pi"},     {"ℯ", "e"},      {"√", "sqrt"}, {"½", "(1/2)"}, {"¼", "(1/4)"}, {"¾", "(3/4)"}, {"\u00A0", " "},
      {"\u2009", " "}, {"\u202F", " "}, {"（", "("},   {"）", ")"}};
  const auto found = signs.find(sign);
  return found == signs.end() ? std::string_view() : found->second;
}

bool is_raised(std::string_view sign) {
  static const std::set<std::string_view> raised{"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹", "⁺", "⁻"};
  return raised.count(sign) > 0;
}

class Reader {
 public:
  explicit Reader(const std::string& formula) : source_(formula) {}

  FormulaTokens read() {
    std::size_t character = 1;
    std::string gap;
    for (std::size_t k = 0; k < source_.size();) {
      const std::size_t begin = k;
      if (std::isspace(static_cast<unsigned char>(source_[k])) != 0) {
        gap += source_[k++];
      } else {
        tokens_.push_back({TokenKind::other, "", gap, character});
        gap.clear();
        k = read_token(k, tokens_.back());
        if (tokens_.back().text == " ") {  // a blank of another kind
          gap = tokens_.back().gap + " ";
          tokens_.pop_back();
        }
      }
      while (character_begin_ < k) {
        character_begin_ += length_of_character(source_, character_begin_);
        ++character;
      }
      if (k == begin) ++k;
    }
    return {std::move(tokens_), std::move(first_)};
  }

 private:
  /// Position behind the token that begins at `k`.
  std::size_t read_token(std::size_t k, Token& token) {
    const char c = source_[k];
    if (is_digit(c) || (c == '.' && k + 1 < source_.size() && is_digit(source_[k + 1]))) return read_number(k, token);
    if (is_letter(c)) {
      token.kind = TokenKind::name;
      while (k < source_.size() && (is_letter(source_[k]) || is_digit(source_[k]))) token.text += source_[k++];
      return k;
    }
    if (static_cast<unsigned char>(c) >= 0x80U) return read_sign(k, token);
    for (const std::string_view sign : {"**", "&&", "||", "<=", ">=", "==", "!=", "::"}) {
      if (std::string_view(source_).substr(k, 2) != sign) continue;
      token.text = sign == "**" ? "^" : sign;
      return k + 2;
    }
    read_bracket(c, token);
    return k + 1;
  }

  std::size_t read_number(std::size_t k, Token& token) {
    token.kind = TokenKind::number;
    bool grouped = false;
    const auto digits = [&] {
      for (; k < source_.size(); ++k) {
        const bool separates = source_[k] == '_' && k + 1 < source_.size() && is_digit(source_[k + 1]);
        if (!is_digit(source_[k]) && !separates) return;
        if (!separates) token.text += source_[k];
        grouped = grouped || separates;
      }
    };
    digits();
    if (k < source_.size() && source_[k] == '.') {
      token.text += source_[k++];
      digits();
    }
    std::size_t power = k + 1;
    if (power < source_.size() && (source_[power] == '+' || source_[power] == '-')) ++power;
    if (k < source_.size() && (source_[k] == 'e' || source_[k] == 'E') && power < source_.size() &&
        is_digit(source_[power])) {
      token.text += source_.substr(k, power - k);
      k = power;
      digits();
    }
    if (grouped) note_first(first_, token.character, "digits are not grouped by _", "write " + token.text);
    return k;
  }

  /// A sign that is not ASCII; raised digits make one exponent.
  std::size_t read_sign(std::size_t k, Token& token) {
    const std::string_view source(source_);
    std::string found;
    std::string raised;
    std::size_t end = k;
    while (end < source.size() && is_raised(source.substr(end, length_of_character(source, end)))) {
      const std::string_view sign = source.substr(end, length_of_character(source, end));
      raised += ascii_of(sign);
      found += sign;
      end += sign.size();
    }
    if (!raised.empty()) {
      token.text = is_digit(raised[0]) ? "^" + raised : "^(" + raised + ")";
      token.kind = TokenKind::power;
    } else {
      found = source.substr(k, length_of_character(source, k));
      end = k + found.size();
      token.text = is_greek(found) ? found : ascii_of(found);
      token.kind = is_greek(found) ? TokenKind::name : kind_of(token.text);
    }
    if (is_greek(found)) return end;  // see correct_names
    if (token.text == " ") {
      note_first(first_, token.character, "a blank that is not an ordinary one", "write an ordinary blank, or none");
    } else if (token.text.empty()) {
      token.text = found;
      note_first(first_, token.character, "the sign " + found + " means nothing in a formula",
                 "use ASCII letters and signs only");
    } else {
      note_first(first_, token.character, "the sign " + found + " is not ASCII",
                 "write " + token.text + " for " + found);
    }
    return end;
  }

  static TokenKind kind_of(const std::string& text) {
    if (text.empty()) return TokenKind::other;
    if (is_letter(text[0])) return TokenKind::name;
    if (text == "(") return TokenKind::open;
    if (text == ")") return TokenKind::close;
    return text[0] == '(' ? TokenKind::number : TokenKind::other;  // (1/2)
  }

  void read_bracket(char c, Token& token) {
    token.text = c;
    if (c == '(') token.kind = TokenKind::open;
    if (c == ')') token.kind = TokenKind::close;
    if (std::string_view("[{").find(c) != std::string_view::npos) {
      token.kind = TokenKind::open;
      token.text = "(";
    } else if (std::string_view("]}").find(c) != std::string_view::npos) {
      token.kind = TokenKind::close;
      token.text = ")";
    } else {
      return;
    }
    note_first(first_, token.character, std::string("the bracket ") + c + " means nothing in a formula",
               "write ( and )");
  }

  const std::string& source_;
  std::vector<Token> tokens_;
  std::size_t character_begin_ = 0;
  std::optional<FormulaFault> first_;
};

}  // namespace

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

bool is_greek(std::string_view sign) {
  return sign.size() == 2 && (sign[0] == '\xCE' || sign[0] == '\xCF') && sign != "π";
}

void note_first(std::optional<FormulaFault>& first, std::size_t character, const std::string& problem,
                const std::string& cure) {
  if (first && first->character <= character) return;
  first = FormulaFault{problem, cure, character};
}

FormulaTokens read_tokens(const std::string& formula) {
  return Reader(formula).read();
}

}  // namespace underdamp
