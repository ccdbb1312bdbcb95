#pragma once
#include <optional>
#include <vector>

#include "meshes/phase_mesh.hpp"
#include "solver/model/model.hpp"

namespace underdamp {

/// Power balance of a stationary state, γ E v² = E D + F E v, by midpoint sums over the cells; F is the mean force
/// around a circle (Model::mean_force), elsewhere 0. Powers are per unit of mass, velocity²/time.
struct PowerBalance {
  double mean_force = 0.0;     ///< F
  double mean_velocity = 0.0;  ///< E v
  double friction = 0.0;       ///< γ E v²: what friction takes
  double noise = 0.0;          ///< E D: what noise gives
  double drive() const { return mean_force * mean_velocity; }
};
PowerBalance power_balance(const Model& model, int p, const PhaseMesh& mesh, const std::vector<double>& density);

/// What a mean force around a circle does.
struct DrivenState {
  PowerBalance power;
  bool has_balance = true;  ///< of these powers: the map has another one
  double mean_velocity_error = 0.0;
  double current = 0.0;  ///< turns per time: E v over the length of the circle
  /// F E v/T, 1/time; absent where the noise depends on θ, so that there is no one temperature.
  std::optional<double> entropy_production;
};

/// Absent if nothing drives plane p. `mesh`: of that plane alone.
std::optional<DrivenState> driven_state(const Model& model, int p, const PhaseMesh& mesh,
                                        const std::vector<double>& density, double mean_velocity_error,
                                        bool has_constant_noise);

}  // namespace underdamp
