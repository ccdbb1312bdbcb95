#include "solver/particles/travel.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

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

std::vector<TravelSample> run_travel(Backend& backend, const Model& model, const PhaseMesh& mesh, int p,
                                     const ParticleStart& start, const EnsembleOptions& options, long settle,
                                     std::span<const double> times, const std::function<void(double)>& poll) {
  if (options.particles < 2) throw Error(ExitCode::bad_input, "an ensemble needs at least two particles");
  return TravelRun(backend, model, mesh, p, options, settle, times).run(start, poll);
}

}  // namespace underdamp
