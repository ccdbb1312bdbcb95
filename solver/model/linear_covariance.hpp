#pragma once
#include <array>
#include <cstddef>

/// How the covariance of (θ, v) moves under the process, linearised where it is.
namespace underdamp {

/// Var θ, Cov(θ, v), Var v.
using Covariances = std::array<double, 3>;

/// dθ = v dt, dv = (F − γ v) dt + √(2 D) dW: dC/dt = −A C − C Aᵀ + 2 diag(0, D), A = [[0, −1], [−F', γ]].
struct LinearizedLangevin {
  double slope;  ///< F'
  double friction;
  double diffusion;

  Covariances change(const Covariances& c) const {
    return {2.0 * c[1], c[2] + slope * c[0] - friction * c[1],
            2.0 * slope * c[1] - 2.0 * friction * c[2] + 2.0 * diffusion};
  }
  /// One step of the midpoint rule: boxes need no more.
  void advance(Covariances& c, double dt) const {
    const auto first = change(c);
    Covariances middle{};
    for (std::size_t a = 0; a < 3; ++a) middle[a] = c[a] + 0.5 * dt * first[a];
    const auto second = change(middle);
    for (std::size_t a = 0; a < 3; ++a) c[a] += dt * second[a];
  }
};

/// One step of the SGD map, v' = β v − h θ + noise, θ' = θ + η v'.
struct LinearizedMap {
  double curvature;  ///< h
  double momentum;
  double learning_rate;
  double step_variance;  ///< of the noise

  void advance(Covariances& c) const {
    const double h = curvature;
    const double covariance = momentum * c[1] - h * c[0];  // of θ and v'
    const double variance = momentum * momentum * c[2] - 2.0 * momentum * h * c[1] + h * h * c[0] + step_variance;
    c = {c[0] + 2.0 * learning_rate * covariance + learning_rate * learning_rate * variance,
         covariance + learning_rate * variance, variance};
  }
};

}  // namespace underdamp
