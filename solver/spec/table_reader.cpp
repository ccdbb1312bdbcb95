#include "solver/spec/table_reader.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>

#include "solver/landscape/formula.hpp"

namespace underdamp {
namespace {

/// Asymmetry of a covariance, relative to the standard deviations, that products of matrices leave in either precision.
constexpr double rounding_of_float64 = 1e-12;
constexpr double rounding_of_float32 = 1e-6;

}  // namespace

std::string place_of(const std::string& file, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", file, source.begin.line, source.begin.column);
}

std::string TableReader::path(const std::string& file) const {
  const std::filesystem::path path(file);
  if (file.empty() || path.is_absolute()) return file;
  return (std::filesystem::path(spec_.file).parent_path() / path).lexically_normal().string();
}

std::optional<double> TableReader::number(const std::string& key, const Range& range) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  return number_of(*node, key, range);
}

std::optional<long> TableReader::integer(const std::string& key, const WholeNumber& rule) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  return integer_of(*node, key, rule);
}

std::optional<std::string> TableReader::text(const std::string& key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto value = node->value_exact<std::string>()) {
    if (!value->empty()) return value;
  }
  bad(*node, key, "a text in quotation marks that is not empty");
  return std::nullopt;
}

std::vector<double> TableReader::numbers(const std::string& key, const Numbers& rule) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  const toml::array* array = node->as_array();
  if (array == nullptr || array->size() < rule.least) {
    bad(*node, key, rule.expected());
    return {};
  }
  return numbers_of(*array, key, rule.each);
}

std::optional<Interval> TableReader::interval(const std::string& key, const std::string& expected) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto value = node->value_exact<std::string>(); value && *value == "auto") return std::nullopt;
  const toml::array* array = node->as_array();
  if (array == nullptr || array->size() != 2) {
    bad(*node, key, expected);
    return std::nullopt;
  }
  const auto bounds = numbers_of(*array, key, coordinate);
  if (bounds.empty()) return std::nullopt;
  if (!(bounds[1] > bounds[0])) {
    add(*node, key, fmt::format("the interval [{}, {}] has no width", bounds[0], bounds[1]), "expected " + expected);
    return std::nullopt;
  }
  return Interval{bounds[0], bounds[1]};
}

std::vector<std::vector<double>> TableReader::matrix(const std::string& key, std::size_t rows, std::size_t columns,
                                                     const std::string& expected) {
  std::vector<std::vector<double>> values;
  const toml::node* node = find(key);
  if (node == nullptr) return values;
  const toml::array* array = node->as_array();
  bool good = array != nullptr && array->size() == rows;
  for (std::size_t r = 0; good && r < rows; ++r) {
    const toml::array* row = (*array)[r].as_array();
    good = row != nullptr && row->size() == columns;
    if (good) values.push_back(numbers_of(*row, key, any));
  }
  if (!good) bad(*node, key, expected);
  if (failed(key)) values.clear();
  return values;
}

std::vector<std::vector<double>> TableReader::symmetric_matrix(const std::string& key, std::size_t size,
                                                               const std::string& expected) {
  auto rows = matrix(key, size, size, expected);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double difference = std::abs(rows[i][j] - rows[j][i]);
      const double scale = std::sqrt(std::abs(rows[i][i])) * std::sqrt(std::abs(rows[j][j]));
      if (!(difference <= rounding_of_float32 * scale)) {
        add(key,
            fmt::format("the matrix is not symmetric: its entries ({}, {}) and ({}, {}) are {} and {}", j + 1, i + 1,
                        i + 1, j + 1, number_text(rows[j][i]), number_text(rows[i][j])),
            "expected " + expected + ", both cov the same");
        return {};
      }
      if (difference > rounding_of_float64 * scale) {
        spec_.notes.push_back(
            fmt::format("{}: {} and {} differ by what single precision rounds off; their mean is used", dotted(key),
                        number_text(rows[j][i]), number_text(rows[i][j])));
      }
      rows[i][j] = rows[j][i] = 0.5 * rows[i][j] + 0.5 * rows[j][i];
    }
  }
  return rows;
}

