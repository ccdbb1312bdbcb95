#include "kernels/host/host_launcher.hpp"
#include "kernels/operations/plane_sums_of.hpp"

namespace underdamp {

UNDERDAMP_PLANE_SUMS_OF(HostLauncher<double>);
UNDERDAMP_PLANE_SUMS_OF(HostLauncher<float>);

}  // namespace underdamp
