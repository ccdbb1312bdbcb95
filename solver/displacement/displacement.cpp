#include "solver/displacement/displacement.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include <fmt/format.h>

#include "meshes/barycentric.hpp"
#include "meshes/error.hpp"
#include "solver/displacement/cold_start.hpp"

namespace underdamp {
namespace {

/// Keys closer than this are the same.
constexpr double same_key = 1e-9;
/// Chebyshev points for one e-fold of ζ to begin with, and at most in all.
constexpr double points_per_e_fold = 6.0;
constexpr int most_intervals = 512;
constexpr double least_gain = 0.2;
/// Errors of the velocity correlation, a second derivative, count less.
constexpr double velocity_share = 0.05;

bool close(double a, double b) {
  return std::abs(a - b) <= same_key * std::max(std::abs(a), std::abs(b));
}

std::vector<double> log_spaced(double from, double until, int points) {
  std::vector<double> times;
  for (int k = 0; k < points; ++k)
    times.push_back(from * std::pow(until / from, static_cast<double>(k) / (points - 1)));
  times.back() = until;
  return times;
}

/// Keys at the Chebyshev points of the second kind in ln key, increasing.
std::vector<double> chebyshev_keys(double smallest, double largest, int intervals) {
  std::vector<double> keys;
  const double middle = 0.5 * (std::log(smallest) + std::log(largest));
  const double half = 0.5 * (std::log(largest) - std::log(smallest));
  for (int j = 0; j <= intervals; ++j)
    keys.push_back(std::exp(middle - half * std::cos(std::numbers::pi * j / intervals)));
  keys.front() = smallest;
  keys.back() = largest;
  return keys;
}

/// Weights of the barycentric interpolation at Chebyshev points of the second kind, normalised; at a node only its own.
std::vector<double> interpolation_weights(const std::vector<double>& keys, double key) {
  const double s = std::log(key);
  const auto weight = [&](std::size_t j) {
    const double end = j == 0 || j + 1 == keys.size() ? 0.5 : 1.0;
    return j % 2 == 0 ? end : -end;
  };
  const auto distance = [&](std::size_t j) { return close(keys[j], key) ? 0.0 : s - std::log(keys[j]); };
  return barycentric_shares(keys.size(), distance, weight);
}

/// What the last three coefficients of the Chebyshev series through values at the points of the second kind amount to:
/// an estimate of what the series leaves out.
double series_end(const std::vector<double>& values) {
  const int n = static_cast<int>(values.size()) - 1;
  double sum = 0.0;
  for (int k = std::max(1, n - 2); k <= n; ++k) {
    double coefficient = 0.0;
    for (int j = 0; j <= n; ++j) {
      const double end = j == 0 || j == n ? 0.5 : 1.0;
      coefficient += end * values[static_cast<std::size_t>(j)] * std::cos(std::numbers::pi * j * k / n);
    }
    sum += std::abs(coefficient) * (k == n ? 1.0 : 2.0) / n;
  }
  return sum;
}

}  // namespace

Displacement::Displacement(const Spec& spec, Backend& backend) : spec_(spec), backend_(backend) {
  model_ = std::make_unique<Model>(spec_);
  const DisplacementSpec& d = *spec_.displacement;
  double fastest = model_->gamma();
  for (int l = 0; l < modes(); ++l) fastest = std::max(fastest, model_->derived(l).omega);
  if (spec_.dynamics == Dynamics::sgd) {
    const double eta = model_->learning_rate();
    for (const double t : log_spaced(std::max(d.from.value_or(eta), eta), d.until, d.points)) {
      const double whole = std::max(1.0, std::round(t / eta)) * eta;
      if (times_.empty() || whole > times_.back() + 0.5 * eta) times_.push_back(whole);
    }
  } else {
    const double from = d.from.value_or(1e-3 / fastest);
    if (!(from < d.until)) {
      refuse(spec_, "displacement.until",
             fmt::format("the end, t = {}, is before the first time, {:.3g}", d.until, from),
             "use a later end, or give displacement.from");
    }
    times_ = log_spaced(from, d.until, d.points);
  }
  require_fit_times();
  require_cells_at_rest();
  plan();
}

void Displacement::require_fit_times() const {
  if (!spec_.displacement->fit || fit_times().size() >= 2) return;
  const Interval window = *spec_.displacement->fit;
  refuse(spec_, "displacement.fit",
         fmt::format("[{}, {}] holds {} of the times at which the displacement of the map is written: no exponent "
                     "follows from that",
                     window.lower, window.upper, fit_times().empty() ? "none" : "only one"),
         "give a wider window, or more points");
}

/// After every step of the map the density from rest is nearly a line where q of docs/method.md (5) is large.
void Displacement::require_cells_at_rest() const {
  if (spec_.dynamics != Dynamics::sgd || spec_.displacement->start != DisplacementStart::cold) return;
  int needed = 0;
  int narrowest = 0;
  for (int l = 0; l < modes(); ++l) {
    const int cells = cells_for_map_from_rest(*model_, l);
    if (cells > needed) narrowest = l;
    needed = std::max(needed, cells);
  }
  const int cells = std::min(spec_.grid.cells[0], spec_.grid.cells[1]);
  if (cells >= needed) return;
  refuse(spec_, "grid.cells",
         fmt::format("the SGD map correlates theta and v{} so strongly that its density from rest is a line of less "
                     "than {} cells in width on a grid of {}",
                     model_->plane(narrowest).named(" in "), fewest_cells_across, cells),
         fmt::format("use at least {} cells along both axes, or a smaller learning rate", needed));
}

/// What modes are sorted by: their problems are the same where this is.
double Displacement::key(int l) const {
  return spec_.is_linear() ? model_->plane(l).curvature : model_->plane(l).eigenvalue;
}

void Displacement::plan() {
  const bool from_rest = spec_.displacement->start != DisplacementStart::initial;
  shares_ = modes() > 1 && ((spec_.is_linear() && from_rest) || spec_.loss.kind == LossKind::spectrum);
  problems_ = modes();
  if (!shares_) return;
  for (int l = 0; l < modes(); ++l) keys_.push_back(key(l));
  std::sort(keys_.begin(), keys_.end());
  keys_.erase(std::unique(keys_.begin(), keys_.end(), close), keys_.end());
  problems_ = static_cast<int>(keys_.size());
  interpolates_ = spec_.dynamics == Dynamics::langevin && keys_.front() > 0.0 && planned_problems() < problems_;
}

int Displacement::planned_problems() const {
  if (!shares_ || !(keys_.front() > 0.0)) return problems_;
  const double e_folds = 0.5 * std::log(keys_.back() / keys_.front());  // of ζ ∝ h^−1/2
  return 2 * std::max(2, static_cast<int>(std::ceil(0.5 * points_per_e_fold * e_folds))) + 1;
}

/// Last time in units of the fastest mode, which every problem has to cover if modes lie between them.
double Displacement::end() const {
  double fastest = 0.0;
  for (int l = 0; l < modes(); ++l) fastest = std::max(fastest, model_->derived(l).omega);
  return fastest * times_.back();
}

/// A spec whose planes are the problems with these keys.
Spec Displacement::problem_spec(const std::vector<double>& keys) const {
  Spec spec = spec_;
  spec.stationary.reset();
  spec.evolve.reset();
  if (spec.displacement->start == DisplacementStart::initial) {
    spec.evolve = EvolveSpec{};
    spec.evolve->until = times_.back();
  }
  if (!shares_) return spec;
  const bool only_units_differ = spec_.is_linear() && spec.displacement->start != DisplacementStart::initial;
  LossSpec loss;
  loss.kind = LossKind::spectrum;
  loss.formula = spec_.loss.formula;
  loss.function = spec_.loss.function;
  loss.eigenvalues = keys;
  loss.weights.assign(keys.size(), 1.0);
  spec.loss = loss;
  if (only_units_differ) {  // the key is ρ + λ, and the size of the noise does not matter
    if (spec.optimizer) spec.optimizer->weight_decay = 0.0;
    spec.noise = NoiseSpec{};
    if (spec.langevin) spec.langevin->temperature.reset();
  } else if (spec_.is_linear()) {
    for (double& rho : spec.loss.eigenvalues) rho -= model_->weight_decay();
  }
  return spec;
}

/// Solves the problems with these keys, or every mode as a problem of its own.
std::vector<SolvedProblem> Displacement::solve_keys(const std::vector<double>& keys,
                                                    const std::function<void(double)>& poll) const {
  const Spec spec = problem_spec(keys);
  const Model model(spec);
  const bool is_map = spec.dynamics == Dynamics::sgd;
  std::vector<double> until;
  for (int p = 0; p < model.planes(); ++p)
    until.push_back(interpolates_ ? end() : times_.back() * model.derived(p).omega);
  std::vector<long> steps;
  for (const double t : times_) {
    if (is_map) steps.push_back(std::lround(t / model.learning_rate()));
  }
  return solve_problems(backend_, spec, model, until, steps, poll);
}

void Displacement::solve(const std::function<void(double)>& poll) {
  if (interpolates_) solve_by_interpolation(poll);
  if (!interpolates_) solved_ = solve_keys(keys_, poll);
  assign_modes();
}

void Displacement::assign_modes() {
  for (int l = 0; l < modes(); ++l) {
    const Derived d = model_->derived(l);
    ModeScale scale{d.omega, d.std_theta, {}};
    if (interpolates_) {
      const auto weights = interpolation_weights(keys_, key(l));
      for (std::size_t j = 0; j < weights.size(); ++j) {
        if (weights[j] != 0.0) scale.shares.emplace_back(j, weights[j]);
      }
    } else if (shares_) {
      const auto found = std::lower_bound(keys_.begin(), keys_.end(), key(l),
                                          [](double a, double b) { return a < b && !close(a, b); });
      scale.shares.emplace_back(static_cast<std::size_t>(found - keys_.begin()), 1.0);
    } else {
      scale.shares.emplace_back(static_cast<std::size_t>(l), 1.0);
    }
    scales_.push_back(std::move(scale));
  }
}

/// Doubles the number of Chebyshev points until their series ends below the tolerance, or no longer gets shorter: then
/// it ends in the errors of the solved problems. Points that were solved serve again.
void Displacement::solve_by_interpolation(const std::function<void(double)>& poll) {
  const double smallest = keys_.front();
  const double largest = keys_.back();
  const std::vector<double> distinct = keys_;
  int intervals = planned_problems() - 1;
  keys_ = chebyshev_keys(smallest, largest, intervals);
  solved_ = solve_keys(keys_, poll);
  double before = std::numeric_limits<double>::infinity();
  while ((interpolation_error_ = estimated_interpolation_error()) > 0.5 * spec_.displacement->tolerance) {
    if (interpolation_error_ > least_gain * before) return;
    before = interpolation_error_;
    intervals *= 2;
    if (intervals + 1 >= problems_ || intervals > most_intervals) {  // no cheaper than all modes
      interpolates_ = false;
      interpolation_error_ = 0.0;
      keys_ = distinct;
      return;
    }
    const auto finer = chebyshev_keys(smallest, largest, intervals);
    std::vector<double> between;
    for (std::size_t j = 1; j < finer.size(); j += 2) between.push_back(finer[j]);
    auto added = solve_keys(between, poll);
    std::vector<SolvedProblem> all;
    for (std::size_t j = 0; j < finer.size(); ++j) all.push_back(std::move(j % 2 == 0 ? solved_[j / 2] : added[j / 2]));
    solved_ = std::move(all);
    keys_ = finer;
  }
}

double Displacement::estimated_interpolation_error() const {
  double slowest = end();
  for (int l = 0; l < modes(); ++l) slowest = std::min(slowest, model_->derived(l).omega * times_.front());
  constexpr int samples = 80;
  double worst = 0.0;
  for (const double tau : log_spaced(slowest, end(), samples)) {
    std::vector<double> displacement;
    std::vector<double> correlation;
    std::vector<double> velocity;
    for (const SolvedProblem& problem : solved_) {
      const auto value = problem.flow.curve.at(tau);
      displacement.push_back(std::log(value.displacement));
      correlation.push_back(value.correlation);
      velocity.push_back(value.velocity_correlation);
    }
    worst = std::max({worst, series_end(displacement), series_end(correlation), velocity_share * series_end(velocity)});
  }
  return worst;
}

/// In the units of the solved problems. Of what lies between them the logarithm of the displacement is interpolated,
/// which has the same digits at all times.
DisplacementCurve::Value Displacement::scaled_value(int l, double time) const {
  const ModeScale& scale = scales_[static_cast<std::size_t>(l)];
  const double tau = time * scale.omega;
  if (scale.shares.size() == 1) return solved_[scale.shares[0].first].flow.curve.at(tau);
  DisplacementCurve::Value sum;
  double logarithm = 0.0;
  for (const auto& [j, weight] : scale.shares) {
    const auto value = solved_[j].flow.curve.at(tau);
    logarithm += weight * std::log(value.displacement);
    sum.exponent += weight * value.exponent;
    sum.correlation += weight * value.correlation;
    sum.velocity_correlation += weight * value.velocity_correlation;
  }
  sum.displacement = std::exp(logarithm);
  return sum;
}

DisplacementValue Displacement::mode(int l, double time) const {
  const ModeScale& scale = scales_[static_cast<std::size_t>(l)];
  const auto value = scaled_value(l, time);
  const double square = scale.std_theta * scale.std_theta;
  return {value.displacement * square, value.exponent, value.correlation * square,
          value.velocity_correlation * square * scale.omega * scale.omega};
}

DisplacementValue Displacement::total(double time) const {
  return weighted_sum(*model_, [&](int l) { return mode(l, time); });
}

DisplacementValue weighted_sum(const Model& model, const std::function<DisplacementValue(int)>& mode) {
  DisplacementValue sum;
  double rate = 0.0;
  for (int l = 0; l < model.planes(); ++l) {
    const double weight = model.plane(l).weight;
    const DisplacementValue value = mode(l);
    sum.displacement += weight * value.displacement;
    rate += weight * value.displacement * value.exponent;
    sum.correlation += weight * value.correlation;
    sum.velocity_correlation += weight * value.velocity_correlation;
  }
  sum.exponent = rate / sum.displacement;
  return sum;
}

/// Times of the window: of the map those that are kept.
std::vector<double> Displacement::fit_times() const {
  const Interval window = *spec_.displacement->fit;
  if (spec_.dynamics != Dynamics::sgd) return log_spaced(window.lower, window.upper, 101);
  std::vector<double> times;
  for (const double t : times_) {
    if (t >= window.lower * (1.0 - 1e-9) && t <= window.upper * (1.0 + 1e-9)) times.push_back(t);
  }
  return times;
}

std::optional<ExponentFit> Displacement::fit() const {
  if (!spec_.displacement->fit) return std::nullopt;
  const Interval window = *spec_.displacement->fit;
  std::vector<double> abscissa, ordinate, local;
  for (const double t : fit_times()) {
    const DisplacementValue value = total(t);
    abscissa.push_back(std::log(t));
    ordinate.push_back(std::log(value.displacement));
    local.push_back(value.exponent);
  }
  return fit_exponent(window, abscissa, ordinate, local);
}

std::optional<StepEnergy> Displacement::step_energy() const {
  if (!spec_.optimizer) return std::nullopt;
  const double eta = model_->learning_rate();
  StepEnergy energy;
  for (int l = 0; l < modes(); ++l) {
    const ModeScale& mode = scales_[static_cast<std::size_t>(l)];
    const double speed = mode.std_theta * mode.omega;
    const double scale = model_->plane(l).weight * speed * speed;
    for (const auto& [j, share] : mode.shares) {
      energy.step_length += eta * eta * scale * share * solved_[j].velocity_square;
      energy.excess_loss += scale * share * solved_[j].potential / model_->k();
    }
  }
  if (!std::isfinite(energy.step_length + energy.excess_loss)) return std::nullopt;
  energy.predicted = (1.0 + model_->momentum()) / (4.0 * eta) * energy.step_length;
  return energy;
}

double Displacement::step_error() const {
  double worst = 0.0;
  for (const SolvedProblem& problem : solved_) worst = std::max(worst, problem.flow.step_error);
  return worst;
}

long Displacement::windows() const {
  long sum = 0;
  for (const SolvedProblem& problem : solved_) sum += problem.flow.windows;
  return sum;
}

int Displacement::generator_problems() const {
  return static_cast<int>(std::count_if(solved_.begin(), solved_.end(),
                                        [](const SolvedProblem& problem) { return problem.flow.used_generator; }));
}

ExponentFit fit_exponent(const Interval& window, const std::vector<double>& x, const std::vector<double>& y,
                         const std::vector<double>& local) {
  ExponentFit fit;
  fit.window = window;
  const auto n = static_cast<double>(x.size());
  double mean_x = 0.0, mean_y = 0.0, xx = 0.0, xy = 0.0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    mean_x += x[k] / n;
    mean_y += y[k] / n;
  }
  for (std::size_t k = 0; k < x.size(); ++k) {
    xx += (x[k] - mean_x) * (x[k] - mean_x);
    xy += (x[k] - mean_x) * (y[k] - mean_y);
  }
  fit.exponent = xy / xx;  // of fewer than two times: not a number
  double square = 0.0;
  for (const double value : local) square += (value - fit.exponent) * (value - fit.exponent) / n;
  fit.uncertainty = std::sqrt(square);
  if (local.empty()) return fit;
  fit.smallest = *std::min_element(local.begin(), local.end());
  fit.largest = *std::max_element(local.begin(), local.end());
  return fit;
}

