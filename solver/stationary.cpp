#include "solver/stationary.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "solver/arnoldi_stationary.hpp"
#include "solver/direct_stationary.hpp"
#include "solver/evolved_stationary.hpp"
#include "solver/initial_state.hpp"
#include "solver/memory.hpp"

namespace underdamp {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Eigenvalues of modes that the box cuts off are those of another process.
void add_wall_warnings(StationaryState& state, const PhaseMesh& mesh) {
  constexpr double largest = 1e-7;
  for (std::size_t k = 0; k < state.modes.size(); ++k) {
    const double share = wall_share(state.modes[k].vector, mesh);
    if (!(share > largest)) continue;
    state.warnings.push_back(
        fmt::format("the box cuts off eigenvalue {} ({:.4g}{:+.4g}i) and perhaps more: at a wall its mode still has "
                    "{:.0e} of its peak; widen the box for it",
                    k + 1, state.modes[k].line.eigenvalue.real(), state.modes[k].line.eigenvalue.imag(), share));
    return;
  }
}

}  // namespace

StationaryMethod stationary_method(const StationarySpec& options, const FieldShape& plane, Dynamics dynamics,
                                   std::string& reason) {
  if (options.method != StationaryMethod::automatic) {
    reason = "as asked for";
    return options.method;
  }
  const double basis_bytes = stationary_bytes(StationaryMethod::arnoldi, options, plane);
  constexpr double most_bytes = 8.0e9;
  if (basis_bytes > most_bytes) {
    reason = fmt::format("a Krylov basis of this grid would take {:.1f} GB", basis_bytes / 1e9);
    return StationaryMethod::evolve;
  }
  reason = dynamics == Dynamics::sgd ? "the spectrum of the map itself" : "most accurate, and gives the spectrum";
  return StationaryMethod::arnoldi;
}

std::vector<double> linearised_density(const Model& model, int p, const PhaseMesh& mesh) {
  const Matrix2 covariance = model.stationary_covariance(p);
  std::vector<double> density;
  density.reserve(mesh.shape().cells());
  for (int i = 0; i < mesh.theta_cells(); ++i) {
    for (int j = 0; j < mesh.velocity_cells(); ++j) {
      density.push_back(gaussian_density({model.plane(p).minimum, 0.0}, covariance, mesh.plane(0).theta.center(i),
                                         mesh.plane(0).velocity.center(j)));
    }
  }
  return density;
}

std::vector<double> gibbs_density(const Model& model, int p, const PhasePlane& plane) {
  const double temperature = model.derived(p).temperature;
  const double lowest = model.loss(p, model.plane(p).minimum);
  std::vector<double> values;
  double mass = 0.0;
  for (int i = 0; i < plane.theta.cells; ++i) {
    const double potential = model.k() * (model.loss(p, plane.theta.center(i)) - lowest);
    for (int j = 0; j < plane.velocity.cells; ++j) {
      const double v = plane.velocity.center(j);
      values.push_back(std::exp(-(0.5 * v * v + potential) / temperature));
      mass += values.back() * plane.cell_area();
    }
  }
  for (double& value : values) value /= mass;
  return values;
}

std::vector<double> arnoldi_start(const Model& model, int p, const PhaseMesh& mesh) {
  const Derived d = model.derived(p);
  std::vector<double> start = linearised_density(model, p, mesh);
  for (int i = 0; i < mesh.theta_cells(); ++i) {
    for (int j = 0; j < mesh.velocity_cells(); ++j) {
      const double x = (mesh.plane(0).theta.center(i) - model.plane(p).minimum) / d.std_theta;
      const double y = mesh.plane(0).velocity.center(j) / d.std_v;
      start[static_cast<std::size_t>(i) * static_cast<std::size_t>(mesh.velocity_cells()) +
            static_cast<std::size_t>(j)] *=
          1.0 + 0.4 * x + 0.3 * y + 0.2 * x * y + 0.1 * (x * x - 1.0) - 0.15 * (y * y - 1.0) + 0.05 * x * x * x;
    }
  }
  return start;
}

StationaryState solve_stationary(Backend& backend, const Model& model, int p, const PhaseMesh& mesh,
                                 const Tables& tables, const StationarySpec& options,
                                 const std::function<void()>& poll) {
  const auto begin = std::chrono::steady_clock::now();
  std::string reason;
  StationaryState state;
  switch (stationary_method(options, mesh.shape(), tables.dynamics, reason)) {
    case StationaryMethod::direct:
      state = solve_direct(model, p, mesh, tables, options, poll);
      state.method = "direct";
      break;
    case StationaryMethod::evolve:
      state = solve_by_evolution(backend, model, p, mesh, tables, options, poll);
      state.method = "evolve";
      break;
    default:
      state = solve_by_arnoldi(backend, model, p, mesh, tables, options, poll);
      state.method = "arnoldi";
      break;
  }
  if (!state.converged && options.method == StationaryMethod::automatic && tables.dynamics == Dynamics::langevin) {
    const double bytes = stationary_bytes(StationaryMethod::direct, options, mesh.shape());
    if (host_holds(bytes, backend.describe())) {
      state = solve_direct(model, p, mesh, tables, options, poll);
      state.method = "direct";
      reason = "Arnoldi iteration did not converge";
    } else {
      state.warnings.push_back(
          fmt::format("\"direct\", which would be next, needs {:.0f} GB of memory and was left out", bytes / 1e9));
    }
  }
  add_wall_warnings(state, mesh);
  state.reason = reason;
  state.seconds = seconds_since(begin);
  return state;
}

}  // namespace underdamp
