#include "solver/io/csv.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "solver/io/diagnostics.hpp"
#include "solver/io/files.hpp"

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
  struct Comment {
    std::size_t line;
    std::string text;
  };

  CsvScanner(const std::string& text, const std::string& path) : text_(text), path_(path) {
    if (text_.rfind("\xEF\xBB\xBF", 0) == 0) position_ = 3;  // byte-order mark
  }

  std::size_t line() const { return line_; }
  /// Those before the first record.
  const std::vector<Comment>& comments() const { return comments_; }

  /// Next record that is neither an empty line nor a comment; false at the end.
  bool next(std::vector<std::string>& fields) {
    do {
      while (skip_comment()) {
      }
      if (position_ >= text_.size()) return false;
      line_ = next_line_;
      read_record(fields);
    } while (fields.size() == 1 && trimmed(fields[0]).empty());
    has_record_ = true;
    return true;
  }

 private:
  bool skip_comment() {
    const std::size_t begin = text_.find_first_not_of(" \t", position_);
    if (begin == std::string::npos || text_[begin] != '#') return false;
    const std::size_t end = std::min(text_.find_first_of("\r\n", begin), text_.size());
    if (!has_record_) comments_.push_back({next_line_, text_.substr(begin, end - begin)});
    position_ = end;
    if (position_ < text_.size() && ends_line(text_[position_++])) ++next_line_;
    return true;
  }

  /// Is a character that was just read the end of a line? Of CR LF the LF is.
  bool ends_line(char c) {
    if (c == '\r' && position_ < text_.size() && text_[position_] == '\n') ++position_;
    return c == '\r' || c == '\n';
  }

  void read_record(std::vector<std::string>& fields) {
    fields.assign(1, {});
    bool quoted = false;
    while (position_ < text_.size()) {
      const char c = text_[position_++];
      if (quoted) {
        if (ends_line(c)) ++next_line_;
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
      } else if (ends_line(c)) {
        ++next_line_;
        return;
      } else {
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
  bool has_record_ = false;
  std::vector<Comment> comments_;
};

/// A finite number, with or without one sign; what is too small for a double is 0.
bool is_number(const std::string& cell, double& value) {
  const bool plus = !cell.empty() && cell[0] == '+';
  if (plus && cell.size() > 1 && cell[1] == '-') return false;
  const char* const begin = cell.data() + (plus ? 1 : 0);
  const char* const end = cell.data() + cell.size();
  auto [stop, code] = std::from_chars(begin, end, value);
  if (code == std::errc::result_out_of_range && cell.find_first_of("eE") != std::string::npos &&
      cell[cell.find_first_of("eE") + 1] == '-') {
    value = 0.0;
    code = std::errc{};
  }
  return begin != end && code == std::errc{} && stop == end && std::isfinite(value);
}

bool is_number(const std::string& cell) {
  double value = 0.0;
  return is_number(cell, value);
}

bool is_unnamed(const std::string& name) {
  return name.empty() || name.rfind("Unnamed: ", 0) == 0;
}

/// Numbers, and perhaps the words that stand for none.
bool holds_data(const std::vector<std::string>& cells) {
  const auto is_word_for_none = [](const std::string& cell) {
    double value = 0.0;
    return std::from_chars(cell.data(), cell.data() + cell.size(), value).ptr == cell.data() + cell.size() &&
           !std::isfinite(value);
  };
  bool any = false;
  for (const std::string& cell : cells) {
    const std::string text = trimmed(cell);
    if (!is_number(text) && !is_word_for_none(text)) return false;
    any = any || is_number(text);
  }
  return any;
}

std::vector<std::string> split_comment(const std::string& comment, bool at_commas) {
  std::vector<std::string> cells;
  std::istringstream stream(comment.substr(std::min(comment.find_first_not_of("# \t"), comment.size())));
  for (std::string cell; at_commas ? bool(std::getline(stream, cell, ',')) : bool(stream >> cell);) {
    cell = trimmed(cell);
    if (cell.size() > 1 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
    cells.push_back(cell);
  }
  return cells;
}

/// The comment nearest to the data that names as many columns, at commas or else at blanks; null if there is none.
const CsvScanner::Comment* header_in(const std::vector<CsvScanner::Comment>& comments, std::size_t columns,
                                     std::vector<std::string>& names) {
  for (const bool at_commas : {true, false}) {
    for (std::size_t k = comments.size(); k-- > 0;) {
      names = split_comment(comments[k].text, at_commas);
      if (names.size() == columns && !holds_data(names)) return &comments[k];
    }
  }
  return nullptr;
}

/// One cell that holds several numbers with blanks between them.
bool is_separated_by_blanks(const std::vector<std::string>& cells) {
  std::istringstream stream(cells[0]);
  int numbers = 0;
  for (std::string word; stream >> word; ++numbers) {
    if (!is_number(word)) return false;
  }
  return cells.size() == 1 && numbers > 1;
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

void CsvTable::take_names(std::vector<std::string> names, std::size_t line) {
  names_ = std::move(names);
  header_line_ = line;
  for (std::string& name : names_) name = trimmed(name);
  if (names_.size() == 1 && names_[0].find_first_of(";\t") != std::string::npos) {
    refuse(fmt::format("{}:{}", path_, line), "", "the columns are separated by semicolons or tabs",
           "separate them by commas");
  }
}

void CsvTable::take_row(std::vector<std::string>& cells, std::size_t line) {
  if (lines_.empty() && is_separated_by_blanks(cells)) {
    refuse(fmt::format("{}:{}", path_, line), "", "the columns are separated by blanks",
           "separate them by commas (numpy.savetxt: delimiter=\",\")");
  }
  if (cells_.size() + cells.size() > maximum_cells) {
    refuse(path_, "", fmt::format("more than {} cells, of which {} are in each row", maximum_cells, cells.size()),
           "use fewer rows");
  }
  lines_.push_back(line);
  for (std::string& cell : cells) cells_.push_back(trimmed(cell));
}

CsvTable CsvTable::parse(const std::string& text, const std::string& path) {
  require_plain_text(text, path);
  CsvTable table;
  table.path_ = path;
  CsvScanner scanner(text, path);
  std::vector<std::string> cells;
  if (!scanner.next(cells)) refuse(path, "", "the file is empty", "expected a CSV with a header line");
  bool is_row = holds_data(cells);
  if (is_row) {
    std::vector<std::string> names;
    const CsvScanner::Comment* const header = header_in(scanner.comments(), cells.size(), names);
    if (header == nullptr) {
      refuse(fmt::format("{}:{}", path, scanner.line()), "", "there is no header, the first line holds numbers",
             "name the columns in the first line");
    }
    table.take_names(std::move(names), header->line);
  } else {
    table.take_names(std::move(cells), scanner.line());
    is_row = scanner.next(cells);
  }
  Diagnostics problems(most_reported);
  for (; is_row; is_row = scanner.next(cells)) {
    if (cells.size() == table.names_.size()) {
      table.take_row(cells, scanner.line());
    } else {
      problems.add(fmt::format("{}:{}", path, scanner.line()), "",
                   fmt::format("this row has {} cells, the header has {}", cells.size(), table.names_.size()),
                   "give every row one cell per column");
    }
  }
  problems.throw_if_any();
  if (table.rows() == 0) refuse(path, "", "the file has a header but no rows", "add data");
  return table;
}

std::string CsvTable::place(std::size_t row) const {
  return fmt::format("{}:{}", path_, lines_[row]);
}

std::size_t CsvTable::column(const std::string& name) const {
  if (name.empty()) return names_.size();
  return static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
}

std::vector<std::string> CsvTable::given_names() const {
  std::vector<std::string> names;
  for (const std::string& name : names_) {
    if (!is_unnamed(name)) names.push_back(name);
  }
  return names;
}

void CsvTable::require_columns(const std::vector<std::string>& names) const {
  const std::string where = fmt::format("{}:{}", path_, header_line_);
  const std::vector<std::string> given = given_names();
  Diagnostics problems(most_reported);
  for (const std::string& name : std::set<std::string>(names.begin(), names.end())) {
    if (!has(name)) {
      const std::string nearest = nearest_name(name, given);
      const std::string remedy = given.empty() ? "name the columns there" : "columns: " + join_names(given);
      problems.add(where, "", "there is no column \"" + shortened(name) + "\"",
                   nearest.empty() ? remedy : "did you mean \"" + nearest + "\"?");
    } else if (std::count(names_.begin(), names_.end(), name) > 1) {
      problems.add(where, "", "two columns are called \"" + shortened(name) + "\"", "rename one of them");
    }
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
