#pragma once
#include <memory>

#include "kernels/contract/backend.hpp"
#include "kernels/host/host_workers.hpp"

namespace underdamp {

/// The backend of the host, by default with the workers of this build. Results do not depend on who works, to the bit.
std::unique_ptr<Backend> make_host_backend(Precision precision = Precision::float64);
std::unique_ptr<Backend> make_host_backend(std::unique_ptr<HostWorkers> workers,
                                           Precision precision = Precision::float64);

}  // namespace underdamp
