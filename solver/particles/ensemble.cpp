#include "solver/particles/ensemble.hpp"

#include <algorithm>
#include <memory>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

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

std::vector<ParticleSample> run_ensemble(Backend& backend, const Model& model, const PhaseMesh& mesh, int p,
                                         const ParticleStart& start, const EnsembleOptions& options,
                                         std::span<const double> times, const std::function<void(double)>& poll,
                                         EnsembleProgress* progress) {
  if (options.particles < 2) throw Error(ExitCode::bad_input, "an ensemble needs at least two particles");
  EnsembleProgress none;
  return EnsembleRun(backend, model, mesh, p, options, times, progress != nullptr ? *progress : none).run(start, poll);
}

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

}  // namespace underdamp
