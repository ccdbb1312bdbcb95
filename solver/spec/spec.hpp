#pragma once
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "meshes/axis.hpp"
#include "meshes/phase_mesh.hpp"
#include "meshes/precision.hpp"
#include "solver/io/diagnostics.hpp"
#include "solver/landscape/mode_spectrum.hpp"

/// The typed form of a spec file. Defaults are the member initialisers below; only spec_keys.hpp and spec_reader.cpp
/// know key names.
/// Every key is described in docs/spec.md.
namespace underdamp {

class Function;
struct RegressionData;
struct GridDensity;

enum class Dynamics { langevin, sgd };

/// [optimizer]: SGD with momentum.
struct OptimizerSpec {
  double learning_rate = 0.0;  ///< η
  double momentum = 0.0;       ///< β
  double batch_size = 1.0;     ///< S
  double weight_decay = 0.0;   ///< λ
};

/// [langevin]: the plain Kramers equation.
struct LangevinSpec {
  double friction = 0.0;              ///< γ
  std::optional<double> temperature;  ///< D = friction · temperature; absent if [noise] gives D
};

enum class LossKind { quadratic, polynomial, expression, table, dataset, spectrum };

struct LossSpec {
  LossKind kind = LossKind::quadratic;
  double hessian = 1.0;
  double minimum = 0.0;
  std::vector<double> coefficients;  ///< polynomial: c0, c1, …
  std::string formula;               ///< expression in x; spectrum: in x and the eigenvalue h, empty for a parabola
  std::string file;                  ///< table, dataset, spectrum: path, resolved against the folder of the spec
  std::array<std::string, 2> columns{"theta", "loss"};
  std::string target;  ///< dataset: column to be predicted
  bool standardize = true;
  std::vector<int> modes;                      ///< dataset: Hessian modes from 1, largest eigenvalue first; empty: all
  std::vector<double> eigenvalues;             ///< spectrum: ρ of each mode, whatever they come from
  std::vector<double> weights;                 ///< spectrum: how many parameters each of them stands for
  std::optional<PowerLaw> law;                 ///< spectrum by a law
  std::string column = "eigenvalue";           ///< spectrum from a file
  std::string weight_column;                   ///< the same; empty: every weight is 1
  bool drops_negative = false;                 ///< spectrum: what holds no parameter is left out, not refused
  std::shared_ptr<const Function> function;    ///< expression, table: what formula or file hold
  std::shared_ptr<const RegressionData> data;  ///< dataset: what the file holds
};

enum class NoiseKind { hessian, isotropic, constant, expression, table, dataset, temperature };

struct NoiseSpec {
  NoiseKind kind = NoiseKind::isotropic;
  double sigma2 = 1.0;
  double covariance = 1.0;
  std::string formula;
  std::string file;
  std::array<std::string, 2> columns{"theta", "noise"};
  std::shared_ptr<const Function> function;  ///< expression, table: what formula or file hold
};

inline constexpr int most_cells = 16384;  ///< along one axis

struct GridSpec {
  std::array<int, 2> cells{128, 128};  ///< θ, v
  std::optional<Interval> theta;       ///< absent: auto
  std::optional<Interval> velocity;
  ThetaWalls walls;
};

enum class InitialKind { gaussian, stationary, uniform, file };

struct InitialSpec {
  InitialKind kind = InitialKind::stationary;
  std::optional<std::array<double, 2>> mean;  ///< gaussian: absent: the minimum, v = 0
  std::optional<std::array<std::array<double, 2>, 2>>
      covariance;                 ///< gaussian: absent: that of the stationary Gaussian
  std::optional<Interval> theta;  ///< uniform: range, default the box
  std::optional<Interval> velocity;
  std::string file;
  std::shared_ptr<const GridDensity> density;  ///< file: what it holds
};

struct EvolveSpec {
  double until = 0.0;           ///< time; steps · η where `steps` was given
  std::optional<long> steps;    ///< SGD steps
  double tolerance = 1e-6;      ///< L1 error per unit of relaxation time; 1e-5 in float32
  std::optional<double> step;   ///< fixed Strang step
  std::optional<int> frames;    ///< equally spaced outputs after the start
  std::optional<double> every;  ///< time between outputs
  bool limit_positivity = true;
  Precision precision = Precision::float64;  ///< of the density and the sweeps
};

enum class StationaryMethod { automatic, arnoldi, direct, evolve };

/// [stationary]: stationary density and slow spectrum.
struct StationarySpec {
  StationaryMethod method = StationaryMethod::automatic;
  double tolerance = 1e-8;  ///< L1 error of the density from the step; relative error of the slowest eigenvalue
  int modes = 6;            ///< eigenvalues besides 0
};

enum class EnsembleIntegrator { splitting, euler, sgd };
enum class BatchSampling { replacement, epochs };

/// [ensemble]: particles, and runs of minibatch SGD.
struct EnsembleSpec {
  long particles = 1'000'000;
  long seed = 1;
  EnsembleIntegrator integrator = EnsembleIntegrator::splitting;  ///< `sgd` if the dynamics are
  std::optional<double> step;                                     ///< absent: from the number of particles
  BatchSampling sampling = BatchSampling::replacement;            ///< how minibatch SGD draws its rows
  long runs = 2'000;                                              ///< independent runs of minibatch SGD
};

enum class DisplacementStart { stationary, cold, initial };

/// [displacement]: how far the parameters travel.
struct DisplacementSpec {
  DisplacementStart start = DisplacementStart::stationary;
  double until = 0.0;           ///< last time; steps · η where `steps` was given
  std::optional<long> steps;    ///< SGD steps
  std::optional<double> from;   ///< first time; absent: a thousandth of the fastest rate's inverse, one step for "sgd"
  int points = 121;             ///< times, equally spaced in ln t
  double tolerance = 1e-6;      ///< relative error of the displacement, from the step and between solved modes
  std::optional<Interval> fit;  ///< times between which the exponent is fitted
};

enum class OutputField {
  density,
  current,
  modified_loss,
  current_reversible,
  current_irreversible,
  stream_function,
  generator
};

struct OutputSpec {
  std::string directory;
  std::vector<OutputField> fields{OutputField::density, OutputField::current};
  std::optional<bool> float64;  ///< of the pictures; absent: where they are small

