#include "kernels/host/host_backend.hpp"

#include "kernels/backend_ops.hpp"
#include "kernels/host/host_launcher.hpp"

namespace underdamp {

std::unique_ptr<Backend> make_host_backend() {
  return make_host_backend(make_host_workers());
}

std::unique_ptr<Backend> make_host_backend(std::unique_ptr<HostWorkers> workers) {
  return std::make_unique<BackendOps<HostLauncher>>(std::make_unique<HostLauncher>(std::move(workers)));
}

}  // namespace underdamp
