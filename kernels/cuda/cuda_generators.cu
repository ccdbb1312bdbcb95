#include "kernels/cuda/cuda_launcher.cuh"
#include "kernels/operations/generator_operations_of.hpp"

namespace underdamp {

template std::unique_ptr<GeneratorOperations> make_generator_operations(DeviceContext<CudaLauncher<double>>&);
template std::unique_ptr<GeneratorOperations> make_generator_operations(DeviceContext<CudaLauncher<float>>&);

}  // namespace underdamp
