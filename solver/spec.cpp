#include "solver/spec.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <set>
#include <sstream>

#define TOML_EXCEPTIONS 1
#include <fmt/format.h>
#include <toml++/toml.h>

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
    if (!std::isfinite(lower) && !std::isfinite(upper)) return "a finite number";
    if (!std::isfinite(upper)) return fmt::format("a number {} {}", lower_open ? ">" : "≥", lower);
    return fmt::format("a number in {}{}, {}{}", lower_open ? "(" : "[", lower, upper, upper_open ? ")" : "]");
  }
};
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Range any{};
constexpr Range positive{0.0, infinity, true, false};
constexpr Range non_negative{0.0, infinity, false, false};

std::string place_of(const std::string& file, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", file, source.begin.line, source.begin.column);
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

  std::optional<double> number(const std::string& key, const Range& range) {
    const toml::node* node = find(key);
    if (node == nullptr) return std::nullopt;
    return number_of(*node, key, range);
  }
  double number(const std::string& key, const Range& range, double fallback) {
    return number(key, range).value_or(fallback);
  }
  double required_number(const std::string& key, const Range& range) {
    if (!has(key)) missing(key, range.text());
    return number(key, range).value_or(1.0);
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
    bad(*node, key, "a text in quotation marks");
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
  Value choice(const std::string& key, const std::vector<std::pair<std::string, Value>>& choices, Value fallback) {
    const toml::node* node = find(key);
    if (node == nullptr) return fallback;
    return choice_of(*node, key, choices, fallback);
  }

  std::vector<double> numbers(const std::string& key, std::size_t least, const std::string& what) {
    std::vector<double> values;
    const toml::node* node = find(key);
    if (node == nullptr) return values;
    const toml::array* array = node->as_array();
    if (array == nullptr || array->size() < least) {
      bad(*node, key, what);
      return values;
    }
    for (const toml::node& element : *array) values.push_back(number_of(element, key, any).value_or(0.0));
    return values;
  }

  /// "auto" (absent) or [min, max].
  std::optional<Interval> interval(const std::string& key) {
    const toml::node* node = find(key);
    if (node == nullptr) return std::nullopt;
    if (const auto value = node->value_exact<std::string>(); value && *value == "auto") return std::nullopt;
    const std::string expected = "\"auto\" or [min, max] with min < max";
    const toml::array* array = node->as_array();
    if (array == nullptr || array->size() != 2) {
      bad(*node, key, expected);
      return std::nullopt;
    }
    const auto lower = number_of((*array)[0], key, any);
    const auto upper = number_of((*array)[1], key, any);
    if (!lower || !upper) return std::nullopt;
    if (!(*upper > *lower)) {
      add(*node, key, fmt::format("the interval [{}, {}] has no width", *lower, *upper), "expected " + expected);
      return std::nullopt;
    }
    return Interval{*lower, *upper};
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
      if (!good) break;
      values.emplace_back();
      for (const toml::node& element : *row) values.back().push_back(number_of(element, key, any).value_or(0.0));
    }
    if (!good) bad(*node, key, expected);
    return good ? values : std::vector<std::vector<double>>{};
  }

  const toml::node* find(const std::string& key) {
    known_.push_back(key);
    if (table_ == nullptr) return nullptr;
    const toml::node* node = table_->get(key);
    if (node != nullptr) spec_.where[dotted(key)] = place_of(spec_.file, node->source());
    return node;
  }

  /// Everything that was not asked for is an error that names the nearest valid key.
  void finish(const std::string& context = {}) {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
      const std::string name(key.str());
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      const std::string nearest = nearest_name(name, known_);
      problems_.add(place_of(spec_.file, key.source()), dotted(name), "unknown key" + context,
                    nearest.empty() ? "remove it; valid here: " + join_names(known_) : "did you mean " + nearest + "?");
    }
  }

  void missing(const std::string& key, const std::string& expected) {
    known_.push_back(key);
    problems_.add(table_ != nullptr ? place_of(spec_.file, table_->source()) : spec_.file + ":1:1", dotted(key),
                  "this key is missing", "add " + key + " = …, " + expected);
  }

  void add(const toml::node& node, const std::string& key, const std::string& problem, const std::string& remedy) {
    problems_.add(place_of(spec_.file, node.source()), dotted(key), problem, remedy);
  }
  void bad(const toml::node& node, const std::string& key, const std::string& expected) {
    std::ostringstream found;
    found << toml::node_view<const toml::node>(node);
    std::string shown = found.str();
    if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
    add(node, key, "found " + shown, "expected " + expected);
  }

  std::optional<double> number_of(const toml::node& node, const std::string& key, const Range& range) {
    std::optional<double> value;
    if (node.is_integer()) value = static_cast<double>(*node.value_exact<std::int64_t>());
    if (node.is_floating_point()) value = *node.value_exact<double>();
    if (!value || !std::isfinite(*value) || !range.contains(*value)) {
      bad(node, key, range.text());
      return std::nullopt;
    }
    return value;
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
  Value choice_of(const toml::node& node, const std::string& key,
                  const std::vector<std::pair<std::string, Value>>& choices, Value fallback) {
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) names.push_back(name);
    const auto found = node.value_exact<std::string>();
    if (found) {
      for (const auto& [name, value] : choices) {
        if (name == *found) return value;
      }
      const std::string nearest = nearest_name(*found, names);
      add(node, key, "\"" + *found + "\" is not one of the choices",
          nearest.empty() ? "expected " + join_names(names)
                          : "did you mean \"" + nearest + "\"? choices: " + join_names(names));
      return fallback;
    }
    bad(node, key, join_names(names));
    return fallback;
  }

 private:
  std::string dotted(const std::string& key) const { return name_.empty() ? key : name_ + "." + key; }

  Spec& spec_;
  Diagnostics& problems_;
  const toml::table* table_;
  std::string name_;
  std::vector<std::string> known_;
};

