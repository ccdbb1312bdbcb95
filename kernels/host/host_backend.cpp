#include "kernels/host/host_backend.hpp"

#include "kernels/host/host_launcher.hpp"
#include "kernels/operations/backend_of.hpp"

namespace underdamp {

std::unique_ptr<Backend> make_host_backend(Precision precision) {
  return make_host_backend(make_host_workers(), precision);
}

std::unique_ptr<Backend> make_host_backend(std::unique_ptr<HostWorkers> workers, Precision precision) {
  if (precision == Precision::float32) {
    return std::make_unique<BackendOf<HostLauncher<float>>>(std::make_unique<HostLauncher<float>>(std::move(workers)));
  }
  return std::make_unique<BackendOf<HostLauncher<double>>>(std::make_unique<HostLauncher<double>>(std::move(workers)));
}

}  // namespace underdamp
