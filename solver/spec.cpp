#include "solver/spec.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#define TOML_EXCEPTIONS 1
#include <fmt/format.h>
#include <toml++/toml.h>

#include "solver/files.hpp"
#include "solver/formula.hpp"
#include "solver/function.hpp"
#include "solver/inputs.hpp"
#include "solver/mode_spectrum.hpp"
#include "solver/spec_text.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

/// A number's valid range, with the words for it.
struct Range {
  double lower = -std::numeric_limits<double>::infinity();
  double upper = std::numeric_limits<double>::infinity();
  bool lower_open = false;
  bool upper_open = false;

  bool contains(double x) const {
    return (lower_open ? x > lower : x >= lower) && (upper_open ? x < upper : x <= upper);
  }
  std::string text() const {
    if (!std::isfinite(lower) && !std::isfinite(upper)) return "a number";
    if (!std::isfinite(upper)) return fmt::format("a number {} {}", lower_open ? ">" : "≥", lower);
    return fmt::format("a number in {}{}, {}{}", lower_open ? "(" : "[", lower, upper, upper_open ? ")" : "]");
  }
};
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Range any{};
constexpr Range positive{0.0, infinity, true, false};
constexpr Range non_negative{0.0, infinity, false, false};
/// Asymmetry of a covariance, relative to the standard deviations, that products of matrices leave in either precision.
constexpr double rounding_of_float64 = 1e-12;
constexpr double rounding_of_float32 = 1e-6;
constexpr Range coordinate{-1e60, 1e60, false, false};  // squares and products of four stay finite

std::string place_of(const std::string& file, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", file, source.begin.line, source.begin.column);
}

/// A key that other programs know: which one here means the same, or what to do without it.
struct ForeignKey {
  std::string meant;
  std::string remedy;
};

/// Arguments of PyTorch's optimizers (docs/spec.md, PyTorch).
const std::map<std::string, ForeignKey>& keys_of_pytorch() {
  const std::string adam = "remove it: it belongs to Adam and its kin, which are not SGD with momentum";
  static const std::map<std::string, ForeignKey> keys{
      {"lr", {"learning_rate", ""}},
      {"mu", {"momentum", ""}},
      {"beta", {"momentum", ""}},
      {"wd", {"weight_decay", ""}},
      {"batch", {"batch_size", ""}},
      {"dampening",
       {"",
        "remove it and write learning_rate = lr*(1 - dampening), the same map; momentum_buffer is then "
        "-(1 - dampening)*v (docs/spec.md, PyTorch)"}},
      {"nesterov",
       {"",
        "remove it: Nesterov's momentum is another map; near a minimum of curvature h it is this one with momentum = "
        "mu*(1 - lr*h) (docs/spec.md, PyTorch)"}},
      {"momentum_buffer",
       {"", "remove it and give the start in [initial]: v = -momentum_buffer (docs/spec.md, PyTorch)"}},
      {"maximize", {"", "remove it, and change the sign of the loss"}},
      {"betas", {"", adam}},
      {"eps", {"", adam}},
      {"amsgrad", {"", adam}}};
  return keys;
}

/// Reads one table: each key once, with type and range; what was never asked for is unknown.
class TableReader {
 public:
  TableReader(Spec& spec, Diagnostics& problems, const toml::table* table, std::string name)
      : spec_(spec), problems_(problems), table_(table), name_(std::move(name)) {
    if (table_ != nullptr && !name_.empty()) spec_.where[name_] = place_of(spec_.file, table_->source());
  }

  bool present() const { return table_ != nullptr; }
  bool has(const std::string& key) const { return table_ != nullptr && table_->contains(key); }
  /// The key is there, but what it says was refused.
  bool failed(const std::string& key) const { return failed_.count(key) > 0; }
  /// An unknown key was found that most likely means this one; known after `finish`.
  bool misspelt(const std::string& key) const { return misspelt_.count(key) > 0; }

  std::optional<double> number(const std::string& key, const Range& range) {
    const toml::node* node = find(key);
    if (node == nullptr) return std::nullopt;
    return number_of(*node, key, range);
  }
  double number(const std::string& key, const Range& range, double fallback) {
    return number(key, range).value_or(fallback);
  }
  std::optional<double> required_number(const std::string& key, const Range& range) {
    if (!has(key)) missing(key, range.text());
    return number(key, range);
  }

  std::optional<long> integer(const std::string& key, long lower, long upper) {
    const toml::node* node = find(key);
    if (node == nullptr) return std::nullopt;
    return integer_of(*node, key, lower, upper);
  }

  std::optional<std::string> text(const std::string& key) {
    const toml::node* node = find(key);
    if (node == nullptr) return std::nullopt;
    if (const auto value = node->value_exact<std::string>()) {
      if (!value->empty()) return value;
    }
    bad(*node, key, "a text in quotation marks that is not empty");
    return std::nullopt;
  }
  std::string required_text(const std::string& key, const std::string& what) {
    if (!has(key)) missing(key, what);
    return text(key).value_or("");
  }

  bool boolean(const std::string& key, bool fallback) {
    const toml::node* node = find(key);
    if (node == nullptr) return fallback;
    if (const auto value = node->value_exact<bool>()) return *value;
    bad(*node, key, "true or false");
    return fallback;
  }

  template <class Value>
  using Choices = std::vector<std::pair<std::string, Value>>;

  template <class Value>
  Value choice(const std::string& key, const Choices<Value>& choices, Value fallback) {
    const toml::node* node = find(key);
    if (node == nullptr) return fallback;
    return choice_of(*node, key, choices).value_or(fallback);
  }

  /// The key `kind`, on which depends what else the table holds: `keys` are those of any kind, so that none of them is
  /// called unknown if the kind itself is not known.
  template <class Value>
  std::optional<Value> kind(const Choices<Value>& choices, const std::vector<std::string>& keys) {
    const toml::node* node = find("kind");
    std::optional<Value> value;
    if (node != nullptr) value = choice_of(*node, "kind", choices);
    if (node == nullptr) missing("kind", join_names(names_of(choices)));
    for (const std::string& key : keys) {
      if (!value) know(key);
    }
    return value;
  }

