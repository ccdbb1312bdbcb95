#include "solver/spec/spec_reader.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "solver/io/files.hpp"
#include "solver/landscape/function.hpp"
#include "solver/landscape/mode_spectrum.hpp"
#include "solver/spec/inputs.hpp"
#include "solver/spec/key_reader.hpp"
#include "solver/spec/pytorch_keys.hpp"
#include "solver/spec/toml_document.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

/// One pass over the document.
class SpecParser {
 public:
  SpecParser(toml::table document, const std::string& path)
      : spec_(named(path)), document_(std::move(document)), root_(spec_, problems_, &document_, "") {}

  Spec parse() {
    spec_.title = spec_.name;
    KeyReader keys(root_);
    top_level_keys(keys, spec_);
    for (const std::string& name : table_names()) {
      const toml::node* node = root_.find(name);
      if (node != nullptr && node->as_table() == nullptr) root_.bad(*node, name, "a table [" + name + "]");
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
    OptimizerSpec& optimizer = spec_.optimizer.emplace();
    KeyReader keys(table);
    optimizer_keys(keys, optimizer);
    table.explain(keys_of_pytorch());
    table.finish();
    if (table.has("learning_rate") && !table.failed("learning_rate")) learning_rate_ = optimizer.learning_rate;
    may_decay_ = optimizer.weight_decay > 0.0 || table.failed("weight_decay") || table.misspelt("weight_decay");
  }

  void read_langevin() {
    TableReader table = section("langevin");
    if (!table.present()) return;
    KeyReader keys(table);
    langevin_keys(keys, spec_.langevin.emplace());
    table.finish();
    has_temperature_ = table.has("temperature") || table.misspelt("temperature");
  }

  void read_loss() {
    TableReader table = section("loss");
    if (!table.present()) {
      if (!damaged("loss")) {
        problems_.add(spec_.file + ":1:1", "loss", "the table [loss] is missing", "add [loss] with a kind");
      }
      return;
    }
    KeyReader keys(table);
    loss_keys(keys, spec_.loss);
    loss_is_known_ = keys.knows_kind();
    if (loss_is_known_) check_loss(table);
    table.finish(loss_is_known_ ? " for this kind of loss" : "");
  }

  void check_loss(TableReader& table) {
    const LossSpec& loss = spec_.loss;
    if (loss.kind == LossKind::quadratic) is_flat_ = !(loss.hessian > 0.0) && !may_decay_ && !table.failed("hessian");
    if (loss.kind == LossKind::polynomial && loss.coefficients.size() > most_coefficients)
      table.add("coefficients",
                fmt::format("{} coefficients, the limit is {}", loss.coefficients.size(), most_coefficients),
                "use a polynomial of lower degree, or a table");
    if (loss.kind == LossKind::spectrum) check_spectrum(table);
  }

  void check_spectrum(TableReader& table) {
    const std::string remedy =
        "give exactly one: eigenvalues = [rho1, rho2, …], file = a CSV file, or law = \"power\" with alpha, min, max, "
        "count";
    const int sources = (table.has("eigenvalues") ? 1 : 0) + (table.has("file") ? 1 : 0) + (table.has("law") ? 1 : 0);
    if (sources == 0) table.missing({"eigenvalues", "file", "law"}, "nothing gives the eigenvalues", remedy);
    if (sources > 1)
      table.add(table.has("eigenvalues") ? "eigenvalues" : "file", "more than one key gives the eigenvalues", remedy);
    if (table.has("eigenvalues")) check_eigenvalues(table);
    if (table.has("law")) use_law(table);
  }

  void check_eigenvalues(TableReader& table) {
    LossSpec& loss = spec_.loss;
    if (loss.eigenvalues.size() > most_modes)
      table.add("eigenvalues", fmt::format("more than {} eigenvalues", most_modes), "bin them, and give weights");
    if (loss.weights.empty()) loss.weights.assign(loss.eigenvalues.size(), 1.0);
    if (loss.weights.size() != loss.eigenvalues.size() && !table.failed("eigenvalues")) {
      table.add("weights", fmt::format("{} weights for {} eigenvalues", loss.weights.size(), loss.eigenvalues.size()),
                "give one weight for each eigenvalue");
    }
  }

  /// The eigenvalues that it stands for.
  void use_law(TableReader& table) {
    LossSpec& loss = spec_.loss;
    for (const char* key : {"alpha", "min", "max", "count"}) {
      if (!table.has(key) || table.failed(key)) return loss.law.reset();
    }
    PowerLaw& law = *loss.law;
    if (!(law.largest > law.smallest)) {
      table.add("max", fmt::format("max = {} is not above min = {}", law.largest, law.smallest), "use min < max");
      return loss.law.reset();
    }
    if (!table.has("parameters") || table.failed("parameters")) law.parameters = static_cast<double>(law.count);
    const auto modes = power_law_modes(law);
    loss.eigenvalues = modes.eigenvalues;
    loss.weights = modes.weights;
  }

  void read_noise() {
    TableReader table = section("noise");
    if (!table.present()) return default_noise();
    if (spec_.langevin && has_temperature_) {
      problems_.add(spec_.place("noise"), "noise", "both langevin.temperature and [noise] are given",
                    "give only one of them");
    }
    KeyReader keys(table);
    noise_keys(keys, spec_.noise);
    if (spec_.noise.kind == NoiseKind::dataset && spec_.loss.kind != LossKind::dataset && loss_is_known_) {
      table.add("kind", "\"dataset\" noise is measured on a dataset loss",
                "use loss.kind = \"dataset\", or another kind of noise");
    }
    table.finish(keys.knows_kind() ? " for this kind of noise" : "");
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

  void read_grid() {
    TableReader table = section("grid");
    GridSpec& grid = spec_.grid;
    KeyReader keys(table);
    grid_keys(keys, grid);
    if (grid.walls.any_closed() && !grid.theta && !table.failed("theta"))
      table.add("theta_boundary", "a closed theta wall needs its place", "give grid.theta = [min, max]");
    table.finish();
  }

  /// Without slope only walls on both sides, or a circle, keep the parameter.
  void check_confinement() {
    if (!is_flat_ || spec_.grid.walls.closed()) return;
    problems_.add(spec_.place("loss.hessian"), "loss.hessian", "the Hessian is singular: nothing holds the parameter",
                  "use hessian > 0, weight_decay > 0, or grid.theta with theta_boundary = \"reflecting\" or "
                  "\"periodic\"");
  }

  void read_initial() {
    TableReader table = section("initial");
    if (!table.present()) return;
    KeyReader keys(table);
    initial_keys(keys, spec_.initial);
    table.finish(keys.knows_kind() ? " for this kind of start" : "");
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

  void read_evolve() {
    TableReader table = section("evolve");
    if (!table.present()) return;
    EvolveSpec evolve;
    KeyReader keys(table);
    evolve_keys(keys, evolve);
    find_end(table, evolve.until, evolve.steps);
    if (evolve.precision == Precision::float32 && !table.has("tolerance")) evolve.tolerance = float32_tolerance;
    if (table.has("frames") && table.has("every")) {
      table.add("every", "both frames and every are given", "give only one of them");
    } else if (evolve.every && evolve.until / *evolve.every > 100'000.0) {
      table.add("every", "more than 100000 frames", "use a longer interval");
    }
    if (!evolve.every && !evolve.frames) evolve.frames = 1;
    if (spec_.dynamics == Dynamics::sgd && table.has("step"))
      table.add("step", "the SGD map has its own step, the learning rate", "remove it");
    table.finish();
    spec_.evolve = evolve;
  }

  /// The end of the run as a time, and for SGD in whole steps; 0 if it is not known.
  void find_end(TableReader& table, double& until, std::optional<long>& steps) {
    const std::string remedy = "give exactly one: until = time, or steps = number of SGD steps";
    if (table.has("until") && table.has("steps")) {
      until = 0.0;
      return table.add("until", "both until and steps are given", remedy);
    }
    if (!table.has("until") && !table.has("steps"))
      return table.missing({"until", "steps"}, "neither until nor steps is given", remedy);
    if (table.has("steps") && spec_.langevin && !spec_.optimizer && !damaged("optimizer"))
      return table.add("steps", "steps count SGD steps, but there is no [optimizer]", "give until = time");
    if (!learning_rate_) return;
    if (steps) {
      until = *learning_rate_ * static_cast<double>(*steps);
    } else if (until > 0.0 && spec_.dynamics == Dynamics::sgd) {
      const double count = std::round(until / *learning_rate_);
      if (!(count >= 1.0 && count <= 1e9)) {
        return table.add("until", fmt::format("that is {} SGD steps", count),
                         "give a time between one and 1e9 learning rates");
      }
      steps = static_cast<long>(count);
      until = count * *learning_rate_;
    }
  }

  void read_stationary() {
    TableReader table = section("stationary");
    if (!table.present()) return;
    StationarySpec& stationary = spec_.stationary.emplace();
    KeyReader keys(table);
    stationary_keys(keys, stationary);
    if (stationary.method == StationaryMethod::direct && spec_.dynamics == Dynamics::sgd)
      table.add("method", "the SGD map has no generator to factor", "use \"arnoldi\" or \"evolve\"");
    require_float64("stationary states and spectra need double precision, but [stationary] is given",
                    "compute the stationary state with a spec of its own");
    table.finish();
  }

  void require_float64(const std::string& problem, const std::string& remedy) {
    if (!spec_.evolve || spec_.evolve->precision != Precision::float32) return;
    problems_.add(spec_.place("evolve.precision"), "evolve.precision", problem,
                  "remove precision = \"float32\", or " + remedy);
  }

  void read_ensemble() {
    TableReader table = section("ensemble");
    if (!table.present()) return;
    const bool map = spec_.dynamics == Dynamics::sgd;
    EnsembleSpec& ensemble = spec_.ensemble.emplace();
    if (map) ensemble.integrator = EnsembleIntegrator::sgd;
    KeyReader keys(table);
    ensemble_keys(keys, ensemble);
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
  }

  void read_displacement() {
    TableReader table = section("displacement");
    if (!table.present()) return;
    DisplacementSpec& displacement = spec_.displacement.emplace();
    KeyReader keys(table);
    displacement_keys(keys, displacement);
    find_end(table, displacement.until, displacement.steps);
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
    require_float64("displacements need double precision, but [displacement] is given",
                    "compute the displacement with a spec of its own");
    table.finish();
  }

  void read_checkpoint() {
    TableReader table = section("checkpoint");
    KeyReader keys(table);
    checkpoint_keys(keys, spec_.checkpoint);
    table.finish();
  }

  void read_output() {
    TableReader table = section("output");
    OutputSpec& output = spec_.output;
    output.directory = (fs::path("out") / spec_.name).string();
    if (spec_.dynamics == Dynamics::sgd && !table.has("fields")) output.fields = {OutputField::density};
    KeyReader keys(table);
    output_keys(keys, output);
    if (table.has("fields")) check_fields();
    table.finish();
  }

  /// Fields that the run cannot make.
  void check_fields() {
    for (const OutputField field :
         {OutputField::current, OutputField::current_reversible, OutputField::current_irreversible,
          OutputField::stream_function, OutputField::generator}) {
      if (!spec_.output.has(field)) continue;
      if (spec_.dynamics == Dynamics::sgd) {
        problems_.add(spec_.place("output.fields"), "output.fields",
                      fmt::format("the SGD map jumps: it has no {}", field_words().name_of(field)),
                      "ask for \"density\" and \"modified_loss\"");
      } else if (field == OutputField::stream_function && !spec_.stationary && !damaged("stationary")) {
        problems_.add(spec_.place("output.fields"), "output.fields",
                      "only the current of a stationary state has a stream function", "add a table [stationary]");
      }
    }
  }

  static constexpr std::size_t most_reported = 200;
  static constexpr double float32_tolerance = 1e-5;

  Spec spec_;
  Diagnostics problems_{most_reported};
  toml::table document_;
  TableReader root_;
  std::optional<double> learning_rate_;  ///< if it is good
  bool is_flat_ = false;                 ///< a quadratic loss without curvature or weight decay
  bool may_decay_ = false;               ///< weight_decay > 0, or it is not known
  bool has_temperature_ = false;         ///< langevin.temperature is given, good or not
  bool loss_is_known_ = false;
};

}  // namespace

Spec parse_spec(const std::string& text, const std::string& path) {
  return SpecParser(toml_document(text, path), path).parse();
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
