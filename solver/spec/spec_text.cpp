#include "solver/spec/spec_text.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "solver/io/diagnostics.hpp"

namespace underdamp {
namespace {

/// Position behind the string that begins at `begin`, or behind the line where a string of one line is not closed.
std::size_t end_of_string(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  const std::string_view three = quote == '"' ? R"(""")" : "'''";
  const bool is_long = text.substr(begin, 3) == three;
  for (std::size_t k = begin + (is_long ? 3 : 1); k < text.size(); ++k) {
    if (text[k] == '\\' && quote == '"') {
      ++k;
    } else if (!is_long && (text[k] == quote || text[k] == '\n')) {
      return k + 1;
    } else if (is_long && text.substr(k, 3) == three) {
      return k + 3;
    }
  }
  return text.size();
}

}  // namespace

void require_shallow_keys(const std::string& text, const std::string& path) {
  int parts = 1;
  std::size_t line = 1;
  for (std::size_t k = 0; k < text.size();) {
    const char c = text[k];
    if (c == '"' || c == '\'') {
      const std::size_t end = end_of_string(text, k);
      for (; k < end; ++k) line += text[k] == '\n' ? 1 : 0;
      continue;
    }
    if (c == '#') {
      k = std::min(text.find('\n', k), text.size());
      continue;
    }
    if (c == '\n') ++line;
    if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) parts = 1;
    if (c == '.' && ++parts > most_key_parts) {
      refuse(fmt::format("{}:{}", path, line), "",
             fmt::format("a key of more than {} parts with dots between them", most_key_parts), "see docs/spec.md");
    }
    ++k;
  }
}

std::string with_replaced_values(const std::string& line,
                                 const std::function<std::string(const std::string&)>& replacement) {
  const std::size_t equals = line.find('=');
  if (equals == line.find_first_not_of(" \t")) return "";  // there is no key, or nothing at all
  std::size_t k = equals == std::string::npos ? 0 : equals + 1;
  std::string result = line.substr(0, k);
  bool changed = false;
  while (k < line.size() && line[k] != '#') {
    if (line[k] == '"' || line[k] == '\'') {
      const std::size_t end = std::min(end_of_string(line, k), line.size());
      result += line.substr(k, end - k);
      k = end;
      continue;
    }
    std::size_t end = k;
    int depth = 0;  // commas inside parentheses belong to the value
    for (; end < line.size() && (depth > 0 || std::string_view(",[]{}#\"'").find(line[end]) == std::string_view::npos);
         ++end)
      depth += line[end] == '(' ? 1 : line[end] == ')' ? -1 : 0;
    const std::string_view piece = std::string_view(line).substr(k, std::max(end, k + 1) - k);
    const std::size_t first = piece.find_first_not_of(" \t\r");
    if (end > k && first != std::string_view::npos) {
      const std::size_t last = piece.find_last_not_of(" \t\r") + 1;
      const std::string value(piece.substr(first, last - first));
      const std::string other = value.find('=') == std::string::npos ? replacement(value) : value;
      changed = changed || other != value;
      result += std::string(piece.substr(0, first)) + other + std::string(piece.substr(last));
    } else {
      result += piece;
    }
    k += piece.size();
  }
  return changed ? result + line.substr(k) : "";
}

}  // namespace underdamp
