#include "solver/landscape/formula_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <string_view>

#include "solver/io/diagnostics.hpp"

namespace underdamp {
namespace {

enum class TokenKind { number, name, open, close, power, other };  // power: "^2" of a raised 2

struct Token {
  TokenKind kind;
  std::string text;
  std::string gap;        ///< blanks before it
  std::size_t character;  ///< from 1
};

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
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

/// A letter of the Greek alphabet; π has a value and is a sign.
bool is_greek(std::string_view sign) {
  return sign.size() == 2 && (sign[0] == '\xCE' || sign[0] == '\xCF') && sign != "π";
}

bool is_raised(std::string_view sign) {
  static const std::set<std::string_view> raised{"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹", "⁺", "⁻"};
  return raised.count(sign) > 0;
}

class Corrector {
 public:
  Corrector(const std::string& formula, const FormulaNames& names) : source_(formula), names_(names) {
    read_tokens();
    correct_bars();
    correct_modules();
    correct_names();
    correct_powers();
    add_multiplications();
  }

  std::optional<CorrectedFormula> result() const {
    if (!first_) return std::nullopt;
    CorrectedFormula corrected = *first_;
    for (const Token& token : tokens_) corrected.text += token.gap + token.text;
    return corrected;
  }

 private:
  // --- from text to tokens

  void read_tokens() {
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
  }

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
    if (grouped) note(token.character, "digits are not grouped by _", "write " + token.text);
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
      note(token.character, "a blank that is not an ordinary one", "write an ordinary blank, or none");
    } else if (token.text.empty()) {
      token.text = found;
      note(token.character, "the sign " + found + " means nothing in a formula", "use ASCII letters and signs only");
    } else {
      note(token.character, "the sign " + found + " is not ASCII", "write " + token.text + " for " + found);
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
    note(token.character, std::string("the bracket ") + c + " means nothing in a formula", "write ( and )");
  }

  // --- names

  bool is_function(const std::string& name) const { return contains(names_.functions, name); }
  bool is_value(const std::string& name) const { return contains(names_.values, name); }
  static bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
  bool is(std::size_t k, const char* text) const { return k < tokens_.size() && tokens_[k].text == text; }
  bool has_kind(std::size_t k, TokenKind kind) const { return k < tokens_.size() && tokens_[k].kind == kind; }

  /// |a| with one pair of bars; of more pairs it is not clear which belong together.
  void correct_bars() {
    std::vector<std::size_t> bars;
    for (std::size_t k = 0; k < tokens_.size(); ++k) {
      if (tokens_[k].text == "|") bars.push_back(k);
    }
    if (bars.empty()) return;
    note(tokens_[bars[0]].character, "bars are no function", "write abs(…) for |…|");
    if (bars.size() != 2) return;
    tokens_[bars[1]].kind = TokenKind::close;
    tokens_[bars[1]].text = ")";
    tokens_[bars[0]].kind = TokenKind::open;
    tokens_[bars[0]].text = "(";
    tokens_.insert(tokens_.begin() + static_cast<std::ptrdiff_t>(bars[0]),
                   {TokenKind::name, "abs", tokens_[bars[0]].gap, tokens_[bars[0]].character});
    tokens_[bars[0] + 1].gap.clear();
  }

  /// np.cos, std::cos.
  void correct_modules() {
    for (std::size_t k = 0; k < tokens_.size(); ++k) {
      std::string prefix;
      std::size_t last = k;
      while (has_kind(last, TokenKind::name) && (is(last + 1, ".") || is(last + 1, "::")) &&
             has_kind(last + 2, TokenKind::name)) {
        prefix += tokens_[last].text + tokens_[last + 1].text;
        last += 2;
      }
      if (last == k || is_value(tokens_[k].text)) continue;
      const std::string name = renamed(tokens_[last].text);
      const std::string whole = prefix + tokens_[last].text;
      if (is_function(name) || is_value(name) || is_power(name)) {
        note(tokens_[k].character, "there are no modules in a formula", "write " + name + ", not " + whole);
      } else {
        note(tokens_[k].character, "there is no " + whole, "use functions such as sin, exp, log, sqrt, abs, tanh");
      }
      tokens_[last].gap = tokens_[k].gap;
      tokens_.erase(tokens_.begin() + static_cast<std::ptrdiff_t>(k),
                    tokens_.begin() + static_cast<std::ptrdiff_t>(last));
    }
  }

