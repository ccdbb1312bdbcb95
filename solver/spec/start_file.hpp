#pragma once
#include <string>

#include "solver/io/vtk_file.hpp"

namespace underdamp {

/// Reads a CSV with columns theta, v, density (rows in any order, one for each lattice point) or, where VTK is built
/// in, a .vti that an earlier run wrote. Throws SpecError.
GridDensity read_grid_density(const std::string& file);

}  // namespace underdamp
