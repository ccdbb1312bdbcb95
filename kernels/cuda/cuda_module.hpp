#pragma once
#include <string>

#include "kernels/contract/backend.hpp"

/// The CUDA backend is a module that is opened at run time: the program also starts where the CUDA libraries are
/// missing.
///
/// Returns a new backend, for fields of that precision, that the caller owns, or null with the reason in `explanation`.
extern "C" underdamp::Backend* underdamp_make_cuda_backend_of(underdamp::Precision precision, std::string* explanation);

namespace underdamp {

inline constexpr const char* cuda_module_file = "underdamp_cuda.so";
inline constexpr const char* cuda_module_entry = "underdamp_make_cuda_backend_of";

}  // namespace underdamp