  /// The name here of a function or constant of NumPy, PyTorch, SymPy, C; the same name if there is none.
  std::string renamed(const std::string& name) const {
    static const std::map<std::string, std::string> others{
        {"arcsin", "asin"},   {"arccos", "acos"},   {"arctan", "atan"},  {"arctan2", "atan2"}, {"arcsinh", "asinh"},
        {"arccosh", "acosh"}, {"arctanh", "atanh"}, {"arsinh", "asinh"}, {"arcosh", "acosh"},  {"artanh", "atanh"},
        {"fabs", "abs"},      {"absolute", "abs"},  {"sgn", "sign"},     {"maximum", "max"},   {"minimum", "min"},
        {"fmax", "max"},      {"fmin", "min"},      {"amax", "max"},     {"amin", "min"},      {"mean", "avg"},
        {"average", "avg"},   {"lg", "log10"},      {"ld", "log2"},      {"tg", "tan"}};
    if (is_function(name) || is_value(name)) return name;
    if (const auto found = others.find(name); found != others.end()) return found->second;
    std::string small = name;
    for (char& c : small) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return is_function(small) || is_value(small) ? small : name;
  }

  void correct_names() {
    const std::string parameter = lone_unknown();
    for (std::size_t k = 0; k < tokens_.size(); ++k) {
      if (tokens_[k].kind != TokenKind::name) continue;
      std::string& name = tokens_[k].text;
      if (name == "and" || name == "or") {
        note(tokens_[k].character, "\"" + name + "\" is written with signs", "write && for and, || for or");
        tokens_[k].kind = TokenKind::other;
        name = name == "and" ? "&&" : "||";
      } else if (name == "if" || name == "else") {
        note(tokens_[k].character, "choices are written with ? and :", "write condition ? this : that");
      } else if (!has_kind(k + 1, TokenKind::open) && means_the_parameter(name, parameter)) {
        note(tokens_[k].character, "there is no " + name, "write " + names_.variable + " for the parameter");
        name = names_.variable;
      } else if (const std::string other = renamed(name); other != name) {
        note(tokens_[k].character, "there is no " + name, "write " + other);
        name = other;
      } else if (is_variable_with_digits(name)) {
        note(tokens_[k].character, "there is no " + name,
             "write " + names_.variable + "^" + name.substr(names_.variable.size()) + " or " +
                 name.substr(names_.variable.size()) + "*" + names_.variable);
      } else if (is_greek(name)) {
        note(tokens_[k].character, "there is no " + name, "write the number that it stands for");
      }
    }
  }

  /// x2, which may be a power or a product.
  bool is_variable_with_digits(const std::string& name) const {
    const std::string& x = names_.variable;
    return !x.empty() && name.size() > x.size() && name.compare(0, x.size(), x) == 0 &&
           std::all_of(name.begin() + static_cast<std::ptrdiff_t>(x.size()), name.end(), is_digit);
  }

  /// The only unknown name in a formula without the variable: then it is what the formula is about.
  std::string lone_unknown() const {
    std::set<std::string> unknown;
    for (std::size_t k = 0; k < tokens_.size(); ++k) {
      if (tokens_[k].kind != TokenKind::name || has_kind(k + 1, TokenKind::open)) continue;
      if (tokens_[k].text == names_.variable) return {};
      const std::string name = renamed(tokens_[k].text);
      if (!is_value(name) && !is_function(name)) unknown.insert(tokens_[k].text);
    }
    const bool is_one = unknown.size() == 1 && unknown.begin()->size() <= longest_guess && *unknown.begin() != "h";
    return is_one ? *unknown.begin() : "";
  }

