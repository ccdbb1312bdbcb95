#include "kernels/cuda/cuda_launcher.cuh"
#include "kernels/operations/particle_operations_of.hpp"

namespace underdamp {

template std::unique_ptr<ParticleOperations> make_particle_operations(DeviceContext<CudaLauncher<double>>&);
template std::unique_ptr<ParticleOperations> make_particle_operations(DeviceContext<CudaLauncher<float>>&);

}  // namespace underdamp
