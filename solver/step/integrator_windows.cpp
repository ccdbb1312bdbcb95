#include "solver/step/integrator.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/step/window_choice.hpp"

// Windows of several levels, extrapolated in τ² (docs/method.md, section 4): how one is crossed and judged, and which
// comes next.

namespace underdamp {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Sweeps whose rounding errors add up to that of a combination of levels: Σ 2l a_l².
double sweeps_of(const LevelWeights& weights) {
  double sum = 0.0;
  for (std::size_t l = 0; l < weights.size(); ++l) sum += 2.0 * static_cast<double>(l + 1) * weights[l] * weights[l];
  return sum;
}

}  // namespace

/// A window that was crossed: how far the last two columns are apart, and what that says about the last one.
struct Integrator::Attempt {
  int levels = 0;
  long steps = 0;                  ///< taken for it
  std::vector<double> difference;  ///< [plane] ‖T_KK − T_{K,K−1}‖₁
  std::vector<double> estimate;    ///< [plane] error of T_KK
  Outlook outlook;
};

/// P_level: the window crossed in `level` Strang steps.
void Integrator::cross(Window& window, int level, Attempt& attempt) {
  window.cross(*density_, levels_->level(level), level, options_.positivity);
  attempt.steps += level;
}

std::vector<double> Integrator::level_norm(int count, std::span<const double> coefficients) {
  auto norm = backend_.reductions().combination_norm(levels_->first_const(count),
                                                     coefficients.first(static_cast<std::size_t>(count)));
  for (std::size_t p = 0; p < norm.size(); ++p) {
    require_finite(norm[p]);
    norm[p] *= mesh_.plane(static_cast<int>(p)).cell_area();
  }
  return norm;
}

/// Crosses a window with `levels` levels, or one more if that promises to be enough. True if the estimated error is
/// within the tolerance, or as small as the grid allows.
bool Integrator::try_window(Window& window, int levels, Attempt& attempt, const std::function<void(double)>& poll) {
  for (int level = 1; level <= levels; ++level) {
    cross(window, level, attempt);
    poll(time_ + window.length() * 0.5 * level * (level + 1) / (0.5 * levels * (levels + 1)));
  }
  if (judge(window.length(), levels, attempt)) return true;
  const auto next = static_cast<std::size_t>(levels) + 1;
  if (levels == most_levels || !(attempt.outlook.ratio[next] < 0.5)) return false;
  cross(window, levels + 1, attempt);
  return judge(window.length(), levels + 1, attempt);
}

/// Estimates the error of T_KK from the levels that were crossed, and what other numbers of levels would have given.
bool Integrator::judge(double length, int levels, Attempt& attempt) {
  const auto before = level_norm(levels - 1, difference_weights(levels - 1));
  attempt.levels = levels;
  attempt.difference = level_norm(levels, difference_weights(levels));
  attempt.estimate.clear();
  attempt.outlook = {length, std::vector<double>(most_levels + 1, infinity)};
  auto& ratio = attempt.outlook.ratio;
  const int first = std::max(fewest_levels, levels - 2);
  const int last = std::min(most_levels, levels + 1);
  for (int k = first; k <= last; ++k) ratio[static_cast<std::size_t>(k)] = 0.0;
  bool accepted = true;
  const double squared = static_cast<double>(levels) * levels;
  // In double precision every tolerance lies above it.
  const double rounding = precision_ == Precision::float32
                              ? 2.0 * sweep_rounding() * std::sqrt(sweeps_of(difference_weights(levels)))
                              : 0.0;
  for (std::size_t p = 0; p < before.size(); ++p) {
    const double difference = attempt.difference[p];
    // err(T_KK) ≈ K² d_K · d_K / d_{K−1}, where columns converge; at most d_K itself (docs/method.md, eq. 25).
    const double estimate = std::min(difference, squared * difference * difference / std::max(before[p], 1e-300));
    attempt.estimate.push_back(estimate);
    const double allowed = options_.tolerance * length / tables_.relaxation_time[p];
    const double floor = roughness_[p] * levels * (levels + 1) + rounding;
    accepted = accepted && (estimate <= allowed || estimate <= floor);
    const double scale = std::max(allowed, floor);
    const auto note = [&](int k, double error) {
      auto& r = ratio[static_cast<std::size_t>(std::clamp(k, 0, most_levels))];
      if (k >= first && k <= last) r = std::max(r, error / scale);
    };
    note(levels - 2, (levels - 1.0) * (levels - 1.0) * before[p]);
    note(levels - 1, squared * difference);
    note(levels, estimate);
    note(levels + 1, estimate * estimate / ((levels + 1.0) * (levels + 1.0) * std::max(difference, 1e-300)));
  }
  return accepted;
}

