#include "solver/stationary/stationary.hpp"

#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "meshes/seconds_since.hpp"
#include "solver/stationary/direct_stationary.hpp"
#include "solver/stationary/evolved_stationary.hpp"
#include "solver/stationary/stationary_error.hpp"
#include "solver/stationary/stationary_methods.hpp"
#include "solver/step/memory.hpp"

namespace underdamp {
namespace {

/// Why iteration on the propagator would take long, or has nothing over the generator; empty if neither.
std::string what_is_hard(const StationaryProblem& problem) {
  const double zeta = problem.model.derived(problem.p).zeta;
  constexpr double weak = 0.03;
  constexpr double strong = 8.0;
  if (zeta < weak) return "weak damping";
  if (zeta > strong) return "strong damping";
  if (problem.mesh.walls().any_pressed()) return "a force acts at a reflecting wall";
  if (problem.tables.kinks[0] > 0.0) return "the loss has a kink";
  constexpr double high = 9.0;
  const auto wells = problem.wells();
  double highest = 0.0;
  for (const Well& well : wells) highest = wells.size() > 1 ? std::max(highest, well.barrier) : 0.0;
  return highest > high ? "a high barrier" : "";
}

StationaryState first_try(StationaryMethod method, const StationaryProblem& problem) {
  if (method != StationaryMethod::direct || problem.options.method != StationaryMethod::automatic)
    return solve_by(method, problem);
  try {
    return solve_by(method, problem);
  } catch (const Error& error) {
    if (error.code() != ExitCode::numerical) throw;
    StationaryState state = solve_by(StationaryMethod::arnoldi, problem);
    state.warnings.push_back(std::string(error.what()) + "; Arnoldi iteration on the propagator was used");
    return state;
  }
}

/// From Arnoldi iteration to the generator matrix, if there is room for it.
void fall_back(const StationaryProblem& problem, StationaryState& state, std::string& reason) {
  if (!direct_fits(problem)) {
    const double bytes = stationary_bytes(StationaryMethod::direct, problem.options, problem.mesh.shape());
    state.warnings.push_back(
        fmt::format("\"direct\", which would be next, needs {:.0f} GB of memory and was left out", bytes / 1e9));
    return;
  }
  StationaryState other = solve_by(StationaryMethod::direct, problem);
  estimate_errors(problem, other);
  if (!other.converged && !(other.total_error() < state.total_error()) && !state.density.empty()) return;
  other.warnings.push_back(fmt::format(
      "Arnoldi iteration on the propagator did not converge ({}): the stationary state is the null vector of the "
      "generator matrix, {}",
      state.failure,
      other.plan ? "refined by the propagator"
                 : "whose error falls with the sixth power of the cells instead of the eleventh"));
  reason = "Arnoldi iteration did not converge";
  state = std::move(other);
}

/// What is not the limit of anything else: shares of wells that rounding cannot tell, probability that leaves.
void name_failure(const StationaryProblem& problem, StationaryState& state) {
  if (state.converged || state.wells.size() < 2 || problem.is_gibbs()) return;
  double highest = 0.0;
  for (const Well& well : state.wells) highest = std::max(highest, well.barrier);
  constexpr double largest_error = 0.05;
  constexpr double rarely =
      12.0;  // crossed, by less than 1e-5 while all else relaxes: then no error is but of the shares
  if (!(state.error_estimate > largest_error) && (state.total_error() <= largest_error || highest < rarely)) return;
  state.failure = fmt::format(
      "the shares of the {} wells are not determined: crossing a barrier of {:.1f} T is slower than rounding can tell, "
      "and the noise is not constant; the density to which each well relaxes was found",
      state.wells.size(), highest);
  state.quasi_stationary =
      direct_fits(problem) ? quasi_stationary_densities(problem, state.wells) : relaxed_in_wells(problem, state.wells);
}

}  // namespace

StationaryMethod stationary_method(const StationaryProblem& problem, std::string& reason) {
  const StationarySpec& options = problem.options;
  if (options.method != StationaryMethod::automatic) {
    reason = "as asked for";
    return options.method;
  }
  const FieldShape& shape = problem.mesh.shape();
  if (!krylov_is_small(options, shape)) {
    reason = fmt::format("a Krylov basis of this grid would take {:.1f} GB",
                         stationary_bytes(StationaryMethod::arnoldi, options, shape) / 1e9);
    return StationaryMethod::evolve;
  }
  if (problem.is_map()) {
    reason = "the spectrum of the map itself";
    return StationaryMethod::arnoldi;
  }
  reason = what_is_hard(problem);
  if (!reason.empty() && direct_fits(problem)) return StationaryMethod::direct;
  reason = "most accurate, and gives the spectrum";
  return StationaryMethod::arnoldi;
}

StationaryState solve_stationary(const StationaryProblem& problem) {
  const auto begin = std::chrono::steady_clock::now();
  std::string reason;
  const StationaryMethod method = stationary_method(problem, reason);
  StationaryState state = first_try(method, problem);
  estimate_errors(problem, state);
  const bool is_automatic = problem.options.method == StationaryMethod::automatic;
  if (!state.converged && is_automatic && method == StationaryMethod::arnoldi && !problem.is_map())
    fall_back(problem, state, reason);
  name_failure(problem, state);
  state.reason = reason;
  state.seconds = seconds_since(begin);
  return state;
}

}  // namespace underdamp
