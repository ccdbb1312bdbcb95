#include "validation/verify_displacement.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "solver/displacement/displacement_ensemble.hpp"
#include "solver/particles/minibatch.hpp"
#include "solver/particles/statistics.hpp"
#include "validation/displacement_answers.hpp"

namespace underdamp {
namespace {

/// Of more modes than this the table holds the worst only.
constexpr int most_modes_in_table = 20;
/// Errors of what is a derivative count by as much more than those of the displacement.
constexpr double exponent_factor = 100.0;
constexpr double velocity_factor = 30.0;
/// The map of SGD is solved for comparison up to so many steps and modes.
constexpr double most_map_steps = 50'000.0;
constexpr int most_map_modes = 24;

/// Largest errors of one mode, or of all, over the times: relative for the displacement, of the value at time 0 for the
/// correlations.
struct Errors {
  double displacement = 0.0;
  double exponent = 0.0;
  double correlation = 0.0;
  double velocity = 0.0;

  void include(const Errors& other) {
    displacement = larger_error(other.displacement, displacement);
    exponent = larger_error(other.exponent, exponent);
    correlation = larger_error(other.correlation, correlation);
    velocity = larger_error(other.velocity, velocity);
  }
};

Errors errors_of(const DisplacementValue& value, const DisplacementValue& exact, const DisplacementValue& origin) {
  const auto share = [](double a, double b, double scale) { return scale > 0.0 ? std::abs(a - b) / scale : 0.0; };
  return {std::abs(value.displacement / exact.displacement - 1.0), std::abs(value.exponent - exact.exponent),
          share(value.correlation, exact.correlation, origin.correlation),
          share(value.velocity_correlation, exact.velocity_correlation, origin.velocity_correlation)};
}

class DisplacementVerifier {
 public:
  DisplacementVerifier(const Spec& spec, Backend& backend, const VerifyOptions& options)
      : spec_(spec), backend_(backend), options_(options), displacement_(spec, backend) {
    measure_.poll = options_.poll;
  }

  std::vector<Check> run() {
    displacement_.solve([&](double share) { options_.poll("displacement", share); });
    const bool gaussian = spec_.displacement->start != DisplacementStart::initial ||
                          spec_.initial.kind == InitialKind::gaussian || spec_.initial.kind == InitialKind::stationary;
    if (spec_.is_linear() && gaussian) {
      judge_modes(displacement_, "");
      judge_total(displacement_, "");
    }
    report_fit();
    judge_step_energy();
    judge_particles(displacement_, spec_.dynamics == Dynamics::sgd ? "particles of the map" : "Langevin particles");
    compare_with_map();
    report_minibatch();
    return checks_.take();
  }

 private:
  double allowed() const { return 3.0 * spec_.displacement->tolerance + 1e-7; }

  void judge(const std::string& plane, const std::string& quantity, double computed, double reference, double error,
             double tolerance, const std::string& note = "") {
    checks_.judge(plane, quantity, computed, reference, error, std::min(tolerance, largest_tolerance), note);
  }

  // --- closed forms ---------------------------------------------------------------------------------------------

  static Errors mode_errors(const Displacement& d, int l) {
    Errors worst;
    const DisplacementValue origin = exact_mode(d, l, 0.0);
    for (const double t : d.times()) worst.include(errors_of(d.mode(l, t), exact_mode(d, l, t), origin));
    return worst;
  }

  void judge_errors(const Displacement& d, const std::string& plane, const std::string& process, const Errors& errors,
                    const DisplacementValue& computed, const DisplacementValue& exact, const std::string& note) {
    const std::string over_time = "computed, reference: at the end; error: largest over all times" + note;
    judge(plane, process + "displacement, closed form", computed.displacement, exact.displacement, errors.displacement,
          allowed(), over_time + ", relative");
    judge(plane, process + "local exponent, closed form", computed.exponent, exact.exponent, errors.exponent,
          exponent_factor * allowed(), over_time);
    if (d.spec().displacement->start == DisplacementStart::cold) return;
    judge(plane, process + "correlation of θ, closed form", computed.correlation, exact.correlation, errors.correlation,
          allowed(), over_time + ", of the value at t = 0");
    judge(plane, process + "correlation of v, closed form", computed.velocity_correlation, exact.velocity_correlation,
          errors.velocity, velocity_factor * allowed(), over_time + ", of the value at t = 0");
  }

