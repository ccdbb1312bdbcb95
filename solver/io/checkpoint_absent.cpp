#include "meshes/error.hpp"
#include "solver/io/checkpoint.hpp"

namespace underdamp {
namespace {

[[noreturn]] void refuse_checkpoint(const std::filesystem::path& path) {
  throw Error(ExitCode::input_output, "this build has no HDF5 and knows no checkpoints", path.string(),
              "build with -DUNDERDAMP_HDF5=ON");
}

}  // namespace

bool has_checkpoints() {
  return false;
}

void write_checkpoint(const std::filesystem::path& path, const std::function<void(StateWriter&)>&) {
  refuse_checkpoint(path);
}

std::unique_ptr<StateReader> open_checkpoint(const std::filesystem::path& path) {
  refuse_checkpoint(path);
}

}  // namespace underdamp
