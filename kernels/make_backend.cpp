#include "kernels/make_backend.hpp"

#include "kernels/host/host_backend.hpp"
#include "meshes/error.hpp"

namespace underdamp {

ChosenBackend make_backend(DeviceChoice choice) {
  if (choice == DeviceChoice::host) return {make_host_backend(), "as asked for"};
  std::string explanation;
  auto cuda = make_cuda_backend(explanation);
  if (cuda) return {std::move(cuda), choice == DeviceChoice::cuda ? "as asked for" : "a GPU works"};
  if (choice == DeviceChoice::cuda) {
    throw Error(ExitCode::device, "no CUDA device can be used: " + explanation, "--device cuda",
                "run on a machine with an NVIDIA GPU and driver, or use --device host");
  }
  return {make_host_backend(), explanation};
}

std::vector<std::string> describe_devices() {
  std::string explanation;
  const auto cuda = make_cuda_backend(explanation);
  return {make_host_backend()->describe().name, cuda ? cuda->describe().name : "cuda: " + explanation};
}

}  // namespace underdamp
