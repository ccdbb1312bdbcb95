#include "validation/verify_report.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include <fmt/format.h>

#include "generated/version.hpp"
#include "meshes/error.hpp"

namespace underdamp {
namespace {

using Json = nlohmann::ordered_json;

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed:
      return "passed";
    case Verdict::failed:
      return "FAILED";
    case Verdict::unresolved:
      return "UNRESOLVED";
    case Verdict::reported:
      break;
  }
  return "reported";
}

/// In files.
const char* verdict_word(Verdict verdict) {
  if (verdict == Verdict::failed) return "failed";
  return verdict == Verdict::unresolved ? "unresolved" : verdict_name(verdict);
}

const char* kind_name(CheckKind kind) {
  return kind == CheckKind::p_value ? "p_value" : "error";
}

std::string name_of(const Check& check) {
  return check.plane.empty() ? check.quantity : check.plane + ": " + check.quantity;
}

std::string number(double value) {
  return std::isnan(value) ? "–" : fmt::format("{:.6g}", value);
}

/// Columns that a terminal shows for UTF-8 text without wide characters.
std::size_t width_of(const std::string& text) {
  std::size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return width;
}
std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, width_of(text)), ' ');
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

}  // namespace

std::string verify_table(const std::vector<Check>& checks) {
  std::size_t longest = width_of("quantity");
  for (const Check& check : checks) longest = std::max(longest, width_of(name_of(check)));
  const auto row = [&](const std::string& name, const std::string& a, const std::string& b, const std::string& c,
                       const std::string& d, const std::string& verdict) {
    return padded(name, longest) + "  " + padded(a, 13) + padded(b, 13) + padded(c, 13) + padded(d, 13) + verdict +
           "\n";
  };
  std::string text = row("quantity", "computed", "reference", "error", "tolerance", "verdict");
  std::string notes;
  std::set<std::pair<std::string, std::string>> told;
  for (const Check& check : checks) {
    text += row(name_of(check), number(check.computed), number(check.reference), number(check.error),
                check.verdict == Verdict::reported ? "–" : number(check.tolerance), verdict_name(check.verdict));
    // Planes of a batch say the same.
    if (!check.note.empty() && told.insert({check.quantity, check.note}).second)
      notes += fmt::format("  {}: {}\n", check.quantity, check.note);
  }
  return text + (notes.empty() ? "" : "notes\n" + notes);
}

Json verify_json(const std::string& title, const std::string& device, const std::vector<Check>& checks) {
  Json list = Json::array();
  for (const Check& check : checks) {
    list.push_back({{"plane", check.plane},
                    {"quantity", check.quantity},
                    {"computed", check.computed},
                    {"reference", check.reference},
                    {"error", check.error},
                    {"tolerance", check.tolerance},
                    {"kind", kind_name(check.kind)},
                    {"verdict", verdict_word(check.verdict)},
                    {"note", check.note}});
  }
  return {{"title", title},   {"version", version},           {"commit", commit},
          {"device", device}, {"passed", all_passed(checks)}, {"checks", list}};
}

std::string verify_junit(const std::string& title, const std::vector<Check>& checks) {
  std::size_t failures = 0;
  std::size_t skipped = 0;
  std::string cases;
  for (const Check& check : checks) {
    cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\"", escaped(title), escaped(name_of(check)));
    const std::string numbers =
        fmt::format("computed {}, reference {}, error {}, tolerance {}. {}", number(check.computed),
                    number(check.reference), number(check.error), number(check.tolerance), check.note);
    if (check.fails()) {
      ++failures;
      cases += fmt::format(">\n      <failure message=\"{}\"/>\n    </testcase>\n", escaped(numbers));
    } else if (check.verdict == Verdict::reported) {
      ++skipped;
      cases +=
          fmt::format(">\n      <skipped message=\"reported, not judged: {}\"/>\n    </testcase>\n", escaped(numbers));
    } else {
      cases += "/>\n";
    }
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" "
      "skipped=\"{}\">\n{}"
      "  </testsuite>\n</testsuites>\n",
      escaped(title), checks.size(), failures, skipped, cases);
}

void compare_with_baseline(const std::filesystem::path& baseline, std::vector<Check>& checks) {
  std::map<std::string, Check> now;
  for (const Check& check : checks) now[name_of(check)] = check;
  Json json;
  try {
    json = Json::parse(std::ifstream(baseline));
    for (const Json& entry : json.at("checks")) {
      if (entry.at("verdict") == "reported" || entry.at("error").is_null()) continue;
      const std::string plane = entry.at("plane");
      const std::string quantity = entry.at("quantity");
      const double before = entry.at("error");
      const double tolerance = entry.at("tolerance");
      const auto found = now.find(plane.empty() ? quantity : plane + ": " + quantity);
      if (found == now.end()) {
        checks.push_back({plane, quantity, 0.0, 0.0, std::nan(""), tolerance, Verdict::failed,
                          "the baseline has it, this run has not"});
        continue;
      }
      // Statistics are judged by their false alarms alone: a p-value has no better and worse.
      if (found->second.kind == CheckKind::p_value) continue;
      const double allowed = 2.0 * before + 0.1 * tolerance;
      if (found->second.error <= allowed) continue;
      checks.push_back({plane, "drift of " + quantity, found->second.error, before, found->second.error, allowed,
                        Verdict::failed,
                        "worse than the baseline, computed with version " + json.at("version").get<std::string>()});
    }
  } catch (const nlohmann::json::exception& error) {
    throw Error(ExitCode::bad_input, std::string("this is no baseline: ") + error.what(), baseline.string(),
                "let --baseline write a new one");
  }
}

}  // namespace underdamp
