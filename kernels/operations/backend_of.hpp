#pragma once
#include <memory>
#include <utility>

#include "kernels/operations/operations.hpp"

namespace underdamp {

/// A device: its operations over one launcher.
template <class Launcher>
class BackendOf final : public Backend {
 public:
  explicit BackendOf(std::unique_ptr<Launcher> launcher)
      : context_(std::move(launcher)),
        fields_(make_field_operations(context_)),
        sweeps_(make_sweep_operations(context_)),
        reductions_(make_reduction_operations(context_)),
        phase_sums_(make_phase_sum_operations(context_)),
        generators_(make_generator_operations(context_)),
        particles_(make_particle_operations(context_)) {}

  DeviceDescription describe() const override {
    DeviceDescription description = context_.launcher().describe();
    description.precision = precision_of<typename Launcher::Real>;
    return description;
  }
  FieldOperations& fields() override { return *fields_; }
  SweepOperations& sweeps() override { return *sweeps_; }
  ReductionOperations& reductions() override { return *reductions_; }
  PhaseSumOperations& phase_sums() override { return *phase_sums_; }
  GeneratorOperations& generators() override { return *generators_; }
  ParticleOperations& particles() override { return *particles_; }

  void synchronize() override {
    const auto scope = context_.begin_apart("synchronize");
    context_.launcher().synchronize();
  }
  void synchronize_each(bool each) override { context_.launcher().synchronize_each(each); }
  void observe(DeviceObserver observer) override { context_.observe(std::move(observer)); }

 private:
  DeviceContext<Launcher> context_;
  std::unique_ptr<FieldOperations> fields_;
  std::unique_ptr<SweepOperations> sweeps_;
  std::unique_ptr<ReductionOperations> reductions_;
  std::unique_ptr<PhaseSumOperations> phase_sums_;
  std::unique_ptr<GeneratorOperations> generators_;
  std::unique_ptr<ParticleOperations> particles_;
};

}  // namespace underdamp