  void judge_modes(const Displacement& d, const std::string& process) {
    const double end = d.times().back();
    if (d.modes() <= most_modes_in_table) {
      for (int l = 0; l < d.modes(); ++l) {
        judge_errors(d, d.model().plane(l).name, process, mode_errors(d, l), d.mode(l, end), exact_mode(d, l, end), "");
      }
      return;
    }
    Errors worst;
    int worst_mode = 0;
    for (int l = 0; l < d.modes(); ++l) {
      const Errors errors = mode_errors(d, l);
      if (!(errors.displacement <= worst.displacement)) worst_mode = l;
      worst.include(errors);
      options_.poll("closed forms", static_cast<double>(l) / d.modes());
    }
    judge_errors(d, d.model().plane(worst_mode).name, process + "worst of all modes: ", worst, d.mode(worst_mode, end),
                 exact_mode(d, worst_mode, end), fmt::format(" and all {} modes", d.modes()));
  }

  void judge_total(const Displacement& d, const std::string& process) {
    if (d.modes() == 1) return;
    Errors worst;
    const DisplacementValue origin = exact_total(d, 0.0);
    for (const double t : d.times()) worst.include(errors_of(d.total(t), exact_total(d, t), origin));
    const double end = d.times().back();
    judge_errors(d, "", process + "total ", worst, d.total(end), exact_total(d, end), "");
  }

  // --- what follows ---------------------------------------------------------------------------------------------

  /// A density g(ρ) ∝ ρ^−α with 1 < α < 2 and no decay makes the exponent α − 1.
  void report_fit() {
    const auto fit = displacement_.fit();
    if (!fit) return;
    const double alpha = spec_.loss.law ? spec_.loss.law->alpha : 0.0;
    const bool has_law = alpha > 1.0 && alpha < 2.0 && displacement_.model().weight_decay() == 0.0 && spec_.is_linear();
    const std::string note =
        fmt::format("t from {:.4g} to {:.4g}; local exponents {:.4f} to {:.4f}, root mean square deviation {:.4f}{}",
                    fit->window.lower, fit->window.upper, fit->smallest, fit->largest, fit->uncertainty,
                    has_law ? "; reference: alpha - 1 of a spectrum without ends" : "");
    checks_.report("", "fitted exponent", fit->exponent, has_law ? alpha - 1.0 : std::nan(""), note);
  }

  /// E (L_λ − L_λ*) = (1 + β)/(4η) E|δ|², whatever the spectrum.
  void judge_step_energy() {
    const auto energy = displacement_.step_energy();
    if (!energy || !spec_.is_linear()) return;
    judge("", "step length and energy of all modes", energy->excess_loss, energy->predicted,
          std::abs(energy->excess_loss / energy->predicted - 1.0), 1e-5, "E (L − L*) = (1 + β)/(4η) E|θ_{k+1} − θ_k|²");
  }

  // --- particles ------------------------------------------------------------------------------------------------

  void judge_p_value(const std::string& quantity, double computed, double reference, double p_value,
                     const std::string& note) {
    checks_.judge_p_value("", quantity, computed, reference, p_value, options_.false_alarm, note);
  }

  /// The least of many p-values, times their number.
  struct Combined {
    double least = 1.0;
    double count = 0.0;
    void include(const Estimate& measured, double expected) {
      const double p = normal_p_value((measured.value - expected) / measured.error);
      if (!(p >= least)) least = p;
      count += 1.0;
    }
    double p_value() const { return std::isnan(least) ? least : std::min(1.0, least * count); }
  };

