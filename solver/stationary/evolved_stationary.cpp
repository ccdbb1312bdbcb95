#include "solver/stationary/evolved_stationary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "solver/step/propagator.hpp"

namespace underdamp {
namespace {

/// Evolution from a density like the stationary one until it no longer changes.
class Evolution {
 public:
  Evolution(const StationaryProblem& problem, const std::vector<double>& start)
      : problem_(problem),
        backend_(problem.backend),
        start_(start),
        relaxation_(problem.relaxation_time()),
        levels_(problem.options.tolerance < 1e-6 ? 6 : 5),
        propagator_(make_propagator(first_length())),
        field_(backend_.fields().allocate(problem.mesh.shape())),
        before_(backend_.fields().allocate(problem.mesh.shape())) {
    backend_.fields().upload(start, *field_);
  }

  /// The density after so many relaxation times.
  std::vector<double> after(int turns) {
    for (int k = 0; k < turns; ++k) {
      problem_.poll();
      turn();
    }
    std::vector<double> values(problem_.mesh.shape().cells());
    backend_.fields().download(*field_, values);
    std::vector<double> density;
    take_density(values, problem_.mesh, density);
    return density;
  }

  StationaryState solve() {
    StationaryState state;
    double rate = settle(state);
    // Extrapolation amplifies what its levels do not agree on, few levels less.
    while (!std::isfinite(state.residual) && levels_ > fewest_levels && !problem_.is_map()) {
      --levels_;
      propagator_ = make_propagator(0.8 * propagator_->window_length());
      backend_.fields().upload(start_, *field_);
      rate = settle(state);
    }
    double step = step_error(rate);
    constexpr int most_turns = 6;
    for (int turn = 0; turn < most_turns && state.converged && step > 0.5 * problem_.options.tolerance; ++turn) {
      const double before = step;
      shorten_windows(step);
      rate = settle(state);
      step = step_error(rate);
      if (!(step < 0.8 * before)) break;  // the grid, or rounding
    }
    state.leak = leak_;
    state.error_estimate = state.residual / rate + step;
    std::vector<double> values(problem_.mesh.shape().cells());
    backend_.fields().download(*field_, values);
    take_density(values, problem_.mesh, state.density);
    if (!state.converged)
      state.failure = std::isfinite(state.residual) ? "it still changes after 5000 relaxation times"
                                                    : "evolution did not stay finite: use more cells";
    return state;
  }

 private:
  static constexpr std::size_t window = 5;

  std::unique_ptr<Propagator> make_propagator(double length) const {
    const int windows = std::max(1, static_cast<int>(std::ceil(relaxation_ / length)));
    return std::make_unique<Propagator>(backend_, problem_.mesh, problem_.tables, length, windows, levels_);
  }
  double first_length() const {
    const Tables& tables = problem_.tables;
    return problem_.is_map() ? tables.learning_rate
                             : std::min({relaxation_, 0.8 / tables.rate[0], longest_window(problem_.mesh, tables)});
  }

  /// Turns until the residual is small against the rate at which it falls, which is returned.
  double settle(StationaryState& state) {
    std::vector<double> residuals;
    double rate = slowest_;
    constexpr int most = 5000;
    state.converged = false;
    for (int k = 0; k < most && !state.converged; ++k) {
      problem_.poll();
      residuals.push_back(turn());
      ++state.applications;
      if (!std::isfinite(residuals.back())) break;
      rate = decay(residuals, rate);
      const double enough = 0.5 * problem_.options.tolerance;  // the step takes the rest
      state.converged = residuals.size() >= window && residuals.back() / rate <= enough;
    }
    state.residual = residuals.back();
    return rate;
  }

  /// What the step does to the density in one window, summed up while it relaxes. The map has no smaller one.
  double step_error(double rate) {
    return problem_.is_map() ? 0.0 : propagator_->window_error(*field_) / (propagator_->window_length() * rate);
  }

  void shorten_windows(double step) {
    const double order = 2.0 * propagator_->levels();
    const double shrink = std::clamp(std::pow(0.2 * problem_.options.tolerance / step, 1.0 / order), 0.3, 0.8);
    propagator_ = make_propagator(shrink * propagator_->window_length());
  }

  /// Rate of the slowest relaxation that is to be expected: over a barrier, e^{−ΔΦ}/t_relax.
  double slowest() const {
    const Axis& theta = problem_.plane().theta;
    const QuasiPotential q =
        quasi_potential(problem_.model, problem_.p, {theta.lower, theta.upper}, problem_.mesh.walls().is_periodic());
    double highest = 0.0;
    if (problem_.is_gibbs()) return 1.0 / relaxation_;  // the shares of the wells are known
    for (const Well& well : wells_of(q, 1.0)) {
      if (std::isfinite(well.barrier)) highest = std::max(highest, well.barrier);
    }
    return std::max(std::exp(-highest), 1e-300) / relaxation_;
  }

  /// One relaxation time; returns ‖Φ_T p − p‖₁/T.
  double turn() {
    backend_.fields().copy(*field_, *before_);
    propagator_->apply(*field_);
    // Mass that leaves through the walls is no change of shape.
    const double kept = mass(*field_) / mass(*before_);
    leak_ = -std::log(kept) / propagator_->time();
    const std::array<const Field*, 2> pair{field_.get(), before_.get()};
    const std::array<double, 2> difference{1.0, -kept};
    return backend_.reductions().combination_norm(pair, difference)[0] * problem_.plane().cell_area() /
           propagator_->time();
  }

  double mass(const Field& field) { return backend_.reductions().sum_planes(problem_.mesh, field)[0]; }

  /// Rate at which the residual has fallen lately: residual/rate is the distance that is still to go. Below 1e-12
  /// rounding decides, so that the rate stays what it was.
  double decay(const std::vector<double>& residuals, double rate) const {
    if (residuals.size() < window || !(residuals.back() * relaxation_ > 1e-12)) return rate;
    const double fall = std::log(residuals[residuals.size() - window] / residuals.back());
    return std::min(slowest_,
                    std::max(fall / (static_cast<double>(window - 1) * propagator_->time()), 1e-6 / relaxation_));
  }

  const StationaryProblem& problem_;
  Backend& backend_;
  std::vector<double> start_;
  double relaxation_;
  int levels_;
  double slowest_ = slowest();
  std::unique_ptr<Propagator> propagator_;
  std::unique_ptr<Field> field_;
  std::unique_ptr<Field> before_;
  double leak_ = 0.0;
};

}  // namespace

StationaryState solve_by_evolution(const StationaryProblem& problem, const NearbyState* nearby) {
  return Evolution(problem, nearby != nullptr ? nearby->density : nearest_density(problem)).solve();
}

std::vector<std::vector<double>> relaxed_in_wells(const StationaryProblem& problem, const std::vector<Well>& wells) {
  constexpr int turns = 40;
  std::vector<std::vector<double>> densities;
  for (const Well& well : wells) densities.push_back(Evolution(problem, nearest_density(problem, well)).after(turns));
  return densities;
}

}  // namespace underdamp