  bool means_the_parameter(const std::string& name, const std::string& lone) const {
    static const std::set<std::string> usual{
        "θ",      "ϑ",      "φ",       "theta",   "Theta", "phi", "param", "params", "parameter", "t",  "y",
        "w",      "weight", "X",       "Y",       "W",     "z",   "u",     "q",      "s",         "p",  "weights",
        "theta0", "theta1", "theta_0", "theta_1", "x0",    "x1",  "w0",    "w1",     "x_0",       "x_1"};
    if (names_.variable.empty() || is_value(name) || is_function(name)) return false;
    return usual.count(name) > 0 || (name == lone && !is_variable_with_digits(name));
  }

  static bool is_power(const std::string& name) { return name == "pow" || name == "power" || name == "square"; }

  /// pow(a, b), power(a, b) and square(a) are signs here.
  void correct_powers() {
    for (std::size_t k = 0; k < tokens_.size(); ++k) {
      const std::string name = tokens_[k].text;
      if (!is_power(name) || is_function(name) || !has_kind(k + 1, TokenKind::open)) continue;
      const std::size_t end = closing(k + 1);
      const std::size_t comma = separator(k + 1, end);
      const bool is_square = name == "square";
      note(tokens_[k].character, "there is no " + name, is_square ? "write (…)^2" : "write (…)^(…)");
      if (end == tokens_.size() || is_square != (comma == end)) continue;
      if (is_square) {
        tokens_.insert(tokens_.begin() + static_cast<std::ptrdiff_t>(end) + 1, {TokenKind::power, "^2", "", 0});
      } else {
        tokens_[comma] = {TokenKind::close, ")", "", 0};
        tokens_.insert(tokens_.begin() + static_cast<std::ptrdiff_t>(comma) + 1,
                       {{TokenKind::other, "^", "", 0}, {TokenKind::open, "(", "", 0}});
        tokens_[comma + 3].gap.clear();
      }
      tokens_[k + 1].gap = tokens_[k].gap;
      tokens_.erase(tokens_.begin() + static_cast<std::ptrdiff_t>(k));
    }
  }

  // --- multiplication signs

  /// The bracket that closes the one at `open`; tokens_.size() if there is none.
  std::size_t closing(std::size_t open) const {
    int depth = 0;
    for (std::size_t k = open; k < tokens_.size(); ++k) {
      if (tokens_[k].kind == TokenKind::open) ++depth;
      if (tokens_[k].kind == TokenKind::close && --depth == 0) return k;
    }
    return tokens_.size();
  }
  /// The comma between two arguments; `end` if there is not exactly one.
  std::size_t separator(std::size_t open, std::size_t end) const {
    std::size_t found = end;
    int depth = 0;
    for (std::size_t k = open; k < end; ++k) {
      if (tokens_[k].kind == TokenKind::open) ++depth;
      if (tokens_[k].kind == TokenKind::close) --depth;
      if (depth != 1 || tokens_[k].text != ",") continue;
      if (found != end) return end;
      found = k;
    }
    return found;
  }

