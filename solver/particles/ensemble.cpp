#include "solver/particles/ensemble.hpp"

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
double typical_rate(const Model& model, const PhaseMesh& mesh, int p) {
  const Axis& axis = mesh.plane(p).theta;
  double steepest = 0.0;
  for (int i = axis.cells / 4; i < axis.cells - axis.cells / 4; ++i)
    steepest = std::max(steepest, std::abs(model.curvature(p, axis.center(i))));
  return std::max(std::sqrt(model.k() * steepest), bounce_rate(model, mesh, p));
}

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

/// Steps between two times: how many, and how long.
struct Stretch {
  long steps;
  double step;
};

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

/// Whole blocks, so that sums are the same for every choice.
std::uint64_t chunk_size(const Backend& backend, const EnsembleOptions& options) {
  constexpr std::uint64_t on_host = std::uint64_t{1} << 20;
  const DeviceDescription device = backend.describe();
  const std::uint64_t fits = device.kind == DeviceKind::cuda ? device.memory_bytes / 4 / (2 * sizeof(double)) : on_host;
  const std::uint64_t wanted = std::min(options.chunk > 0 ? options.chunk : fits, options.particles);
  return std::max<std::uint64_t>(1, (wanted + particle_block - 1) / particle_block) * particle_block;
}

/// Slope of the density within a cell, relative to its value, such that it is nowhere negative.
double relative_slope(double below, double here, double above) {
  return here > 0.0 ? std::clamp(0.5 * (above - below) / here, -2.0, 2.0) : 0.0;
}

GridStart cells_only(std::span<const double> probability) {
  GridStart start;
  double sum = 0.0;
  for (const double p : probability) start.cumulative.push_back(sum += std::max(0.0, p));
  if (!(sum > 0.0) || !std::isfinite(sum))
    throw Error(ExitCode::bad_input, "particles cannot start from a density without mass");
  for (double& value : start.cumulative) value /= sum;
  start.cumulative.back() = 1.0;
  start.slope_theta.assign(probability.size(), 0.0);
  start.slope_velocity.assign(probability.size(), 0.0);
  return start;
}

class EnsembleRun {
 public:
  EnsembleRun(Backend& backend, const Model& model, const PhaseMesh& mesh, int p, const EnsembleOptions& options,
              std::span<const double> times, EnsembleProgress& done)
      : backend_(backend),
        plane_(mesh.plane(p)),
        number_(static_cast<std::uint32_t>(p)),
        options_(options),
        stretches_(stretches_of(model, options, times)),
        cells_(static_cast<std::size_t>(mesh.theta_cells()) * static_cast<std::size_t>(mesh.velocity_cells())),
        done_(done) {
    const ParticleTable table = tabulate_particles(model, mesh, p, options.integrator);
    for (const Stretch& stretch : stretches_) {
      plans_.push_back(backend.particles().plan_particles(law_of(model, options.integrator, stretch.step), table,
                                                          plane_.theta, mesh.walls()));
      steps_ += stretch.steps;
    }
    if (done_.particles == 0) {
      done_.counts.assign(times.size(), std::vector<std::uint64_t>(cells_ + 1, 0));
      done_.sums.assign(times.size(), {});
    }
    require_fit();
    for (auto& sums : done_.sums)  // grown bit by bit they would take twice the memory
      sums.reserve(static_cast<std::size_t>((options_.particles + particle_block - 1) / particle_block));
  }

  std::vector<ParticleSample> run(const ParticleStart& start, const std::function<void(double)>& poll) {
    const std::uint64_t chunk = chunk_size(backend_, options_);
    const auto ensemble = backend_.particles().allocate_ensemble(static_cast<std::size_t>(chunk));
    while (done_.particles < options_.particles) {
      const std::uint64_t count = std::min(chunk, options_.particles - done_.particles);
      begin(*ensemble, {options_.seed, number_, done_.particles, static_cast<std::size_t>(count)}, start);
      march(*ensemble, poll);
      done_.particles += count;
    }
    const double n = static_cast<double>(options_.particles);
    std::vector<ParticleSample> samples;
    for (std::size_t f = 0; f < stretches_.size(); ++f)
      samples.push_back({done_.counts[f], particle_moments(done_.sums[f], center(0), center(1), n)});
    return samples;
  }

