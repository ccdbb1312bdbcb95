#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/model/model.hpp"
#include "solver/spec/spec.hpp"

/// How an ensemble is carried out: its steps, its law and its tables (docs/method.md, section 11).
namespace underdamp {

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

/// Step of `integrator` at which its error is a fraction of the statistical one, eq. 63.
double default_step(const Model& model, const PhaseMesh& mesh, int p, EnsembleIntegrator integrator, double particles);

ParticleLaw law_of(const Model& model, EnsembleIntegrator integrator, double step);

/// Steps between two times: how many, and how long.
struct Stretch {
  long steps;
  double step;
};

/// From each of increasing times > 0 to the next, beginning at 0; none longer than options.step.
std::vector<Stretch> stretches_of(const Model& model, const EnsembleOptions& options, std::span<const double> times);

/// Particles on the device at once: whole blocks, so that sums are the same for every choice.
std::uint64_t chunk_size(const Backend& backend, const EnsembleOptions& options);

}  // namespace underdamp
