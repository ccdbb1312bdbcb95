#include "kernels/host/host_launcher.hpp"
#include "kernels/operations/field_operations_of.hpp"
#include "kernels/operations/generator_operations_of.hpp"
#include "kernels/operations/particle_operations_of.hpp"
#include "kernels/operations/phase_sum_operations_of.hpp"
#include "kernels/operations/reduction_operations_of.hpp"

namespace underdamp {

template std::unique_ptr<FieldOperations> make_field_operations(DeviceContext<HostLauncher<double>>&);
template std::unique_ptr<FieldOperations> make_field_operations(DeviceContext<HostLauncher<float>>&);
template std::unique_ptr<ReductionOperations> make_reduction_operations(DeviceContext<HostLauncher<double>>&);
template std::unique_ptr<ReductionOperations> make_reduction_operations(DeviceContext<HostLauncher<float>>&);
template std::unique_ptr<PhaseSumOperations> make_phase_sum_operations(DeviceContext<HostLauncher<double>>&);
template std::unique_ptr<PhaseSumOperations> make_phase_sum_operations(DeviceContext<HostLauncher<float>>&);
template std::unique_ptr<GeneratorOperations> make_generator_operations(DeviceContext<HostLauncher<double>>&);
template std::unique_ptr<GeneratorOperations> make_generator_operations(DeviceContext<HostLauncher<float>>&);
template std::unique_ptr<ParticleOperations> make_particle_operations(DeviceContext<HostLauncher<double>>&);
template std::unique_ptr<ParticleOperations> make_particle_operations(DeviceContext<HostLauncher<float>>&);

}  // namespace underdamp
