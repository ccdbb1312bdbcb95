#include "solver/coupled/coupled_integrator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/coupled/coupled_sums.hpp"
#include "solver/step/window_choice.hpp"

namespace underdamp {
namespace {

constexpr double infinity_of_error = std::numeric_limits<double>::infinity();

/// With a fixed step: each time costs one half sweep more.
constexpr long steps_between_polls = 8;

/// Friction must not contract a block by more than this in one window: γH.
constexpr double most_friction_of_window = 2.0;

/// Levels differ by a share of the errors that the grid leaves in one crossing, which no shorter window lowers. It is
/// taken to be this at least; each window that is refused doubles it.
constexpr double least_interference = 0.003;
constexpr double most_interference = 0.3;

}  // namespace

class CoupledIntegrator::Planner final : public SweepPlanner {
 public:
  Planner(Backend& backend, const PhaseSpace& space, const CoupledTables& tables, bool keep_mass)
      : backend_(backend), space_(space), tables_(tables), keep_mass_(keep_mass) {}
  std::unique_ptr<VelocityPlan> velocity(double duration) const override {
    return backend_.sweeps().plan_velocity(space_, tables_.velocity_law(duration, keep_mass_));
  }
  std::unique_ptr<DriftPlan> drift(double duration) const override {
    return backend_.sweeps().plan_drift(space_, std::array{duration});
  }
  std::unique_ptr<VelocityPlan> sgd_velocity() const {
    return backend_.sweeps().plan_velocity(space_, tables_.sgd_law(keep_mass_));
  }

 private:
  Backend& backend_;
  const PhaseSpace& space_;
  const CoupledTables& tables_;
  bool keep_mass_;
};

/// A window that was crossed.
struct CoupledIntegrator::Attempt {
  int levels = 0;
  long steps = 0;
  double difference = 0.0;                      ///< ‖T_KK − T_{K,K−1}‖₁
  double estimate = 0.0;                        ///< error of T_KK
  std::vector<std::vector<double>> profiles{};  ///< [level] sums of each line
};

int fields_of_coupled(const CoupledIntegratorOptions& options, Dynamics dynamics) {
  if (dynamics == Dynamics::sgd) return 1;
  return options.step ? 2 : 5;
}

CoupledIntegrator::CoupledIntegrator(Backend& backend, PhaseSpace space, CoupledTables tables,
                                     CoupledIntegratorOptions options)
    : backend_(backend),
      space_(std::move(space)),
      tables_(std::move(tables)),
      options_(options),
      volume_(space_.problem(0).cell_volume()),
      planner_(std::make_unique<Planner>(backend, space_, tables_, options.keep_mass)),
      sums_(backend.phase_sums().plan_block_sums(space_, coupled_sum_law(space_, tables_))),
      profile_(backend.phase_sums().plan_block_sums(space_, profile_law(space_))) {
  require(space_.problems() == 1, "one problem at a time is integrated");
  const auto field = [&] { return backend_.fields().allocate(space_.shape()); };
  density_ = field();
  if (tables_.dynamics == Dynamics::sgd) return;
  if (options_.step) {
    copy_ = field();
    return;
  }
  level_ = field();
  sum_ = field();
  difference_ = field();
  error_ = field();
}

CoupledIntegrator::~CoupledIntegrator() = default;

void CoupledIntegrator::start(std::span<const double> density) {
  backend_.fields().upload(density, *density_);
  time_ = 0.0;
  statistics_ = {};
  interference_ = 0.0;
  step_error_ = 0.0;
  interference_share_ = least_interference;
  ParameterVector ratio(space_.parameters());
  for (int k = 0; k < space_.parameters(); ++k) {
    const auto axis = static_cast<std::size_t>(k);
    ratio[k] = space_.problem(0).velocity[axis].width() / space_.problem(0).theta[axis].width();
  }
  grid_error_ = PhaseGridError(tables_.friction, ratio);
  outlook_length_ = 0.0;
  if (error_) backend_.fields().fill_zero(*error_);
  if (copy_) backend_.fields().copy(*density_, *copy_);
  initial_mass_ = observe().mass;
  measure();
}

void CoupledIntegrator::advance(double time, const std::function<void(double)>& poll) {
  if (!(time > time_)) return;
  if (tables_.dynamics == Dynamics::sgd) {
    advance_sgd(time, poll);
  } else if (options_.step) {
    advance_fixed(time, poll);
  } else {
    advance_extrapolated(time, poll);
  }
  measure();
}

CoupledSums CoupledIntegrator::observe() const {
  return coupled_sums(space_, backend_.phase_sums().sum_blocks(*density_, *sums_));
}

Departed CoupledIntegrator::departed() const {
  return backend_.fields().departed(*density_).front().times(volume_);
}

void CoupledIntegrator::measure() {
  const CoupledSums now = observe();
  require_finite(now.mass);
  shape_ = now.shape;
}

void CoupledIntegrator::require_finite(double value) const {
  if (std::isfinite(value)) return;
  throw Error(ExitCode::numerical, fmt::format("the density is not finite at t = {:.6g}", time_), {},
              "use a smaller step or a smaller tolerance; please report the spec");
}

std::vector<double> CoupledIntegrator::profile(const Field& field) const {
  const auto all = backend_.phase_sums().block_profile(field, *profile_);
  // Without the entropy, which is no linear function of the density.
  const auto quantities = static_cast<std::size_t>(space_.parameters()) + 2;
  std::vector<double> linear;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % quantities + 1 < quantities) linear.push_back(all[i]);
  }
  return linear;
}

