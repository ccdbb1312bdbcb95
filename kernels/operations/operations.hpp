#pragma once
#include <memory>
#include <utility>

#include "kernels/operations/device_context.hpp"

namespace underdamp {

/// Defined in *_operations_of.hpp. Each is compiled for a launcher in a file of its own, so that compilers, and above
/// all nvcc, work side by side.
template <class Launcher>
std::unique_ptr<FieldOperations> make_field_operations(DeviceContext<Launcher>& context);
template <class Launcher>
std::unique_ptr<SweepOperations> make_sweep_operations(DeviceContext<Launcher>& context);
template <class Launcher>
std::unique_ptr<ReductionOperations> make_reduction_operations(DeviceContext<Launcher>& context);
template <class Launcher>
std::unique_ptr<PhaseSumOperations> make_phase_sum_operations(DeviceContext<Launcher>& context);
template <class Launcher>
std::unique_ptr<GeneratorOperations> make_generator_operations(DeviceContext<Launcher>& context);
template <class Launcher>
std::unique_ptr<ParticleOperations> make_particle_operations(DeviceContext<Launcher>& context);

}  // namespace underdamp
