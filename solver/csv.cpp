#include "solver/csv.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/diagnostics.hpp"

namespace underdamp {
namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Splits text into records; line_ is the line of the record that was read last.
class CsvScanner {
 public:
  CsvScanner(const std::string& text, const std::string& path) : text_(text), path_(path) {
    if (text_.rfind("\xEF\xBB\xBF", 0) == 0) position_ = 3;  // byte-order mark
  }

  std::size_t line() const { return line_; }

  /// Next record that is not an empty line; false at the end.
  bool next(std::vector<std::string>& fields) {
    do {
      if (position_ >= text_.size()) return false;
      line_ = next_line_;
      read_record(fields);
    } while (fields.size() == 1 && trimmed(fields[0]).empty());
    return true;
  }

 private:
  void read_record(std::vector<std::string>& fields) {
    fields.assign(1, {});
    bool quoted = false;
    while (position_ < text_.size()) {
      const char c = text_[position_++];
      if (quoted) {
        if (c == '\n') ++next_line_;
        if (c != '"') {
          fields.back() += c;
        } else if (position_ < text_.size() && text_[position_] == '"') {
          fields.back() += text_[position_++];
        } else {
          quoted = false;
        }
      } else if (c == '"' && trimmed(fields.back()).empty()) {
        fields.back().clear();
        quoted = true;
      } else if (c == ',') {
        fields.emplace_back();
      } else if (c == '\n') {
        ++next_line_;
        return;
      } else if (c != '\r') {
        fields.back() += c;
      }
    }
    if (quoted) {
      throw Error(ExitCode::bad_input, "a quotation mark is not closed", fmt::format("{}:{}", path_, line_),
                  "close it, or double quotation marks inside a cell");
    }
  }

  const std::string& text_;
  const std::string& path_;
  std::size_t position_ = 0;
  std::size_t line_ = 0;
  std::size_t next_line_ = 1;
};

void require_names(const std::vector<std::string>& names, const std::string& path) {
  std::set<std::string> seen;
  for (std::size_t c = 0; c < names.size(); ++c) {
    const std::string where = fmt::format("{}:1", path);
    if (names[c].empty()) {
      throw Error(ExitCode::bad_input, fmt::format("column {} has no name", c + 1), where,
                  "the first line must name every column");
    }
    if (!seen.insert(names[c]).second) {
      throw Error(ExitCode::bad_input, "two columns are called \"" + names[c] + "\"", where, "rename one of them");
    }
  }
}

}  // namespace

CsvTable CsvTable::read(const std::string& path) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code)) {
    throw Error(ExitCode::bad_input, "there is no such file", path,
                "file names in a spec are relative to the folder of the spec");
  }
  constexpr std::uintmax_t limit = std::uintmax_t{1} << 30;
  if (std::filesystem::file_size(path, code) > limit || code) {
    throw Error(ExitCode::bad_input, "the file is larger than 1 GiB", path,
                "keep only the rows and columns that are used");
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) throw Error(ExitCode::bad_input, "cannot read the file", path, "check its permissions");
  return parse(text.str(), path);
}

CsvTable CsvTable::parse(const std::string& text, const std::string& path) {
  CsvTable table;
  table.path_ = path;
  CsvScanner scanner(text, path);
  if (!scanner.next(table.names_))
    throw Error(ExitCode::bad_input, "the file is empty", path, "expected a CSV with a header line");
  for (std::string& name : table.names_) name = trimmed(name);
  require_names(table.names_, path);
  std::vector<std::string> fields;
  while (scanner.next(fields)) {
    if (fields.size() != table.names_.size()) {
      throw Error(ExitCode::bad_input,
                  fmt::format("this row has {} cells, the header has {}", fields.size(), table.names_.size()),
                  fmt::format("{}:{}", path, scanner.line()), "give every row one cell per column");
    }
    if (table.cells_.size() + fields.size() > maximum_cells) {
      throw Error(ExitCode::bad_input, fmt::format("more than {} cells", maximum_cells), path, "use fewer rows");
    }
    table.lines_.push_back(scanner.line());
    for (std::string& field : fields) table.cells_.push_back(trimmed(field));
  }
  if (table.rows() == 0) throw Error(ExitCode::bad_input, "the file has a header but no rows", path, "add data");
  return table;
}

bool CsvTable::has(const std::string& name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

std::vector<double> CsvTable::numbers(const std::string& name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) {
    const std::string nearest = nearest_name(name, names_);
    throw Error(ExitCode::bad_input, "there is no column \"" + name + "\"", path_ + ":1",
                nearest.empty() ? "columns: " + join_names(names_) : "did you mean \"" + nearest + "\"?");
  }
  const auto column = static_cast<std::size_t>(found - names_.begin());
  std::vector<double> values;
  values.reserve(rows());
  for (std::size_t r = 0; r < rows(); ++r) {
    const std::string& cell = cells_[r * names_.size() + column];
    double value = 0.0;
    const char* const begin = cell.data() + (!cell.empty() && cell[0] == '+' ? 1 : 0);
    const auto [end, code] = std::from_chars(begin, cell.data() + cell.size(), value);
    if (cell.empty() || code != std::errc{} || end != cell.data() + cell.size() || !std::isfinite(value)) {
      const std::string problem =
          cell.empty() ? "an empty cell" : "\"" + cell.substr(0, 40) + "\" is not a finite number";
      throw Error(ExitCode::bad_input, "column \"" + name + "\": " + problem,
                  fmt::format("{}:{}:{}", path_, lines_[r], column + 1), "fill it, or remove the row or the column");
    }
    values.push_back(value);
  }
  return values;
}

}  // namespace underdamp
