#include "solver/evolved_stationary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "solver/propagator.hpp"

namespace underdamp {
namespace {

/// Evolution from the linearised state until it no longer changes.
class Evolution {
 public:
  Evolution(Backend& backend, const Model& model, int p, const PhaseMesh& mesh, const Tables& tables,
            const StationarySpec& options, const std::function<void()>& poll)
      : backend_(backend),
        mesh_(mesh),
        tables_(tables),
        options_(options),
        poll_(poll),
        relaxation_(tables.relaxation_time[0]),
        propagator_(make_propagator()),
        field_(backend.allocate(mesh.shape())),
        before_(backend.allocate(mesh.shape())) {
    backend_.upload(linearised_density(model, p, mesh), *field_);
  }

  StationaryState solve() {
    StationaryState state;
    std::vector<double> residuals;
    double rate = 1.0 / relaxation_;
    constexpr int most = 5000;
    for (int k = 0; k < most && !state.converged; ++k) {
      poll_();
      residuals.push_back(turn());
      ++state.applications;
      if (!std::isfinite(residuals.back())) break;
      rate = decay(residuals, rate);
      state.converged = residuals.size() >= window && residuals.back() / rate <= options_.tolerance;
    }
    state.residual = residuals.back();
    state.error_estimate = (residuals.back() + propagator_.window_error(*field_) / propagator_.window_length()) / rate;
    std::vector<double> values(mesh_.shape().cells());
    backend_.download(*field_, values);
    take_density(values, mesh_.plane(0).cell_area(), state.density);
    return state;
  }

 private:
  static constexpr std::size_t window = 5;

  Propagator make_propagator() const {
    const bool map = tables_.dynamics == Dynamics::sgd;
    const double longest = std::min({relaxation_, 0.8 / tables_.rate[0], longest_window(mesh_, tables_)});
    const double length = map ? tables_.learning_rate : longest;
    const int windows = std::max(1, static_cast<int>(std::ceil(relaxation_ / length)));
    return Propagator(backend_, mesh_, tables_, length, windows, options_.tolerance < 1e-6 ? 6 : 5);
  }

  /// One relaxation time; returns ‖Φ_T p − p‖₁/T.
  double turn() {
    backend_.copy(*field_, *before_);
    propagator_.apply(*field_);
    // Mass that leaves through the walls is no change of shape.
    const double kept = mass(*field_) / mass(*before_);
    const std::array<const Field*, 2> pair{field_.get(), before_.get()};
    const std::array<double, 2> difference{1.0, -kept};
    return backend_.combination_norm(pair, difference)[0] * mesh_.plane(0).cell_area() / propagator_.time();
  }

  double mass(const Field& field) {
    const auto columns = backend_.sum_columns(mesh_, field);
    return std::accumulate(columns.begin(), columns.end(), 0.0);
  }

  /// Rate at which the residual has fallen lately: residual/rate is the distance that is still to go. Below 1e-12
  /// rounding decides, so that the rate stays what it was.
  double decay(const std::vector<double>& residuals, double rate) const {
    if (residuals.size() < window || !(residuals.back() * relaxation_ > 1e-12)) return rate;
    const double fall = std::log(residuals[residuals.size() - window] / residuals.back());
    return std::max(fall / (static_cast<double>(window - 1) * propagator_.time()), 1e-6 / relaxation_);
  }

  Backend& backend_;
  const PhaseMesh& mesh_;
  const Tables& tables_;
  StationarySpec options_;
  const std::function<void()>& poll_;
  double relaxation_;
  Propagator propagator_;
  std::unique_ptr<Field> field_;
  std::unique_ptr<Field> before_;
};

}  // namespace

StationaryState solve_by_evolution(Backend& backend, const Model& model, int p, const PhaseMesh& mesh,
                                   const Tables& tables, const StationarySpec& options,
                                   const std::function<void()>& poll) {
  return Evolution(backend, model, p, mesh, tables, options, poll).solve();
}

}  // namespace underdamp
