#include "solver/stationary/stationary_moments.hpp"

#include <array>
#include <cmath>

namespace underdamp {

Moments moments_of(const PhaseMesh& mesh, const std::vector<double>& density) {
  const PhasePlane& plane = mesh.plane(0);
  const auto weights = theta_weights(mesh);
  double mass = 0.0;
  Vector2 first{};
  Matrix2 second{};
  std::size_t k = 0;
  const double reference = 0.5 * (plane.theta.lower + plane.theta.upper);
  for (int i = 0; i < plane.theta.cells; ++i) {
    for (int j = 0; j < plane.velocity.cells; ++j, ++k) {
      const Vector2 z{plane.theta.center(i) - reference, plane.velocity.center(j)};
      const double p = weights[static_cast<std::size_t>(i)] * density[k];
      mass += p;
      for (std::size_t a = 0; a < 2; ++a) {
        first[a] += p * z[a];
        for (std::size_t b = 0; b < 2; ++b) second[a][b] += p * z[a] * z[b];
      }
    }
  }
  Moments m;
  for (std::size_t a = 0; a < 2; ++a) m.mean[a] = first[a] / mass;
  for (std::size_t a = 0; a < 2; ++a) {
    for (std::size_t b = 0; b < 2; ++b) m.covariance[a][b] = second[a][b] / mass - m.mean[a] * m.mean[b];
  }
  m.mean[0] += reference;
  return m;
}

Moments gibbs_moments(const StationaryProblem& problem) {
  const Axis& theta = problem.plane().theta;
  const Model& model = problem.model;
  const double temperature = model.derived(problem.p).temperature;
  const double reference = model.k() * model.loss(problem.p, model.plane(problem.p).minimum);
  const double middle = 0.5 * (theta.lower + theta.upper);
  constexpr int parts = 32;
  const double width = theta.width() / parts;
  const double node = 0.5 * width / std::sqrt(3.0);
  std::array<double, 3> sums{};  // of 1, θ and θ²
  for (int k = 0; k < parts * theta.cells; ++k) {
    for (const double offset : {-node, node}) {
      const double at = theta.lower + (k + 0.5) * width + offset;
      const double weight = std::exp((reference - model.k() * model.loss(problem.p, at)) / temperature);
      for (std::size_t power = 0; power < 3; ++power) sums[power] += weight * std::pow(at - middle, power);
    }
  }
  Moments m;
  const double mean = sums[1] / sums[0];
  m.mean = {middle + mean, 0.0};
  m.covariance = {{{sums[2] / sums[0] - mean * mean, 0.0}, {0.0, temperature}}};
  return m;
}

}  // namespace underdamp