std::string describe_displacement(const Displacement& displacement) {
  const Spec& spec = displacement.spec();
  const Model& model = displacement.model();
  const auto& times = displacement.times();
  static const std::map<DisplacementStart, const char*> starts{{DisplacementStart::stationary, "the stationary state"},
                                                               {DisplacementStart::cold, "rest in the minimum"},
                                                               {DisplacementStart::initial, "the start of [initial]"}};
  double least = model.derived(0).zeta;
  double largest = least;
  double parameters = 0.0;
  for (int l = 0; l < model.planes(); ++l) {
    least = std::min(least, model.derived(l).zeta);
    largest = std::max(largest, model.derived(l).zeta);
    parameters += model.plane(l).weight;
  }
  std::string text = fmt::format("  displacement   from {}, {} times from t = {:.4g} to {:.4g}\n",
                                 starts.at(spec.displacement->start), times.size(), times.front(), times.back());
  text += fmt::format("  modes          {}, for {:.6g} parameters, zeta {:.4g} to {:.4g}\n", model.planes(), parameters,
                      least, largest);
  text += displacement.interpolates()
              ? fmt::format("  problems       {} that differ: {} are solved, the others lie between them, to {:.1e}\n",
                            displacement.problems(), displacement.planned_problems(), spec.displacement->tolerance)
              : fmt::format("  problems       {}, each is solved\n", displacement.problems());
  return text;
}

}  // namespace underdamp
