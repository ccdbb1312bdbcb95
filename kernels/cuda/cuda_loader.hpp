#pragma once
#include <memory>
#include <string>

#include "kernels/contract/backend.hpp"

namespace underdamp {

/// The backend of a CUDA device, null if there is none that works; `explanation` then says why.
/// cuda_loader.cpp opens the CUDA module; a build without a toolkit has cuda_backend_absent.cpp instead.
std::unique_ptr<Backend> make_cuda_backend(Precision precision, std::string& explanation);

}  // namespace underdamp
