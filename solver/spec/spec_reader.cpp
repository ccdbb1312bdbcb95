#include "solver/spec/spec_reader.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "solver/io/files.hpp"
#include "solver/landscape/dataset.hpp"
#include "solver/landscape/formula.hpp"
#include "solver/landscape/function.hpp"
#include "solver/landscape/mode_spectrum.hpp"
#include "solver/spec/inputs.hpp"
#include "solver/spec/spec_text.hpp"
#include "solver/spec/table_reader.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

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
