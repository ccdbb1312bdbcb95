#include "solver/displacement/displacement_ensemble.hpp"

#include <algorithm>
#include <cmath>

#include "solver/displacement/displacement_problems.hpp"
#include "solver/model/box.hpp"
#include "solver/particles/minibatch.hpp"

namespace underdamp {
namespace {

/// Relaxation times that particles of the map are given where their stationary state is not known.
constexpr double settling_times = 20.0;

std::vector<int> chosen_modes(const Displacement& displacement, int most) {
  std::vector<int> modes;
  const int count = std::min(displacement.modes(), most);
  for (int k = 0; k < count; ++k) {
    const long last = displacement.modes() - 1;
    modes.push_back(count > 1 ? static_cast<int>(k * last / (count - 1)) : 0);
  }
  return modes;
}

/// That of increasing times which is nearest to t.
double nearest(const std::vector<double>& times, double t) {
  const auto above = std::lower_bound(times.begin(), times.end(), t);
  if (above == times.begin()) return times.front();
  if (above == times.end()) return times.back();
  return *above - t < t - *(above - 1) ? *above : *(above - 1);
}

/// Some of the times of a displacement, equally spaced in ln t up to `until`, in whole SGD steps where there are any;
/// of the map only its own, for it keeps no other steps.
std::vector<double> chosen_times(const Displacement& displacement, int count, double until) {
  const bool has_steps = displacement.spec().optimizer.has_value();
  const double eta = displacement.model().learning_rate();
  const double last = std::min(until, displacement.times().back());
  const double first = std::max(has_steps ? eta : 0.0, std::max(displacement.times().front(), 1e-4 * last));
  std::vector<double> times;
  for (int k = 0; k < count; ++k) {
    double t = first * std::pow(last / first, static_cast<double>(k) / std::max(1, count - 1));
    if (has_steps) t = std::max(1.0, std::floor(t / eta + 1e-9)) * eta;
    if (displacement.spec().dynamics == Dynamics::sgd) t = nearest(displacement.times(), t);
    if (times.empty() || t > times.back() * (1.0 + 1e-9)) times.push_back(t);
  }
  return times;
}

/// The sum over all modes, if all of them were followed.
void add_total(MeasuredDisplacement& measured, const Model& model) {
  if (static_cast<int>(measured.modes.size()) < model.planes()) return;
  for (std::size_t k = 0; k < measured.times.size(); ++k) {
    Estimate sum;
    for (std::size_t m = 0; m < measured.modes.size(); ++m) {
      const double weight = model.plane(measured.modes[m]).weight;
      sum.value += weight * measured.displacement[m][k].value;
      sum.error = std::hypot(sum.error, weight * measured.displacement[m][k].error);
    }
    measured.total.push_back(sum);
  }
}

/// Where particles of plane p begin, and how many steps they settle.
struct TravelStart {
  ParticleStart start;
  long settle = 0;
};

TravelStart travel_start(const Spec& spec, Backend& backend, const Model& model, const PhaseMesh& mesh, int p) {
  const Vector2 rest{model.plane(p).minimum, 0.0};
  switch (spec.displacement->start) {
    case DisplacementStart::cold:
      return {{gaussian_start(rest, {}), std::nullopt}, 0};
    case DisplacementStart::initial:
      return {particle_start(spec, model, mesh, p), 0};
    case DisplacementStart::stationary:
      break;
  }
  if (spec.is_linear()) return {{gaussian_start(rest, model.stationary_covariance(p)), std::nullopt}, 0};
  if (spec.dynamics == Dynamics::sgd) {
    const double steps = settling_times * model.derived(p).relaxation_time / model.learning_rate();
    return {{gaussian_start(rest, model.stationary_covariance(p)), std::nullopt},
            static_cast<long>(std::min(1e6, std::ceil(steps)))};
  }
  const auto density = stationary_density(backend, spec, model, p, mesh, [] {});
  return {particle_start(mesh.plane(p), mesh.walls(), density), 0};
}

EnsembleOptions options_for(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p, std::size_t modes) {
  EnsembleOptions options = ensemble_options(spec, model, mesh, p);
  if (spec.dynamics == Dynamics::sgd) options.integrator = EnsembleIntegrator::sgd;
  if (spec.ensemble) return options;
  constexpr std::uint64_t in_all = 1'000'000;
  constexpr std::uint64_t least = 20'000;
  options.particles = std::max<std::uint64_t>(least, in_all / modes);
  options.step = default_step(model, mesh, p, options.integrator, static_cast<double>(options.particles));
  return options;
}

}  // namespace

Spec sgd_spec(const Spec& spec) {
  Spec map = spec;
  map.dynamics = Dynamics::sgd;
  DisplacementSpec& d = *map.displacement;
  const double eta = spec.optimizer->learning_rate;
  d.steps = std::max(1L, std::lround(d.until / eta));
  d.until = static_cast<double>(*d.steps) * eta;
  if (d.from) d.from = std::max(eta, *d.from);
  if (map.ensemble) map.ensemble->integrator = EnsembleIntegrator::sgd;
  return map;
}

MeasuredDisplacement measure_particles(const Displacement& displacement, Backend& backend,
                                       const MeasureOptions& options) {
  Spec spec = displacement.spec();
  spec.stationary.reset();
  spec.evolve.reset();
  if (spec.displacement->start == DisplacementStart::initial) {
    spec.evolve = EvolveSpec{};
    spec.evolve->until = displacement.times().back();
  }
  const Model& model = displacement.model();
  const PhaseMesh mesh = make_mesh(spec, model);
  MeasuredDisplacement measured;
  const bool map = spec.dynamics == Dynamics::sgd;
  measured.source = map ? "sgd" : "langevin";
  measured.modes = chosen_modes(displacement, options.most_modes);
  double per_time = 0.0;
  for (const int l : measured.modes) {
    const EnsembleOptions ensemble = options_for(spec, model, mesh, l, measured.modes.size());
    per_time += static_cast<double>(ensemble.particles) / (map ? model.learning_rate() : ensemble.step);
  }
  const double end = displacement.times().back();
  measured.times =
      chosen_times(displacement, options.times, spec.ensemble ? end : std::min(end, options.particle_steps / per_time));
  const auto count = static_cast<double>(measured.modes.size());
  for (std::size_t m = 0; m < measured.modes.size(); ++m) {
    const int l = measured.modes[m];
    const EnsembleOptions ensemble = options_for(spec, model, mesh, l, measured.modes.size());
    measured.samples = ensemble.particles;
    const TravelStart begin = travel_start(spec, backend, model, mesh, l);
    const auto samples =
        run_travel(backend, model, mesh, l, begin.start, ensemble, begin.settle, measured.times, [&](double share) {
          options.poll(map ? "particles of SGD" : "particles", (static_cast<double>(m) + share) / count);
        });
    measured.displacement.emplace_back();
    measured.velocity.emplace_back();
    for (const TravelSample& sample : samples) {
      measured.displacement.back().push_back(sample.displacement);
      measured.velocity.back().push_back(sample.velocity);
    }
  }
  add_total(measured, model);
  return measured;
}

MeasuredDisplacement measure_minibatch(const Displacement& displacement, BatchSampling sampling,
                                       const MeasureOptions& options) {
  const Model& model = displacement.model();
  MinibatchOptions minibatch = minibatch_options(displacement.spec(), model);
  minibatch.sampling = sampling;
  MeasuredDisplacement measured;
  measured.source = sampling == BatchSampling::replacement ? "minibatch" : "epochs";
  measured.modes = chosen_modes(displacement, displacement.modes());
  measured.samples = static_cast<std::uint64_t>(minibatch.runs);
  const double eta = model.learning_rate();
  measured.times = chosen_times(displacement, options.times, static_cast<double>(minibatch.settle) * eta);
  std::vector<long> steps;
  for (const double t : measured.times) steps.push_back(std::lround(t / eta));
  const bool cold = displacement.spec().displacement->start == DisplacementStart::cold;
  MinibatchTravel travel =
      run_minibatch_travel(model, minibatch, cold, steps, [&](double share) { options.poll("minibatch SGD", share); });
  measured.displacement = std::move(travel.modes);
  measured.total = std::move(travel.total);
  return measured;
}

std::vector<MeasuredDisplacement> measure_displacement(const Displacement& displacement, Backend& backend,
                                                       const MeasureOptions& options) {
  const Spec& spec = displacement.spec();
  std::vector<MeasuredDisplacement> all{measure_particles(displacement, backend, options)};
  if (spec.optimizer && spec.dynamics != Dynamics::sgd) {
    const Displacement map(sgd_spec(spec), backend);  // its particles are followed, it need not be solved
    all.push_back(measure_particles(map, backend, options));
  }
  if (spec.loss.kind == LossKind::dataset && spec.optimizer && spec.displacement->start != DisplacementStart::initial) {
    all.push_back(measure_minibatch(displacement, BatchSampling::replacement, options));
  }
  return all;
}

}  // namespace underdamp
