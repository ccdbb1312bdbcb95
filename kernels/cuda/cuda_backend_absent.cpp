#include "kernels/cuda/cuda_loader.hpp"

namespace underdamp {

std::unique_ptr<Backend> make_cuda_backend(Precision, std::string& explanation) {
  explanation = "this build has no CUDA backend; install a CUDA toolkit and build again";
  return nullptr;
}

}  // namespace underdamp
