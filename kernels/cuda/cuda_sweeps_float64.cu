#include "kernels/cuda/cuda_launcher.cuh"
#include "kernels/operations/sweep_operations_of.hpp"

namespace underdamp {

template std::unique_ptr<SweepOperations> make_sweep_operations(DeviceContext<CudaLauncher<double>>&);

}  // namespace underdamp