  void add_multiplications() {
    int depth = 0;
    for (std::size_t k = 0; k < tokens_.size(); ++k) {
      if (tokens_[k].kind == TokenKind::open) ++depth;
      if (tokens_[k].kind == TokenKind::close) --depth;
      if (depth == 0 && is(k, ",") && k > 0 && has_kind(k - 1, TokenKind::number) &&
          has_kind(k + 1, TokenKind::number)) {
        tokens_[k - 1].text += "." + tokens_[k + 1].text;
        note(tokens_[k].character, "a decimal comma", "write a point, " + tokens_[k - 1].text);
        tokens_.erase(tokens_.begin() + static_cast<std::ptrdiff_t>(k),
                      tokens_.begin() + static_cast<std::ptrdiff_t>(k) + 2);
        --k;
      }
      if (lacks_parentheses(k)) {
        note(tokens_[k].character, tokens_[k].text + " needs its argument in parentheses",
             "write " + tokens_[k].text + "(…)");
      } else if (has_kind(k, TokenKind::number) && has_kind(k + 1, TokenKind::number)) {
        note(tokens_[k + 1].character, "there is no sign between two numbers", "write it, or one number");
      } else if (k + 1 < tokens_.size() && ends_value(k) && begins_value(k + 1)) {
        const std::size_t first = begin_of_operand(k);
        const std::size_t last = end_of_operand(k + 1);
        note(tokens_[k + 1].character, "a multiplication sign is missing",
             "write " + shortened(joined(first, k)) + "*" + shortened(joined(k + 1, last)));
        tokens_.insert(tokens_.begin() + static_cast<std::ptrdiff_t>(k) + 1, {TokenKind::other, "*", "", 0});
        tokens_[k + 2].gap.clear();
      }
    }
  }

  bool lacks_parentheses(std::size_t k) const {
    return has_kind(k, TokenKind::name) && is_function(tokens_[k].text) && !has_kind(k + 1, TokenKind::open);
  }
  bool ends_value(std::size_t k) const {
    if (tokens_[k].kind == TokenKind::name) return is_value(tokens_[k].text);
    return tokens_[k].kind == TokenKind::number || tokens_[k].kind == TokenKind::close ||
           tokens_[k].kind == TokenKind::power;
  }
  bool begins_value(std::size_t k) const {
    if (tokens_[k].kind == TokenKind::name) return is_value(tokens_[k].text) || is_function(tokens_[k].text);
    return tokens_[k].kind == TokenKind::number || tokens_[k].kind == TokenKind::open;
  }

  std::size_t begin_of_operand(std::size_t k) const {
    if (tokens_[k].kind != TokenKind::close) return k;
    int depth = 0;
    for (std::size_t begin = k + 1; begin-- > 0;) {
      if (tokens_[begin].kind == TokenKind::close) ++depth;
      if (tokens_[begin].kind != TokenKind::open || --depth > 0) continue;
      return begin > 0 && tokens_[begin - 1].kind == TokenKind::name && is_function(tokens_[begin - 1].text) ? begin - 1
                                                                                                             : begin;
    }
    return k;
  }
  std::size_t end_of_operand(std::size_t k) const {
    const bool calls = has_kind(k, TokenKind::name) && is_function(tokens_[k].text) && has_kind(k + 1, TokenKind::open);
    if (!calls && tokens_[k].kind != TokenKind::open) return k;
    return std::min(closing(calls ? k + 1 : k), tokens_.size() - 1);
  }
  std::string joined(std::size_t first, std::size_t last) const {
    std::string text = tokens_[first].text;
    for (std::size_t k = first + 1; k <= last; ++k) text += tokens_[k].gap + tokens_[k].text;
    return text;
  }

  /// Keeps what comes first in the formula.
  void note(std::size_t character, const std::string& problem, const std::string& cure) {
    if (first_ && first_->character <= character) return;
    first_ = CorrectedFormula{"", problem, cure, character};
  }

  static constexpr std::size_t longest_guess = 24;  ///< bytes of a name that may stand for the parameter

  const std::string& source_;
  const FormulaNames& names_;
  std::vector<Token> tokens_;
  std::size_t character_begin_ = 0;
  std::optional<CorrectedFormula> first_;
};

}  // namespace

std::optional<CorrectedFormula> correct_formula(const std::string& formula, const FormulaNames& names) {
  if (formula.find_first_of("\"'") != std::string::npos) return std::nullopt;  // texts
  return Corrector(formula, names).result();
}

std::string with_power_signs(std::string formula) {
  for (std::size_t k = formula.find("**"); k != std::string::npos; k = formula.find("**", k + 2))
    formula.replace(k, 2, "^ ");
  return formula;
}

}  // namespace underdamp
