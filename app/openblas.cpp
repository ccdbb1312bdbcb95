#include "app/openblas.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace underdamp {

void choose_openblas_kernels(char** arguments) {
#if defined(__x86_64__) && defined(__GNUC__)
  constexpr const char* variable = "OPENBLAS_CORETYPE";
  if (std::getenv(variable) != nullptr) return;
  using CoreName = char* (*)();
  const auto core_name = reinterpret_cast<CoreName>(dlsym(RTLD_DEFAULT, "openblas_get_corename"));
  if (core_name == nullptr || std::strcmp(core_name(), "Prescott") != 0) return;
  __builtin_cpu_init();
  const char* kernels = nullptr;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl")) {
    kernels = "SKYLAKEX";
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    kernels = "HASWELL";
  }
  if (kernels == nullptr || setenv(variable, kernels, 1) != 0) return;
  execv("/proc/self/exe", arguments);  // returns only if it fails: then the slow kernels serve as well
#else
  static_cast<void>(arguments);
#endif
}

}  // namespace underdamp