  void judge_particles(const Displacement& d, const std::string& whose) {
    const MeasuredDisplacement measured = measure_particles(d, backend_, measure_);
    const std::size_t last = measured.times.size() - 1;
    Combined modes;
    for (std::size_t m = 0; m < measured.modes.size(); ++m) {
      for (std::size_t k = 0; k <= last; ++k) {
        const DisplacementValue value = d.mode(measured.modes[m], measured.times[k]);
        modes.include(measured.displacement[m][k], value.displacement);
        if (spec_.displacement->start == DisplacementStart::stationary)
          modes.include(measured.velocity[m][k], value.velocity_correlation);
      }
    }
    const std::string note = fmt::format("{} particles per mode, {} times to t = {:.4g}; error: p-value",
                                         measured.samples, last + 1, measured.times[last]);
    const double end = measured.times[last];
    judge_p_value("modes against " + whose, measured.displacement[0][last].value,
                  d.mode(measured.modes[0], end).displacement, modes.p_value(),
                  note + "; computed, reference: displacement of the first mode at the end");
    if (measured.total.empty()) return;
    Combined total;
    for (std::size_t k = 0; k <= last; ++k) total.include(measured.total[k], d.total(measured.times[k]).displacement);
    judge_p_value("total displacement against " + whose, measured.total[last].value, d.total(end).displacement,
                  total.p_value(), note);
  }

  /// The density of the map itself, with its closed forms and its particles; then what continuous time leaves out.
  void compare_with_map() {
    if (!spec_.optimizer || spec_.dynamics == Dynamics::sgd) return;
    const double steps = spec_.displacement->until / spec_.optimizer->learning_rate;
    if (displacement_.modes() > most_map_modes || steps > most_map_steps ||
        spec_.displacement->start == DisplacementStart::initial)
      return;
    Displacement map(sgd_spec(spec_), backend_);
    map.solve([&](double share) { options_.poll("displacement of the SGD map", share); });
    if (spec_.is_linear()) {
      judge_modes(map, "SGD map: ");
      judge_total(map, "SGD map: ");
    }
    judge_particles(map, "the SGD recursion");
    const double end = map.times().back();
    checks_.report("", "displacement of the SGD map over Langevin",
                   map.total(end).displacement / displacement_.total(end).displacement, std::nan(""),
                   fmt::format("at t = {:.4g}, {} steps", end, std::lround(end / map.model().learning_rate())));
  }

  // --- minibatch SGD --------------------------------------------------------------------------------------------

  void report_minibatch() {
    if (spec_.loss.kind != LossKind::dataset || !spec_.optimizer ||
        spec_.displacement->start == DisplacementStart::initial)
      return;
    const Eigen::MatrixXd covariance = minibatch_covariance(displacement_.model());
    for (const BatchSampling sampling : {BatchSampling::replacement, BatchSampling::epochs}) {
      const MeasuredDisplacement measured = measure_minibatch(displacement_, sampling, measure_);
      const bool predicted =
          sampling == BatchSampling::replacement && spec_.displacement->start == DisplacementStart::stationary;
      const std::size_t last = measured.times.size() - 1;
      for (const std::size_t k : {std::size_t{0}, last / 2, last}) {
        const double t = measured.times[k];
        const double model = displacement_.total(t).displacement;
        const Estimate& total = measured.total[k];
        const double exact = predicted ? minibatch_total(covariance, t) : std::nan("");
        std::string note = fmt::format("± {:.2g}, {} runs", total.error / model, measured.samples);
        if (predicted)
          note += fmt::format("; reference: exact, {:+.1f} standard errors", (total.value - exact) / total.error);
        const char* whose = sampling == BatchSampling::replacement ? "minibatch SGD" : "shuffled epochs";
        checks_.report("", fmt::format("total of {} over the model, t = {:.3g}", whose, t), total.value / model,
                       exact / model, note);
      }
    }
  }

  double minibatch_total(const Eigen::MatrixXd& covariance, double time) const {
    const Model& model = displacement_.model();
    const long steps = std::lround(time / model.learning_rate());
    double sum = 0.0;
    for (int p = 0; p < model.planes(); ++p) {
      const Eigen::Index l = model.plane(p).mode - 1;
      sum += minibatch_displacement(model.plane(p).curvature, model.learning_rate(), model.momentum(), covariance(l, l),
                                    steps);
    }
    return sum;
  }

  const Spec& spec_;
  Backend& backend_;
  VerifyOptions options_;
  Displacement displacement_;
  MeasureOptions measure_;
  CheckList checks_;
};

}  // namespace

std::vector<Check> verify_displacement(const Spec& spec, Backend& backend, const VerifyOptions& options) {
  return DisplacementVerifier(spec, backend, options).run();
}

}  // namespace underdamp
