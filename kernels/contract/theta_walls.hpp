#pragma once
#include <span>
#include <vector>

#include "meshes/phase_mesh.hpp"

/// What the solver needs to know of reflecting walls on which a force acts (kernels/tables/wall_stencils.hpp).
namespace underdamp {

/// [θ cell] w, the same for all planes: ∫ f dθ = h_θ Σ_i w_i f(θ_i). All 1 unless a force acts at a reflecting wall: a
/// density that vanishes at its walls, or goes on smoothly beyond them, needs no others.
std::vector<double> theta_weights(const PhaseMesh& mesh);

/// Cells of shift that the rows next to such a wall bear in one sweep; more must be done in several.
double largest_wall_shift(const PhaseMesh& mesh);

/// Rows next to such a wall that the generator connects with each other and with those of −v.
int wall_generator_reach(const PhaseMesh& mesh);

/// Rows next to such a wall that extrapolation leaves unfiltered (kernels/bodies/extrapolation.hpp).
int unfiltered_wall_rows(const PhaseMesh& mesh);

/// Into how many sweeps a drift must be cut: more than one only beside reflecting walls.
int drift_repeats(const PhaseMesh& mesh, std::span<const double> duration);

}  // namespace underdamp
