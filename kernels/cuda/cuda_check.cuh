#pragma once
#include <cuda_runtime.h>
#include <cusparse.h>

#include <string>

#include "meshes/error.hpp"

namespace underdamp {

/// Throws Error (device) if a CUDA call failed, with its reason.
inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  const bool memory = status == cudaErrorMemoryAllocation;
  throw Error(ExitCode::device, std::string(what) + ": " + cudaGetErrorString(status), "CUDA",
              memory ? "use fewer cells or planes, or --device host"
                     : "see whether another program uses the GPU, or use --device host");
}

inline void check(cusparseStatus_t status, const char* what) {
  if (status == CUSPARSE_STATUS_SUCCESS) return;
  throw Error(ExitCode::device, std::string(what) + ": " + cusparseGetErrorString(status), "cuSPARSE",
              "use fewer cells, or --device host");
}

}  // namespace underdamp
