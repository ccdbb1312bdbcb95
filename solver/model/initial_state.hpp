#pragma once
#include <vector>

#include "meshes/phase_mesh.hpp"
#include "solver/model/gaussian.hpp"
#include "solver/model/model.hpp"
#include "solver/spec/spec.hpp"

/// The start of a spec on the grid.
namespace underdamp {

/// Mean and covariance of the start of plane p; for `file` those of the density in the file.
Moments initial_moments(const Spec& spec, const Model& model, int p);

/// Share of the start that does not lie in the box: of a file what its cells hold there. On a circle nothing is beyond
/// the ends of θ but what a file holds.
double start_share_outside(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p);

/// Density at the cell centres of plane p of the mesh, normalised so that its integral, the sum over the cells with
/// theta_weights() times the cell area, is 1. Throws Error (bad_input) if the start does not lie in the box.
std::vector<double> initial_density(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p);

}  // namespace underdamp
