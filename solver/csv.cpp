#include "solver/csv.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "solver/diagnostics.hpp"
#include "solver/files.hpp"

namespace underdamp {
namespace {

constexpr std::size_t most_reported = 10;  // of one kind in one file

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
      refuse(fmt::format("{}:{}", path_, line_), "", "a quotation mark is not closed",
             "close it, or double quotation marks inside a cell");
    }
  }

  const std::string& text_;
  const std::string& path_;
  std::size_t position_ = 0;
  std::size_t line_ = 0;
  std::size_t next_line_ = 1;
};

bool is_number(const std::string& cell, double& value) {
  const char* const begin = cell.data() + (!cell.empty() && cell[0] == '+' ? 1 : 0);
  const char* const end = cell.data() + cell.size();
  const auto [stop, code] = std::from_chars(begin, end, value);
  return begin != end && code == std::errc{} && stop == end && std::isfinite(value);
}

void require_names(const std::vector<std::string>& names, const std::string& path) {
  const std::string where = path + ":1";
  double number = 0.0;
  if (std::all_of(names.begin(), names.end(), [&](const std::string& name) { return is_number(name, number); })) {
    refuse(where, "", "there is no header, the first line holds numbers", "name the columns in the first line");
  }
  std::set<std::string> seen;
  Diagnostics problems(most_reported);
  for (std::size_t c = 0; c < names.size(); ++c) {
    if (names[c].empty()) {
      problems.add(where, "", fmt::format("column {} has no name", c + 1), "the first line must name every column");
    } else if (!seen.insert(names[c]).second) {
      problems.add(where, "", "two columns are called \"" + shortened(names[c]) + "\"", "rename one of them");
    }
  }
  problems.throw_if_any();
}

}  // namespace

CsvTable CsvTable::read(const std::string& path) {
  require_file(path);
  constexpr std::uintmax_t limit = std::uintmax_t{1} << 30;
  std::error_code code;
  const std::uintmax_t size = std::filesystem::file_size(path, code);
  if (code) refuse(path, "", "cannot read the file: " + code.message(), "check its permissions");
  if (size > limit) {
    refuse(path, "", fmt::format("the file has {} bytes, the limit is {}", size, limit),
           "keep only the rows and columns that are used");
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return parse(text.str(), path);
}

CsvTable CsvTable::parse(const std::string& text, const std::string& path) {
  CsvTable table;
  table.path_ = path;
  CsvScanner scanner(text, path);
  if (!scanner.next(table.names_)) refuse(path, "", "the file is empty", "expected a CSV with a header line");
  for (std::string& name : table.names_) name = trimmed(name);
  require_names(table.names_, path);
  if (table.names_.size() == 1 && table.names_[0].find_first_of(";\t") != std::string::npos) {
    refuse(path + ":1", "", "the columns are separated by semicolons or tabs", "separate them by commas");
  }
  std::vector<std::string> fields;
  Diagnostics problems(most_reported);
  while (scanner.next(fields)) {
    if (fields.size() != table.names_.size()) {
      problems.add(fmt::format("{}:{}", path, scanner.line()), "",
                   fmt::format("this row has {} cells, the header has {}", fields.size(), table.names_.size()),
                   "give every row one cell per column");
      continue;
    }
    if (table.cells_.size() + fields.size() > maximum_cells) {
      refuse(path, "", fmt::format("more than {} cells, of which {} are in each row", maximum_cells, fields.size()),
             "use fewer rows");
    }
    table.lines_.push_back(scanner.line());
    for (std::string& field : fields) table.cells_.push_back(trimmed(field));
  }
  problems.throw_if_any();
  if (table.rows() == 0) refuse(path, "", "the file has a header but no rows", "add data");
  return table;
}

std::string CsvTable::place(std::size_t row) const {
  return fmt::format("{}:{}", path_, lines_[row]);
}

std::size_t CsvTable::column(const std::string& name) const {
  return static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
}

void CsvTable::require_columns(const std::vector<std::string>& names) const {
  Diagnostics problems;
  for (const std::string& name : names) {
    if (has(name)) continue;
    const std::string nearest = nearest_name(name, names_);
    problems.add(path_ + ":1", "", "there is no column \"" + shortened(name) + "\"",
                 nearest.empty() ? "columns: " + join_names(names_) : "did you mean \"" + nearest + "\"?");
  }
  problems.throw_if_any();
}

std::vector<std::vector<double>> CsvTable::numbers(const std::vector<std::string>& names) const {
  require_columns(names);
  std::vector<std::vector<double>> values(names.size(), std::vector<double>(rows()));
  std::vector<std::size_t> columns;
  for (const std::string& name : names) columns.push_back(column(name));
  Diagnostics problems(most_reported);
  for (std::size_t r = 0; r < rows(); ++r) {
    for (std::size_t k = 0; k < columns.size(); ++k) {
      const std::string& cell = cells_[r * names_.size() + columns[k]];
      if (is_number(cell, values[k][r])) continue;
      const std::string problem = cell.empty() ? "an empty cell" : "\"" + shortened(cell) + "\" is not a finite number";
      problems.add(fmt::format("{}:{}", place(r), columns[k] + 1), "",
                   "column \"" + shortened(names[k]) + "\": " + problem, "fill it, or remove the row or the column");
    }
  }
  problems.throw_if_any();
  return values;
}

}  // namespace underdamp
