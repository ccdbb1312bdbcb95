#include "validation/verify.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "solver/particles/ensemble.hpp"
#include "solver/particles/minibatch.hpp"
#include "solver/particles/statistics.hpp"
#include "solver/run/simulation.hpp"
#include "validation/exact_answers.hpp"
#include "validation/verify_displacement.hpp"
#include "validation/verify_stationary.hpp"

namespace underdamp {
namespace {

/// Does the density stay Gaussian on this plane?
bool is_linear(const Spec& spec) {
  return spec.is_linear() && spec.grid.walls == ThetaBoundary::open;
}
bool starts_gaussian(const Spec& spec) {
  return spec.initial.kind == InitialKind::gaussian || spec.initial.kind == InitialKind::stationary;
}

/// Errors of moments, in their scales, over those in L1: tails count more.
constexpr double mean_factor = 3.0;
constexpr double covariance_factor = 6.0;

class Verifier {
 public:
  Verifier(const Spec& spec, Backend& backend, const VerifyOptions& options)
      : spec_(spec), backend_(backend), options_(options) {}

  std::vector<Check> run() {
    if (spec_.evolve) {
      verify_evolution();
      verify_order();
      verify_error_estimate();
      verify_particles();
    }
    verify_stationary_states();
    report_sgd();
    report_minibatch();
    return checks_.take();
  }

 private:
  // --- rows -----------------------------------------------------------------------------------------------------

  std::function<void(double)> tell(const std::string& what) const {
    return [this, what](double share) { options_.poll(what, share); };
  }

  // --- evolution ------------------------------------------------------------------------------------------------

  /// Time at which particles and density are compared: transients tell more than the end, and cost less.
  double early_time(const Model& model) const {
    double relaxation = 0.0;
    for (int p = 0; p < model.planes(); ++p) relaxation = std::max(relaxation, model.derived(p).relaxation_time);
    const double early = std::min(spec_.evolve->until, relaxation);
    if (spec_.dynamics != Dynamics::sgd) return early;
    const double eta = model.learning_rate();
    return std::max(1.0, std::round(early / eta)) * eta;
  }

  static std::vector<double> end_density(const Spec& spec, Backend& backend, int p,
                                         const std::function<void(double)>& poll,
                                         std::vector<ErrorEstimate>* errors = nullptr) {
    Simulation simulation(spec, backend, 1.0);
    simulation.start();
    simulation.advance(spec.evolve->until, [&](double now) { poll(now / spec.evolve->until); });
    if (errors != nullptr) *errors = simulation.errors();
    return simulation.density(p);
  }

  void verify_evolution() {
    simulation_ = std::make_unique<Simulation>(spec_, backend_, 1.0);
    const Model& model = simulation_->model();
    const double until = spec_.evolve->until;
    early_ = early_time(model);
    simulation_->start();
    const auto poll = [&](double now) { options_.poll("evolution", now / until); };
    simulation_->advance(early_, poll);
    for (int p = 0; p < model.planes(); ++p) early_density_.push_back(simulation_->density(p));
    if (until > early_) simulation_->advance(until, poll);
    const Frame frame = simulation_->observe(1);
    const auto errors = simulation_->errors();
    for (int p = 0; p < model.planes(); ++p) {
      const auto index = static_cast<std::size_t>(p);
      const Observables& o = frame.observables[index];
      const std::string& name = model.plane(p).name;
      leak_ = std::max(leak_, o.departed.total());
      checks_.judge(name, "mass and leak", o.mass + o.departed.total(), 1.0,
                    std::abs(o.mass + o.departed.total() - 1.0), 1e-12);
      if (spec_.evolve->limit_positivity) checks_.judge(name, "smallest density", o.minimum, 0.0, -o.minimum, 0.0);
      const double reported = reported_error(o, errors[index]);
      checks_.judge_by_estimate(name, "reported errors together (L1)", reported, 0.0, reported, reported,
                                "twice step, grid, rounding and leak");
      if (is_linear(spec_) && starts_gaussian(spec_)) verify_gaussian(p, o, errors[index]);
    }
  }