// --- SGD -----------------------------------------------------------------------------------------

void CoupledIntegrator::advance_sgd(double time, const std::function<void(double)>& poll) {
  const double eta = tables_.learning_rate;
  const auto velocity = planner_->sgd_velocity();
  const auto drift = planner_->drift(eta);
  const long last = std::lround(time / eta);
  constexpr long together = 8;
  for (long step = std::lround(time_ / eta); step < last;) {
    const long count = std::min(together, last - step);
    for (long s = 0; s < count; ++s) {
      backend_.sweeps().velocity(*density_, *density_, *velocity, options_.positivity);
      backend_.sweeps().drift(*density_, *drift, options_.positivity);
    }
    step += count;
    statistics_.strang_steps += count;
    grid_error_.take_sgd_steps(shape_, eta, tables_.momentum, count);
    time_ = static_cast<double>(step) * eta;
    measure();
    poll(time_);
  }
}

// --- fixed step ----------------------------------------------------------------------------------

void CoupledIntegrator::advance_fixed(double time, const std::function<void(double)>& poll) {
  const double begin = time_;
  const double length = time - begin;
  const auto steps = static_cast<long>(std::ceil(length / *options_.step - 1e-9));
  // The copy takes half as many steps, or twice as many where there is only one.
  const long copy_steps = steps > 1 ? (steps + 1) / 2 : 2;
  const auto run = [&](Field& field, long count, double from, double to) {
    Window window(backend_, *planner_, length / static_cast<double>(count));
    for (long done = 0; done < count;) {
      const long now = std::min(steps_between_polls, count - done);
      window.take_steps(field, field, 1, now, options_.positivity);
      statistics_.strang_steps += now;
      done += now;
      poll(begin + length * (from + (to - from) * static_cast<double>(done) / static_cast<double>(count)));
    }
  };
  run(*density_, steps, 0.0, 2.0 / 3.0);
  run(*copy_, copy_steps, 2.0 / 3.0, 1.0);
  time_ = time;
  ++statistics_.windows;
  const double ratio = static_cast<double>(steps) / static_cast<double>(copy_steps);
  const std::array<const Field*, 2> pair{density_.get(), copy_.get()};
  const double norm = backend_.reductions().combination_norm(pair, std::array{1.0, -1.0}).front() * volume_;
  require_finite(norm);
  step_error_ = norm / std::abs(1.0 - ratio * ratio);
  grid_error_.take_steps(shape_, length / static_cast<double>(steps), steps);
}

// --- extrapolated windows ------------------------------------------------------------------------

/// Σ a_l P_l − P_K and Σ d_l P_l take up the level that has just finished.
void CoupledIntegrator::add_level(int level, int levels) {
  const auto l = static_cast<std::size_t>(level) - 1;
  const double a = extrapolation_weights(1, levels)[l] - (level == levels ? 1.0 : 0.0);
  const double d = difference_weights(levels)[l];
  const auto add = [&](Field& to, double weight) {
    if (level == 1) {
      const std::array<const Field*, 1> from{level_.get()};
      backend_.sweeps().combine(from, std::array{weight}, to);
    } else {
      const std::array<const Field*, 2> from{&to, level_.get()};
      backend_.sweeps().combine(from, std::array{1.0, weight}, to);
    }
  };
  add(*sum_, a);
  add(*difference_, d);
}