/// One pass over the document.
class SpecParser {
 public:
  SpecParser(const toml::table& document, const std::string& path) : document_(document) {
    spec_.file = path;
    spec_.name = fs::path(path).stem().string();
    if (spec_.name.empty()) spec_.name = "spec";
  }

  Spec parse() {
    TableReader root(spec_, problems_, &document_, "");
    spec_.title = root.text("title").value_or(spec_.name);
    spec_.dynamics = root.choice<Dynamics>("dynamics", {{"langevin", Dynamics::langevin}, {"sgd", Dynamics::sgd}},
                                           Dynamics::langevin);
    for (const char* name : {"optimizer", "langevin", "loss", "noise", "grid", "initial", "evolve", "stationary", "ensemble", "output"}) {
      const toml::node* node = root.find(name);
      if (node != nullptr && node->as_table() == nullptr) root.bad(*node, name, std::string("a table [") + name + "]");
    }
    root.finish();
    read_dynamics(root);
    read_loss();
    read_noise();
    read_grid();
    read_initial();
    read_evolve();
    read_stationary();
    read_ensemble();
    read_output();
    problems_.throw_if_any();
    return spec_;
  }

 private:
  TableReader section(const char* name) {
    const toml::node* node = document_.get(name);
    return {spec_, problems_, node != nullptr ? node->as_table() : nullptr, name};
  }
  std::string resolved(const std::string& file) const {
    if (file.empty()) return file;
    const fs::path path(file);
    return path.is_absolute() ? file : (fs::path(spec_.file).parent_path() / path).lexically_normal().string();
  }

