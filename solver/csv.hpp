#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace underdamp {

/// A CSV file with one header line (RFC 4180: quotes, CRLF). Cells are kept as text until a column is asked for as
/// numbers, so that columns nobody uses may hold anything.
class CsvTable {
 public:
  /// Throws Error (bad_input) that names file, line and column if the file cannot be read, has no header, no rows, rows
  /// of different length, repeated or empty column names, or more than `maximum_cells` cells.
  static CsvTable read(const std::string& path);
  static CsvTable parse(const std::string& text, const std::string& path);

  static constexpr std::size_t maximum_cells = 100'000'000;

  const std::vector<std::string>& names() const { return names_; }
  std::size_t rows() const { return lines_.size(); }
  bool has(const std::string& name) const;

  /// Values of a column. Throws Error (bad_input) with the nearest name if there is no such column, or with
  /// file:line:column at the first cell that is empty, not a number or not finite.
  std::vector<double> numbers(const std::string& name) const;

 private:
  std::string path_;
  std::vector<std::string> names_;
  std::vector<std::string> cells_;  ///< row-major
  std::vector<std::size_t> lines_;  ///< line of the file on which each row starts
};

}  // namespace underdamp
