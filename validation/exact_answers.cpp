#include "validation/exact_answers.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Dense>
#include <unsupported/Eigen/MatrixFunctions>

namespace underdamp {
namespace {

using Matrix = Eigen::Matrix2d;

Matrix matrix_of(const Matrix2& m) {
  Matrix result;
  result << m[0][0], m[0][1], m[1][0], m[1][1];
  return result;
}

GaussianState state_of(const Eigen::Vector2d& mean, const Matrix& covariance) {
  return {{mean[0], mean[1]}, {{{covariance(0, 0), covariance(0, 1)}, {covariance(1, 0), covariance(1, 1)}}}};
}

}  // namespace

GaussianState LinearLangevin::stationary() const {
  const double temperature = diffusion / friction;
  return {{minimum, 0.0}, {{{temperature / stiffness, 0.0}, {0.0, temperature}}}};
}

GaussianState LinearLangevin::evolve(const GaussianState& start, double time) const {
  Matrix drift;
  drift << 0.0, -1.0, stiffness, friction;
  const Matrix propagator = (-drift * time).exp();
  const Matrix limit = matrix_of(stationary().covariance);
  const Eigen::Vector2d offset(start.mean[0] - minimum, start.mean[1]);
  const Eigen::Vector2d mean = propagator * offset + Eigen::Vector2d(minimum, 0.0);
  const Matrix covariance = propagator * (matrix_of(start.covariance) - limit) * propagator.transpose() + limit;
  return state_of(mean, covariance);
}

GaussianState LinearSgd::evolve(const GaussianState& start, long steps) const {
  Matrix map;  // (θ, v) → (θ + η v', v'), v' = β v − h θ
  map << 1.0 - learning_rate * curvature, learning_rate * momentum, -curvature, momentum;
  Matrix noise;
  noise << learning_rate * learning_rate, learning_rate, learning_rate, 1.0;
  noise *= step_variance;
  Eigen::Vector2d mean(start.mean[0] - minimum, start.mean[1]);
  Matrix covariance = matrix_of(start.covariance);
  for (long s = 0; s < steps; ++s) {
    mean = map * mean;
    covariance = map * covariance * map.transpose() + noise;
  }
  return state_of(mean + Eigen::Vector2d(minimum, 0.0), covariance);
}

GaussianState LinearSgd::stationary() const {
  // C = M C Mᵀ + N as a linear system for (C_θθ, C_θv, C_vv).
  const double a = 1.0 - learning_rate * curvature;
  const double b = learning_rate * momentum;
  const double c = -curvature;
  const double d = momentum;
  Eigen::Matrix3d system;
  system << 1.0 - a * a, -2.0 * a * b, -b * b,  //
      -a * c, 1.0 - a * d - b * c, -b * d,      //
      -c * c, -2.0 * c * d, 1.0 - d * d;
  const Eigen::Vector3d noise(learning_rate * learning_rate * step_variance, learning_rate * step_variance,
                              step_variance);
  const Eigen::Vector3d covariance = system.partialPivLu().solve(noise);
  return {{minimum, 0.0}, {{{covariance[0], covariance[1]}, {covariance[1], covariance[2]}}}};
}

LinearLangevin linear_langevin(const Model& model, int plane) {
  const PlaneModel& p = model.plane(plane);
  return {model.k() * p.curvature, model.gamma(), model.diffusion(plane, p.minimum), p.minimum};
}

LinearSgd linear_sgd(const Model& model, int plane) {
  const PlaneModel& p = model.plane(plane);
  return {p.curvature, model.learning_rate(), model.momentum(), model.step_variance(plane, p.minimum), p.minimum};
}

double l1_error(const PhasePlane& plane, const std::vector<double>& density, const GaussianState& state) {
  double sum = 0.0;
  std::size_t cell = 0;
  for (int i = 0; i < plane.theta.cells; ++i) {
    for (int j = 0; j < plane.velocity.cells; ++j, ++cell) {
      sum += std::abs(density[cell] -
                      gaussian_density(state.mean, state.covariance, plane.theta.center(i), plane.velocity.center(j)));
    }
  }
  return sum * plane.cell_area();
}

double l1_error(const PhasePlane& plane, const std::vector<double>& density, const std::vector<double>& reference) {
  double sum = 0.0;
  for (std::size_t k = 0; k < density.size(); ++k) sum += std::abs(density[k] - reference[k]);
  return sum * plane.cell_area();
}

double covariance_error(const Matrix2& computed, const Matrix2& exact) {
  double worst = 0.0;
  for (std::size_t a = 0; a < 2; ++a) {
    for (std::size_t b = 0; b < 2; ++b) {
      const double error = std::abs(computed[a][b] - exact[a][b]) / std::sqrt(exact[a][a] * exact[b][b]);
      if (std::isnan(error)) return error;
      worst = std::max(worst, error);
    }
  }
  return worst;
}

}  // namespace underdamp
