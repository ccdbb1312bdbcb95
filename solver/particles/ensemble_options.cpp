#include "solver/particles/ensemble_options.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

constexpr int table_intervals = 1024;

/// How often a particle with the typical speed bounces off a reflecting wall that the force presses it against, once in
/// 2 v/F; 0 where none does.
double bounce_rate(const Model& model, const PhaseMesh& mesh, int p) {
  const Axis& axis = mesh.plane(p).theta;
  const auto rate = [&](ThetaBoundary wall, double theta, double outwards) {
    const double force = outwards * model.force(p, theta);
    if (wall != ThetaBoundary::reflecting || !(force > 0.0)) return 0.0;
    return force / std::sqrt(model.diffusion(p, theta) / model.gamma());
  };
  return std::max(rate(mesh.walls().lower, axis.lower, -1.0), rate(mesh.walls().upper, axis.upper, 1.0));
}

/// Within the outer half of the box there is next to nothing, but at walls; fast rates there need not be followed.
double rate_in_inner_half(const Model& model, const PhaseMesh& mesh, int p) {
  const Axis& axis = mesh.plane(p).theta;
  double steepest = 0.0;
  for (int i = axis.cells / 4; i < axis.cells - axis.cells / 4; ++i)
    steepest = std::max(steepest, std::abs(model.curvature(p, axis.center(i))));
  return std::max(std::sqrt(model.k() * steepest), bounce_rate(model, mesh, p));
}

}  // namespace

ParticleLaw law_of(const Model& model, EnsembleIntegrator integrator, double step) {
  switch (integrator) {
    case EnsembleIntegrator::splitting:
      return splitting_law(model.gamma(), step);
    case EnsembleIntegrator::euler:
      return euler_law(model.gamma(), step);
    case EnsembleIntegrator::sgd:
      break;
  }
  return sgd_law(model.momentum(), model.learning_rate());
}

std::vector<Stretch> stretches_of(const Model& model, const EnsembleOptions& options, std::span<const double> times) {
  std::vector<Stretch> stretches;
  double before = 0.0;
  for (const double time : times) {
    if (!(time > before))
      throw Error(ExitCode::bad_input, fmt::format("the ensemble cannot go from t = {} to t = {}", before, time));
    if (options.integrator == EnsembleIntegrator::sgd) {
      const double eta = model.learning_rate();
      stretches.push_back({std::lround(time / eta) - std::lround(before / eta), eta});
    } else {
      if (!(options.step > 0.0)) throw Error(ExitCode::bad_input, "the step of an ensemble must be positive");
      const auto steps = static_cast<long>(std::ceil((time - before) / options.step - 1e-9));
      stretches.push_back({steps, (time - before) / static_cast<double>(steps)});
    }
    before = time;
  }
  double all = 0.0;
  for (const Stretch& stretch : stretches) all += static_cast<double>(stretch.steps);
  if (!(all < 4e9))
    throw Error(ExitCode::bad_input, fmt::format("{:.2g} steps of an ensemble are too many", all), {},
                "use a larger step");
  return stretches;
}

std::uint64_t chunk_size(const Backend& backend, const EnsembleOptions& options) {
  constexpr std::uint64_t on_host = std::uint64_t{1} << 20;
  const DeviceDescription device = backend.describe();
  const std::uint64_t fits = device.kind == DeviceKind::cuda ? device.memory_bytes / 4 / (2 * sizeof(double)) : on_host;
  const std::uint64_t wanted = std::min(options.chunk > 0 ? options.chunk : fits, options.particles);
  return std::max<std::uint64_t>(1, (wanted + particle_block - 1) / particle_block) * particle_block;
}

double default_step(const Model& model, const PhaseMesh& mesh, int p, EnsembleIntegrator integrator, double particles) {
  if (integrator == EnsembleIntegrator::sgd) return model.learning_rate();
  const double omega = rate_in_inner_half(model, mesh, p);
  const double gamma = model.gamma();
  if (integrator == EnsembleIntegrator::euler)
    return std::min(0.38 / std::sqrt(particles), 0.05) / std::max(omega * omega / gamma, gamma);
  return std::min(std::sqrt(1.5 / std::sqrt(particles)), 0.3) / std::max(omega, 0.5 * gamma);
}

EnsembleOptions ensemble_options(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  EnsembleSpec from;
  if (spec.dynamics == Dynamics::sgd) from.integrator = EnsembleIntegrator::sgd;
  from = spec.ensemble.value_or(from);
  EnsembleOptions options;
  options.particles = static_cast<std::uint64_t>(from.particles);
  options.seed = static_cast<std::uint64_t>(from.seed);
  options.integrator = from.integrator;
  options.step = default_step(model, mesh, p, from.integrator, static_cast<double>(from.particles));
  const bool shares = from.integrator == EnsembleIntegrator::splitting && spec.evolve && spec.evolve->step;
  if (shares) options.step = *spec.evolve->step;
  if (from.step) options.step = *from.step;
  return options;
}

ParticleTable tabulate_particles(const Model& model, const PhaseMesh& mesh, int p, EnsembleIntegrator integrator) {
  // Between the outermost cell centres loss and noise are known to be finite; a closed axis is needed up to its walls.
  const Axis& axis = mesh.plane(p).theta;
  const double lower = mesh.walls().lower == ThetaBoundary::open ? axis.center(0) : axis.lower;
  const double upper = mesh.walls().upper == ThetaBoundary::open ? axis.center(axis.cells - 1) : axis.upper;
  const bool map = integrator == EnsembleIntegrator::sgd;
  std::vector<double> force;
  std::vector<double> diffusion;
  for (int i = 0; i <= table_intervals; ++i) {
    const double theta = i < table_intervals ? lower + (upper - lower) * i / table_intervals : upper;
    force.push_back(map ? -model.gradient(p, theta) : model.force(p, theta));
    diffusion.push_back(map ? model.step_variance(p, theta) : model.diffusion(p, theta));
    if (!std::isfinite(force.back()) || !std::isfinite(diffusion.back()))
      throw Error(ExitCode::bad_input, fmt::format("loss or noise is not finite at x = {:.6g}", theta));
  }
  return make_particle_table(lower, upper, force, diffusion);
}

}  // namespace underdamp
