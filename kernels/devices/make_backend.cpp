#include "kernels/devices/make_backend.hpp"

#include "kernels/cuda/cuda_loader.hpp"
#include "kernels/host/host_backend.hpp"
#include "meshes/error.hpp"

namespace underdamp {

ChosenBackend make_backend(DeviceChoice choice, Precision precision) {
  if (choice == DeviceChoice::host) return {make_host_backend(precision), "as asked for"};
  std::string explanation;
  auto cuda = make_cuda_backend(precision, explanation);
  if (cuda) return {std::move(cuda), choice == DeviceChoice::cuda ? "as asked for" : "a GPU works"};
  if (choice == DeviceChoice::cuda) {
    throw Error(ExitCode::device, "no CUDA device can be used: " + explanation, "--device cuda",
                "run on a machine with an NVIDIA GPU and driver, or use --device host");
  }
  return {make_host_backend(precision), explanation};
}

std::vector<std::string> describe_devices() {
  std::string explanation;
  const auto cuda = make_cuda_backend(Precision::float64, explanation);
  return {make_host_backend()->describe().name, cuda ? cuda->describe().name : "cuda: " + explanation};
}

}  // namespace underdamp
