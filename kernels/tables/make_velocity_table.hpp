#pragma once
#include "kernels/contract/velocity_law.hpp"
#include "kernels/tables/velocity_table.hpp"
#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// Throws Error (bad_input) if e is outside [0, 1], or if e < 1/3 and v = 0 is not well inside the box.
/// `cascade`: see convolution_with.
VelocityTable make_velocity_table(const PhaseMesh& mesh, const VelocityLaw& law, int lanes, bool cascade = true);

}  // namespace underdamp
