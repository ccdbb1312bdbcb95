#include "kernels/cuda/cuda_module.hpp"

#include "kernels/cuda/cuda_launcher.cuh"
#include "kernels/operations/backend_of.hpp"

namespace underdamp {
namespace {

Backend* make_backend_on(int device, Precision precision) {
  if (precision == Precision::float32)
    return new BackendOf<CudaLauncher<float>>(std::make_unique<CudaLauncher<float>>(device));
  return new BackendOf<CudaLauncher<double>>(std::make_unique<CudaLauncher<double>>(device));
}

/// Null if the device cannot be used, with the reason.
Backend* try_device(int device, Precision precision, std::string& explanation) {
  cudaDeviceProp properties{};
  try {
    check(cudaGetDeviceProperties(&properties, device), "cannot read the properties of the GPU");
    if (properties.major >= 8) return make_backend_on(device, precision);
    explanation = std::string(properties.name) + " is older than compute capability 8.0";
  } catch (const Error& error) {
    cudaGetLastError();
    explanation = error.what();
  }
  return nullptr;
}

}  // namespace
}  // namespace underdamp

/// On the first device that works. CUDA_VISIBLE_DEVICES says which there are.
extern "C" underdamp::Backend* underdamp_make_cuda_backend_of(underdamp::Precision precision,
                                                              std::string* explanation) {
  using namespace underdamp;
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    *explanation = status != cudaSuccess ? cudaGetErrorString(status) : "there is no NVIDIA GPU";
    cudaGetLastError();
    return nullptr;
  }
  for (int device = 0; device < count; ++device) {
    if (Backend* const backend = try_device(device, precision, *explanation)) return backend;
  }
  return nullptr;
}