const toml::node* TableReader::find(const std::string& key) {
  know(key);
  if (table_ == nullptr) return nullptr;
  const toml::node* node = table_->get(key);
  if (node != nullptr) spec_.where[dotted(key)] = place_of(spec_.file, node->source());
  return node;
}

void TableReader::finish(const std::string& context) {
  if (table_ == nullptr) return;
  for (const auto& [key, node] : *table_) {
    const std::string name(key.str());
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const ForeignKey meaning = meaning_of(name);
    if (!meaning.meant.empty() && !has(meaning.meant)) misspelt_.insert(meaning.meant);
    problems_.add(place_of(spec_.file, key.source()), shortened(dotted(name)), "unknown key" + context, meaning.remedy);
  }
  for (const auto& [keys, problem] : missing_) {
    if (std::any_of(keys.begin(), keys.end(), [this](const std::string& key) { return misspelt(key); })) continue;
    problems_.add(problem.place, problem.key, problem.problem, problem.remedy);
  }
}

void TableReader::missing(const std::vector<std::string>& keys, const std::string& problem, const std::string& remedy) {
  for (const std::string& key : keys) know(key);
  missing_.push_back({keys, {place_of(spec_.file, table_->source()), dotted(keys[0]), problem, remedy}});
}

void TableReader::add(const toml::node& node, const std::string& key, const std::string& problem,
                      const std::string& remedy) {
  failed_.insert(key);
  problems_.add(place_of(spec_.file, node.source()), dotted(key), problem, remedy);
}

void TableReader::add(const std::string& key, const std::string& problem, const std::string& remedy) {
  failed_.insert(key);
  problems_.add(spec_.place(dotted(key)), dotted(key), problem, remedy);
}

void TableReader::bad(const toml::node& node, const std::string& key, const std::string& expected) {
  std::ostringstream found;
  found << toml::node_view<const toml::node>(node);
  const std::string shown = node.is_floating_point() ? number_text(*node.value_exact<double>()) : found.str();
  add(node, key, "found " + shortened(shown), "expected " + expected);
}

std::optional<double> TableReader::number_of(const toml::node& node, const std::string& key, const Range& range) {
  std::optional<double> value;
  if (node.is_integer()) value = static_cast<double>(*node.value_exact<std::int64_t>());
  if (node.is_floating_point()) value = *node.value_exact<double>();
  if (node.is_string() && !formula_value(node, key, range, value)) return std::nullopt;
  if (value && !std::isfinite(*value)) {
    bad(node, key, "a finite" + range.expected().substr(1));  // "a number …" → "a finite number …"
    return std::nullopt;
  }
  if (!value || !range.contains(*value)) {
    bad(node, key, range.expected());
    return std::nullopt;
  }
  return value;
}

bool TableReader::formula_value(const toml::node& node, const std::string& key, const Range& range,
                                std::optional<double>& value) {
  try {
    value = constant_value(*node.value_exact<std::string>());
    if (!value) bad(node, key, range.expected() + ", or a formula for one such as \"2*pi\"");
  } catch (const SpecError& error) {
    add(node, key, error.entries().front().problem, error.entries().front().remedy);
  }
  return value.has_value();
}

std::optional<long> TableReader::integer_of(const toml::node& node, const std::string& key, const WholeNumber& rule) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < rule.lower || *value > rule.upper) {
    bad(node, key, rule.expected());
    return std::nullopt;
  }
  return static_cast<long>(*value);
}

ForeignKey TableReader::meaning_of(const std::string& name) const {
  ForeignKey meaning{nearest_name(name, known_), ""};
  if (foreign_ != nullptr) {
    if (const auto found = foreign_->find(name); found != foreign_->end()) meaning = found->second;
  }
  if (!meaning.remedy.empty()) return meaning;
  meaning.remedy =
      meaning.meant.empty() ? "remove it; valid here: " + join_names(known_) : "did you mean " + meaning.meant + "?";
  return meaning;
}

std::vector<double> TableReader::numbers_of(const toml::array& array, const std::string& key, const Range& range) {
  std::vector<double> values;
  for (const toml::node& element : array) {
    if (const auto value = number_of(element, key, range)) values.push_back(*value);
  }
  if (values.size() < array.size()) values.clear();
  return values;
}

}  // namespace underdamp
