#include "kernels/host/host_backend.hpp"

#include <Kokkos_Core.hpp>

#include "kernels/backend_ops.hpp"
#include "kernels/host/host_launcher.hpp"

namespace underdamp {
namespace {

/// Kokkos starts with the first host backend and ends with the program. It never sees the program's own arguments: its
/// option names are not all prefixed.
void start_kokkos() {
  static const Kokkos::ScopeGuard guard = [] {
    static char name[] = "underdamp";
    static char* arguments[] = {name, nullptr};
    static int count = 1;
    return Kokkos::ScopeGuard(count, arguments);
  }();
}

}  // namespace

std::unique_ptr<Backend> make_host_backend() {
  start_kokkos();
  return std::make_unique<BackendOps<HostLauncher>>(std::make_unique<HostLauncher>());
}

}  // namespace underdamp
