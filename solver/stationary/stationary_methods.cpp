#include "solver/stationary/stationary_methods.hpp"

#include "solver/stationary/arnoldi_stationary.hpp"
#include "solver/stationary/direct_stationary.hpp"
#include "solver/stationary/evolved_stationary.hpp"
#include "solver/step/memory.hpp"

namespace underdamp {
namespace {

const char* name_of(StationaryMethod method) {
  switch (method) {
    case StationaryMethod::direct:
      return "direct";
    case StationaryMethod::evolve:
      return "evolve";
    default:
      return "arnoldi";
  }
}

/// Where the density has kinks the propagator has nothing over the generator; who asks for `direct` gets that.
bool is_worth_refining(const StationaryProblem& problem) {
  return problem.options.method == StationaryMethod::automatic && !problem.mesh.walls().any_pressed() &&
         !(problem.tables.kinks[0] > 0.0);
}

/// Where the noise is constant the shares of the wells are those of Gibbs, whatever rounding has made of them.
void settle_wells(const StationaryProblem& problem, StationaryState& state) {
  const auto wells = problem.wells();
  if (wells.size() < 2 || state.density.empty()) return;
  if (problem.is_gibbs()) {
    const Axis& theta = problem.plane().theta;
    const QuasiPotential q =
        quasi_potential(problem.model, problem.p, {theta.lower, theta.upper}, problem.mesh.walls().is_periodic());
    const auto gibbs = gibbs_density(problem.model, problem.p, problem.mesh);
    set_well_shares(problem.mesh, q, wells, well_shares(problem.mesh, wells, gibbs), state.density);
    const std::vector<double> density = std::move(state.density);
    take_density(density, problem.mesh, state.density);
  }
  state.wells = wells;
  state.well_shares = well_shares(problem.mesh, wells, state.density);
}

}  // namespace

bool direct_fits(const StationaryProblem& problem) {
  return !problem.is_map() && generator_fits(problem.mesh.shape(), problem.backend.describe());
}

StationaryState solve_by(StationaryMethod method, const StationaryProblem& problem, const NearbyState* nearby) {
  StationaryState state;
  switch (method) {
    case StationaryMethod::direct:
      state = solve_direct(problem, nearby != nullptr ? nearby->state.plan.has_value() : is_worth_refining(problem),
                           nearby);
      // Grids can be compared only if all were refined, or none.
      if (nearby != nullptr && nearby->state.plan.has_value() != state.plan.has_value()) state.converged = false;
      break;
    case StationaryMethod::evolve:
      state = solve_by_evolution(problem, nearby);
      break;
    default:
      state = nearby != nullptr ? repeat_by_arnoldi(problem, *nearby) : solve_by_arnoldi(problem);
      break;
  }
  state.method = name_of(method);
  settle_wells(problem, state);
  return state;
}

}  // namespace underdamp
