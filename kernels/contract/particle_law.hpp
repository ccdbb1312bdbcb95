#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "meshes/phase_mesh.hpp"

/// How particles move, start and are summed (docs/method.md, section 11): what the solver says of an ensemble.
namespace underdamp {

/// v ← contraction·v + force·F(θ) + noise·√D(θ) ξ.
struct Kick {
  double contraction = 1.0;
  double force = 0.0;
  double noise = 0.0;
};

/// One step: opening kick, drift, closing kick. The drift is θ ← θ + before·v + after·v', v before and v' after the
/// opening kick. Closing and next opening kick meet at the same θ and share one look at the table.
struct ParticleLaw {
  Kick opening;
  Kick closing;
  double drift_before = 0.0;
  double drift_after = 0.0;
};

/// V(τ/2) X(τ) V(τ/2), eq. 53: its law is one Strang step (22) of the density, exactly. F = −k L'_λ, D of the model.
ParticleLaw splitting_law(double friction, double duration);
/// Euler-Maruyama, eq. 54. F and D as above.
ParticleLaw euler_law(double friction, double duration);
/// One step of the heavy ball (1) with Gaussian noise: v ← β v + F + √D ξ, θ ← θ + η v, eq. 55; F = −L'_λ, D = Σ/S.
ParticleLaw sgd_law(double momentum, double learning_rate);

/// F and D as cubics on equal intervals of θ (eq. 56), continued as straight lines (F) and constants (D) beyond.
struct ParticleTable {
  static constexpr int row = 8;  ///< coefficients of F, then of D, in powers of the distance from the left edge
  double lower = 0.0;
  double width = 1.0;  ///< of an interval
  int intervals = 0;
  std::vector<double> coefficients;  ///< [(1 + intervals + 1) · row]: below, inside, above
};

/// From values at intervals + 1 equally spaced points, slopes by differences of fourth order: fifth-order accurate,
/// exact for parabolas. Throws Error (bad_input) if there are fewer than five points.
ParticleTable make_particle_table(double lower, double upper, std::span<const double> force,
                                  std::span<const double> diffusion);

/// Particles `first` … `first + count − 1` of the ensemble of a plane: with the seed the address of all their random
/// numbers.
struct ParticleRange {
  std::uint64_t seed = 1;
  std::uint32_t plane = 0;
  std::uint64_t first = 0;
  std::size_t count = 0;
};

/// Particles that one thread block, or one pass over the cache of a host thread, moves together. Sums are made per
/// block, so that ranges that begin at multiples of it give the same sums however an ensemble is cut.
inline constexpr std::size_t particle_block = 512;

/// Start: mean + lower-triangular factor of the covariance times two Gaussian numbers.
struct GaussianStart {
  double mean[2] = {0.0, 0.0};
  double factor[3] = {0.0, 0.0, 0.0};  ///< L_θθ, L_vθ, L_vv
};

/// Start from the cells of a plane: cell c with probability cumulative[c] − cumulative[c − 1], within it the density
/// ∝ (1 + slope_θ x)(1 + slope_v y), −½ ≤ x, y ≤ ½, |slope| ≤ 2.
struct GridStart {
  std::vector<double> cumulative;
  std::vector<double> slope_theta;
  std::vector<double> slope_velocity;
};

/// Σ over the particles of a block of x^a y^b, x = θ − centre_θ, y = v − centre_v.
struct ParticleSums {
  double x, y;
  double xx, xy, yy;
  double xxx, xxy, xyy, yyy;
  double xxxx, xxyy, yyyy;
};

}  // namespace underdamp
