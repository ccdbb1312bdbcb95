#include <dlfcn.h>

#include <filesystem>

#include "kernels/cuda/cuda_module.hpp"
#include "kernels/make_backend.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

/// Beside the program, or where it was installed to.
fs::path module_path() {
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code);
  for (const fs::path& folder : {program.parent_path(), program.parent_path() / ".." / "lib" / "underdamp"}) {
    if (fs::exists(folder / cuda_module_file, code)) return folder / cuda_module_file;
  }
  return cuda_module_file;
}

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(Precision precision, std::string& explanation) {
  static void* const module = dlopen(module_path().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    explanation = std::string("the CUDA module cannot be opened: ") + dlerror();
    return nullptr;
  }
  using Entry = Backend* (*)(Precision, std::string*);
  const auto entry = reinterpret_cast<Entry>(dlsym(module, cuda_module_entry));
  if (entry == nullptr) {
    explanation = "the CUDA module is of another version";
    return nullptr;
  }
  return std::unique_ptr<Backend>(entry(precision, &explanation));
}

}  // namespace underdamp
