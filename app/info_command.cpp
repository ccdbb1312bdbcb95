#include <fmt/format.h>

#include "app/commands.hpp"
#include "generated/version.hpp"
#include "solver/io/vtk_file.hpp"

namespace underdamp {

int info_command() {
  fmt::print("underdamp {} (commit {})\n", version, commit);
  fmt::print("  built          {}\n", build_description);
  fmt::print("  pictures       {}\n", has_vtk() ? "VTK" : "none: built without VTK");
  for (const std::string& device : describe_devices()) fmt::print("  device         {}\n", device);
  return 0;
}

}  // namespace underdamp
