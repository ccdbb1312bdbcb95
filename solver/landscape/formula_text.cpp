#include "solver/landscape/formula_text.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <utility>

#include "solver/io/diagnostics.hpp"
#include "solver/landscape/formula_tokens.hpp"

namespace underdamp {
namespace {

class Corrector {
 public:
  Corrector(const std::string& formula, const FormulaNames& names) : names_(names) {
    FormulaTokens read = read_tokens(formula);
    tokens_ = std::move(read.tokens);
    first_ = std::move(read.first);
    correct_bars();
    correct_modules();
    correct_names();
    correct_powers();
    add_multiplications();
  }

  std::optional<CorrectedFormula> result() const {
    if (!first_) return std::nullopt;
    CorrectedFormula corrected{"", first_->problem, first_->cure, first_->character};
    for (const Token& token : tokens_) corrected.text += token.gap + token.text;
    return corrected;
  }

 private:
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

  void note(std::size_t character, const std::string& problem, const std::string& cure) {
    note_first(first_, character, problem, cure);
  }

  static constexpr std::size_t longest_guess = 24;  ///< bytes of a name that may stand for the parameter

  const FormulaNames& names_;
  std::vector<Token> tokens_;
  std::optional<FormulaFault> first_;
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