void CoupledIntegrator::cross(Window& window, int levels, Attempt& attempt, const std::function<void(double)>& poll) {
  attempt.levels = levels;
  for (int level = 1; level <= levels; ++level) {
    window.cross(*density_, *level_, level, options_.positivity);
    attempt.steps += level;
    attempt.profiles.push_back(profile(*level_));
    add_level(level, levels);
    poll(time_ + window.length() * 0.5 * level * (level + 1) / (0.5 * levels * (levels + 1)));
  }
}

/// Estimates the error of T_KK and what other numbers of levels would have given. The norm of the difference of the
/// last two columns is that of the field; how much larger those before are, the sums of the lines say.
bool CoupledIntegrator::judge(double length, int levels, Attempt& attempt) {
  const std::array<const Field*, 1> difference{difference_.get()};
  attempt.difference = backend_.reductions().combination_norm(difference, std::array{1.0}).front() * volume_;
  require_finite(attempt.difference);
  std::array<double, most_levels + 1> of_profile{};
  for (int k = 2; k <= levels; ++k) {
    const LevelWeights weights = difference_weights(k);
    for (std::size_t i = 0; i < attempt.profiles.front().size(); ++i) {
      double value = 0.0;
      for (std::size_t l = 0; l < static_cast<std::size_t>(k); ++l) value += weights[l] * attempt.profiles[l][i];
      of_profile[static_cast<std::size_t>(k)] += std::abs(value);
    }
  }
  const auto last = static_cast<std::size_t>(levels);
  const double scale = attempt.difference / std::max(of_profile[last], 1e-300);
  const auto difference_of = [&](int k) { return scale * of_profile[static_cast<std::size_t>(k)]; };
  const double squared = static_cast<double>(levels) * levels;
  attempt.estimate = std::min(attempt.difference, squared * attempt.difference * attempt.difference /
                                                      std::max(difference_of(levels - 1), 1e-300));
  const double allowed = options_.tolerance * length / tables_.relaxation_time;
  const double floor = interference_share_ * grid_error_.of_window(shape_, length, levels);
  const double tolerance = std::max(allowed, floor);
  outlook_length_ = length;
  outlook_.fill(infinity_of_error);
  for (int k = fewest_levels; k < levels; ++k)
    outlook_[static_cast<std::size_t>(k)] = (k + 1.0) * (k + 1.0) * difference_of(k + 1) / tolerance;
  outlook_[last] = attempt.estimate / tolerance;
  if (levels < most_levels) {
    const double next = levels + 1.0;
    outlook_[last + 1] =
        attempt.estimate * attempt.estimate / (next * next * std::max(attempt.difference, 1e-300)) / tolerance;
  }
  return attempt.estimate <= tolerance;
}

/// density = P_K + S(T_KK − P_K); the error field crosses the window in as few steps as resolve it and takes up the new
/// error.
void CoupledIntegrator::accept(const Attempt& attempt, Window& window) {
  backend_.sweeps().filter(space_, *sum_);
  const std::array<const Field*, 2> sum{level_.get(), sum_.get()};
  backend_.sweeps().combine(sum, std::array{1.0, 1.0}, *density_);
  if (options_.positivity == Positivity::limit) backend_.sweeps().clip(*density_);
  if (statistics_.windows > 0) {
    const int steps = std::clamp(static_cast<int>(std::ceil(tables_.rate * window.length())), 1, attempt.levels);
    window.cross(*error_, *error_, steps, Positivity::none);
    statistics_.strang_steps += steps;
  }
  const double share = attempt.difference > 0.0 ? attempt.estimate / attempt.difference : 0.0;
  const std::array<const Field*, 2> errors{error_.get(), difference_.get()};
  backend_.sweeps().combine(errors, std::array{1.0, share}, *error_);
  ++statistics_.windows;
  interference_ = interference_ * std::exp(-window.length() / tables_.relaxation_time) +
                  interference_share_ * grid_error_.of_window(shape_, window.length(), attempt.levels);
  grid_error_.cross_window(shape_, window.length(), extrapolation_weights(1, attempt.levels), attempt.levels);
}

