#include <Kokkos_Core.hpp>

#include "kernels/host/host_workers.hpp"

namespace underdamp {
namespace {

using Space = Kokkos::DefaultHostExecutionSpace;

/// Kokkos starts with the first workers and ends with the program. It never sees the program's own arguments: its
/// option names are not all prefixed.
void start_kokkos() {
  static const Kokkos::ScopeGuard guard = [] {
    static char name[] = "underdamp";
    static char* arguments[] = {name, nullptr};
    static int count = 1;
    return Kokkos::ScopeGuard(count, arguments);
  }();
}

class KokkosWorkers final : public HostWorkers {
 public:
  int count() const override { return count_; }
  std::string name() const override {
    return std::string("Kokkos ") + Space::name() + ", " + std::to_string(count_) +
           (count_ == 1 ? " thread" : " threads");
  }

 private:
  void launch(const char* name, Call call, const void* context) const override {
    Kokkos::parallel_for(name, Kokkos::RangePolicy<Space>(0, count_), [=](int worker) { call(context, worker); });
    Kokkos::fence();
  }

  int count_ = Space().concurrency();
};

}  // namespace

std::unique_ptr<HostWorkers> make_host_workers() {
  start_kokkos();
  return std::make_unique<KokkosWorkers>();
}

}  // namespace underdamp