 private:
  void require_fit() const {
    const std::uint64_t particles = done_.particles;
    bool fits = done_.counts.size() == stretches_.size() && done_.sums.size() == stretches_.size() &&
                particles <= options_.particles && (particles % particle_block == 0 || particles == options_.particles);
    for (const auto& counts : done_.counts) fits = fits && counts.size() == cells_ + 1;
    for (const auto& sums : done_.sums) fits = fits && sums.size() == (particles + particle_block - 1) / particle_block;
    if (!fits) damaged_state("its particles are those of another ensemble");
  }

  /// About which moments are summed: anything near the particles.
  double center(int axis) const {
    const Axis& a = axis == 0 ? plane_.theta : plane_.velocity;
    return 0.5 * (a.lower + a.upper);
  }

  void begin(Ensemble& ensemble, const ParticleRange& range, const ParticleStart& start) {
    if (start.gaussian) {
      backend_.particles().sample_gaussian(ensemble, range, *start.gaussian);
    } else {
      backend_.particles().sample_grid(ensemble, range, plane_, *start.grid);
    }
  }

  /// One chunk through all times, in calls short enough for a progress bar.
  void march(Ensemble& ensemble, const std::function<void(double)>& poll) {
    const double per_call = 2e7 * backend_.describe().concurrency;
    const auto count = static_cast<double>(ensemble.range().count);
    const long slice = std::max(1L, static_cast<long>(per_call / count));
    long step = 0;
    // Taken over when the chunk is through, so that `poll` sees whole chunks only.
    auto counts = std::vector(stretches_.size(), std::vector<std::uint64_t>(cells_ + 1, 0));
    std::vector<std::vector<ParticleSums>> sums;
    for (std::size_t f = 0; f < stretches_.size(); ++f) {
      for (const long end = step + stretches_[f].steps; step < end;) {
        const long now = std::min(slice, end - step);
        backend_.particles().advance_particles(ensemble, *plans_[f], step, now);
        backend_.synchronize();
        step += now;
        const double share = steps_ > 0 ? static_cast<double>(step) / static_cast<double>(steps_) : 1.0;
        poll((static_cast<double>(ensemble.range().first) + share * count) / static_cast<double>(options_.particles));
      }
      backend_.particles().count_particles(ensemble, plane_, counts[f]);
      sums.push_back(backend_.particles().sum_particles(ensemble, center(0), center(1)));
    }
    for (std::size_t f = 0; f < stretches_.size(); ++f) {
      for (std::size_t c = 0; c < counts[f].size(); ++c) done_.counts[f][c] += counts[f][c];
      done_.sums[f].insert(done_.sums[f].end(), sums[f].begin(), sums[f].end());
    }
  }

  Backend& backend_;
  PhasePlane plane_;
  std::uint32_t number_;
  EnsembleOptions options_;
  std::vector<Stretch> stretches_;
  std::vector<std::unique_ptr<ParticlePlan>> plans_;
  long steps_ = 0;
  std::size_t cells_;
  EnsembleProgress& done_;
};

/// Sums of a quantity over particles and of its square.
struct Tally {
  double sum = 0.0;
  double squares = 0.0;

  void take(double value) {
    sum += value;
    squares += value * value;
  }
  Estimate estimate(double n) const {
    const double mean = sum / n;
    return {mean, std::sqrt(std::max(0.0, squares / n - mean * mean) / (n - 1.0))};
  }
};

/// Steps that are short compared with the time since the start too: at rest the displacement grows like t³, and n steps
/// miss 1/(4n²) of it.
std::vector<Stretch> travel_stretches(const Model& model, const EnsembleOptions& options,
                                      std::span<const double> times) {
  constexpr double least_steps = 32.0;
  std::vector<Stretch> stretches = stretches_of(model, options, times);
  if (options.integrator == EnsembleIntegrator::sgd) return stretches;
  for (std::size_t k = 0; k < stretches.size(); ++k) {
    Stretch& stretch = stretches[k];
    const double length = stretch.step * static_cast<double>(stretch.steps);
    stretch.steps = std::max(stretch.steps, static_cast<long>(std::ceil(least_steps * length / times[k] - 1e-9)));
    stretch.step = length / static_cast<double>(stretch.steps);
  }
  return stretches;
}