  void read_dynamics(TableReader& root) {
    TableReader optimizer = section("optimizer");
    TableReader langevin = section("langevin");
    if (optimizer.present() == langevin.present()) {
      problems_.add(spec_.file + ":1:1", "optimizer",
                    optimizer.present() ? "both [optimizer] and [langevin] are given"
                                        : "neither [optimizer] nor [langevin] is given",
                    "give exactly one of the two tables");
    }
    if (optimizer.present()) {
      OptimizerSpec o;
      o.learning_rate = optimizer.required_number("learning_rate", positive);
      o.momentum = optimizer.required_number("momentum", {0.0, 1.0, false, true});
      o.batch_size = optimizer.required_number("batch_size", {1.0, infinity, false, false});
      o.weight_decay = optimizer.number("weight_decay", non_negative, 0.0);
      optimizer.finish();
      spec_.optimizer = o;
    }
    if (langevin.present()) {
      LangevinSpec l;
      l.friction = langevin.required_number("friction", positive);
      l.temperature = langevin.number("temperature", positive);
      langevin.finish();
      spec_.langevin = l;
      if (spec_.dynamics == Dynamics::sgd) {
        problems_.add(spec_.place("dynamics"), "dynamics",
                      "\"sgd\" is the map of an optimizer, but [langevin] is given",
                      "give [optimizer], or dynamics = \"langevin\"");
      }
    }
    (void)root;
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
      problems_.add(spec_.file + ":1:1", "loss", "the table [loss] is missing", "add [loss] with a kind");
      return;
    }
    if (!table.has("kind")) table.missing("kind", "quadratic, polynomial, expression, table or dataset");
    LossSpec& loss = spec_.loss;
    loss.kind = table.choice<LossKind>("kind",
                                       {{"quadratic", LossKind::quadratic},
                                        {"polynomial", LossKind::polynomial},
                                        {"expression", LossKind::expression},
                                        {"table", LossKind::table},
                                        {"dataset", LossKind::dataset}},
                                       LossKind::quadratic);
    switch (loss.kind) {
      case LossKind::quadratic:
        loss.hessian = table.number("hessian", non_negative, 1.0);
        loss.minimum = table.number("minimum", any, 0.0);
        if (!(loss.hessian + (spec_.optimizer ? spec_.optimizer->weight_decay : 0.0) > 0.0)) {
          problems_.add(spec_.place("loss.hessian"), "loss.hessian",
                        "the Hessian is singular: nothing holds the parameter", "use hessian > 0, or weight_decay > 0");
        }
        break;
      case LossKind::polynomial:
        if (!table.has("coefficients")) table.missing("coefficients", "[c0, c1, c2, …]");
        loss.coefficients = table.numbers("coefficients", 3, "at least three numbers [c0, c1, c2, …]");
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
    }
    table.finish(" for this kind of loss");
  }

  void read_noise() {
    TableReader table = section("noise");
    NoiseSpec& noise = spec_.noise;
    if (!table.present()) {
      if (spec_.langevin && spec_.langevin->temperature) {
        noise.kind = NoiseKind::temperature;
      } else if (spec_.loss.kind == LossKind::dataset) {
        noise.kind = NoiseKind::dataset;
      } else if (spec_.langevin) {
        problems_.add(spec_.place("langevin"), "langevin.temperature", "nothing gives the noise",
                      "add temperature = …, or a table [noise] that gives D");
      } else {
        problems_.add(spec_.file + ":1:1", "noise", "the table [noise] is missing",
                      "add [noise] with a kind and sigma2");
      }
      return;
    }
    if (spec_.langevin && spec_.langevin->temperature) {
      problems_.add(spec_.place("noise"), "noise", "both langevin.temperature and [noise] are given",
                    "give only one of them");
    }
    if (!table.has("kind")) table.missing("kind", "hessian, isotropic, constant, expression, table or dataset");
    noise.kind = table.choice<NoiseKind>("kind",
                                         {{"hessian", NoiseKind::hessian},
                                          {"isotropic", NoiseKind::isotropic},
                                          {"constant", NoiseKind::constant},
                                          {"expression", NoiseKind::expression},
                                          {"table", NoiseKind::table},
                                          {"dataset", NoiseKind::dataset}},
                                         NoiseKind::isotropic);
    read_noise_kind(table);
    table.finish(" for this kind of noise");
  }

  void read_noise_kind(TableReader& table) {
    NoiseSpec& noise = spec_.noise;
    switch (noise.kind) {
      case NoiseKind::hessian:
      case NoiseKind::isotropic:
        noise.sigma2 = table.required_number("sigma2", positive);
        break;
      case NoiseKind::constant:
        if (!table.has("covariance")) table.missing("covariance", "[[variance]]");
        if (const auto rows = table.matrix("covariance", 1, 1, "[[variance]], one parameter"); !rows.empty()) {
          noise.covariance = rows[0][0];
          if (!(noise.covariance > 0.0)) {
            problems_.add(spec_.place("noise.covariance"), "noise.covariance", "the variance is not positive",
                          "use a variance > 0");
          }
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
        if (spec_.loss.kind != LossKind::dataset) {
          problems_.add(spec_.place("noise.kind"), "noise.kind", "\"dataset\" noise is measured on a dataset loss",
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
          fmt::format("two whole numbers [theta, velocity] from {} to 16384", PhaseMesh::minimum_cells);
      if (array == nullptr || array->size() != 2) {
        table.bad(*node, "cells", expected);
      } else {
        for (std::size_t k = 0; k < 2; ++k) {
          const auto cells = table.integer_of((*array)[k], "cells", PhaseMesh::minimum_cells, 16384);
          if (cells) grid.cells[k] = static_cast<int>(*cells);
        }
      }
    }
    grid.theta = table.interval("theta");
    grid.velocity = table.interval("velocity");
    grid.boundary = table.choice<ThetaBoundary>("theta_boundary",
                                                {{"open", ThetaBoundary::open},
                                                 {"periodic", ThetaBoundary::periodic},
                                                 {"reflecting", ThetaBoundary::reflecting}},
                                                ThetaBoundary::open);
    if (grid.boundary != ThetaBoundary::open && !grid.theta) {
      problems_.add(spec_.place("grid.theta_boundary"), "grid.theta_boundary",
                    "a closed theta axis needs to know its walls", "give grid.theta = [min, max]");
    }
    table.finish();
  }

  void read_initial() {
    TableReader table = section("initial");
    InitialSpec& initial = spec_.initial;
    if (!table.present()) return;
    if (!table.has("kind")) table.missing("kind", "gaussian, stationary, uniform or file");
    initial.kind = table.choice<InitialKind>("kind",
                                             {{"gaussian", InitialKind::gaussian},
                                              {"stationary", InitialKind::stationary},
                                              {"uniform", InitialKind::uniform},
                                              {"file", InitialKind::file}},
                                             InitialKind::gaussian);
    if (initial.kind == InitialKind::gaussian) {
      if (const auto mean = table.numbers("mean", 2, "two numbers [theta, velocity]"); mean.size() == 2) {
        initial.mean = {{mean[0], mean[1]}};
      } else if (mean.size() > 2) {
        problems_.add(spec_.place("initial.mean"), "initial.mean", "more than two numbers",
                      "expected [theta, velocity]");
      }
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
    table.finish(" for this kind of start");
  }

  void read_covariance(TableReader& table) {
    const auto rows = table.matrix("covariance", 2, 2, "[[var_theta, cov], [cov, var_v]]");
    if (rows.empty()) return;
    const double determinant = rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0];
    if (rows[0][1] != rows[1][0] || !(rows[0][0] > 0.0) || !(determinant > 0.0)) {
      problems_.add(spec_.place("initial.covariance"), "initial.covariance",
                    "the matrix is not symmetric positive definite",
                    "expected [[var_theta, cov], [cov, var_v]] with var > 0 and cov² < var_theta·var_v");
      return;
    }
    spec_.initial.covariance = {{{{rows[0][0], rows[0][1]}, {rows[1][0], rows[1][1]}}}};
  }

  void read_evolve() {
    TableReader table = section("evolve");
    if (!table.present()) return;
    EvolveSpec evolve;
    const auto until = table.number("until", positive);
    evolve.steps = table.integer("steps", 1, 1'000'000'000);
    if (until.has_value() == evolve.steps.has_value()) {
      problems_.add(spec_.place("evolve"), "evolve.until",
                    until ? "both until and steps are given" : "neither until nor steps is given",
                    "give exactly one: until = time, or steps = number of SGD steps");
    }
    if (evolve.steps && !spec_.optimizer) {
      problems_.add(spec_.place("evolve.steps"), "evolve.steps", "steps count SGD steps, but there is no [optimizer]",
                    "give until = time");
    }
    const double eta = spec_.optimizer ? spec_.optimizer->learning_rate : 1.0;
    evolve.until = until ? *until : eta * static_cast<double>(evolve.steps.value_or(1));
    evolve.tolerance = table.number("tolerance", {1e-13, 0.1, false, false}, 1e-6);
    evolve.step = table.number("step", positive);
    if (const auto frames = table.integer("frames", 1, 100'000)) evolve.frames = static_cast<int>(*frames);
    evolve.every = table.number("every", positive);
    if (evolve.frames && evolve.every) {
      problems_.add(spec_.place("evolve.every"), "evolve.every", "both frames and every are given",
                    "give only one of them");
    }
    if (evolve.every && evolve.until / *evolve.every > 100'000.0) {
      problems_.add(spec_.place("evolve.every"), "evolve.every", "more than 100000 frames", "use a longer interval");
    }
    evolve.limit_positivity = table.choice<bool>("positivity", {{"limit", true}, {"none", false}}, true);
    table.finish();
    check_sgd_evolution(evolve);
    spec_.evolve = evolve;
  }

  void check_sgd_evolution(EvolveSpec& evolve) {
    if (spec_.dynamics != Dynamics::sgd || !spec_.optimizer) return;
    if (evolve.step) {
      problems_.add(spec_.place("evolve.step"), "evolve.step", "the SGD map has its own step, the learning rate",
                    "remove it");
    }
    if (!evolve.steps) {
      const double steps = std::round(evolve.until / spec_.optimizer->learning_rate);
      if (!(steps >= 1.0 && steps <= 1e9)) {
        problems_.add(spec_.place("evolve.until"), "evolve.until", fmt::format("that is {} SGD steps", steps),
                      "give a time between one and 1e9 learning rates");
        return;
      }
      evolve.steps = static_cast<long>(steps);
      evolve.until = steps * spec_.optimizer->learning_rate;
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
      problems_.add(spec_.place("stationary.method"), "stationary.method", "the SGD map has no generator to factor",
                    "use \"arnoldi\" or \"evolve\"");
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
                      fmt::format("the SGD map jumps: it has no {}", name), "ask for \"density\" and \"modified_loss\"");
      } else if (field == OutputField::stream_function && !spec_.stationary) {
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
    const auto refuse = [&](const char* key, const std::string& problem, const std::string& remedy) {
      const std::string name = std::string("ensemble.") + key;
      problems_.add(spec_.place(name), name, problem, remedy);
    };
    if (map && !steps_of_sgd)
      refuse("integrator", "particles of the SGD map move by the map", "use integrator = \"sgd\"");
    if (steps_of_sgd && !spec_.optimizer) {
      refuse("integrator", "\"sgd\" is the map of an optimizer, but there is no [optimizer]",
             "use integrator = \"splitting\"");
    }
    if (steps_of_sgd && ensemble.step) refuse("step", "the SGD map has its own step, the learning rate", "remove it");
    for (const char* key : {"sampling", "runs"}) {
      if (table.has(key) && spec_.loss.kind != LossKind::dataset)
        refuse(key, "minibatches are drawn from a dataset, but the loss is none",
               "remove it, or use loss.kind = \"dataset\"");
    }
    table.finish();
    spec_.ensemble = ensemble;
  }

  void read_output() {
    TableReader table = section("output");
    OutputSpec& output = spec_.output;
    output.directory = table.text("directory").value_or((fs::path("out") / spec_.name).string());
    output.float64 = table.choice<bool>("precision", {{"float32", false}, {"float64", true}}, false);
    if (const toml::node* node = table.find("fields"); node != nullptr) {
      const toml::array* array = node->as_array();
      if (array == nullptr || array->empty()) {
        table.bad(*node, "fields", "a list of field names, such as [\"density\"]");
      } else {
        output.fields.clear();
        for (const toml::node& element : *array) {
          output.fields.push_back(table.choice_of<OutputField>(element, "fields",
                                                               {{"density", OutputField::density},
                                                                {"current", OutputField::current},
                                                                {"modified_loss", OutputField::modified_loss},
                                                                {"current_reversible", OutputField::current_reversible},
                                                                {"current_irreversible", OutputField::current_irreversible},
                                                                {"stream_function", OutputField::stream_function},
                                                                {"generator", OutputField::generator}},
                                                               OutputField::density));
        }
        check_fields();
      }
    } else if (spec_.dynamics == Dynamics::sgd) {
      output.fields = {OutputField::density};
    }
    table.finish();
  }

  const toml::table& document_;
  Spec spec_;
  Diagnostics problems_;
};

}  // namespace

std::string Spec::place(const std::string& key) const {
  if (const auto found = where.find(key); found != where.end()) return found->second;
  if (const auto dot = key.rfind('.'); dot != std::string::npos) return place(key.substr(0, dot));
  return file + ":1:1";
}

Spec parse_spec(const std::string& text, const std::string& path) {
  toml::table document;
  try {
    document = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    Diagnostics problems;
    problems.add(place_of(path, error.source()), "", std::string("not valid TOML: ") + std::string(error.description()),
                 "correct this line; every key may appear once");
    problems.throw_if_any();
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
  if (size > limit) throw Error(ExitCode::bad_input, "the spec is larger than 4 MiB", path, "is this the right file?");
  std::ostringstream text;
  text << stream.rdbuf();
  return parse_spec(text.str(), path);
}

}  // namespace underdamp
