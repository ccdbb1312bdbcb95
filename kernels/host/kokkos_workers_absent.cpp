#include "kernels/host/host_workers.hpp"

namespace underdamp {

std::unique_ptr<HostWorkers> make_host_workers() {
  return make_thread_workers(threads_asked_for());
}

}  // namespace underdamp
