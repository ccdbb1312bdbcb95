#pragma once
#include <optional>
#include <span>

#include "kernels/contract/backend.hpp"
#include "solver/model/gaussian.hpp"
#include "solver/model/model.hpp"
#include "solver/spec/spec.hpp"

/// Where particles begin (docs/method.md, section 11).
namespace underdamp {

/// How the particles of one plane begin.
struct ParticleStart {
  std::optional<GaussianStart> gaussian;
  std::optional<GridStart> grid;
};

/// A Gaussian, which may have no width along an axis or across a correlation.
GaussianStart gaussian_start(const Vector2& mean, const Matrix2& covariance);

/// The start of a spec: exact for Gaussians, else drawn from the cells of the density that the evolution starts from.
ParticleStart particle_start(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p);

/// Draws from a density given at the cell centres of a plane, eq. 57: cell averages, and slopes within each cell.
ParticleStart particle_start(const PhasePlane& plane, const ThetaWalls& walls, std::span<const double> density);

}  // namespace underdamp