  /// Twice what the run reports of step, grid and rounding, and what left the box.
  static double reported_error(const Observables& o, const ErrorEstimate& error) {
    constexpr double floor_of_errors = 1e-9;
    return 2.0 * (error.time + error.space + error.rounding + std::abs(o.departed.total())) + floor_of_errors;
  }

  void verify_gaussian(int p, const Observables& o, const ErrorEstimate& error) {
    const Model& model = simulation_->model();
    const std::string& name = model.plane(p).name;
    const Moments moments = initial_moments(spec_, model, p);
    const GaussianState start{moments.mean, moments.covariance};
    const bool map = spec_.dynamics == Dynamics::sgd;
    const GaussianState exact = map ? linear_sgd(model, p).evolve(start, *spec_.evolve->steps)
                                    : linear_langevin(model, p).evolve(start, spec_.evolve->until);
    const double allowed = reported_error(o, error);
    const double l1 = l1_error(simulation_->mesh().plane(p), simulation_->density(p), exact);
    checks_.judge_by_estimate(name, map ? "SGD density, exact Gaussian (L1)" : "density, exact Gaussian (L1)", l1, 0.0,
                              l1, allowed);
    const double covariance = covariance_error(o.covariance, exact.covariance);
    checks_.judge_by_estimate(name, map ? "SGD covariance, exact recursion" : "covariance, exact", o.covariance[0][0],
                              exact.covariance[0][0], covariance, covariance_factor * allowed,
                              "computed, reference: Var θ; error: largest relative of the three");
    const Derived d = model.derived(p);
    const double offset =
        larger_error(std::abs(o.mean[0] - exact.mean[0]) / d.std_theta, std::abs(o.mean[1] - exact.mean[1]) / d.std_v);
    checks_.judge_by_estimate(name, map ? "SGD mean, exact recursion" : "mean, exact", o.mean[0], exact.mean[0], offset,
                              mean_factor * allowed, "computed, reference: E θ; error in stationary deviations");
  }

  /// Strang splitting is of second order in its step: three fixed steps over a short time.
  void verify_order() {
    const Tables& tables = simulation_->tables();
    if (spec_.dynamics == Dynamics::sgd || tables.kinks[0] > 0.0) return;  // a force that jumps has no second order
    Spec spec = spec_;
    spec.evolve->until = std::min(spec_.evolve->until, simulation_->model().derived(0).relaxation_time);
    spec.evolve->steps.reset();
    spec.evolve->frames = 1;
    spec.evolve->every.reset();
    const PhasePlane& plane = simulation_->mesh().plane(0);
    spec.grid.theta = Interval{plane.theta.lower, plane.theta.upper};
    spec.grid.velocity = Interval{plane.velocity.lower, plane.velocity.upper};
    if (spec.loss.kind == LossKind::dataset) spec.loss.modes = {simulation_->model().plane(0).mode};
    if (spec.loss.kind == LossKind::spectrum) {
      spec.loss.eigenvalues = {simulation_->model().plane(0).eigenvalue};
      spec.loss.weights = {1.0};
    }
    const double steps = std::ceil(4.0 * tables.rate[0] * spec.evolve->until);
    std::vector<std::vector<double>> density;
    for (const double factor : {1.0, 2.0, 4.0}) {
      spec.evolve->step = spec.evolve->until / (steps * factor);
      density.push_back(end_density(spec, backend_, 0, tell("order")));
    }
    const double coarse = l1_error(plane, density[0], density[1]);
    const double fine = l1_error(plane, density[1], density[2]);
    if (coarse <= 1e-9) return;  // nothing to measure: the start is stationary
    const double order = std::log2(coarse / fine);
    checks_.judge(simulation_->model().plane(0).name, "order of the step", order, 2.0, std::abs(order - 2.0), 0.2);
  }

