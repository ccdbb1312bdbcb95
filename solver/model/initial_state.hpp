#pragma once
#include <array>
#include <vector>

#include "meshes/phase_mesh.hpp"
#include "solver/model/model.hpp"
#include "solver/spec/spec.hpp"

namespace underdamp {

using Vector2 = std::array<double, 2>;
using Matrix2 = std::array<std::array<double, 2>, 2>;

/// Mean and covariance of the start of plane p; for `file` those of the density in the file.
struct InitialMoments {
  Vector2 mean{};
  Matrix2 covariance{};
};
InitialMoments initial_moments(const Spec& spec, const Model& model, int p);

/// Density of N(mean, covariance) at (theta, v).
double gaussian_density(const Vector2& mean, const Matrix2& covariance, double theta, double v);

/// Share of the start that does not lie in the box: of a file what its cells hold there. On a circle nothing is beyond
/// the ends of θ but what a file holds.
double start_share_outside(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p);

/// Density at the cell centres of plane p of the mesh, normalised so that its integral, the sum over the cells with
/// theta_weights() times the cell area, is 1. Throws Error (bad_input) if the start does not lie in the box.
std::vector<double> initial_density(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p);

}  // namespace underdamp