/// density = P_K + S(T_KK − P_K); the error field crosses the window in one step and takes up the new error.
void Integrator::accept(const Attempt& attempt, Window& window) {
  if (!error_) {
    error_ = backend_.fields().allocate(mesh_.shape());
    backend_.fields().fill_zero(*error_);
  }
  const int count = attempt.levels;
  if (statistics_.windows > 0) {
    // As many steps as keep the fastest rate resolved; their plans are those of a level.
    const double angle = *std::max_element(tables_.rate.begin(), tables_.rate.end()) * window.length();
    const int level = std::clamp(static_cast<int>(std::ceil(angle)), 1, count);
    window.cross(*error_, *error_, level, Positivity::none);
    statistics_.strang_steps += level;
  }
  const auto fields = levels_->first(count);
  std::vector<double> scale;
  for (std::size_t p = 0; p < attempt.estimate.size(); ++p) {
    scale.push_back(attempt.difference[p] > 0.0 ? attempt.estimate[p] / attempt.difference[p] : 0.0);
  }
  const auto combination = extrapolation_weights(1, count);
  const auto difference = difference_weights(count);
  const auto used = static_cast<std::size_t>(count);
  backend_.sweeps().extrapolate(mesh_, fields, std::span(combination).first(used), std::span(difference).first(used),
                                scale, *error_, *density_, options_.positivity);
  absorb_created(*density_);
  if (statistics_.strang_steps - restored_ >= steps_between_restorations) restore_mass();
  ++statistics_.windows;
  add_rounding(window.length(), sweeps_of(combination));
  for (std::size_t p = 0; p < errors_.size(); ++p) {
    interference_[p] = interference_[p] * std::exp(-window.length() / tables_.relaxation_time[p]) +
                       roughness_[p] * 0.5 * count * (count + 1);
    grid_error_[p].cross_window(shape_[p], window.length(), combination.data(), count);
  }
  measure_shape();
}

void Integrator::advance_extrapolated(double time, const std::function<void(double)>& poll) {
  if (outlook_.ratio.empty()) {
    outlook_ = first_outlook();
    measure_shape();
  }
  double growth = 4.0;
  while (time - time_ > 1e-12 * std::max(time, 1e-300)) {
    const double remaining = time - time_;
    const FirstWindow next = planned_ ? *planned_ : best_window(remaining, outlook_, growth);
    planned_ = next;
    if (!window_ || std::abs(window_->length() - next.length) > 1e-9 * next.length) {
      window_ = std::make_unique<Window>(backend_, mesh_, tables_, next.length);
    }
    Attempt attempt;
    const bool accepted = try_window(*window_, next.levels, attempt, poll);
    planned_.reset();
    statistics_.strang_steps += attempt.steps;
    outlook_ = attempt.outlook;
    if (!accepted) {
      ++statistics_.rejected;
      growth = 0.9;
      if (next.length * *std::max_element(tables_.rate.begin(), tables_.rate.end()) < 1e-9) {
        throw Error(ExitCode::numerical, fmt::format("the step became {:.2g} at t = {:.6g}", next.length, time_), {},
                    "the tolerance cannot be met; loosen evolve.tolerance, or give more cells");
      }
      continue;
    }
    accept(attempt, *window_);
    growth = 4.0;
    time_ = remaining <= next.length * (1.0 + 1e-9) ? time : time_ + next.length;
    poll(time_);
  }
}

// --- choice of window and levels -----------------------------------------------------------------

/// Before anything was computed: the error of a window of a harmonic oscillator of rate ω, c_K (ωH)^{2K+1}, measured on
/// quadratic cases with densities as wide as the stationary one, times how far and how narrow the start is.
Integrator::Outlook Integrator::first_outlook() const {
  Outlook outlook{infinity, std::vector<double>(most_levels + 1, infinity)};
  for (const double rate : tables_.rate) outlook.length = std::min(outlook.length, 1.0 / rate);
  for (int k = fewest_levels; k <= most_levels; ++k) {
    double worst = 0.0;
    for (std::size_t p = 0; p < tables_.rate.size(); ++p) {
      const double angle = tables_.rate[p] * outlook.length;
      const double allowed = options_.tolerance * outlook.length / tables_.relaxation_time[p];
      worst = std::max(worst, spread_[p] * oscillator_error_constant[static_cast<std::size_t>(k)] *
                                  std::pow(angle, 2 * k + 1) / allowed);
    }
    outlook.ratio[static_cast<std::size_t>(k)] = worst;
  }
  return outlook;
}

/// The cheapest way to cover `remaining` with equal windows.
Integrator::FirstWindow Integrator::best_window(double remaining, const Outlook& outlook, double largest_growth) const {
  const double longest = std::min(remaining, longest_window(mesh_, tables_));
  const double current = window_ ? window_->length() : 0.0;
  // In Strang steps; the rows next to a wall on which a force acts are products of dense matrices.
  const double plan_cost = (mesh_.walls().any_pressed() ? 1e5 : 1500.0) / mesh_.velocity_cells();
  FirstWindow best{remaining, fewest_levels};
  double best_cost = infinity;
  for (int k = fewest_levels; k <= most_levels; ++k) {
    const double ratio = outlook.ratio[static_cast<std::size_t>(k)];
    if (!std::isfinite(ratio)) continue;
    const double growth = std::clamp(std::pow(0.4 / std::max(ratio, 1e-30), 0.5 / k), 0.1, largest_growth);
    const double count = std::ceil(remaining / std::min(outlook.length * growth, longest) - 1e-6);
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
    const double predicted = ratio * std::pow(current / outlook.length, 2 * k);
    if (predicted < 0.7 && largest_growth > 1.0 && present * window_work_with_errors(k) < best_cost) {
      best_cost = present * window_work_with_errors(k);
      best = {current, k};
    }
  }
  return best;
}

Integrator::FirstWindow Integrator::first_window(double time) const {
  if (tables_.dynamics == Dynamics::sgd) return {tables_.learning_rate, 1};
  if (options_.step) return {time / std::ceil(time / *options_.step - 1e-9), 1};
  return best_window(time, first_outlook(), 4.0);
}

}  // namespace underdamp
