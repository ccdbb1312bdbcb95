#include "validation/verify.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "solver/ensemble.hpp"
#include "solver/evolve.hpp"
#include "solver/minibatch.hpp"
#include "solver/statistics.hpp"
#include "validation/exact_answers.hpp"
#include "validation/verify_displacement.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;

/// Does the density stay Gaussian on this plane?
bool is_linear(const Spec& spec) {
  return spec.is_linear() && spec.grid.walls == ThetaBoundary::open;
}
bool starts_gaussian(const Spec& spec) {
  return spec.initial.kind == InitialKind::gaussian || spec.initial.kind == InitialKind::stationary;
}

/// L1 error that the grid makes of a density with that many cells per standard deviation; measured on Gaussians
/// (docs/validation.md), with a factor of ten to spare.
double grid_allowance(double cells_per_deviation) {
  return 1e-5 * std::pow(4.5 / cells_per_deviation, 11);
}

/// ⟨(θ − θ*) k L'_λ⟩ and ⟨D⟩ of a density.
struct Averages {
  double virial = 0.0;
  double diffusion = 0.0;
};
Averages averages(const Model& model, int p, const PhasePlane& plane, const std::vector<double>& density) {
  Averages a;
  std::size_t k = 0;
  for (int i = 0; i < plane.theta.cells; ++i) {
    const double theta = plane.theta.center(i);
    double marginal = 0.0;
    for (int j = 0; j < plane.velocity.cells; ++j) marginal += density[k++] * plane.cell_area();
    a.virial -= marginal * (theta - model.plane(p).minimum) * model.force(p, theta);
    a.diffusion += marginal * model.diffusion(p, theta);
  }
  return a;
}

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
    verify_stationary();
    report_sgd();
    report_minibatch();
    return std::move(checks_);
  }

 private:
  // --- rows -----------------------------------------------------------------------------------------------------

  void judge(const std::string& plane, const std::string& quantity, double computed, double reference, double error,
             double tolerance, const std::string& note = "") {
    checks_.push_back(judged(plane, quantity, computed, reference, error, tolerance, note));
  }
  void judge_p_value(const std::string& plane, const std::string& quantity, double computed, double reference,
                     double p_value, const std::string& note) {
    checks_.push_back({plane, quantity, computed, reference, p_value, options_.false_alarm,
                       p_value >= options_.false_alarm ? Verdict::passed : Verdict::failed, note});
  }
  void report(const std::string& plane, const std::string& quantity, double computed, double reference,
              const std::string& note) {
    const double error = reference != 0.0 ? std::abs(computed / reference - 1.0) : std::abs(computed);
    checks_.push_back({plane, quantity, computed, reference, error, 0.0, Verdict::reported, note});
  }
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
      judge(name, "mass and leak", o.mass + o.departed.total(), 1.0, std::abs(o.mass + o.departed.total() - 1.0),
            1e-12);
      if (spec_.evolve->limit_positivity) judge(name, "smallest density", o.minimum, 0.0, -o.minimum, 0.0);
      if (is_linear(spec_) && starts_gaussian(spec_)) verify_gaussian(p, o, errors[index]);
    }
  }

  /// What the run promised: its tolerance for every relaxation time, at least what rounding and the grid leave.
  double promised(const Derived& d, const ErrorEstimate& error) const {
    const double step = spec_.evolve->step || spec_.dynamics == Dynamics::sgd
                            ? 3.0 * error.time
                            : spec_.evolve->tolerance * std::max(1.0, spec_.evolve->until / d.relaxation_time);
    return step + 2.0 * error.space + 1e-9;
  }

  void verify_gaussian(int p, const Observables& o, const ErrorEstimate& error) {
    const Model& model = simulation_->model();
    const std::string& name = model.plane(p).name;
    const InitialMoments moments = initial_moments(spec_, model, p);
    const GaussianState start{moments.mean, moments.covariance};
    const bool map = spec_.dynamics == Dynamics::sgd;
    const GaussianState exact = map ? linear_sgd(model, p).evolve(start, *spec_.evolve->steps)
                                    : linear_langevin(model, p).evolve(start, spec_.evolve->until);
    const double allowed = promised(model.derived(p), error);
    const double l1 = l1_error(simulation_->mesh().plane(p), simulation_->density(p), exact);
    judge(name, map ? "SGD density, exact Gaussian (L1)" : "density, exact Gaussian (L1)", l1, 0.0, l1, allowed);
    const double covariance = covariance_error(o.covariance, exact.covariance);
    judge(name, map ? "SGD covariance, exact recursion" : "covariance, exact", o.covariance[0][0],
          exact.covariance[0][0], covariance, 30.0 * allowed,
          "computed, reference: Var θ; error: largest relative of the three");
    const Derived d = model.derived(p);
    const double offset =
        larger_error(std::abs(o.mean[0] - exact.mean[0]) / d.std_theta, std::abs(o.mean[1] - exact.mean[1]) / d.std_v);
    judge(name, map ? "SGD mean, exact recursion" : "mean, exact", o.mean[0], exact.mean[0], offset, 10.0 * allowed,
          "computed, reference: E θ; error in stationary deviations");
  }

  /// Strang splitting is of second order in its step: three fixed steps over a short time.
  void verify_order() {
    if (spec_.dynamics == Dynamics::sgd) return;
    const Tables& tables = simulation_->tables();
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
    judge(simulation_->model().plane(0).name, "order of the step", order, 2.0, std::abs(order - 2.0), 0.2);
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
      const double estimate = errors[static_cast<std::size_t>(p)].time;
      judge(fine.model().plane(p).name, "reported error of the step", estimate, difference,
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
      judge_p_value(
          model.plane(p).name, "density against particles", c.l1.value, c.l1.expected, c.p_value,
          fmt::format("{} particles at t = {:.4g}; computed, reference: L1 and its expectation; error: p-value",
                      options.particles, early_));
    }
  }

  // --- stationary state -----------------------------------------------------------------------------------------

  void verify_stationary() {
    Spec spec = spec_;
    spec.evolve.reset();
    if (!spec.stationary) spec.stationary = StationarySpec{};
    const Simulation simulation(spec, backend_, 1.0);
    for (int p = 0; p < simulation.mesh().planes(); ++p) {
      const StationaryState state = simulation.solve_stationary(p, [&] { options_.poll("stationary state", 0.0); });
      const std::string& name = simulation.model().plane(p).name;
      judge(name, "stationary residual", state.residual, 0.0,
            state.converged ? state.residual * simulation.model().derived(p).relaxation_time : std::nan(""), 1e-6,
            state.converged ? "method " + state.method : "did not converge");
      if (state.converged) verify_stationary_density(simulation, p, state);
    }
  }

  void verify_stationary_density(const Simulation& simulation, int p, const StationaryState& state) {
    const Model& model = simulation.model();
    const Spec& spec = simulation.spec();
    const std::string& name = model.plane(p).name;
    const PhasePlane& plane = simulation.mesh().plane(p);
    const bool map = spec.dynamics == Dynamics::sgd;
    const double cells = resolution(plane, model.stationary_covariance(p)).narrowest;
    const double allowed = 10.0 * spec.stationary->tolerance + grid_allowance(cells);
    const Observables o = simulation.observe_density(p, state.density);
    if (is_linear(spec)) {
      const GaussianState exact = map ? linear_sgd(model, p).stationary() : linear_langevin(model, p).stationary();
      const double l1 = l1_error(plane, state.density, exact);
      judge(name, "stationary density, exact Gaussian (L1)", l1, 0.0, l1, allowed);
      verify_eigenvalue(model, p, state, allowed);
    } else if (!map && spec.has_constant_noise()) {
      const double l1 = l1_error(plane, state.density, gibbs_density(model, p, simulation.mesh()));
      judge(name, "stationary density, Gibbs (L1)", l1, 0.0, l1, 20.0 * allowed);
    }
    if (map) return;
    const Averages a = averages(model, p, plane, state.density);
    const double speed = o.covariance[1][1] + o.mean[1] * o.mean[1];
    judge(name, "energy balance γ E v² = E D", model.gamma() * speed, a.diffusion,
          std::abs(model.gamma() * speed / a.diffusion - 1.0), 100.0 * allowed);
    if (simulation.mesh().walls() == ThetaBoundary::open) {
      judge(name, "virial E v² = k E (θ − θ*) L'", speed, a.virial, std::abs(speed / a.virial - 1.0), 100.0 * allowed);
    }
    if (spec.optimizer && is_linear(spec) && spec.optimizer->weight_decay == 0.0) {
      // E|δ|² = η² E v²; E (L − L*) = (1 + β)/(4 η) E|δ|²
      const double eta = model.learning_rate();
      const double step = eta * eta * speed;
      const double excess = o.expected_loss - model.loss(p, model.plane(p).minimum);
      const double predicted = (1.0 + model.momentum()) / (4.0 * eta) * step;
      judge(name, "step length and energy", excess, predicted, std::abs(excess / predicted - 1.0), 100.0 * allowed,
            "E (L − L*) = (1 + β)/(4η) E|θ_{k+1} − θ_k|²");
    }
    if (spec.has_constant_noise()) {
      judge(name, "entropy production of equilibrium", o.entropy_production, 0.0, o.entropy_production / model.gamma(),
            std::max(1e-8, 100.0 * grid_allowance(cells)));
    }
  }

  void verify_eigenvalue(const Model& model, int p, const StationaryState& state, double allowed) {
    if (state.spectrum.empty()) return;
    Complex exact;
    if (spec_.dynamics == Dynamics::sgd) {
      const double eta = model.learning_rate();
      const double beta = model.momentum();
      const double half = 0.5 * (1.0 + beta - eta * model.plane(p).curvature);  // half the trace of the map
      if (!(half > 0.0)) return;  // faster than one turn in two steps: more than one branch
      exact = std::log(half + std::sqrt(Complex(half * half - beta, 0.0))) / eta;
    } else {
      const Derived d = model.derived(p);
      exact = -0.5 * d.gamma + std::sqrt(Complex(0.25 * d.gamma * d.gamma - d.omega * d.omega, 0.0));
    }
    const Complex found = state.spectrum.front().eigenvalue;
    const double error =
        std::abs(Complex(found.real(), std::abs(found.imag())) - Complex(exact.real(), std::abs(exact.imag()))) /
        std::abs(exact);
    judge(model.plane(p).name, "slowest eigenvalue, exact", found.real(), exact.real(), error, 10.0 * allowed + 1e-8,
          "computed, reference: real parts; error: relative, of the complex number");
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
        const InitialMoments moments = initial_moments(spec_, model, p);
        const GaussianState start{moments.mean, moments.covariance};
        predicted = linear_sgd(model, p).evolve(start, steps).covariance[0][0] /
                    linear_langevin(model, p).evolve(start, times[0]).covariance[0][0];
      }
      report(model.plane(p).name, "Var θ of SGD over Langevin", ratio, predicted,
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
        report(model.plane(static_cast<int>(p)).name,
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
  std::vector<Check> checks_;
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

Check judged(const std::string& plane, const std::string& quantity, double computed, double reference, double error,
             double tolerance, const std::string& note) {
  const Verdict verdict = error <= tolerance ? Verdict::passed : Verdict::failed;
  return {plane, quantity, computed, reference, error, tolerance, verdict, note};
}

double larger_error(double a, double b) {
  return std::isnan(a) || a > b ? a : b;
}

bool all_passed(const std::vector<Check>& checks) {
  return std::none_of(checks.begin(), checks.end(), [](const Check& c) { return c.verdict == Verdict::failed; });
}

}  // namespace underdamp
