#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/io/state.hpp"
#include "solver/model/initial_state.hpp"
#include "solver/model/model.hpp"
#include "solver/particles/statistics.hpp"
#include "solver/spec/spec.hpp"

/// Particles that follow the process of a model (docs/method.md, section 11): the independent check of an evolved
/// density.
namespace underdamp {

/// How the particles of one plane begin.
struct ParticleStart {
  std::optional<GaussianStart> gaussian;
  std::optional<GridStart> grid;
};

/// A Gaussian, which may have no width along an axis or across a correlation.
GaussianStart gaussian_start(const Vector2& mean, const Matrix2& covariance);

/// The start of a spec: exact for Gaussians, else drawn from the cells of the density that the evolution starts from.
ParticleStart particle_start(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p);

/// Draws from a density given at the cell centres of a plane, eq. 57: cell averages, and slopes within each cell.
ParticleStart particle_start(const PhasePlane& plane, const ThetaWalls& walls, std::span<const double> density);

/// Step of `integrator` at which its error is a fraction of the statistical one, eq. 63.
double default_step(const Model& model, const PhaseMesh& mesh, int p, EnsembleIntegrator integrator, double particles);

struct EnsembleOptions {
  std::uint64_t particles = 1'000'000;
  std::uint64_t seed = 1;
  EnsembleIntegrator integrator = EnsembleIntegrator::splitting;
  double step = 0.0;        ///< largest step; each interval between times is cut into equal ones. Not used by `sgd`
  std::uint64_t chunk = 0;  ///< particles on the device at once; 0: what fits. No result depends on it
};

/// Options of a spec for plane p: [ensemble], else its defaults. The step is that of [ensemble], else the fixed one of
/// [evolve] (then particles and density share their error in time), else default_step().
EnsembleOptions ensemble_options(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p);

/// F and D of plane p on a fine table of θ, as `integrator` needs them.
ParticleTable tabulate_particles(const Model& model, const PhaseMesh& mesh, int p, EnsembleIntegrator integrator);

/// The particles that have been all the way. Every random number belongs to the number of its particle and step, so
/// that the others can follow at any time.
struct EnsembleProgress {
  std::uint64_t particles = 0;
  std::vector<std::vector<std::uint64_t>> counts;  ///< [time][cell, the last for outside]
  std::vector<std::vector<ParticleSums>> sums;     ///< [time], of every block in order

  void save(StateWriter& to, const std::string& prefix) const;
  void restore(const StateReader& from, const std::string& prefix);
};

/// Runs the ensemble of plane p from `start` through increasing `times` > 0 (for `sgd` rounded to whole steps) and
/// samples it at each of them. `poll` is called with the fraction done; what it throws ends the run. With `progress` it
/// goes on from there, and keeps it up to date.
std::vector<ParticleSample> run_ensemble(Backend& backend, const Model& model, const PhaseMesh& mesh, int p,
                                         const ParticleStart& start, const EnsembleOptions& options,
                                         std::span<const double> times, const std::function<void(double)>& poll,
                                         EnsembleProgress* progress = nullptr);

/// A mean over particles and its standard error.
struct Estimate {
  double value = 0.0;
  double error = 0.0;
};

/// How far particles have come from where they were at time 0.
struct TravelSample {
  Estimate displacement;  ///< E (θ(t) − θ(0))²
  Estimate velocity;      ///< E v(0) v(t)
};

/// The same ensemble, followed one by one: after `settle` steps (of options.step, or of the map) time 0 begins.
std::vector<TravelSample> run_travel(Backend& backend, const Model& model, const PhaseMesh& mesh, int p,
                                     const ParticleStart& start, const EnsembleOptions& options, long settle,
                                     std::span<const double> times, const std::function<void(double)>& poll);

}  // namespace underdamp
