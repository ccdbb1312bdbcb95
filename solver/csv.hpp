#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace underdamp {

/// A CSV file with one header line (RFC 4180: quotes, CRLF). Cells are kept as text until a column is asked for as
/// numbers, so that columns nobody uses may hold anything.
class CsvTable {
 public:
  /// Throws SpecError that names file, line and column if the file cannot be read, has no header, no rows, rows of
  /// different length, repeated or empty column names, or more than `maximum_cells` cells.
  static CsvTable read(const std::string& path);
  static CsvTable parse(const std::string& text, const std::string& path);

  static constexpr std::size_t maximum_cells = 100'000'000;

  const std::string& path() const { return path_; }
  const std::vector<std::string>& names() const { return names_; }
  std::size_t rows() const { return lines_.size(); }
  bool has(const std::string& name) const { return column(name) < names_.size(); }

  /// Values of columns. Throws SpecError: the nearest name for each column that is missing; file:line:column of the
  /// first cells that are empty, not a number or not finite.
  std::vector<std::vector<double>> numbers(const std::vector<std::string>& names) const;

  /// file:line of a row.
  std::string place(std::size_t row) const;

 private:
  std::size_t column(const std::string& name) const;  ///< names_.size() if there is none
  void require_columns(const std::vector<std::string>& names) const;

  std::string path_;
  std::vector<std::string> names_;
  std::vector<std::string> cells_;  ///< row-major
  std::vector<std::size_t> lines_;  ///< line of the file on which each row starts
};

}  // namespace underdamp
