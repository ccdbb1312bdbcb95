#include "kernels/cuda/cuda_loader.hpp"

#include <dlfcn.h>

#include <filesystem>

#include "kernels/cuda/cuda_module.hpp"

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

using Entry = Backend* (*)(Precision, std::string*);

/// How the module makes a backend, or why it does not.
struct Module {
  Entry entry = nullptr;
  std::string problem;
};

Module open_module() {
  const fs::path path = module_path();
  std::error_code code;
  if (!fs::exists(path, code))
    return {nullptr,
            "the CUDA module was not built, as by scripts/run on a machine without a GPU; scripts/build builds it"};
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const reason = dlerror();
    return {nullptr,
            std::string("the CUDA module cannot be opened: ") + (reason != nullptr ? reason : "unknown reason")};
  }
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, cuda_module_entry));
  return {entry, entry != nullptr ? "" : "the CUDA module is of another version"};
}

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(Precision precision, std::string& explanation) {
  static const Module module = open_module();  // once: the system gives its reason for a failure once too
  if (module.entry == nullptr) {
    explanation = module.problem;
    return nullptr;
  }
  return std::unique_ptr<Backend>(module.entry(precision, &explanation));
}

}  // namespace underdamp