  /// Absent if one of the numbers is none.
  std::vector<double> numbers(const std::string& key, std::size_t least, const Range& range, const std::string& what) {
    const toml::node* node = find(key);
    if (node == nullptr) return {};
    const toml::array* array = node->as_array();
    if (array == nullptr || array->size() < least) {
      bad(*node, key, what);
      return {};
    }
    return numbers_of(*array, key, range);
  }

  /// "auto" (absent) or [min, max].
  std::optional<Interval> interval(const std::string& key) {
    const toml::node* node = find(key);
    if (node == nullptr) return std::nullopt;
    if (const auto value = node->value_exact<std::string>(); value && *value == "auto") return std::nullopt;
    const std::string expected = R"("auto" or [min, max] with min < max, such as [0, "2*pi"])";
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

  /// Rows of numbers, all of length `columns`.
  std::vector<std::vector<double>> matrix(const std::string& key, std::size_t rows, std::size_t columns,
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

  /// A symmetric matrix: entries that differ by rounding are replaced by their mean.
  std::vector<std::vector<double>> symmetric_matrix(const std::string& key, std::size_t size,
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

  const toml::node* find(const std::string& key) {
    know(key);
    if (table_ == nullptr) return nullptr;
    const toml::node* node = table_->get(key);
    if (node != nullptr) spec_.where[dotted(key)] = place_of(spec_.file, node->source());
    return node;
  }

  /// Keys that are unknown but can be explained.
  void explain(const std::map<std::string, ForeignKey>& keys) { foreign_ = &keys; }

  /// Reports what was not asked for, with the nearest valid key, and what is missing unless a misspelt key means it.
  void finish(const std::string& context = {}) {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
      const std::string name(key.str());
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      const ForeignKey meaning = meaning_of(name);
      if (!meaning.meant.empty() && !has(meaning.meant)) misspelt_.insert(meaning.meant);
      problems_.add(place_of(spec_.file, key.source()), shortened(dotted(name)), "unknown key" + context,
                    meaning.remedy);
    }
    for (const auto& [keys, problem] : missing_) {
      if (std::any_of(keys.begin(), keys.end(), [this](const std::string& key) { return misspelt(key); })) continue;
      problems_.add(problem.place, problem.key, problem.problem, problem.remedy);
    }
  }

  void missing(const std::string& key, const std::string& expected) {
    missing({key}, "this key is missing", "add " + key + " = …, " + expected);
  }
  /// None of several keys is there.
  void missing(const std::vector<std::string>& keys, const std::string& problem, const std::string& remedy) {
    for (const std::string& key : keys) know(key);
    missing_.push_back({keys, {place_of(spec_.file, table_->source()), dotted(keys[0]), problem, remedy}});
  }

  void add(const toml::node& node, const std::string& key, const std::string& problem, const std::string& remedy) {
    failed_.insert(key);
    problems_.add(place_of(spec_.file, node.source()), dotted(key), problem, remedy);
  }
  /// The same at the place of the key.
  void add(const std::string& key, const std::string& problem, const std::string& remedy) {
    failed_.insert(key);
    problems_.add(spec_.place(dotted(key)), dotted(key), problem, remedy);
  }
  void bad(const toml::node& node, const std::string& key, const std::string& expected) {
    std::ostringstream found;
    found << toml::node_view<const toml::node>(node);
    const std::string shown = node.is_floating_point() ? number_text(*node.value_exact<double>()) : found.str();
    add(node, key, "found " + shortened(shown), "expected " + expected);
  }

  std::optional<double> number_of(const toml::node& node, const std::string& key, const Range& range) {
    std::optional<double> value;
    if (node.is_integer()) value = static_cast<double>(*node.value_exact<std::int64_t>());
    if (node.is_floating_point()) value = *node.value_exact<double>();
    if (node.is_string() && !formula_value(node, key, range, value)) return std::nullopt;
    if (value && !std::isfinite(*value)) {
      bad(node, key, "a finite" + range.text().substr(1));  // "a number …" → "a finite number …"
      return std::nullopt;
    }
    if (!value || !range.contains(*value)) {
      bad(node, key, range.text());
      return std::nullopt;
    }
    return value;
  }
  /// A text in place of a number is a formula without variables. False if it is none, which was reported.
  bool formula_value(const toml::node& node, const std::string& key, const Range& range, std::optional<double>& value) {
    try {
      value = constant_value(*node.value_exact<std::string>());
      if (!value) bad(node, key, range.text() + ", or a formula for one such as \"2*pi\"");
    } catch (const SpecError& error) {
      add(node, key, error.entries().front().problem, error.entries().front().remedy);
    }
    return value.has_value();
  }
  std::optional<long> integer_of(const toml::node& node, const std::string& key, long lower, long upper) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < lower || *value > upper) {
      bad(node, key, fmt::format("a whole number from {} to {}", lower, upper));
      return std::nullopt;
    }
    return static_cast<long>(*value);
  }
  template <class Value>
  std::optional<Value> choice_of(const toml::node& node, const std::string& key, const Choices<Value>& choices) {
    const std::vector<std::string> names = names_of(choices);
    const auto found = node.value_exact<std::string>();
    if (!found) {
      bad(node, key, join_names(names));
      return std::nullopt;
    }
    for (const auto& [name, value] : choices) {
      if (name == *found) return value;
    }
    const std::string nearest = nearest_name(*found, names);
    add(node, key, "\"" + shortened(*found) + "\" is not one of the choices",
        nearest.empty() ? "expected " + join_names(names)
                        : "did you mean \"" + nearest + "\"? choices: " + join_names(names));
    return std::nullopt;
  }

 private:
  std::string dotted(const std::string& key) const { return name_.empty() ? key : name_ + "." + key; }

