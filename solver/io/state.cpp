#include "solver/io/state.hpp"

#include "meshes/error.hpp"

namespace underdamp {

void damaged_state(const std::string& what) {
  throw Error(ExitCode::input_output, "the checkpoint does not fit together: " + what, {},
              "start again without --resume");
}

}  // namespace underdamp
