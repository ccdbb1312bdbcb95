#include "solver/particles/particle_start.hpp"

#include <algorithm>
#include <cmath>

#include "meshes/cell_index.hpp"
#include "meshes/error.hpp"
#include "solver/model/initial_state.hpp"
#include "solver/particles/statistics.hpp"

namespace underdamp {
namespace {

/// Slope of the density within a cell, relative to its value, such that it is nowhere negative.
double relative_slope(double below, double here, double above) {
  return here > 0.0 ? std::clamp(0.5 * (above - below) / here, -2.0, 2.0) : 0.0;
}

GridStart cells_only(std::span<const double> probability) {
  GridStart start;
  double sum = 0.0;
  for (const double p : probability) start.cumulative.push_back(sum += std::max(0.0, p));
  if (!(sum > 0.0) || !std::isfinite(sum))
    throw Error(ExitCode::bad_input, "particles cannot start from a density without mass");
  for (double& value : start.cumulative) value /= sum;
  start.cumulative.back() = 1.0;
  start.slope_theta.assign(probability.size(), 0.0);
  start.slope_velocity.assign(probability.size(), 0.0);
  return start;
}

}  // namespace

GaussianStart gaussian_start(const Vector2& mean, const Matrix2& covariance) {
  const CholeskyFactor factor = cholesky_factor(covariance);
  return {{mean[0], mean[1]}, {factor.theta, factor.across, factor.velocity}};
}

ParticleStart particle_start(const PhasePlane& plane, const ThetaWalls& walls, std::span<const double> density) {
  const auto probability = cell_probabilities(plane, walls, density);
  GridStart start = cells_only(probability);
  const int rows = plane.theta.cells;
  const int columns = plane.velocity.cells;
  const CellIndex cell(plane);
  const auto at = [&](int i, int j) {
    return i >= 0 && i < rows && j >= 0 && j < columns ? probability[cell(i, j)] : 0.0;
  };
  // At a closed wall there is no cell beyond: the slope is left flat there.
  const auto beyond = [&](int i) {
    return (i == 0 && walls.lower != ThetaBoundary::open) || (i == rows - 1 && walls.upper != ThetaBoundary::open);
  };
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      const auto c = cell(i, j);
      start.slope_theta[c] = beyond(i) ? 0.0 : relative_slope(at(i - 1, j), at(i, j), at(i + 1, j));
      start.slope_velocity[c] = relative_slope(at(i, j - 1), at(i, j), at(i, j + 1));
    }
  }
  return {std::nullopt, std::move(start)};
}

ParticleStart particle_start(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  if (spec.initial.kind == InitialKind::gaussian || spec.initial.kind == InitialKind::stationary) {
    const Moments m = initial_moments(spec, model, p);
    return {gaussian_start(m.mean, m.covariance), std::nullopt};
  }
  const auto density = initial_density(spec, model, mesh, p);
  if (spec.initial.kind == InitialKind::file) return particle_start(mesh.plane(p), mesh.walls(), density);
  return {std::nullopt, cells_only(density)};  // uniform: whole cells, with edges
}

}  // namespace underdamp
