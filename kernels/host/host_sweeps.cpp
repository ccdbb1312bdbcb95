#include "kernels/host/host_launcher.hpp"
#include "kernels/operations/sweep_operations_of.hpp"

namespace underdamp {

template std::unique_ptr<SweepOperations> make_sweep_operations(DeviceContext<HostLauncher<double>>&);
template std::unique_ptr<SweepOperations> make_sweep_operations(DeviceContext<HostLauncher<float>>&);

}  // namespace underdamp
