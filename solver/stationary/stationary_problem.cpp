#include "solver/stationary/stationary_problem.hpp"

#include <algorithm>
#include <cmath>

#include "meshes/cell_index.hpp"
#include "solver/model/initial_state.hpp"
#include "solver/model/wells.hpp"

namespace underdamp {
namespace {

/// To ∫ p = 1 on the cells of one plane of the mesh.
void normalise(std::vector<double>& values, const PhaseMesh& mesh, double area) {
  const auto weights = theta_weights(mesh);
  const CellIndex cell(mesh);
  double mass = 0.0;
  for (std::size_t k = 0; k < values.size(); ++k) mass += weights[cell.row(k)] * values[k] * area;
  for (double& value : values) value /= mass;
}

/// Rest, or the running state where a mean force lets nothing rest: then the box leaves rest out.
double typical_velocity(const Model& model, int p, const PhasePlane& plane) {
  const bool holds_rest = plane.velocity.lower < 0.0 && plane.velocity.upper > 0.0;
  return model.is_driven(p) && !holds_rest ? model.mean_force(p) / model.gamma() : 0.0;
}

}  // namespace

bool StationaryProblem::is_gibbs() const {
  if (is_map() || model.is_driven(p)) return false;
  const auto [least, most] = std::minmax_element(tables.diffusion.begin(), tables.diffusion.end());
  constexpr double rounding = 1e-13;
  return *most - *least <= rounding * *most;
}

std::vector<Well> StationaryProblem::wells() const {
  constexpr double least_barrier = 6.0;
  const QuasiPotential q =
      quasi_potential(model, p, {plane().theta.lower, plane().theta.upper}, mesh.walls().is_periodic());
  return wells_of(q, least_barrier);
}

int StationaryProblem::known_crossings() const {
  return is_gibbs() ? static_cast<int>(wells().size()) - 1 : 0;
}

StationaryProblem StationaryProblem::on_cells(int theta, int velocity) const {
  PhasePlane coarse = plane();
  coarse.theta.cells = theta;
  coarse.velocity.cells = velocity;
  return {backend, model, p, PhaseMesh({coarse}, mesh.walls()), tabulate(model, p, coarse), options, poll};
}

std::vector<double> linearised_density(const Model& model, int p, const PhaseMesh& mesh) {
  const Matrix2 covariance = model.stationary_covariance(p);
  const PhasePlane& plane = mesh.plane(0);
  const double reach = mesh.walls().is_periodic() ? 8.0 * std::sqrt(covariance[0][0]) / plane.theta.length() : 0.0;
  constexpr double most_images = 100.0;
  const int images = static_cast<int>(std::ceil(std::min(reach, most_images)));
  std::vector<double> density;
  density.reserve(mesh.shape().cells());
  for (int i = 0; i < mesh.theta_cells(); ++i) {
    for (int j = 0; j < mesh.velocity_cells(); ++j) {
      double sum = 0.0;
      for (int n = -images; n <= images; ++n) {
        sum += gaussian_density({model.plane(p).minimum, 0.0}, covariance,
                                plane.theta.center(i) + n * plane.theta.length(), plane.velocity.center(j));
      }
      density.push_back(sum);
    }
  }
  return density;
}

std::vector<double> gibbs_density(const Model& model, int p, const PhaseMesh& mesh) {
  const PhasePlane& plane = mesh.plane(mesh.planes() == 1 ? 0 : p);
  const double temperature = model.derived(p).temperature;
  std::vector<double> potential;
  for (int i = 0; i < plane.theta.cells; ++i) potential.push_back(model.k() * model.loss(p, plane.theta.center(i)));
  const double lowest = *std::min_element(potential.begin(), potential.end());
  std::vector<double> values;
  for (const double height : potential) {
    for (int j = 0; j < plane.velocity.cells; ++j) {
      const double v = plane.velocity.center(j);
      values.push_back(std::exp(-(0.5 * v * v + height - lowest) / temperature));
    }
  }
  normalise(values, mesh, plane.cell_area());
  return values;
}

std::vector<double> quasi_gibbs_density(const Model& model, int p, const PhaseMesh& mesh) {
  const PhasePlane& plane = mesh.plane(0);
  const bool is_circle = mesh.walls().is_periodic();
  const QuasiPotential q = quasi_potential(model, p, {plane.theta.lower, plane.theta.upper}, is_circle);
  const double drift = typical_velocity(model, p, plane);
  std::vector<double> values;
  for (int i = 0; i < plane.theta.cells; ++i) {
    const double share = (i + 0.5) / plane.theta.cells;
    const auto k = static_cast<std::size_t>(std::lround(share * static_cast<double>(q.phi.size() - 1)));
    const double turns = q.gain * share;  // a driven circle: the periodic part
    for (int j = 0; j < plane.velocity.cells; ++j) {
      const double v = plane.velocity.center(j) - drift;
      values.push_back(std::exp(-(q.phi[k] - turns) - 0.5 * v * v / q.temperature[k]) /
                       std::pow(q.temperature[k], 1.5));
    }
  }
  const double highest = *std::max_element(values.begin(), values.end());
  for (double& value : values) value /= highest;
  normalise(values, mesh, plane.cell_area());
  return values;
}

std::vector<double> nearest_density(const StationaryProblem& problem) {
  if (problem.is_gibbs()) return gibbs_density(problem.model, problem.p, problem.mesh);
  return problem.is_map() && problem.wells().size() == 1 ? linearised_density(problem.model, problem.p, problem.mesh)
                                                         : quasi_gibbs_density(problem.model, problem.p, problem.mesh);
}

std::vector<double> nearest_density(const StationaryProblem& problem, const Well& well) {
  std::vector<double> density = nearest_density(problem);
  const CellIndex cell(problem.mesh);
  for (std::size_t k = 0; k < density.size(); ++k) {
    if (!well.holds(problem.plane().theta.center(static_cast<int>(cell.row(k))))) density[k] = 0.0;
  }
  return density;
}

std::vector<double> with_modes(std::vector<double> density, const std::vector<Eigen::VectorXcd>& modes) {
  constexpr double share = 0.3;
  const double peak = *std::max_element(density.begin(), density.end());
  for (const Eigen::VectorXcd& mode : modes) {
    const double scale = mode.lpNorm<Eigen::Infinity>();
    if (!(scale > 0.0)) continue;
    for (std::size_t k = 0; k < density.size(); ++k) {
      const std::complex<double> value = mode[static_cast<Eigen::Index>(k)];
      density[k] += share * peak / scale * (value.real() + value.imag());
    }
  }
  return density;
}

std::vector<double> with_slow_modes(const StationaryProblem& problem, std::vector<double> density) {
  const Derived d = problem.model.derived(problem.p);
  const double minimum = problem.model.plane(problem.p).minimum;
  const double drift = typical_velocity(problem.model, problem.p, problem.plane());
  const CellIndex cell(problem.mesh);
  for (std::size_t k = 0; k < density.size(); ++k) {
    const double x = (problem.plane().theta.center(static_cast<int>(cell.row(k))) - minimum) / d.std_theta;
    const double y = (problem.plane().velocity.center(static_cast<int>(cell.column(k))) - drift) / d.std_v;
    density[k] *= 1.0 + 0.4 * x + 0.3 * y + 0.2 * x * y + 0.1 * (x * x - 1.0) - 0.15 * (y * y - 1.0) + 0.05 * x * x * x;
  }
  return density;
}

}  // namespace underdamp
