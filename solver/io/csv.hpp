#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace underdamp {

/// A CSV file with one header line (RFC 4180: quotes, CRLF; LF and CR end lines as well). Lines that begin with # are
/// comments; where the first line that is none holds numbers, the last comment before it with one name for each of them
/// is the header, as numpy.savetxt writes it. Cells are kept as text until a column is asked for as numbers, so that
/// columns nobody uses may hold anything, and may have no name or the same name as others.
class CsvTable {
 public:
  /// Throws SpecError that names file, line and column if the file cannot be read, has no header, no rows, rows of
  /// different length, or more than `maximum_cells` cells.
  static CsvTable read(const std::string& path);
  static CsvTable parse(const std::string& text, const std::string& path);

  static constexpr std::size_t maximum_cells = 100'000'000;

  const std::string& path() const { return path_; }
  const std::vector<std::string>& names() const { return names_; }
  std::size_t rows() const { return lines_.size(); }
  bool has(const std::string& name) const { return column(name) < names_.size(); }
  /// Names of the columns that have one; "Unnamed: 0" is what pandas calls one that has none.
  std::vector<std::string> given_names() const;

  /// Values of columns. Throws SpecError: the nearest name for each column that is missing, names that stand for
  /// several; file:line:column of the first cells that are empty, not a number or not finite.
  std::vector<std::vector<double>> numbers(const std::vector<std::string>& names) const;

  /// file:line of a row.
  std::string place(std::size_t row) const;

 private:
  void take_names(std::vector<std::string> names, std::size_t line);
  void take_row(std::vector<std::string>& cells, std::size_t line);
  std::size_t column(const std::string& name) const;  ///< names_.size() if there is none
  void require_columns(const std::vector<std::string>& names) const;

  std::string path_;
  std::vector<std::string> names_;
  std::size_t header_line_ = 1;
  std::vector<std::string> cells_;  ///< row-major
  std::vector<std::size_t> lines_;  ///< line of the file on which each row starts
};

}  // namespace underdamp
