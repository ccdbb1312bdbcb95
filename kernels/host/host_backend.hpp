#pragma once
#include <memory>

#include "kernels/backend.hpp"

namespace underdamp {

/// The backend of the host: Kokkos' default host execution space.
std::unique_ptr<Backend> make_host_backend();

}  // namespace underdamp