void CoupledIntegrator::advance_extrapolated(double time, const std::function<void(double)>& poll) {
  if (outlook_length_ == 0.0) guess_outlook();
  double growth = 4.0;
  while (time - time_ > 1e-12 * std::max(time, 1e-300)) {
    const double remaining = time - time_;
    const FirstWindow next = best_window(remaining, growth);
    if (!window_ || std::abs(window_->length() - next.length) > 1e-9 * next.length)
      window_ = std::make_unique<Window>(backend_, *planner_, next.length);
    Attempt attempt;
    cross(*window_, next.levels, attempt, poll);
    statistics_.strang_steps += attempt.steps;
    if (!judge(next.length, next.levels, attempt)) {
      ++statistics_.rejected;
      interference_share_ = std::min(most_interference, 2.0 * interference_share_);
      growth = 0.9;
      if (next.length * tables_.rate < 1e-9) {
        throw Error(ExitCode::numerical, fmt::format("the step became {:.2g} at t = {:.6g}", next.length, time_), {},
                    "the tolerance cannot be met; loosen evolve.tolerance, or give more cells");
      }
      continue;
    }
    accept(attempt, *window_);
    growth = 2.0;
    time_ = remaining <= next.length * (1.0 + 1e-9) ? time : time_ + next.length;
    measure();
    poll(time_);
  }
}

/// Before anything was computed, as for planes (integrator_windows.cpp), from the stationary state.
void CoupledIntegrator::guess_outlook() {
  outlook_length_ = 1.0 / tables_.rate;
  const double allowed = std::max(options_.tolerance * outlook_length_ / tables_.relaxation_time,
                                  interference_share_ * grid_error_.of_window(shape_, outlook_length_, 4));
  outlook_.fill(infinity_of_error);
  constexpr double spread = 4.0;  // how far and how narrow a start usually is
  for (std::size_t k = fewest_levels; k <= most_levels; ++k)
    outlook_[k] = spread * oscillator_error_constant[k] / allowed;
}

/// The cheapest way to cover `remaining` with equal windows.
CoupledIntegrator::FirstWindow CoupledIntegrator::best_window(double remaining, double largest_growth) const {
  const double longest = std::min(remaining, most_friction_of_window / std::max(tables_.friction, 1e-300));
  const double current = window_ ? window_->length() : 0.0;
  constexpr double plan_cost = 1.5;  // Strang steps that the coefficients of a new length cost
  FirstWindow best{longest, fewest_levels};
  double best_cost = infinity_of_error;
  for (int k = fewest_levels; k <= most_levels; ++k) {
    const double ratio = outlook_[static_cast<std::size_t>(k)];
    if (!std::isfinite(ratio)) continue;
    const double growth = std::clamp(std::pow(0.4 / std::max(ratio, 1e-30), 0.5 / k), 0.1, largest_growth);
    const double count = std::ceil(remaining / std::min(outlook_length_ * growth, longest) - 1e-6);
    const double length = remaining / count;
    const bool rebuild = std::abs(length - current) > 1e-9 * length;
    const double cost = count * window_work_with_errors(k) + (rebuild ? plan_cost : 0.0);
    if (cost < best_cost) {
      best_cost = cost;
      best = {length, k};
    }
    // The present length, if its plans still serve and k levels are enough for it.
    const double present = current > 0.0 ? std::round(remaining / current) : 0.0;
    if (present < 1.0 || std::abs(remaining - present * current) > 1e-9 * remaining || current > longest * (1.0 + 1e-9))
      continue;
    const double predicted = ratio * std::pow(current / outlook_length_, 2 * k);
    if (predicted < 0.7 && largest_growth > 1.0 && present * window_work_with_errors(k) < best_cost) {
      best_cost = present * window_work_with_errors(k);
      best = {current, k};
    }
  }
  return best;
}

CoupledIntegrator::FirstWindow CoupledIntegrator::first_window(double time) const {
  if (tables_.dynamics == Dynamics::sgd) return {tables_.learning_rate, 1};
  if (options_.step) return {time / std::ceil(time / *options_.step - 1e-9), 1};
  return best_window(time, 4.0);
}

ErrorEstimate CoupledIntegrator::error() const {
  ErrorEstimate result;
  result.space = grid_error_.norm(shape_.covariance);
  result.step = step_error_;
  if (error_ && statistics_.windows > 0) {
    constexpr double safety = 5.0;  // that of planes (integrator_health.cpp)
    const std::array<const Field*, 1> field{error_.get()};
    result.step = safety * backend_.reductions().combination_norm(field, std::array{1.0}).front() * volume_;
  }
  const double lost = std::abs(initial_mass_ - observe().mass);
  result.time = result.step + interference_ + lost;
  result.space += lost;
  result.rounding =
      unit_roundoff(backend_.describe().precision) * std::sqrt(static_cast<double>(statistics_.strang_steps));
  return result;
}

}  // namespace underdamp
