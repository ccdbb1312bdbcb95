#include "solver/displacement/displacement_problems.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/displacement/cold_start.hpp"
#include "solver/displacement/moment_sums.hpp"
#include "solver/model/box.hpp"
#include "solver/model/initial_state.hpp"
#include "solver/model/tables.hpp"
#include "solver/stationary/stationary.hpp"
#include "solver/step/memory.hpp"

namespace underdamp {
namespace {

class ProblemSolver {
 public:
  ProblemSolver(Backend& backend, const Spec& spec, const Model& model, const std::vector<double>& until,
                const std::vector<long>& steps, const std::function<void(double)>& poll)
      : backend_(backend),
        spec_(spec),
        model_(model),
        until_(until),
        steps_(steps),
        poll_(poll),
        mesh_(make_mesh(spec, model)) {}

  std::vector<SolvedProblem> solve() {
    const bool is_cold = start() == DisplacementStart::cold;
    const bool together = backend_.describe().kind == DeviceKind::cuda && !is_cold;
    FieldShape shape = mesh_.shape();
    if (!together) shape.planes = 1;
    require_displacement_memory(spec_, shape, backend_.describe());
    for (int p = 0; p < planes(); ++p) {
      prepare(p);
      if (is_cold) {
        take({propagate_cold_start(backend_, model_, p, mesh_.plane(p), options(p, 1))});
      } else if (!together || p + 1 == planes()) {
        take(propagate_correlations(backend_, scaled_, starts_, options(p, static_cast<int>(scaled_.size()))));
      }
    }
    return std::move(solved_);
  }

 private:
  int planes() const { return model_.planes(); }
  DisplacementStart start() const { return spec_.displacement->start; }
  bool is_map() const { return spec_.dynamics == Dynamics::sgd; }

  FlowOptions options(int last, int count) const {
    FlowOptions options;
    options.tolerance = 0.5 * spec_.displacement->tolerance;
    options.steps = steps_;
    for (int p = last + 1 - count; p <= last; ++p)
      options.until = std::max(options.until, until_[static_cast<std::size_t>(p)]);
    options.poll = [this, last, count](double share) { poll_((last + 1 - count + share * count) / planes()); };
    return options;
  }

  /// Scaled plane, start and energies of plane p.
  void prepare(int p) {
    scaled_.push_back(scaled_plane(model_, p, mesh_.plane(p)));
    const bool is_stationary = start() == DisplacementStart::stationary;
    Energy energy;
    std::vector<double> density;
    if (is_stationary || spec_.has_constant_noise()) {
      density = stationary_start(p);
      const MomentSums sums = moment_sums(scaled_.back(), density, 0.0);
      energy = {sums.velocity_square / sums.mass, sums.potential / sums.mass};
    }
    energy_.push_back(energy);
    if (start() == DisplacementStart::initial) density = initial_density(spec_, model_, mesh_, p);
    starts_.push_back({std::move(density), is_stationary});
  }

  void take(std::vector<FlowResult> results) {
    for (FlowResult& result : results) {
      const Energy& energy = energy_[solved_.size()];
      solved_.push_back({std::move(result), energy.velocity_square, energy.potential});
    }
    scaled_.clear();
    starts_.clear();
  }

  std::vector<double> stationary_start(int p) {
    return stationary_density(backend_, spec_, model_, p, mesh_, [&] { poll_(static_cast<double>(p) / planes()); });
  }

  struct Energy {
    double velocity_square = std::numeric_limits<double>::quiet_NaN();
    double potential = std::numeric_limits<double>::quiet_NaN();
  };

  Backend& backend_;
  const Spec& spec_;
  const Model& model_;
  const std::vector<double>& until_;
  const std::vector<long>& steps_;
  const std::function<void(double)>& poll_;
  PhaseMesh mesh_;
  std::vector<ScaledPlane> scaled_;  ///< those that wait for their batch
  std::vector<FlowStart> starts_;
  std::vector<Energy> energy_;  ///< [plane]
  std::vector<SolvedProblem> solved_;
};

}  // namespace

std::vector<double> stationary_density(Backend& backend, const Spec& spec, const Model& model, int p,
                                       const PhaseMesh& mesh, const std::function<void()>& poll) {
  if (spec.dynamics != Dynamics::sgd && spec.has_constant_noise()) return gibbs_density(model, p, mesh);
  if (spec.is_linear()) return linearised_density(model, p, mesh.only(p));
  StationarySpec options;
  options.modes = 1;
  const StationaryState state =
      solve_stationary({backend, model, p, mesh.only(p), tabulate_plane(spec, model, mesh, p), options, poll});
  if (state.converged) return state.density;
  throw Error(ExitCode::numerical,
              fmt::format("the stationary state{} that the displacement starts from did not converge: {}",
                          model.plane(p).named(" of "), state.failure),
              spec.place("displacement"), "use more cells");
}

std::vector<SolvedProblem> solve_problems(Backend& backend, const Spec& spec, const Model& model,
                                          const std::vector<double>& until, const std::vector<long>& steps,
                                          const std::function<void(double)>& poll) {
  return ProblemSolver(backend, spec, model, until, steps, poll).solve();
}

}  // namespace underdamp
