#include "solver/stationary/driven_state.hpp"

#include "kernels/contract/backend.hpp"

namespace underdamp {

PowerBalance power_balance(const Model& model, int p, const PhaseMesh& mesh, const std::vector<double>& density) {
  const PhasePlane& plane = mesh.plane(0);
  const auto weights = theta_weights(mesh);
  double mass = 0.0;
  double first = 0.0;
  double second = 0.0;
  double diffusion = 0.0;
  std::size_t k = 0;
  for (int i = 0; i < plane.theta.cells; ++i) {
    double row = 0.0;
    for (int j = 0; j < plane.velocity.cells; ++j, ++k) {
      const double v = plane.velocity.center(j);
      const double share = weights[static_cast<std::size_t>(i)] * density[k];
      row += share;
      first += share * v;
      second += share * v * v;
    }
    mass += row;
    diffusion += row * model.diffusion(p, plane.theta.center(i));
  }
  return {model.mean_force(p), first / mass, model.gamma() * second / mass, diffusion / mass};
}

std::optional<DrivenState> driven_state(const Model& model, int p, const PhaseMesh& mesh,
                                        const std::vector<double>& density, double mean_velocity_error,
                                        bool has_constant_noise) {
  if (!model.is_driven(p)) return std::nullopt;
  DrivenState state;
  state.power = power_balance(model, p, mesh, density);
  state.mean_velocity_error = mean_velocity_error;
  state.current = state.power.mean_velocity / mesh.plane(0).theta.length();
  state.has_balance = model.dynamics() == Dynamics::langevin;
  if (has_constant_noise && state.has_balance)
    state.entropy_production = state.power.drive() / model.derived(p).temperature;
  return state;
}

}  // namespace underdamp