  void know(const std::string& key) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  }

  ForeignKey meaning_of(const std::string& name) const {
    ForeignKey meaning{nearest_name(name, known_), ""};
    if (foreign_ != nullptr) {
      if (const auto found = foreign_->find(name); found != foreign_->end()) meaning = found->second;
    }
    if (!meaning.remedy.empty()) return meaning;
    meaning.remedy =
        meaning.meant.empty() ? "remove it; valid here: " + join_names(known_) : "did you mean " + meaning.meant + "?";
    return meaning;
  }

  template <class Value>
  static std::vector<std::string> names_of(const Choices<Value>& choices) {
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) names.push_back(name);
    return names;
  }

  /// Empty if one of them is none.
  std::vector<double> numbers_of(const toml::array& array, const std::string& key, const Range& range) {
    std::vector<double> values;
    for (const toml::node& element : array) {
      if (const auto value = number_of(element, key, range)) values.push_back(*value);
    }
    if (values.size() < array.size()) values.clear();
    return values;
  }

  Spec& spec_;
  Diagnostics& problems_;
  const toml::table* table_;
  std::string name_;
  std::vector<std::string> known_;
  std::set<std::string> failed_;
  std::set<std::string> misspelt_;
  const std::map<std::string, ForeignKey>* foreign_ = nullptr;
  std::vector<std::pair<std::vector<std::string>, Diagnostic>> missing_;
};

/// One pass over the document.
class SpecParser {
 public:
  SpecParser(const toml::table& document, const std::string& path)
      : spec_(named(path)), document_(document), root_(spec_, problems_, &document, "") {}

  Spec parse() {
    spec_.title = root_.text("title").value_or(spec_.name);
    spec_.dynamics = root_.choice<Dynamics>("dynamics", {{"langevin", Dynamics::langevin}, {"sgd", Dynamics::sgd}},
                                            Dynamics::langevin);
    for (const char* name : {"optimizer", "langevin", "loss", "noise", "grid", "initial", "evolve", "stationary",
                             "ensemble", "displacement", "checkpoint", "output"}) {
      const toml::node* node = root_.find(name);
      if (node != nullptr && node->as_table() == nullptr) root_.bad(*node, name, std::string("a table [") + name + "]");
    }
    root_.finish();
    read_dynamics();
    read_loss();
    read_noise();
    read_grid();
    check_confinement();
    read_initial();
    check_start();
    read_evolve();
    read_stationary();
    read_ensemble();
    read_displacement();
    read_checkpoint();
    read_output();
    read_inputs(spec_, problems_);
    problems_.throw_if_any();
    return spec_;
  }

 private:
  static Spec named(const std::string& path) {
    Spec spec;
    spec.file = path;
    spec.name = fs::path(path).stem().string();
    if (spec.name.empty() || spec.name == "." || spec.name == "..") spec.name = "spec";  // it names a folder
    return spec;
  }
  TableReader section(const char* name) {
    const toml::node* node = document_.get(name);
    return {spec_, problems_, node != nullptr ? node->as_table() : nullptr, name};
  }
  /// The table was meant to be there, but is misspelt or no table; that it is missing would be a second error for one
  /// mistake.
  bool damaged(const std::string& name) const { return root_.failed(name) || root_.misspelt(name); }

  std::string resolved(const std::string& file) const {
    if (file.empty()) return file;
    const fs::path path(file);
    return path.is_absolute() ? file : (fs::path(spec_.file).parent_path() / path).lexically_normal().string();
  }

  void read_dynamics() {
    read_optimizer();
    read_langevin();
    const bool damaged_one = damaged("optimizer") || damaged("langevin");
    if (spec_.optimizer.has_value() == spec_.langevin.has_value() && !(damaged_one && !spec_.optimizer)) {
      problems_.add(
          spec_.file + ":1:1", "optimizer",
          spec_.optimizer ? "both [optimizer] and [langevin] are given" : "neither [optimizer] nor [langevin] is given",
          "give exactly one of the two tables");
    } else if (spec_.langevin && spec_.dynamics == Dynamics::sgd && !damaged("optimizer")) {
      problems_.add(spec_.place("dynamics"), "dynamics", "\"sgd\" is the map of an optimizer, but [langevin] is given",
                    "give [optimizer], or dynamics = \"langevin\"");
    }
  }

  void read_optimizer() {
    TableReader table = section("optimizer");
    if (!table.present()) return;
    learning_rate_ = table.required_number("learning_rate", positive);
    OptimizerSpec o;
    o.learning_rate = learning_rate_.value_or(1.0);
    o.momentum = table.required_number("momentum", {0.0, 1.0, false, true}).value_or(0.0);
    o.batch_size = table.required_number("batch_size", {1.0, infinity, false, false}).value_or(1.0);
    o.weight_decay = table.number("weight_decay", non_negative, 0.0);
    table.explain(keys_of_pytorch());
    table.finish();
    may_decay_ = o.weight_decay > 0.0 || table.failed("weight_decay") || table.misspelt("weight_decay");
    spec_.optimizer = o;
  }

  void read_langevin() {
    TableReader table = section("langevin");
    if (!table.present()) return;
    LangevinSpec l;
    l.friction = table.required_number("friction", positive).value_or(1.0);
    l.temperature = table.number("temperature", positive);
    table.finish();
    has_temperature_ = table.has("temperature") || table.misspelt("temperature");
    spec_.langevin = l;
  }

