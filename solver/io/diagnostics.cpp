#include "solver/io/diagnostics.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace underdamp {
namespace {

std::string all_text(const std::vector<Diagnostic>& entries) {
  std::string text;
  for (const Diagnostic& entry : entries) {
    if (!text.empty()) text += '\n';
    text += entry.text();
  }
  return text;
}

/// Number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string Diagnostic::text() const {
  std::string result;
  if (!place.empty()) result += place + ": ";
  if (!key.empty()) result += key + ": ";
  result += problem;
  if (!remedy.empty()) result += "\n  to fix: " + remedy;
  return result;
}

void Diagnostics::add(std::string place, std::string key, std::string problem, std::string remedy) {
  if (entries_.size() == limit_) {
    ++left_out_;
  } else {
    entries_.push_back({std::move(place), std::move(key), std::move(problem), std::move(remedy)});
  }
}

void Diagnostics::throw_if_any() const {
  if (entries_.empty()) return;
  std::vector<Diagnostic> all = entries_;
  if (left_out_ > 0) all.push_back({"", "", "and " + std::to_string(left_out_) + " more like these", ""});
  throw SpecError(std::move(all));
}

SpecError::SpecError(std::vector<Diagnostic> entries)
    : Error(ExitCode::bad_input, all_text(entries)), entries_(std::move(entries)) {}

void refuse(std::string place, std::string key, std::string problem, std::string remedy) {
  throw SpecError({{std::move(place), std::move(key), std::move(problem), std::move(remedy)}});
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  constexpr std::size_t longest = 64;  // the comparison takes time and memory of one length times the other
  std::string best;
  if (name.size() > longest) return best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > longest) continue;
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".ein") == std::string::npos) text += ".0";
  return text;
}

std::string shortened(const std::string& text) {
  constexpr std::size_t longest = 60;
  if (text.size() <= longest) return text;
  std::size_t end = longest - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not inside a UTF-8 character
  return text.substr(0, end) + "...";
}

std::string join_names(const std::vector<std::string>& names) {
  constexpr std::size_t most = 30;
  std::string text;
  for (std::size_t k = 0; k < names.size(); ++k) {
    if (k == most && names.size() > most + 1) return text + fmt::format(" and {} more", names.size() - most);
    if (k > 0) text += k + 1 == names.size() ? " or " : ", ";
    text += shortened(names[k]);
  }
  return text;
}

}  // namespace underdamp