  bool has(OutputField field) const { return std::find(fields.begin(), fields.end(), field) != fields.end(); }
};

/// [checkpoint]
struct CheckpointSpec {
  double every_seconds = 600.0;  ///< wall time between checkpoints; 0: only on a signal
};

struct Spec {
  std::string file;
  std::string name;  ///< file name without extension
  std::string title;
  Dynamics dynamics = Dynamics::langevin;
  std::optional<OptimizerSpec> optimizer;
  std::optional<LangevinSpec> langevin;
  LossSpec loss;
  NoiseSpec noise;
  GridSpec grid;
  InitialSpec initial;
  std::optional<EvolveSpec> evolve;
  std::optional<StationarySpec> stationary;
  std::optional<EnsembleSpec> ensemble;
  std::optional<DisplacementSpec> displacement;
  CheckpointSpec checkpoint;
  OutputSpec output;
  std::map<std::string, std::string> where;  ///< dotted key → file:line:column
  std::vector<std::string> notes;            ///< what was read otherwise than it stands there; `run` and `check` warn

  /// Is Σ (under [langevin] D) the same everywhere?
  bool has_constant_noise() const { return noise.kind != NoiseKind::expression && noise.kind != NoiseKind::table; }
  /// Quadratic loss and constant noise: a Gaussian stays one.
  bool is_linear() const { return has_parabolas() && has_constant_noise(); }
  /// Is the loss a parabola in every plane?
  bool has_parabolas() const {
    const bool is_flat = !(loss.hessian > 0.0) && !(optimizer && optimizer->weight_decay > 0.0);
    return (loss.kind == LossKind::quadratic && !is_flat) || loss.kind == LossKind::dataset ||
           (loss.kind == LossKind::spectrum && loss.formula.empty());
  }

  /// Where the minimum of the loss is searched first: what the user named, start or box, or the neighbourhood of 0.
  Interval search_window() const;

  /// Are pictures written in double precision?
  bool has_float64_pictures() const;

  /// Place of a key for messages: its own, else that of its table, else the file.
  std::string place(const std::string& key) const;
  /// The key that defines the loss or the noise, for messages.
  std::string loss_key() const;
  std::string noise_key() const;
};

/// Throws SpecError about one key of a spec.
[[noreturn]] void refuse(const Spec& spec, const std::string& key, std::string problem, std::string remedy);

}  // namespace underdamp