  /// The reported error of the step is not below half the true one, which a run with a hundredth of the tolerance
  /// shows.
  void verify_error_estimate() {
    // A density cut by a wall jumps there: no step is short enough, and the leak is judged by itself.
    constexpr double largest_leak = 1e-6;
    if (spec_.dynamics == Dynamics::sgd || spec_.evolve->step || leak_ > largest_leak) return;
    Spec spec = spec_;
    spec.evolve->tolerance = std::max(1e-2 * spec_.evolve->tolerance, 1e-12);
    Simulation fine(spec, backend_, 1.0);
    fine.start();
    fine.advance(spec.evolve->until, [&](double now) { options_.poll("error estimate", now / spec.evolve->until); });
    const auto errors = simulation_->errors();
    for (int p = 0; p < fine.mesh().planes(); ++p) {
      const double difference = l1_error(fine.mesh().plane(p), fine.density(p), simulation_->density(p));
      // Runs of other steps differ by a share of the grid's error, too.
      const ErrorEstimate& error = errors[static_cast<std::size_t>(p)];
      const double estimate = error.time + error.space + error.rounding;
      checks_.judge(fine.model().plane(p).name, "reported error of the step", estimate, difference,
                    difference == 0.0 ? 0.0 : 0.5 * difference / estimate, 1.0,
                    "error: half the true one over the reported one");
    }
  }

  // --- particles ------------------------------------------------------------------------------------------------

