#include "solver/spec/key_reader.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "solver/landscape/dataset.hpp"

namespace underdamp {

void KeyReader::read(const char* name, double& place, const Range& rule) {
  place = table_.number(name, rule).value_or(place);
}

void KeyReader::read(const char* name, std::optional<double>& place, const Range& rule) {
  place = table_.number(name, rule);
}

void KeyReader::read(const char* name, std::string& place, const Text& /*rule*/) {
  place = table_.text(name).value_or(place);
}

void KeyReader::read(const char* name, std::string& place, const FileName& /*rule*/) {
  if (const auto file = table_.text(name)) place = table_.path(*file);
}

void KeyReader::read(const char* name, bool& place, const TrueOrFalse& rule) {
  const toml::node* node = table_.find(name);
  if (node == nullptr) return;
  if (const auto value = node->value_exact<bool>()) {
    place = *value;
  } else {
    table_.bad(*node, name, rule.expected());
  }
}

const toml::array* KeyReader::list(const char* name, const std::string& expected) {
  const toml::node* node = table_.find(name);
  if (node == nullptr) return nullptr;
  const toml::array* array = node->as_array();
  if (array == nullptr || array->empty()) {
    table_.bad(*node, name, expected);
    return nullptr;
  }
  return array;
}

void KeyReader::read(const char* name, std::vector<double>& place, const Numbers& rule) {
  place = table_.numbers(name, rule);
}

void KeyReader::read(const char* name, std::optional<Interval>& place, const BoxSide& rule) {
  place = table_.interval(name, rule.expected());
}

void KeyReader::read(const char* name, std::array<std::string, 2>& place, const ColumnNames& rule) {
  const toml::node* node = table_.find(name);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr || array->size() != 2 || !(*array)[0].is_string() || !(*array)[1].is_string())
    return table_.bad(*node, name, rule.expected());
  place = {*(*array)[0].value<std::string>(), *(*array)[1].value<std::string>()};
  if (place[0] == place[1]) table_.add(name, "both columns are the same", "give abscissa and ordinate");
}

void KeyReader::read(const char* name, std::vector<int>& place, const ModeNumbers& rule) {
  const toml::node* node = table_.find(name);
  if (node == nullptr) return;
  if (const auto word = node->value_exact<std::string>(); word && *word == "all") return;
  const toml::array* array = list(name, rule.expected());
  if (array == nullptr) return;
  if (array->size() > most_features) {
    return table_.add(*node, name, fmt::format("{} modes, the limit is {}", array->size(), most_features),
                      "list fewer modes");
  }
  for (const toml::node& element : *array) {
    const auto mode = table_.integer_of(element, name, {1, 1'000'000});
    if (!mode) continue;
    if (std::find(place.begin(), place.end(), *mode) != place.end()) {
      table_.add(element, name, fmt::format("mode {} is listed twice", *mode), "list every mode once");
      continue;
    }
    place.push_back(static_cast<int>(*mode));
  }
}

void KeyReader::read(const char* name, std::array<int, 2>& place, const CellCounts& rule) {
  const toml::node* node = table_.find(name);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr || array->size() != 2) return table_.bad(*node, name, rule.expected());
  for (std::size_t k = 0; k < 2; ++k) {
    if (const auto cells = table_.integer_of((*array)[k], name, rule.each)) place[k] = static_cast<int>(*cells);
  }
}

void KeyReader::read(const char* name, ThetaWalls& place, const WallWords<ThetaBoundary>& rule) {
  const toml::node* node = table_.find(name);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    if (const auto both = table_.choice_of(*node, name, rule.words)) place = *both;
    return;
  }
  if (array->size() != 2) return table_.bad(*node, name, rule.expected());
  const auto lower = table_.choice_of((*array)[0], name, rule.words);
  const auto upper = table_.choice_of((*array)[1], name, rule.words);
  if (!lower || !upper) return;
  if ((*lower == ThetaBoundary::periodic) != (*upper == ThetaBoundary::periodic))
    return table_.add(*node, name, "one wall is periodic, the other is not", "an angle is periodic at both ends");
  place = {*lower, *upper};
}

void KeyReader::read(const char* name, double& place, const Variance& rule) {
  const auto rows = table_.matrix(name, 1, 1, rule.expected());
  if (rows.empty()) return;
  place = rows[0][0];
  if (!(place > 0.0)) table_.add(name, "the variance is not positive", "use a variance > 0");
}

void KeyReader::read(const char* name, std::optional<std::array<double, 2>>& place, const Point& rule) {
  const auto numbers = table_.numbers(name, {2, coordinate, rule.expected()});
  if (numbers.size() == 2) place = {{numbers[0], numbers[1]}};
  if (numbers.size() > 2) table_.add(name, "more than two numbers", "expected [theta, velocity]");
}

void KeyReader::read(const char* name, std::optional<std::array<std::array<double, 2>, 2>>& place,
                     const Covariance& rule) {
  const auto rows = table_.symmetric_matrix(name, 2, rule.expected());
  if (rows.empty()) return;
  const double determinant = rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0];
  if (!(rows[0][0] > 0.0) || !(determinant > 0.0)) {
    return table_.add(name, "the matrix is not positive definite",
                      "expected " + rule.expected() + " with var > 0 and cov² < var_theta·var_v");
  }
  place = {{{{rows[0][0], rows[0][1]}, {rows[1][0], rows[1][1]}}}};
}

}  // namespace underdamp
