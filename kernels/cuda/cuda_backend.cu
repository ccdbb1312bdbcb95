#include "kernels/cuda/cuda_module.hpp"

#include "kernels/backend_ops.hpp"
#include "kernels/cuda/cuda_launcher.cuh"

namespace underdamp {
namespace {

/// The first device that runs our code, or −1 with the reason.
int usable_device(std::string& explanation) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    explanation = status != cudaSuccess ? cudaGetErrorString(status) : "there is no NVIDIA GPU";
    cudaGetLastError();
    return -1;
  }
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, device) == cudaSuccess && properties.major >= 8) return device;
    explanation = std::string(properties.name) + " is older than compute capability 8.0";
  }
  return -1;
}

}  // namespace
}  // namespace underdamp

extern "C" underdamp::Backend* underdamp_make_cuda_backend_of(underdamp::Precision precision,
                                                              std::string* explanation) {
  using namespace underdamp;
  const int device = usable_device(*explanation);
  if (device < 0) return nullptr;
  try {
    if (precision == Precision::float32) {
      return new BackendOps<CudaLauncher<float>>(std::make_unique<CudaLauncher<float>>(device));
    }
    return new BackendOps<CudaLauncher<double>>(std::make_unique<CudaLauncher<double>>(device));
  } catch (const Error& error) {
    *explanation = error.what();
    return nullptr;
  }
}
