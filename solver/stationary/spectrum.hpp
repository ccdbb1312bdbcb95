#pragma once
#include <complex>
#include <span>
#include <vector>

#include <Eigen/Core>

#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// One eigenvalue λ of the generator: e^{λt} is how a perturbation of the shape of its eigenvector changes.
struct SpectralLine {
  std::complex<double> eigenvalue;
  double error = 0.0;    ///< estimated |δλ|: of the step and the iteration, at the end of grid and box too
  bool aliased = false;  ///< |Im λ| T > π: its branch was taken from the generator
};

/// A line with its eigenvector, in the order of FieldView.
struct Mode {
  SpectralLine line;
  Eigen::VectorXcd vector;
};

/// What the grid changes in the generator, relative to it, at useful resolutions.
inline constexpr double grid_perturbation = 1e-8;

/// Modes to look for beyond those wanted, so that the last Jordan block is whole.
inline constexpr int beyond = 3;

/// Sorts by rate of decay, conjugate pairs together, and keeps `count` modes; the stationary state is not one of them.
///
/// Where the process is critically damped its generator has Jordan blocks: a relative perturbation ε of the operator
/// splits a block of m equal eigenvalues by ε^{1/m}, but not their mean (Kato, Perturbation Theory, II.2). Eigenvalues
/// that are no further apart than that, and whose eigenvectors are parallel, are replaced by their mean.
std::vector<Mode> slow_modes(std::vector<Mode> modes, int count, double perturbation = grid_perturbation);

/// Their lines alone.
std::vector<SpectralLine> lines_of(const std::vector<Mode>& modes);

/// "uncertain" (its error is more than 5 % of it, or than its rate of decay), "oscillation" (complex), "metastable"
/// (real, and at most half as fast as the linearised process relaxes) or "relaxation".
const char* kind_of(const SpectralLine& line, double relaxation_time);

/// Slowest rate of decay in a spectrum, 1/time, but for the `known` slowest lines; 1/`relaxation_time` if it has no
/// more.
double slowest_rate(const std::vector<SpectralLine>& spectrum, double relaxation_time, int known = 0);

/// `density` = the vector, turned positive and normalised to ∫ p = 1, the sum over the cells with theta_weights().
/// Rounding leaves tiny values below 0 in the tails: they become 0. Returns their share of the mass.
double take_density(std::span<const double> vector, const PhaseMesh& mesh, std::vector<double>& density);

}  // namespace underdamp
