#include "solver/model/start_tube.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "solver/model/initial_state.hpp"

namespace underdamp {

StartTube::StartTube(const Spec& spec, const Model& model, int p)
    : model_(model), p_(p), has_edge_(spec.initial.kind == InitialKind::uniform) {
  if (spec.grid.theta && spec.grid.walls.lower == ThetaBoundary::open) lowest_ = spec.grid.theta->lower;
  if (spec.grid.theta && spec.grid.walls.upper == ThetaBoundary::open) highest_ = spec.grid.theta->upper;
  const Moments start = initial_moments(spec, model, p);
  paths_.push_back({start.mean, {}});
  // A circle of seven standard deviations, or the edge of a uniform start.
  const CholeskyFactor c = cholesky_factor(start.covariance);
  constexpr int directions = 48;
  for (int k = 0; k < directions; ++k) {
    const double angle = 2.0 * std::numbers::pi * k / directions;
    const double edge = std::numbers::sqrt3 / std::max(std::abs(std::cos(angle)), std::abs(std::sin(angle)));
    const double radius = has_edge_ ? edge : box_deviations;
    const double x = radius * std::cos(angle);
    const double y = radius * std::sin(angle);
    paths_.push_back({{start.mean[0] + c.theta * x, start.mean[1] + c.across * x + c.velocity * y}, {}});
  }
  region_ = {{start.mean[0], start.mean[0]}, {start.mean[1], start.mean[1]}};
  record();
}

Region StartTube::follow(double duration) {
  if (model_.dynamics() == Dynamics::sgd) {
    const auto steps = static_cast<long>(std::llround(duration / model_.learning_rate()));
    for (long s = 0; s < std::min(steps, longest); ++s) {
      for (Path& path : paths_) {
        if (!has_left(path)) sgd_step(path);
      }
      record();
    }
    return region_;
  }
  double time = 0.0;
  for (long s = 0; s < longest && time < duration; ++s) {
    double rate = model_.gamma();
    for (Path& path : paths_) {
      if (has_left(path)) continue;
      path.curvature = model_.curvature(p_, path.z[0]);
      rate = std::max(rate, std::sqrt(std::abs(model_.k() * path.curvature)));
    }
    const double dt = std::min(0.05 / rate, duration - time);
    for (Path& path : paths_) {
      if (!has_left(path)) langevin_step(path, dt);
    }
    time += dt;
    record();
  }
  return region_;
}

void StartTube::langevin_step(Path& path, double dt) const {
  // A concave loss counts as flat, it does not hold forever.
  const double slope_of_force = -model_.k() * std::max(path.curvature, 0.0);
  LinearizedLangevin{slope_of_force, model_.gamma(), model_.diffusion(p_, path.z[0])}.advance(path.noise, dt);
  Vector2& z = path.z;
  const auto moved = [&](const Vector2& s, double h) { return Vector2{z[0] + h * s[0], z[1] + h * s[1]}; };
  const Vector2 s1 = slope(z);
  const Vector2 s2 = slope(moved(s1, 0.5 * dt));
  const Vector2 s3 = slope(moved(s2, 0.5 * dt));
  const Vector2 s4 = slope(moved(s3, dt));
  for (std::size_t a = 0; a < 2; ++a) z[a] += dt / 6.0 * (s1[a] + 2.0 * s2[a] + 2.0 * s3[a] + s4[a]);
}

void StartTube::sgd_step(Path& path) const {
  const double eta = model_.learning_rate();
  const double beta = model_.momentum();
  const double curvature = std::max(model_.curvature(p_, path.z[0]), 0.0);
  LinearizedMap{curvature, beta, eta, model_.step_variance(p_, path.z[0])}.advance(path.noise);
  const double v = beta * path.z[1] - model_.gradient(p_, path.z[0]);
  path.z = {path.z[0] + eta * v, v};
}

void StartTube::record() {
  const Vector2& mean = paths_[0].z;
  const double lowest = model_.loss(p_, model_.plane(p_).minimum);
  for (const Path& path : paths_) {
    const auto& z = path.z;
    const auto reach = [&](double offset, double variance) {  // widths of Gaussians add in squares
      const double noise = box_deviations * std::sqrt(std::max(variance, 0.0));
      return has_edge_ ? std::abs(offset) + noise : std::hypot(offset, noise);
    };
    const double dx = reach(z[0] - mean[0], path.noise[0]);
    const double dv = reach(z[1] - mean[1], path.noise[2]);
    include(region_.theta, {mean[0] - dx, mean[0] + dx});
    include(region_.velocity, {mean[1] - dv, mean[1] + dv});
    energy_ = std::max(energy_, 0.5 * z[1] * z[1] + model_.k() * (model_.loss(p_, z[0]) - lowest));
  }
}

}  // namespace underdamp