  void read_columns(TableReader& table, std::array<std::string, 2>& columns) {
    const toml::node* node = table.find("columns");
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr || array->size() != 2 || !(*array)[0].is_string() || !(*array)[1].is_string()) {
      table.bad(*node, "columns", "two column names, [\"abscissa\", \"ordinate\"]");
      return;
    }
    columns = {*(*array)[0].value<std::string>(), *(*array)[1].value<std::string>()};
    if (columns[0] == columns[1]) table.add("columns", "both columns are the same", "give abscissa and ordinate");
  }

  void read_modes(TableReader& table) {
    const toml::node* node = table.find("modes");
    if (node == nullptr) return;
    if (const auto word = node->value_exact<std::string>(); word && *word == "all") return;
    const toml::array* array = node->as_array();
    if (array == nullptr || array->empty()) {
      table.bad(*node, "modes", "\"all\" or a list of mode numbers from 1, such as [1, 2, 5]");
      return;
    }
    if (array->size() > most_features) {
      table.add(*node, "modes", fmt::format("{} modes, the limit is {}", array->size(), most_features),
                "list fewer modes");
      return;
    }
    for (const toml::node& element : *array) {
      const auto mode = table.integer_of(element, "modes", 1, 1'000'000);
      if (!mode) continue;
      if (std::find(spec_.loss.modes.begin(), spec_.loss.modes.end(), *mode) != spec_.loss.modes.end()) {
        table.add(element, "modes", fmt::format("mode {} is listed twice", *mode), "list every mode once");
        continue;
      }
      spec_.loss.modes.push_back(static_cast<int>(*mode));
    }
  }

  void read_loss() {
    TableReader table = section("loss");
    if (!table.present()) {
      if (!damaged("loss")) {
        problems_.add(spec_.file + ":1:1", "loss", "the table [loss] is missing", "add [loss] with a kind");
      }
      return;
    }
    const auto kind = table.kind<LossKind>(
        {{"quadratic", LossKind::quadratic},
         {"polynomial", LossKind::polynomial},
         {"expression", LossKind::expression},
         {"table", LossKind::table},
         {"dataset", LossKind::dataset},
         {"spectrum", LossKind::spectrum}},
        {"hessian",     "minimum", "coefficients", "formula", "file",  "columns",   "target",
         "standardize", "modes",   "eigenvalues",  "weights", "law",   "column",    "weight_column",
         "negative",    "alpha",   "min",          "max",     "count", "parameters"});
    loss_is_known_ = kind.has_value();
    if (kind) {
      spec_.loss.kind = *kind;
      read_loss_kind(table);
    }
    table.finish(kind ? " for this kind of loss" : "");
  }

  void read_loss_kind(TableReader& table) {
    LossSpec& loss = spec_.loss;
    switch (loss.kind) {
      case LossKind::quadratic:
        loss.hessian = table.number("hessian", non_negative, 1.0);
        loss.minimum = table.number("minimum", coordinate, 0.0);
        is_flat_ = !(loss.hessian > 0.0) && !may_decay_ && !table.failed("hessian");
        break;
      case LossKind::polynomial:
        if (!table.has("coefficients")) table.missing("coefficients", "[c0, c1, c2, …]");
        loss.coefficients = table.numbers("coefficients", 3, any, "at least three numbers [c0, c1, c2, …]");
        if (loss.coefficients.size() > most_coefficients) {
          table.add("coefficients",
                    fmt::format("{} coefficients, the limit is {}", loss.coefficients.size(), most_coefficients),
                    "use a polynomial of lower degree, or a table");
        }
        break;
      case LossKind::expression:
        loss.formula = table.required_text("formula", "a formula in x such as \"(x^2-1)^2/4\"");
        break;
      case LossKind::table:
        loss.file = resolved(table.required_text("file", "the name of a CSV file"));
        read_columns(table, loss.columns);
        break;
      case LossKind::dataset:
        loss.file = resolved(table.required_text("file", "the name of a CSV file"));
        loss.target = table.required_text("target", "the column to be predicted");
        loss.standardize = table.boolean("standardize", true);
        read_modes(table);
        break;
      case LossKind::spectrum:
        read_spectrum(table);
        break;
    }
  }

  void read_spectrum(TableReader& table) {
    LossSpec& loss = spec_.loss;
    loss.formula = table.text("formula").value_or("");
    const std::string remedy =
        "give exactly one: eigenvalues = [rho1, rho2, …], file = a CSV file, or law = \"power\" with alpha, min, max, "
        "count";
    const int sources = (table.has("eigenvalues") ? 1 : 0) + (table.has("file") ? 1 : 0) + (table.has("law") ? 1 : 0);
    if (sources == 0) table.missing({"eigenvalues", "file", "law"}, "nothing gives the eigenvalues", remedy);
    if (sources > 1) {
      table.add(table.has("eigenvalues") ? "eigenvalues" : "file", "more than one key gives the eigenvalues", remedy);
    }
    if (table.has("eigenvalues") || table.has("file")) {
      loss.drops_negative = table.choice<bool>("negative", {{"refuse", false}, {"drop", true}}, false);
    }
    if (table.has("eigenvalues")) read_eigenvalues(table);
    if (table.has("file")) {
      loss.file = resolved(table.text("file").value_or(""));
      loss.column = table.text("column").value_or(loss.column);
      loss.weight_column = table.text("weight_column").value_or("");
    }
    if (table.has("law")) read_law(table);
  }

  void read_eigenvalues(TableReader& table) {
    LossSpec& loss = spec_.loss;
    loss.eigenvalues = table.numbers("eigenvalues", 1, any, "a list of numbers, the eigenvalues of the Hessian");
    if (loss.eigenvalues.size() > most_modes) {
      table.add("eigenvalues", fmt::format("more than {} eigenvalues", most_modes), "bin them, and give weights");
    }
    loss.weights = table.numbers("weights", 1, non_negative, "a list of numbers ≥ 0, one for each eigenvalue");
    if (loss.weights.empty()) loss.weights.assign(loss.eigenvalues.size(), 1.0);
    if (loss.weights.size() != loss.eigenvalues.size() && !table.failed("eigenvalues")) {
      table.add("weights", fmt::format("{} weights for {} eigenvalues", loss.weights.size(), loss.eigenvalues.size()),
                "give one weight for each eigenvalue");
    }
  }

  void read_law(TableReader& table) {
    enum class Law { power };
    table.choice<Law>("law", {{"power", Law::power}}, Law::power);
    PowerLaw law;
    const auto alpha = table.required_number("alpha", {-10.0, 10.0, false, false});
    const auto smallest = table.required_number("min", positive);
    const auto largest = table.required_number("max", positive);
    if (!table.has("count")) table.missing("count", "how many eigenvalues");
    const auto count = table.integer("count", 2, static_cast<long>(most_modes));
    const auto parameters = table.number("parameters", positive);
    if (!alpha || !smallest || !largest || !count) return;
    if (!(*largest > *smallest)) {
      return table.add("max", fmt::format("max = {} is not above min = {}", *largest, *smallest), "use min < max");
    }
    law = {*alpha, *smallest, *largest, static_cast<int>(*count), parameters.value_or(static_cast<double>(*count))};
    spec_.loss.law = law;
    const auto modes = power_law_modes(law);
    spec_.loss.eigenvalues = modes.eigenvalues;
    spec_.loss.weights = modes.weights;
  }

  void read_noise() {
    TableReader table = section("noise");
    if (!table.present()) return default_noise();
    if (spec_.langevin && has_temperature_) {
      problems_.add(spec_.place("noise"), "noise", "both langevin.temperature and [noise] are given",
                    "give only one of them");
    }
    const auto kind = table.kind<NoiseKind>({{"hessian", NoiseKind::hessian},
                                             {"isotropic", NoiseKind::isotropic},
                                             {"constant", NoiseKind::constant},
                                             {"expression", NoiseKind::expression},
                                             {"table", NoiseKind::table},
                                             {"dataset", NoiseKind::dataset}},
                                            {"sigma2", "covariance", "formula", "file", "columns"});
    if (kind) {
      spec_.noise.kind = *kind;
      read_noise_kind(table);
    }
    table.finish(kind ? " for this kind of noise" : "");
  }

  void default_noise() {
    if (spec_.langevin && spec_.langevin->temperature) {
      spec_.noise.kind = NoiseKind::temperature;
      return;
    }
    if (spec_.loss.kind == LossKind::dataset) {
      spec_.noise.kind = NoiseKind::dataset;
      return;
    }
    // A mistake elsewhere may be why nothing gives the noise.
    const bool loss_is_doubtful = damaged("loss") || (root_.has("loss") && !loss_is_known_);
    if (damaged("noise") || damaged("langevin") || loss_is_doubtful || has_temperature_) return;
    if (spec_.langevin) {
      problems_.add(spec_.place("langevin"), "langevin.temperature", "nothing gives the noise",
                    "add temperature = …, or a table [noise] that gives D");
    } else {
      problems_.add(spec_.file + ":1:1", "noise", "the table [noise] is missing", "add [noise] with a kind and sigma2");
    }
  }

  void read_noise_kind(TableReader& table) {
    NoiseSpec& noise = spec_.noise;
    switch (noise.kind) {
      case NoiseKind::hessian:
      case NoiseKind::isotropic:
        noise.sigma2 = table.required_number("sigma2", positive).value_or(1.0);
        break;
      case NoiseKind::constant:
        if (!table.has("covariance")) table.missing("covariance", "[[variance]]");
        if (const auto rows = table.matrix("covariance", 1, 1, "[[variance]], one parameter"); !rows.empty()) {
          noise.covariance = rows[0][0];
          if (!(noise.covariance > 0.0)) table.add("covariance", "the variance is not positive", "use a variance > 0");
        }
        break;
      case NoiseKind::expression:
        noise.formula = table.required_text("formula", "a formula in x such as \"1 + x^2\"");
        break;
      case NoiseKind::table:
        noise.file = resolved(table.required_text("file", "the name of a CSV file"));
        read_columns(table, noise.columns);
        break;
      case NoiseKind::dataset:
        if (spec_.loss.kind != LossKind::dataset && loss_is_known_) {
          table.add("kind", "\"dataset\" noise is measured on a dataset loss",
                    "use loss.kind = \"dataset\", or another kind of noise");
        }
        break;
      case NoiseKind::temperature:
        break;
    }
  }

  void read_grid() {
    TableReader table = section("grid");
    GridSpec& grid = spec_.grid;
    if (const toml::node* node = table.find("cells"); node != nullptr) {
      const toml::array* array = node->as_array();
      const std::string expected =
          fmt::format("two whole numbers [theta, velocity] from {} to {}", PhaseMesh::minimum_cells, most_cells);
      if (array == nullptr || array->size() != 2) {
        table.bad(*node, "cells", expected);
      } else {
        for (std::size_t k = 0; k < 2; ++k) {
          const auto cells = table.integer_of((*array)[k], "cells", PhaseMesh::minimum_cells, most_cells);
          if (cells) grid.cells[k] = static_cast<int>(*cells);
        }
      }
    }
    grid.theta = table.interval("theta");
    grid.velocity = table.interval("velocity");
    read_walls(table);
    table.finish();
  }

  /// Without slope only walls on both sides, or a circle, keep the parameter.
  void check_confinement() {
    if (!is_flat_ || spec_.grid.walls.closed()) return;
    problems_.add(spec_.place("loss.hessian"), "loss.hessian", "the Hessian is singular: nothing holds the parameter",
                  "use hessian > 0, weight_decay > 0, or grid.theta with theta_boundary = \"reflecting\" or "
                  "\"periodic\"");
  }

  /// One word for both walls, or [lower, upper].
  void read_walls(TableReader& table) {
    static const TableReader::Choices<ThetaBoundary> choices{{"open", ThetaBoundary::open},
                                                             {"periodic", ThetaBoundary::periodic},
                                                             {"reflecting", ThetaBoundary::reflecting}};
    const std::string key = "theta_boundary";
    const toml::node* node = table.find(key);
    if (node == nullptr) return;
    ThetaWalls& walls = spec_.grid.walls;
    if (const toml::array* array = node->as_array()) {
      if (array->size() != 2) {
        return table.bad(*node, key, "one word for both walls, or two: [\"reflecting\", \"open\"] = lower, upper");
      }
      const auto lower = table.choice_of((*array)[0], key, choices);
      const auto upper = table.choice_of((*array)[1], key, choices);
      if (!lower || !upper) return;
      if ((*lower == ThetaBoundary::periodic) != (*upper == ThetaBoundary::periodic)) {
        return table.add(*node, key, "one wall is periodic, the other is not", "an angle is periodic at both ends");
      }
      walls = {*lower, *upper};
    } else if (const auto both = table.choice_of(*node, key, choices)) {
      walls = *both;
    }
    if (walls.any_closed() && !spec_.grid.theta && !table.failed("theta")) {
      table.add(key, "a closed theta wall needs its place", "give grid.theta = [min, max]");
    }
  }

  void read_initial() {
    TableReader table = section("initial");
    if (!table.present()) return;
    const auto kind = table.kind<InitialKind>({{"gaussian", InitialKind::gaussian},
                                               {"stationary", InitialKind::stationary},
                                               {"uniform", InitialKind::uniform},
                                               {"file", InitialKind::file}},
                                              {"mean", "covariance", "theta", "velocity", "file"});
    if (kind) {
      spec_.initial.kind = *kind;
      read_initial_kind(table);
    }
    table.finish(kind ? " for this kind of start" : "");
  }

  void read_initial_kind(TableReader& table) {
    InitialSpec& initial = spec_.initial;
    if (initial.kind == InitialKind::gaussian) {
      const auto mean = table.numbers("mean", 2, coordinate, "two numbers [theta, velocity]");
      if (mean.size() == 2) initial.mean = {{mean[0], mean[1]}};
      if (mean.size() > 2) table.add("mean", "more than two numbers", "expected [theta, velocity]");
      read_covariance(table);
    }
    if (initial.kind == InitialKind::uniform) {
      initial.theta = table.interval("theta");
      initial.velocity = table.interval("velocity");
    }
    if (initial.kind == InitialKind::file) {
      initial.file =
          resolved(table.required_text("file", "a CSV with columns theta, v, density, or a .vti of an earlier run"));
    }
  }

  /// A start that lies beside the box, where the spec gives both.
  void check_start() {
    const auto check = [&](const std::string& key, const std::optional<Interval>& start,
                           const std::optional<Interval>& box, const char* axis) {
      if (!start || !box || (start->upper >= box->lower && start->lower <= box->upper)) return;
      problems_.add(spec_.place(key), key,
                    fmt::format("the start lies outside the box: grid.{} is [{}, {}]", axis, box->lower, box->upper),
                    "move one of them");
    };
    const InitialSpec& initial = spec_.initial;
    const auto point = [&](std::size_t axis) -> std::optional<Interval> {
      if (!initial.mean) return std::nullopt;
      return Interval{(*initial.mean)[axis], (*initial.mean)[axis]};
    };
    check("initial.mean", point(0), spec_.grid.theta, "theta");
    check("initial.mean", point(1), spec_.grid.velocity, "velocity");
    check("initial.theta", initial.theta, spec_.grid.theta, "theta");
    check("initial.velocity", initial.velocity, spec_.grid.velocity, "velocity");
  }

  void read_covariance(TableReader& table) {
    const auto rows = table.symmetric_matrix("covariance", 2, "[[var_theta, cov], [cov, var_v]]");
    if (rows.empty()) return;
    const double determinant = rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0];
    if (!(rows[0][0] > 0.0) || !(determinant > 0.0)) {
      table.add("covariance", "the matrix is not positive definite",
                "expected [[var_theta, cov], [cov, var_v]] with var > 0 and cov² < var_theta·var_v");
      return;
    }
    spec_.initial.covariance = {{{{rows[0][0], rows[0][1]}, {rows[1][0], rows[1][1]}}}};
  }

  void read_evolve() {
    TableReader table = section("evolve");
    if (!table.present()) return;
    EvolveSpec evolve;
    read_end(table, evolve);
    evolve.precision = table.choice<Precision>(
        "precision", {{"float64", Precision::float64}, {"float32", Precision::float32}}, Precision::float64);
    evolve.tolerance =
        table.number("tolerance", {1e-13, 0.1, false, false}, evolve.precision == Precision::float64 ? 1e-6 : 1e-5);
    evolve.step = table.number("step", positive);
    if (const auto frames = table.integer("frames", 1, 100'000)) evolve.frames = static_cast<int>(*frames);
    evolve.every = table.number("every", positive);
    if (table.has("frames") && table.has("every")) {
      table.add("every", "both frames and every are given", "give only one of them");
    } else if (evolve.every && evolve.until / *evolve.every > 100'000.0) {
      table.add("every", "more than 100000 frames", "use a longer interval");
    }
    evolve.limit_positivity = table.choice<bool>("positivity", {{"limit", true}, {"none", false}}, true);
    if (spec_.dynamics == Dynamics::sgd && table.has("step")) {
      table.add("step", "the SGD map has its own step, the learning rate", "remove it");
    }
    table.finish();
    spec_.evolve = evolve;
  }

  /// The end of the run as a time, and for SGD in whole steps; 0 if it is not known.
  void read_end(TableReader& table, EvolveSpec& evolve) {
    const auto until = table.number("until", positive);
    evolve.steps = table.integer("steps", 1, 1'000'000'000);
    const std::string remedy = "give exactly one: until = time, or steps = number of SGD steps";
    if (table.has("until") && table.has("steps")) return table.add("until", "both until and steps are given", remedy);
    if (!table.has("until") && !table.has("steps")) {
      return table.missing({"until", "steps"}, "neither until nor steps is given", remedy);
    }
    if (table.has("steps") && spec_.langevin && !spec_.optimizer && !damaged("optimizer")) {
      return table.add("steps", "steps count SGD steps, but there is no [optimizer]", "give until = time");
    }
    if (until) evolve.until = *until;
    if (!learning_rate_) return;
    if (evolve.steps) {
      evolve.until = *learning_rate_ * static_cast<double>(*evolve.steps);
    } else if (until && spec_.dynamics == Dynamics::sgd) {
      const double steps = std::round(*until / *learning_rate_);
      if (!(steps >= 1.0 && steps <= 1e9)) {
        return table.add("until", fmt::format("that is {} SGD steps", steps),
                         "give a time between one and 1e9 learning rates");
      }
      evolve.steps = static_cast<long>(steps);
      evolve.until = steps * *learning_rate_;
    }
  }

  void read_stationary() {
    TableReader table = section("stationary");
    if (!table.present()) return;
    StationarySpec stationary;
    stationary.method = table.choice<StationaryMethod>("method",
                                                       {{"auto", StationaryMethod::automatic},
                                                        {"arnoldi", StationaryMethod::arnoldi},
                                                        {"direct", StationaryMethod::direct},
                                                        {"evolve", StationaryMethod::evolve}},
                                                       StationaryMethod::automatic);
    stationary.tolerance = table.number("tolerance", {1e-12, 0.1, false, false}, 1e-8);
    stationary.modes = static_cast<int>(table.integer("modes", 0, 60).value_or(6));
    if (stationary.method == StationaryMethod::direct && spec_.dynamics == Dynamics::sgd) {
      table.add("method", "the SGD map has no generator to factor", "use \"arnoldi\" or \"evolve\"");
    }
    if (spec_.evolve && spec_.evolve->precision == Precision::float32) {
      problems_.add(spec_.place("evolve.precision"), "evolve.precision",
                    "stationary states and spectra need double precision, but [stationary] is given",
                    "remove precision = \"float32\", or compute the stationary state with a spec of its own");
    }
    table.finish();
    spec_.stationary = stationary;
  }

  /// Fields that the run cannot make.
  void check_fields() {
    for (const auto& [field, name] : {std::pair{OutputField::current, "current"},
                                      {OutputField::current_reversible, "current_reversible"},
                                      {OutputField::current_irreversible, "current_irreversible"},
                                      {OutputField::stream_function, "stream_function"},
                                      {OutputField::generator, "generator"}}) {
      if (!spec_.output.has(field)) continue;
      if (spec_.dynamics == Dynamics::sgd) {
        problems_.add(spec_.place("output.fields"), "output.fields",
                      fmt::format("the SGD map jumps: it has no {}", name),
                      "ask for \"density\" and \"modified_loss\"");
      } else if (field == OutputField::stream_function && !spec_.stationary && !damaged("stationary")) {
        problems_.add(spec_.place("output.fields"), "output.fields",
                      "only the current of a stationary state has a stream function", "add a table [stationary]");
      }
    }
  }

  void read_ensemble() {
    TableReader table = section("ensemble");
    if (!table.present()) return;
    EnsembleSpec ensemble;
    const bool map = spec_.dynamics == Dynamics::sgd;
    ensemble.particles = table.integer("particles", 100, 1'000'000'000'000).value_or(ensemble.particles);
    ensemble.seed = table.integer("seed", 0, std::numeric_limits<long>::max()).value_or(ensemble.seed);
    ensemble.integrator =
        table.choice<EnsembleIntegrator>("integrator",
                                         {{"splitting", EnsembleIntegrator::splitting},
                                          {"euler", EnsembleIntegrator::euler},
                                          {"sgd", EnsembleIntegrator::sgd}},
                                         map ? EnsembleIntegrator::sgd : EnsembleIntegrator::splitting);
    ensemble.step = table.number("step", positive);
    ensemble.sampling = table.choice<BatchSampling>(
        "sampling", {{"replacement", BatchSampling::replacement}, {"epochs", BatchSampling::epochs}},
        BatchSampling::replacement);
    ensemble.runs = table.integer("runs", 2, 100'000'000).value_or(ensemble.runs);
    const bool steps_of_sgd = ensemble.integrator == EnsembleIntegrator::sgd;
    if (map && !steps_of_sgd) {
      table.add("integrator", "particles of the SGD map move by the map", "use integrator = \"sgd\"");
    }
    if (steps_of_sgd && spec_.langevin && !spec_.optimizer && !damaged("optimizer") && !map) {
      table.add("integrator", "\"sgd\" is the map of an optimizer, but there is no [optimizer]",
                "use integrator = \"splitting\"");
    }
    if (steps_of_sgd && table.has("step")) {
      table.add("step", "the SGD map has its own step, the learning rate", "remove it");
    }
    for (const char* key : {"sampling", "runs"}) {
      if (table.has(key) && loss_is_known_ && spec_.loss.kind != LossKind::dataset) {
        table.add(key, "minibatches are drawn from a dataset, but the loss is none",
                  "remove it, or use loss.kind = \"dataset\"");
      }
    }
    table.finish();
    spec_.ensemble = ensemble;
  }

  void read_displacement() {
    TableReader table = section("displacement");
    if (!table.present()) return;
    DisplacementSpec displacement;
    displacement.start = table.choice<DisplacementStart>("start",
                                                         {{"stationary", DisplacementStart::stationary},
                                                          {"cold", DisplacementStart::cold},
                                                          {"initial", DisplacementStart::initial}},
                                                         DisplacementStart::stationary);
    EvolveSpec end;
    read_end(table, end);
    displacement.until = end.until;
    displacement.steps = end.steps;
    displacement.from = table.number("from", positive);
    displacement.points = static_cast<int>(table.integer("points", 2, 10'000).value_or(displacement.points));
    displacement.tolerance = table.number("tolerance", {1e-10, 0.1, false, false}, displacement.tolerance);
    displacement.fit = table.interval("fit");
    const bool has_end = displacement.until > 0.0;
    if (displacement.from && has_end && !(*displacement.from < displacement.until)) {
      table.add("from", fmt::format("it is not before the end, t = {}", displacement.until), "use a smaller time");
    }
    if (const auto& fit = displacement.fit; fit && has_end && !(fit->lower > 0.0 && fit->upper <= displacement.until)) {
      table.add(
          "fit",
          fmt::format("[{}, {}] is not between 0 and the end, t = {}", fit->lower, fit->upper, displacement.until),
          "give two times of the run");
    }
    if (spec_.grid.walls.any_closed()) {
      table.add("start", "a displacement needs an axis without walls, but grid.theta_boundary is not \"open\"",
                "remove [displacement], or theta_boundary");
    }
    if (spec_.evolve && spec_.evolve->precision == Precision::float32) {
      problems_.add(spec_.place("evolve.precision"), "evolve.precision",
                    "displacements need double precision, but [displacement] is given",
                    "remove precision = \"float32\", or compute the displacement with a spec of its own");
    }
    table.finish();
    spec_.displacement = displacement;
  }

  void read_checkpoint() {
    TableReader table = section("checkpoint");
    spec_.checkpoint.every_seconds = table.number("every_seconds", {0.0, 1e9, false, false}, 600.0);
    table.finish();
  }

  void read_output() {
    TableReader table = section("output");
    OutputSpec& output = spec_.output;
    output.directory = table.text("directory").value_or((fs::path("out") / spec_.name).string());
    output.float64 = table.choice<std::optional<bool>>(
        "precision", {{"auto", std::nullopt}, {"float32", false}, {"float64", true}}, std::nullopt);
    if (const toml::node* node = table.find("fields"); node != nullptr) {
      const toml::array* array = node->as_array();
      if (array == nullptr || array->empty()) {
        table.bad(*node, "fields", "a list of field names, such as [\"density\"]");
      } else {
        output.fields.clear();
        for (const toml::node& element : *array) {
          const auto field = table.choice_of<OutputField>(element, "fields",
                                                          {{"density", OutputField::density},
                                                           {"current", OutputField::current},
                                                           {"modified_loss", OutputField::modified_loss},
                                                           {"current_reversible", OutputField::current_reversible},
                                                           {"current_irreversible", OutputField::current_irreversible},
                                                           {"stream_function", OutputField::stream_function},
                                                           {"generator", OutputField::generator}});
          if (field) output.fields.push_back(*field);
        }
        check_fields();
      }
    } else if (spec_.dynamics == Dynamics::sgd) {
      output.fields = {OutputField::density};
    }
    table.finish();
  }

  static constexpr std::size_t most_reported = 200;

  Spec spec_;
  Diagnostics problems_{most_reported};
  const toml::table& document_;
  TableReader root_;
  std::optional<double> learning_rate_;  ///< if it is good
  bool is_flat_ = false;                 ///< a quadratic loss without curvature or weight decay
  bool may_decay_ = false;               ///< weight_decay > 0, or it is not known
  bool has_temperature_ = false;         ///< langevin.temperature is given, good or not
  bool loss_is_known_ = false;
};

}  // namespace

std::string Spec::place(const std::string& key) const {
  if (const auto found = where.find(key); found != where.end()) return found->second;
  if (const auto dot = key.rfind('.'); dot != std::string::npos) return place(key.substr(0, dot));
  return file + ":1:1";
}

bool Spec::has_float64_pictures() const {
  constexpr double small_picture = 512.0 * 512.0;  // cells
  return output.float64.value_or(static_cast<double>(grid.cells[0]) * grid.cells[1] <= small_picture);
}

std::string Spec::loss_key() const {
  switch (loss.kind) {
    case LossKind::quadratic:
      return "loss.hessian";
    case LossKind::polynomial:
      return "loss.coefficients";
    case LossKind::expression:
      return "loss.formula";
    case LossKind::spectrum:
      if (!loss.formula.empty()) return "loss.formula";
      return loss.law ? "loss.law" : loss.file.empty() ? "loss.eigenvalues" : "loss.file";
    case LossKind::table:
    case LossKind::dataset:
      break;
  }
  return "loss.file";
}

std::string Spec::noise_key() const {
  switch (noise.kind) {
    case NoiseKind::hessian:
    case NoiseKind::isotropic:
      return "noise.sigma2";
    case NoiseKind::constant:
      return "noise.covariance";
    case NoiseKind::expression:
      return "noise.formula";
    case NoiseKind::table:
      return "noise.file";
    case NoiseKind::temperature:
      return "langevin.temperature";
    case NoiseKind::dataset:
      break;
  }
  return "noise.kind";
}

void refuse(const Spec& spec, const std::string& key, std::string problem, std::string remedy) {
  refuse(spec.place(key), key, std::move(problem), std::move(remedy));
}

namespace {

/// A line of a text, counted from 1.
std::string line_of(const std::string& text, std::size_t number) {
  std::size_t begin = 0;
  for (std::size_t line = 1; line < number && begin < text.size(); ++line)
    begin = std::min(text.find('\n', begin), text.size() - 1) + 1;
  const std::string line = text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
  const std::size_t first = std::min(line.find_first_not_of(" \t"), line.size());
  return line.substr(first, line.find_last_not_of(" \t\r") + 1 - first);
}

bool is_toml(const std::string& value) {
  try {
    static_cast<void>(toml::parse(std::string_view("value = " + value)));
    return true;
  } catch (const toml::parse_error&) {
    return false;
  }
}

bool is_constant_formula(const std::string& text) {
  try {
    return constant_value(text).has_value();
  } catch (const SpecError&) {
    return false;
  }
}

/// What a value that is not TOML was meant to be: a number of another spelling, a word or a formula in quotation marks.
std::string valid_value(const std::string& value) {
  if (value.size() > longest_formula || is_toml(value)) return value;
  if (value == "True" || value == "False") return value == "True" ? "true" : "false";
  std::string number = value;
  for (const char* minus : {"−", "–"}) {
    if (number.rfind(minus, 0) == 0) number = "-" + number.substr(std::string_view(minus).size());
  }
  const std::size_t digits = number[0] == '-' || number[0] == '+' ? 1 : 0;
  if (number.compare(digits, 1, ".") == 0) number.insert(digits, "0");
  if (number.back() == '.') number += "0";
  if (is_toml(number)) return number;
  const bool is_word = std::all_of(value.begin(), value.end(),
                                   [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
  return is_word || is_constant_formula(value) ? "\"" + value + "\"" : value;
}

}  // namespace

Spec parse_spec(const std::string& text, const std::string& path) {
  require_plain_text(text, path);
  require_shallow_keys(text, path);
  toml::table document;
  try {
    document = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    const std::string line = line_of(text, error.source().begin.line);
    const std::string meant = with_replaced_values(line, valid_value);
    const auto marks = [](const std::string& part) { return std::count(part.begin(), part.end(), '"'); };
    const char* const why =
        marks(meant) > marks(line) ? ": words, and formulas for numbers, stand in quotation marks" : "";
    refuse(place_of(path, error.source()), "", "not valid TOML: " + std::string(error.description()),
           meant.empty() ? "correct this line; every key may appear once" : "write " + shortened(meant) + why);
  }
  return SpecParser(document, path).parse();
}

Spec read_spec(const std::string& path) {
  std::error_code code;
  const auto size = fs::file_size(path, code);
  std::ifstream stream(path, std::ios::binary);
  if (code || !stream) {
    throw Error(ExitCode::bad_input, "cannot read the spec: " + (code ? code.message() : std::string("not readable")),
                path, "give the name of a TOML file; `underdamp new` writes one");
  }
  constexpr std::uintmax_t limit = std::uintmax_t{4} << 20;
  if (size > limit) {
    throw Error(ExitCode::bad_input, fmt::format("the spec has {} bytes, the limit is {}", size, limit), path,
                "is this the right file?");
  }
  std::ostringstream text;
  text << stream.rdbuf();
  return parse_spec(text.str(), path);
}

}  // namespace underdamp