  EnsembleOptions ensemble_for(int p) const {
    EnsembleOptions options = ensemble_options(spec_, simulation_->model(), simulation_->mesh(), p);
    if (!spec_.ensemble)
      options.particles = std::max<std::uint64_t>(
          100'000, options.particles / static_cast<std::uint64_t>(simulation_->mesh().planes()));
    return options;
  }

  void verify_particles() {
    const Model& model = simulation_->model();
    const std::vector<double> times{early_};
    for (int p = 0; p < model.planes(); ++p) {
      const EnsembleOptions options = ensemble_for(p);
      if (options.integrator == EnsembleIntegrator::sgd && spec_.dynamics != Dynamics::sgd) continue;  // see report_sgd
      const auto sample =
          run_ensemble(backend_, model, simulation_->mesh(), p, particle_start(spec_, model, simulation_->mesh(), p),
                       options, times, tell("particles"));
      const SampleComparison c = compare(simulation_->mesh().plane(p), simulation_->mesh().walls(),
                                         early_density_[static_cast<std::size_t>(p)], sample.front());
      checks_.judge_p_value(
          model.plane(p).name, "density against particles", c.l1.value, c.l1.expected, c.p_value, options_.false_alarm,
          fmt::format("{} particles at t = {:.4g}; computed, reference: L1 and its expectation; error: p-value",
                      options.particles, early_));
    }
  }

  // --- stationary state -----------------------------------------------------------------------------------------

  /// A box that was given for the evolution need not hold what comes of it.
  bool has_stationary_state() const {
    if (spec_.stationary || !spec_.evolve) return true;
    return !spec_.grid.velocity && !(spec_.grid.theta && spec_.grid.walls.any_open());
  }

  void verify_stationary_states() {
    if (!has_stationary_state()) return;
    Spec spec = spec_;
    spec.evolve.reset();
    if (!spec.stationary) spec.stationary = StationarySpec{};
    const Simulation simulation(spec, backend_, 1.0);
    for (int p = 0; p < simulation.mesh().planes(); ++p) {
      const StationaryState state = simulation.solve_stationary(p, [&] { options_.poll("stationary state", 0.0); });
      for (Check& check : verify_stationary(simulation, p, state)) {
        const bool is_unknown = !state.converged || check.verdict == Verdict::unresolved;
        if (!spec_.stationary && spec_.evolve && is_unknown) check.verdict = Verdict::reported;  // nobody asked for it
        checks_.add(std::move(check));
      }
    }
  }

  // --- SGD itself: reported, not judged -------------------------------------------------------------------------

  /// The heavy-ball map with the model's noise next to the Langevin density, with the discrepancy that is to be
  /// expected.
  void report_sgd() {
    if (!spec_.evolve || spec_.dynamics == Dynamics::sgd || !spec_.optimizer) return;
    const Model& model = simulation_->model();
    const double eta = model.learning_rate();
    const long steps = std::max(1L, std::lround(early_ / eta));
    const std::vector<double> times{eta * static_cast<double>(steps)};
    for (int p = 0; p < model.planes(); ++p) {
      EnsembleOptions options = ensemble_for(p);
      options.integrator = EnsembleIntegrator::sgd;
      const auto sample =
          run_ensemble(backend_, model, simulation_->mesh(), p, particle_start(spec_, model, simulation_->mesh(), p),
                       options, times, tell("SGD"));
      const auto density = density_moments(simulation_->mesh().plane(p), early_density_[static_cast<std::size_t>(p)]);
      const double ratio = sample.front().moments.covariance[0] / density.covariance[0][0];
      double predicted = std::nan("");
      if (is_linear(spec_) && starts_gaussian(spec_)) {
        const Moments moments = initial_moments(spec_, model, p);
        const GaussianState start{moments.mean, moments.covariance};
        predicted = linear_sgd(model, p).evolve(start, steps).covariance[0][0] /
                    linear_langevin(model, p).evolve(start, times[0]).covariance[0][0];
      }
      checks_.report(
          model.plane(p).name, "Var θ of SGD over Langevin", ratio, predicted,
          fmt::format("at t = {:.4g}, {} steps; reference: exact recursion over exact Langevin", times[0], steps));
    }
  }

  /// SGD on the rows themselves.
  void report_minibatch() {
    if (spec_.loss.kind != LossKind::dataset || !spec_.optimizer) return;
    const Model model(spec_);
    MinibatchOptions options = minibatch_options(spec_, model);
    for (const BatchSampling sampling : {BatchSampling::replacement, BatchSampling::epochs}) {
      options.sampling = sampling;
      const MinibatchResult result = run_minibatch(model, options, tell("minibatch SGD"));
      for (std::size_t p = 0; p < result.modes.size(); ++p) {
        const ModeVariance& mode = result.modes[p];
        const bool replacement = sampling == BatchSampling::replacement;
        checks_.report(
            model.plane(static_cast<int>(p)).name,
            replacement ? "Var θ of minibatch SGD over the model" : "the same by shuffled epochs, another process",
            mode.measured / mode.langevin, replacement ? mode.predicted / mode.langevin : std::nan(""),
            replacement ? fmt::format("± {:.2g}; step {:.4g}, minibatch {:.4g} of the prediction",
                                      mode.measured_error / mode.langevin, mode.finite_rate, mode.minibatch)
                        : fmt::format("± {:.2g}; rows without replacement: no prediction",
                                      mode.measured_error / mode.langevin));
      }
    }
  }

  const Spec& spec_;
  Backend& backend_;
  VerifyOptions options_;
  CheckList checks_;
  std::unique_ptr<Simulation> simulation_;
  double early_ = 0.0;
  double leak_ = 0.0;                               ///< largest share of the mass that left a plane
  std::vector<std::vector<double>> early_density_;  ///< [plane] at early_
};

}  // namespace

std::vector<Check> verify(const Spec& spec, Backend& backend, const VerifyOptions& options) {
  if (!spec.displacement) return Verifier(spec, backend, options).run();
  std::vector<Check> checks;
  if (spec.evolve || spec.stationary) checks = Verifier(spec, backend, options).run();
  const auto rows = verify_displacement(spec, backend, options);
  checks.insert(checks.end(), rows.begin(), rows.end());
  return checks;
}

}  // namespace underdamp
