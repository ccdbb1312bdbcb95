#include "meshes/error.hpp"
#include "solver/io/diagnostics.hpp"
#include "solver/io/vtk_file.hpp"

namespace underdamp {

bool has_vtk() {
  return false;
}

void write_vti(const std::filesystem::path&, const PhasePlane&, const std::vector<CellArray>&, bool) {}

GridDensity read_vti_density(const std::string& file) {
  refuse(file, "", "this build has no VTK and cannot read .vti files",
         "give a CSV with columns theta, v, density, or build with -DUNDERDAMP_VTK=ON");
}

}  // namespace underdamp