/// An ensemble whose particles are known one by one.
class TravelRun {
 public:
  TravelRun(Backend& backend, const Model& model, const PhaseMesh& mesh, int p, const EnsembleOptions& options,
            long settle, std::span<const double> times)
      : backend_(backend),
        plane_(mesh.plane(p)),
        number_(static_cast<std::uint32_t>(p)),
        options_(options),
        settle_(settle),
        stretches_(travel_stretches(model, options, times)),
        displacement_(times.size()),
        velocity_(times.size()) {
    const ParticleTable table = tabulate_particles(model, mesh, p, options.integrator);
    const auto plan = [&](double step) {
      plans_.push_back(backend.particles().plan_particles(law_of(model, options.integrator, step), table, plane_.theta,
                                                          mesh.walls()));
    };
    for (const Stretch& stretch : stretches_) {
      plan(stretch.step);
      steps_ += stretch.steps;
    }
    plan(options.integrator == EnsembleIntegrator::sgd ? model.learning_rate() : options.step);
    steps_ += settle_;
  }

  std::vector<TravelSample> run(const ParticleStart& start, const std::function<void(double)>& poll) {
    const std::uint64_t chunk = std::min<std::uint64_t>(chunk_size(backend_, options_), std::uint64_t{1} << 22);
    const auto ensemble = backend_.particles().allocate_ensemble(static_cast<std::size_t>(chunk));
    for (std::uint64_t first = 0; first < options_.particles; first += chunk) {
      const std::uint64_t count = std::min(chunk, options_.particles - first);
      const ParticleRange range{options_.seed, number_, first, static_cast<std::size_t>(count)};
      if (start.gaussian) {
        backend_.particles().sample_gaussian(*ensemble, range, *start.gaussian);
      } else {
        backend_.particles().sample_grid(*ensemble, range, plane_, *start.grid);
      }
      march(*ensemble, poll);
    }
    std::vector<TravelSample> samples;
    const auto n = static_cast<double>(options_.particles);
    for (std::size_t k = 0; k < stretches_.size(); ++k)
      samples.push_back({displacement_[k].estimate(n), velocity_[k].estimate(n)});
    return samples;
  }

 private:
  void march(Ensemble& ensemble, const std::function<void(double)>& poll) {
    const std::size_t count = ensemble.range().count;
    const double per_call = 2e7 * backend_.describe().concurrency;
    const long slice = std::max(1L, static_cast<long>(per_call / static_cast<double>(count)));
    long step = 0;
    const auto advance = [&](const ParticlePlan& plan, long steps) {
      for (const long end = step + steps; step < end;) {
        const long now = std::min(slice, end - step);
        backend_.particles().advance_particles(ensemble, plan, step, now);
        backend_.synchronize();
        step += now;
        const double share = static_cast<double>(step) / static_cast<double>(std::max(steps_, 1L));
        poll((static_cast<double>(ensemble.range().first) + share * static_cast<double>(count)) /
             static_cast<double>(options_.particles));
      }
    };
    std::vector<double> start_theta(count), start_velocity(count), theta(count), velocity(count);
    advance(*plans_.back(), settle_);
    backend_.particles().download_particles(ensemble, start_theta, start_velocity);
    for (std::size_t k = 0; k < stretches_.size(); ++k) {
      advance(*plans_[k], stretches_[k].steps);
      backend_.particles().download_particles(ensemble, theta, velocity);
      for (std::size_t i = 0; i < count; ++i) {
        const double shift = theta[i] - start_theta[i];
        displacement_[k].take(shift * shift);
        velocity_[k].take(velocity[i] * start_velocity[i]);
      }
    }
  }

  Backend& backend_;
  PhasePlane plane_;
  std::uint32_t number_;
  EnsembleOptions options_;
  long settle_;
  std::vector<Stretch> stretches_;
  std::vector<std::unique_ptr<ParticlePlan>> plans_;  ///< [stretch], and that of settling
  long steps_ = 0;
  std::vector<Tally> displacement_;  ///< [time]
  std::vector<Tally> velocity_;
};

}  // namespace

GaussianStart gaussian_start(const Vector2& mean, const Matrix2& covariance) {
  const double first = std::sqrt(std::max(0.0, covariance[0][0]));
  const double across = first > 0.0 ? covariance[0][1] / first : 0.0;
  return {{mean[0], mean[1]}, {first, across, std::sqrt(std::max(0.0, covariance[1][1] - across * across))}};
}

