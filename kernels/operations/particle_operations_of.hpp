#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/bodies/particles.hpp"
#include "kernels/operations/device_context.hpp"
#include "kernels/operations/operations.hpp"

namespace underdamp {

/// Ensembles, once for every device.
template <class Launcher>
class ParticleOperationsOf final : public ParticleOperations {
 public:
  explicit ParticleOperationsOf(DeviceContext<Launcher>& context) : context_(context), launcher_(&context.launcher()) {}

  std::unique_ptr<Ensemble> allocate_ensemble(std::size_t capacity) override {
    const auto scope = context_.begin_apart("allocate ensemble");
    auto ensemble = std::make_unique<DeviceEnsemble>(&context_);
    const std::size_t padded = (capacity + particle_block - 1) / particle_block * particle_block;
    context_.resize(ensemble->theta, padded);
    context_.resize(ensemble->velocity, padded);
    return ensemble;
  }

  std::unique_ptr<ParticlePlan> plan_particles(const ParticleLaw& law, const ParticleTable& table, const Axis& theta,
                                               const ThetaWalls& walls) override {
    const auto scope = context_.begin_apart("plan particles");
    const auto rows = static_cast<std::size_t>(table.intervals) + 2;
    require_size(table.coefficients.size(), rows * static_cast<std::size_t>(ParticleTable::row));
    auto plan = std::make_unique<DeviceParticlePlan>(&context_);
    plan->law = law;
    context_.send(table.coefficients, plan->coefficients);
    plan->table = {plan->coefficients.data(), table.lower, 1.0 / table.width, table.intervals + 0.5};
    plan->closed = walls.any_closed();
    plan->fold = theta_fold(theta, walls);
    return plan;
  }

  void sample_gaussian(Ensemble& ensemble, const ParticleRange& range, const GaussianStart& start) override {
    const auto scope = context_.begin_apart("sample Gaussian");
    DeviceEnsemble& e = device(ensemble);
    e.assign(range);
    launcher_->for_each_line("sample Gaussian", e.blocks(), SampleGaussian{e.view(), start});
  }

  void sample_grid(Ensemble& ensemble, const ParticleRange& range, const PhasePlane& plane,
                   const GridStart& start) override {
    const auto scope = context_.begin_apart("sample grid");
    DeviceEnsemble& e = device(ensemble);
    const std::size_t cells = FieldShape{1, plane.theta.cells, plane.velocity.cells}.cells();
    require_size(start.cumulative.size(), cells);
    require_size(start.slope_theta.size(), cells);
    require_size(start.slope_velocity.size(), cells);
    e.assign(range);
    std::vector<double> values = start.cumulative;
    values.insert(values.end(), start.slope_theta.begin(), start.slope_theta.end());
    values.insert(values.end(), start.slope_velocity.begin(), start.slope_velocity.end());
    context_.send(values, start_values_);
    const double* const base = start_values_.data();
    launcher_->for_each_line("sample grid", e.blocks(),
                             SampleGrid{e.view(), plane, base, base + cells, base + 2 * cells});
  }

  void advance_particles(Ensemble& ensemble, const ParticlePlan& plan, long first, long steps) override {
    const auto scope = context_.begin_apart("advance particles");
    const DeviceEnsemble& e = device(ensemble);
    const auto& p = context_.template own<DeviceParticlePlan>(plan);
    if (steps <= 0) return;
    // Where nothing is left to do at the end of the last step, its time point is left out.
    const Kick& closing = p.law.closing;
    const bool closes = closing.contraction != 1.0 || closing.force != 0.0 || closing.noise != 0.0;
    const long last = first + steps;
    const auto advance = [&](const auto& body) { launcher_->for_each_line("advance particles", e.blocks(), body); };
    if (p.closed) {
      advance(AdvanceParticles<true>{e.view(), p.table, p.law, p.fold, first, last, closes});
    } else {
      advance(AdvanceParticles<false>{e.view(), p.table, p.law, p.fold, first, last, closes});
    }
    scope.done();
  }

  void count_particles(const Ensemble& ensemble, const PhasePlane& plane, std::span<std::uint64_t> counts) override {
    const auto scope = context_.begin_apart("count particles");
    const DeviceEnsemble& e = device(ensemble);
    require_size(counts.size(), FieldShape{1, plane.theta.cells, plane.velocity.cells}.cells() + 1);
    std::vector<unsigned long long> values(counts.size(), 0);
    context_.send(values, counts_);
    launcher_->for_each_line("count particles", e.blocks(), CountParticles{e.view(), plane, counts_.data()});
    context_.download(counts_.data(), values.size(), values.data());
    for (std::size_t c = 0; c < values.size(); ++c) counts[c] += values[c];
  }

  std::vector<ParticleSums> sum_particles(const Ensemble& ensemble, double center_theta,
                                          double center_velocity) override {
    const auto scope = context_.begin_apart("sum particles");
    const DeviceEnsemble& e = device(ensemble);
    std::vector<ParticleSums> sums(static_cast<std::size_t>(e.blocks()));
    context_.resize(particle_sums_, sums.size());
    launcher_->for_each_line("sum particles", e.blocks(),
                             SumParticles{e.view(), center_theta, center_velocity, particle_sums_.data()});
    context_.download(particle_sums_.data(), sums.size(), sums.data());
    return sums;
  }

  void download_particles(const Ensemble& ensemble, std::span<double> theta, std::span<double> velocity) override {
    const auto scope = context_.begin_apart("download particles");
    const DeviceEnsemble& e = device(ensemble);
    require_size(theta.size(), e.range().count);
    require_size(velocity.size(), e.range().count);
    context_.download(e.theta.data(), e.range().count, theta.data());
    context_.download(e.velocity.data(), e.range().count, velocity.data());
  }

 private:
  using Real = typename Launcher::Real;
  template <class T>
  using Array = typename Launcher::template Array<T>;
  using DeviceField = underdamp::DeviceField<Launcher>;

  /// Particles padded to whole blocks.
  struct DeviceEnsemble final : Ensemble {
    explicit DeviceEnsemble(const void* maker) : Ensemble(maker) {}
    Array<double> theta;
    Array<double> velocity;

    void assign(const ParticleRange& range) {
      require(range.count > 0 && blocks(range) * particle_block <= theta.size(),
              "an ensemble holds from one particle to its capacity");
      range_ = range;
    }
    static std::size_t blocks(const ParticleRange& range) {
      return (range.count + particle_block - 1) / particle_block;
    }
    int blocks() const { return static_cast<int>(blocks(range())); }
    ParticleArrays view() const {
      return {theta.data(), velocity.data(), range().seed, range().plane, range().first, range().count};
    }
  };

  struct DeviceParticlePlan final : ParticlePlan {
    explicit DeviceParticlePlan(const void* maker) : ParticlePlan(maker) {}
    ParticleLaw law;
    Array<double> coefficients;
    ParticleTableView table{};
    ThetaFold fold{};
    bool closed = false;
  };

  DeviceEnsemble& device(Ensemble& ensemble) const { return context_.template own<DeviceEnsemble>(ensemble); }
  const DeviceEnsemble& device(const Ensemble& ensemble) const {
    return context_.template own<DeviceEnsemble>(ensemble);
  }

  DeviceContext<Launcher>& context_;
  Launcher* launcher_;
  Array<double> start_values_;
  Array<unsigned long long> counts_;
  Array<ParticleSums> particle_sums_;
};

template <class Launcher>
std::unique_ptr<ParticleOperations> make_particle_operations(DeviceContext<Launcher>& context) {
  return std::make_unique<ParticleOperationsOf<Launcher>>(context);
}

}  // namespace underdamp
