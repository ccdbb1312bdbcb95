#include "solver/stationary/box_error.hpp"

#include <algorithm>
#include <cmath>
#include <complex>

#include "solver/stationary/stationary_moments.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;

/// What passes each wall that the process has not, per time.
class WallFlux {
 public:
  WallFlux(const PhaseMesh& mesh, double friction) : mesh_(mesh), plane_(mesh.plane(0)), friction_(friction) {}

  /// Calls visit(cell, speed · width, θ or v of the wall, axis) for each cell at such a wall.
  template <class Visit>
  void each(const Visit& visit) const {
    const int rows = mesh_.theta_cells();
    const int columns = mesh_.velocity_cells();
    for (int j = 0; j < columns; ++j) {
      const double speed = std::abs(plane_.velocity.center(j)) * plane_.velocity.width();
      if (mesh_.walls().lower == ThetaBoundary::open)
        visit(0, j, speed, plane_.theta.lower, 0, plane_.velocity.center(j) < 0.0);
      if (mesh_.walls().upper == ThetaBoundary::open)
        visit(rows - 1, j, speed, plane_.theta.upper, 0, plane_.velocity.center(j) > 0.0);
    }
    for (int i = 0; i < rows; ++i) {
      visit(i, 0, friction_ * std::abs(plane_.velocity.lower) * plane_.theta.width(), plane_.velocity.lower, 1, true);
      visit(i, columns - 1, friction_ * std::abs(plane_.velocity.upper) * plane_.theta.width(), plane_.velocity.upper,
            1, true);
    }
  }

  std::size_t cell(int i, int j) const {
    return static_cast<std::size_t>(i) * static_cast<std::size_t>(mesh_.velocity_cells()) + static_cast<std::size_t>(j);
  }

 private:
  const PhaseMesh& mesh_;
  const PhasePlane& plane_;
  double friction_;
};

}  // namespace

void add_box_errors(const StationaryProblem& problem, StationaryState& state) {
  const double rate = slowest_rate(state.spectrum, problem.relaxation_time(), problem.known_crossings());
  const Moments m = moments_of(problem.mesh, state.density);
  const WallFlux walls(problem.mesh, problem.model.gamma());
  double sum = 0.0;
  double passing = 0.0;
  // Velocities are replaced as fast as friction makes them.
  const double fast = std::max(rate, problem.model.gamma());
  const auto add = [&](double flow, const Vector2& z) {
    const Vector2 lost{flow / rate, flow / fast};
    for (std::size_t a = 0; a < 2; ++a) {
      state.mean_error[a] += lost[a] * std::abs(z[a]);
      for (std::size_t b = 0; b < 2; ++b)
        state.covariance_error[a][b] += std::min(lost[a], lost[b]) * std::abs(z[a] * z[b]);
    }
  };
  walls.each([&](int i, int j, double speed, double wall, std::size_t axis, bool leaves) {
    const double flux = leaves ? speed * std::max(0.0, state.density[walls.cell(i, j)]) : 0.0;
    passing += flux;
    sum += flux / (axis == 0 ? rate : fast);
    add(flux, {axis == 0 ? wall - m.mean[0] : problem.plane().theta.center(i) - m.mean[0],
               axis == 1 ? wall - m.mean[1] : problem.plane().velocity.center(j) - m.mean[1]});
  });
  constexpr double rounding = 1e-14;  // of the mass, per relaxation time
  const double leak = state.leak - passing;
  if (leak * problem.relaxation_time() > rounding) {
    const PhasePlane& plane = problem.plane();
    add(leak, {std::max(plane.theta.upper - m.mean[0], m.mean[0] - plane.theta.lower),
               std::max(plane.velocity.upper - m.mean[1], m.mean[1] - plane.velocity.lower)});
    sum += leak / rate;
  }
  state.box_error_estimate = 2.0 * sum;
}

double box_error(const StationaryProblem& problem, const std::vector<double>& density, const Mode& mode) {
  const PhaseMesh& mesh = problem.mesh;
  const double peak = *std::max_element(density.begin(), density.end());
  const int columns = mesh.velocity_cells();
  const auto product = [&](std::size_t cell) {
    const std::size_t j = cell % static_cast<std::size_t>(columns);
    const std::size_t reversed = cell - j + static_cast<std::size_t>(columns) - 1 - j;
    constexpr double least = 1e-40;
    if (!(density[cell] > least * peak)) return Complex(0.0, 0.0);
    return mode.vector[static_cast<Eigen::Index>(cell)] * mode.vector[static_cast<Eigen::Index>(reversed)] /
           density[cell];
  };
  Complex overlap = 0.0;
  double size = 0.0;
  for (std::size_t cell = 0; cell < density.size(); ++cell) {
    overlap += product(cell);
    size += std::abs(product(cell));
  }
  const WallFlux walls(mesh, problem.model.gamma());
  double flux = 0.0;
  walls.each([&](int i, int j, double speed, double, std::size_t, bool) {
    flux += speed * std::abs(product(walls.cell(i, j)));
  });
  constexpr double least_overlap = 0.03;  // less is the cancellation of a nearly defective mode
  return flux / (std::max(std::abs(overlap), least_overlap * size) * mesh.plane(0).cell_area());
}

}  // namespace underdamp