ParticleStart particle_start(const PhasePlane& plane, const ThetaWalls& walls, std::span<const double> density) {
  const auto probability = cell_probabilities(plane, walls, density);
  GridStart start = cells_only(probability);
  const int rows = plane.theta.cells;
  const int columns = plane.velocity.cells;
  const auto at = [&](int i, int j) {
    return i >= 0 && i < rows && j >= 0 && j < columns ? probability[static_cast<std::size_t>(i * columns + j)] : 0.0;
  };
  // At a closed wall there is no cell beyond: the slope is left flat there.
  const auto beyond = [&](int i) {
    return (i == 0 && walls.lower != ThetaBoundary::open) || (i == rows - 1 && walls.upper != ThetaBoundary::open);
  };
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      const auto c = static_cast<std::size_t>(i * columns + j);
      start.slope_theta[c] = beyond(i) ? 0.0 : relative_slope(at(i - 1, j), at(i, j), at(i + 1, j));
      start.slope_velocity[c] = relative_slope(at(i, j - 1), at(i, j), at(i, j + 1));
    }
  }
  return {std::nullopt, std::move(start)};
}

ParticleStart particle_start(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  if (spec.initial.kind == InitialKind::gaussian || spec.initial.kind == InitialKind::stationary) {
    const InitialMoments m = initial_moments(spec, model, p);
    return {gaussian_start(m.mean, m.covariance), std::nullopt};
  }
  const auto density = initial_density(spec, model, mesh, p);
  if (spec.initial.kind == InitialKind::file) return particle_start(mesh.plane(p), mesh.walls(), density);
  return {std::nullopt, cells_only(density)};  // uniform: whole cells, with edges
}

double default_step(const Model& model, const PhaseMesh& mesh, int p, EnsembleIntegrator integrator, double particles) {
  if (integrator == EnsembleIntegrator::sgd) return model.learning_rate();
  const double omega = typical_rate(model, mesh, p);
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

std::vector<ParticleSample> run_ensemble(Backend& backend, const Model& model, const PhaseMesh& mesh, int p,
                                         const ParticleStart& start, const EnsembleOptions& options,
                                         std::span<const double> times, const std::function<void(double)>& poll,
                                         EnsembleProgress* progress) {
  if (options.particles < 2) throw Error(ExitCode::bad_input, "an ensemble needs at least two particles");
  EnsembleProgress none;
  return EnsembleRun(backend, model, mesh, p, options, times, progress != nullptr ? *progress : none).run(start, poll);
}

namespace {

void exchange(StateList& list, EnsembleProgress& progress) {
  list(progress.particles);
  list(progress.counts);
  list.sequence(progress.sums, [&](std::vector<ParticleSums>& of_time) {
    list.sequence(of_time, [&](ParticleSums& s) {
      for (double* sum : {&s.x, &s.y, &s.xx, &s.xy, &s.yy, &s.xxx, &s.xxy, &s.xyy, &s.yyy, &s.xxxx, &s.xxyy, &s.yyyy})
        list(*sum);
    });
  });
}

}  // namespace

void EnsembleProgress::save(StateWriter& to, const std::string& prefix) const {
  StateList list;
  std::size_t count = 8;
  for (const auto& of_time : counts) count += of_time.size() + 1;
  for (const auto& of_time : sums) count += of_time.size() * (sizeof(ParticleSums) / sizeof(double)) + 1;
  list.reserve(count);
  exchange(list, const_cast<EnsembleProgress&>(*this));  // a list that is not reading changes nothing
  to.numbers(prefix + "particles", list.values());
}

void EnsembleProgress::restore(const StateReader& from, const std::string& prefix) {
  StateList list(from.numbers(prefix + "particles"));
  exchange(list, *this);
  list.finish();
}

std::vector<TravelSample> run_travel(Backend& backend, const Model& model, const PhaseMesh& mesh, int p,
                                     const ParticleStart& start, const EnsembleOptions& options, long settle,
                                     std::span<const double> times, const std::function<void(double)>& poll) {
  if (options.particles < 2) throw Error(ExitCode::bad_input, "an ensemble needs at least two particles");
  return TravelRun(backend, model, mesh, p, options, settle, times).run(start, poll);
}

}  // namespace underdamp
