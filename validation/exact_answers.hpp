#pragma once
#include <array>
#include <vector>

#include "meshes/phase_mesh.hpp"
#include "solver/model/gaussian.hpp"
#include "solver/model/model.hpp"
#include "solver/stationary/stationary.hpp"

/// Exact answers that a computed density is compared with (docs/method.md, section 1).
namespace underdamp {

struct GaussianState {
  Vector2 mean{};
  Matrix2 covariance{};
};

/// A quadratic mode of the Langevin equation: dz = −A (z − z*) dt + noise, A = [[0, −1], [k h, γ]], constant D.
struct LinearLangevin {
  double stiffness = 1.0;  ///< k h = ω²
  double friction = 1.0;   ///< γ
  double diffusion = 1.0;  ///< D
  double minimum = 0.0;    ///< θ*

  /// Mean e^{−At} z_0 and covariance e^{−At} C_0 e^{−Aᵀt} + B − e^{−At} B e^{−Aᵀt}, A B + B Aᵀ = 2 diag(0, D).
  GaussianState evolve(const GaussianState& start, double time) const;
  GaussianState stationary() const;
};

/// The SGD map on a quadratic: v' = β v − h (θ − θ*) + noise of variance Σ/S, θ' = θ + η v'.
struct LinearSgd {
  double curvature = 1.0;      ///< h
  double learning_rate = 0.1;  ///< η
  double momentum = 0.9;       ///< β
  double step_variance = 1.0;  ///< Σ/S
  double minimum = 0.0;

  GaussianState evolve(const GaussianState& start, long steps) const;
  /// Fixed point of the covariance recursion; requires η h < 2 (1 + β).
  GaussianState stationary() const;
};

LinearLangevin linear_langevin(const Model& model, int plane);
LinearSgd linear_sgd(const Model& model, int plane);

/// Σ |P − N(state)| h_θ h_v over the cells of a plane.
double l1_error(const PhasePlane& plane, const std::vector<double>& density, const GaussianState& state);

/// Σ |P − Q| h_θ h_v of two densities on the same cells.
double l1_error(const PhasePlane& plane, const std::vector<double>& density, const std::vector<double>& reference);

/// Largest relative deviation of the entries of a covariance, off-diagonal ones relative to the geometric mean.
double covariance_error(const Matrix2& computed, const Matrix2& exact);

}  // namespace underdamp
