#include "kernels/cuda/cuda_launcher.cuh"
#include "kernels/operations/plane_sums_of.hpp"

namespace underdamp {

UNDERDAMP_PLANE_SUMS_OF(CudaLauncher<double>);
UNDERDAMP_PLANE_SUMS_OF(CudaLauncher<float>);

}  // namespace underdamp
