#include "meshes/error.hpp"
#include "solver/checkpoint.hpp"

namespace underdamp {
namespace {

[[noreturn]] void refuse_checkpoint(const std::filesystem::path& path) {
  throw Error(ExitCode::input_output, "this build has no HDF5 and knows no checkpoints", path.string(),
              "build with -DUNDERDAMP_HDF5=ON");
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Checkpoint&) {
  refuse_checkpoint(path);
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  refuse_checkpoint(path);
}

}  // namespace underdamp
