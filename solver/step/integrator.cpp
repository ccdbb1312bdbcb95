#include "solver/step/integrator.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

/// Rounding of that many steps stays below a tenth of the promised 1e-12.
constexpr long steps_between_restorations = 64;

/// With a fixed step: each time costs one half sweep more.
constexpr long steps_between_polls = 32;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Work of a window in Strang steps: its sweeps, the norms, the combination, and the step of the error field.
double window_cost(int levels) {
  return 0.5 * levels * (levels + 1) + 0.6 * levels + 2.0;
}

/// Part of the grid's error of one step by which runs that differ in their steps differ: this times Σ|Δ¹² p|. Fitted on
/// OU-1; it is what a window need not fall below, and a part of the error of the step. The error of the grid is in
/// GridError.
constexpr double roughness_constant = 1e-7;

/// The reported error of the step is this many times the norm of the error field. Measured on quadratic cases the norm
/// is 0.6 to 2.3 times the true error, on double wells and quartic potentials 0.3 to 1.2 times, on tables down to 0.18
/// times (docs/method.md, section 5).
constexpr double time_error_safety = 5.0;

/// L1 error that the rounding of one sweep leaves, in units of the roundoff. Measured: docs/method.md, section 5.
constexpr double rounding_constant = 0.5;

/// Mass that the rounding of a step may take or give, in units of the roundoff: three times the most that was measured
/// (docs/reliability.md). In float32 sums over a line are double, and what rounds are single cells.
constexpr double mass_rounding(Precision precision) {
  return precision == Precision::float64 ? 20.0 : 2.0;
}

/// Below this roughness the rounding of float32 hides the density's own: an extrapolated window leaves about 1e-6 of
/// noise in a cell, and Δ¹² multiplies noise by √(24!/12!²) = 1644.
constexpr double float32_roughness = 3e-3;

/// Sweeps whose rounding errors add up to that of a combination of levels: Σ 2l a_l².
double sweeps_of(const LevelWeights& weights) {
  double sum = 0.0;
  for (std::size_t l = 0; l < weights.size(); ++l) sum += 2.0 * static_cast<double>(l + 1) * weights[l] * weights[l];
  return sum;
}

/// How much larger the error of a window is than from the stationary state: the start lies some deviations away, and a
/// density narrower than the stationary one turns the same displacement into more L1.
double spread_of(const PhasePlane& plane, const Tables& tables, std::size_t p, std::span<const double> density) {
  double mass = 0.0, theta = 0.0, v = 0.0, theta2 = 0.0, v2 = 0.0;
  const auto columns = static_cast<std::size_t>(plane.velocity.cells);
  for (std::size_t k = 0; k < density.size(); ++k) {
    const double x = (plane.theta.center(static_cast<int>(k / columns)) - tables.minimum[p]) / tables.std_theta[p];
    const double y = plane.velocity.center(static_cast<int>(k % columns)) / tables.std_v[p];
    mass += density[k];
    theta += density[k] * x;
    v += density[k] * y;
    theta2 += density[k] * x * x;
    v2 += density[k] * y * y;
  }
  theta /= mass;
  v /= mass;
  const double narrowest = std::sqrt(std::max(1e-6, std::min(theta2 / mass - theta * theta, v2 / mass - v * v)));
  return (1.0 + std::hypot(theta, v)) / std::min(1.0, narrowest);
}

/// Sums that make a DensityShape: roughness, mass, Σ x, Σ x², Σ xy, Σ y, Σ y², Σ D, Σ force', x and y in cells from the
/// middle of the plane.
constexpr std::size_t shape_sums = 9;

RowSumLaw shape_law(const PhaseMesh& mesh, const Tables& tables) {
  const bool map = tables.dynamics == Dynamics::sgd;
  const std::vector<double>& force = map ? tables.kick : tables.force;
  const auto rows = static_cast<std::size_t>(mesh.theta_cells());
  std::vector<double> at;
  std::vector<double> at_squared;
  std::vector<double> slope;
  for (std::size_t l = 0; l < force.size(); ++l) {
    const std::size_t i = l % rows;
    at.push_back(static_cast<double>(i) - 0.5 * static_cast<double>(rows - 1));
    at_squared.push_back(at.back() * at.back());
    const std::size_t below = i > 0 ? l - 1 : l;
    const std::size_t above = i + 1 < rows ? l + 1 : l;
    slope.push_back((force[above] - force[below]) / static_cast<double>(above - below));
  }
  RowSumLaw law{{at, at_squared, map ? tables.step_variance : tables.diffusion, slope}, {}};
  constexpr int mass = 2;
  constexpr int first = 3;
  law.sums = {{RowTerm(0), RowTerm(1)}};  // along θ and along v
  for (const RowTerm& term : {RowTerm(mass), RowTerm(mass, 0), RowTerm(mass, 1), RowTerm(first, 0), RowTerm(first),
                              RowTerm(4), RowTerm(mass, 2), RowTerm(mass, 3)}) {
    law.sums.push_back({term});
  }
  return law;
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

Integrator::Integrator(Backend& backend, PhaseMesh mesh, Tables tables, IntegratorOptions options,
                       std::shared_ptr<LevelFields> levels)
    : backend_(backend),
      mesh_(std::move(mesh)),
      tables_(std::move(tables)),
      options_(options),
      levels_(levels ? std::move(levels) : std::make_shared<LevelFields>(backend, mesh_.shape())),
      windows_(backend, mesh_, tables_) {
  precision_ = backend_.describe().precision;
  if (precision_ == Precision::float32) options_.tolerance = std::max(options_.tolerance, smallest_float32_tolerance);
  density_ = backend_.fields().allocate(mesh_.shape());
  if (options_.step) copy_ = backend_.fields().allocate(mesh_.shape());
  spread_.assign(static_cast<std::size_t>(mesh_.planes()), 1.0);
}

Integrator::~Integrator() = default;

void Integrator::start(std::span<const double> density) {
  backend_.fields().upload(density, *density_);
  time_ = 0.0;
  reached_ = 0.0;
  statistics_ = {};
  restored_ = 0;
  restored_mass_.assign(static_cast<std::size_t>(mesh_.planes()), 0.0);
  lost_ = 0.0;
  planned_.reset();
  stretch_.reset();
  const auto planes = static_cast<std::size_t>(mesh_.planes());
  errors_.assign(planes, {});
  roughness_.assign(planes, 0.0);
  interference_.assign(planes, 0.0);
  rounding_.assign(planes, 0.0);
  shape_.assign(planes, {});
  grid_error_.clear();
  for (int p = 0; p < mesh_.planes(); ++p) {
    const PhasePlane& plane = mesh_.plane(p);
    grid_error_.emplace_back(tables_.friction[static_cast<std::size_t>(p)],
                             plane.velocity.width() / plane.theta.width());
  }
  initial_mass_.assign(planes, 0.0);
  const std::size_t cells = density.size() / planes;
  const auto weights = theta_weights(mesh_);
  const auto columns = static_cast<std::size_t>(mesh_.velocity_cells());
  for (std::size_t k = 0; k < density.size(); ++k)
    initial_mass_[k / cells] += weights[k / columns % weights.size()] * density[k];
  for (int p = 0; p < mesh_.planes(); ++p) {
    const auto first = cells * static_cast<std::size_t>(p);
    spread_[static_cast<std::size_t>(p)] =
        spread_of(mesh_.plane(p), tables_, static_cast<std::size_t>(p), density.subspan(first, cells));
  }
  if (error_) backend_.fields().fill_zero(*error_);
  if (copy_) backend_.fields().copy(*density_, *copy_);
  outlook_ = {};
}

void Integrator::advance(double time, const std::function<void(double)>& poll) {
  if (!(time > reached_)) return;
  try {
    if (tables_.dynamics == Dynamics::sgd) {
      advance_sgd(time, poll);
    } else if (options_.step) {
      advance_fixed(time, poll);
    } else {
      advance_extrapolated(time, poll);
    }
  } catch (...) {
    planned_.reset();
    stretch_.reset();
    throw;
  }
  restore_mass();
  reached_ = time;
}

// --- SGD -----------------------------------------------------------------------------------------

void Integrator::advance_sgd(double time, const std::function<void(double)>& poll) {
  const double eta = tables_.learning_rate;
  if (!map_velocity_) {
    map_velocity_ = backend_.sweeps().plan_velocity(mesh_, tables_.sgd_law());
    const std::vector<double> duration(static_cast<std::size_t>(mesh_.planes()), eta);
    map_drift_ = backend_.sweeps().plan_drift(mesh_, duration);
  }
  const long last = std::lround(time / eta);
  if (time_ == 0.0) measure_shape();
  for (long step = std::lround(time_ / eta); step < last; ++step) {
    backend_.sweeps().velocity(*density_, *density_, *map_velocity_, options_.positivity);
    backend_.sweeps().drift(*density_, *map_drift_, options_.positivity);
    ++statistics_.strang_steps;
    time_ = static_cast<double>(step + 1) * eta;
    add_rounding(eta, 2.0);
    for (std::size_t p = 0; p < errors_.size(); ++p) grid_error_[p].take_sgd_step(shape_[p], eta, tables_.momentum);
    if ((step + 1) % 64 == 0) {
      absorb_created(*density_);
      restore_mass();
    }
    if ((step + 1) % 64 == 0 || step == 7 || step == 31) measure_shape();  // between, GridError moves the shape
    poll(time_);
  }
  absorb_created(*density_);
  measure_shape();
}

// --- fixed step ----------------------------------------------------------------------------------

void Integrator::advance_fixed(double time, const std::function<void(double)>& poll) {
  if (!stretch_) {
    measure_shape();
    stretch_ = Stretch{time_, false, 0};
  }
  const double begin = stretch_->begin;
  const double length = time - begin;
  const auto steps = static_cast<long>(std::ceil(length / *options_.step - 1e-9));
  // The copy takes half as many steps, or twice as many where there is only one.
  const long copy_steps = steps > 1 ? (steps + 1) / 2 : 2;
  const auto run = [&](Field& field, long count, const std::function<void(double)>& tell) {
    Window& window = windows_.of(length / static_cast<double>(count));
    long& done = stretch_->done;
    while (done < count) {
      const long now = std::min(steps_between_polls, count - done);
      window.take_steps(field, field, 1, now, options_.positivity);
      statistics_.strang_steps += now;
      done += now;
      const double share = static_cast<double>(done) / static_cast<double>(count);
      if (&field == density_.get()) {
        time_ = begin + length * share;
        if (statistics_.strang_steps - restored_ >= steps_between_restorations) {
          absorb_created(field);
          restore_mass();
        }
      }
      tell(share);
    }
    absorb_created(field);
  };
  if (!stretch_->in_copy) {
    run(*density_, steps, [&](double share) { poll(begin + length * 2.0 / 3.0 * share); });
    time_ = time;
    stretch_ = Stretch{begin, true, 0};
  }
  run(*copy_, copy_steps, [&](double share) { poll(begin + length * (2.0 + share) / 3.0); });
  stretch_.reset();
  ++statistics_.windows;
  add_rounding(length, 2.0 * static_cast<double>(steps));
  const double ratio = static_cast<double>(steps) / static_cast<double>(copy_steps);
  const std::array<const Field*, 2> pair{density_.get(), copy_.get()};
  const std::array<double, 2> difference{1.0, -1.0};
  const auto norm = backend_.reductions().combination_norm(pair, difference);
  for (std::size_t p = 0; p < errors_.size(); ++p) {
    require_finite(norm[p]);
    errors_[p].time = norm[p] * mesh_.plane(static_cast<int>(p)).cell_area() / std::abs(1.0 - ratio * ratio);
    interference_[p] =
        interference_[p] * std::exp(-length / tables_.relaxation_time[p]) + static_cast<double>(steps) * roughness_[p];
    grid_error_[p].take_steps(shape_[p], length / static_cast<double>(steps), steps);
  }
  measure_shape();
}

// --- extrapolation -------------------------------------------------------------------------------

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
  constexpr std::array<double, most_levels + 1> constant{0.0, 0.0, 0.0, 1e-4, 1e-6, 1.5e-8, 1e-10};
  Outlook outlook{infinity, std::vector<double>(most_levels + 1, infinity)};
  for (const double rate : tables_.rate) outlook.length = std::min(outlook.length, 1.0 / rate);
  for (int k = fewest_levels; k <= most_levels; ++k) {
    double worst = 0.0;
    for (std::size_t p = 0; p < tables_.rate.size(); ++p) {
      const double angle = tables_.rate[p] * outlook.length;
      const double allowed = options_.tolerance * outlook.length / tables_.relaxation_time[p];
      worst =
          std::max(worst, spread_[p] * constant[static_cast<std::size_t>(k)] * std::pow(angle, 2 * k + 1) / allowed);
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
    const double cost = count * window_cost(k) + (rebuild ? plan_cost : 0.0);
    if (cost < best_cost) {
      best_cost = cost;
      best = {length, k};
    }
    // The present length, if its plans still serve and k levels are enough for it.
    const double present = current > 0.0 ? std::round(remaining / current) : 0.0;
    if (present < 1.0 || std::abs(remaining - present * current) > 1e-9 * remaining || current > longest * (1.0 + 1e-9))
      continue;
    const double predicted = ratio * std::pow(current / outlook.length, 2 * k);
    if (predicted < 0.7 && largest_growth > 1.0 && present * window_cost(k) < best_cost) {
      best_cost = present * window_cost(k);
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

// --- health --------------------------------------------------------------------------------------

void Integrator::measure_shape() {
  if (!shape_plan_) shape_plan_ = backend_.reductions().plan_row_sums(mesh_, shape_law(mesh_, tables_));
  const auto sums = backend_.reductions().sum_shapes(*density_, *shape_plan_);
  for (std::size_t p = 0; p < shape_.size(); ++p) {
    const PhasePlane& plane = mesh_.plane(static_cast<int>(p));
    const double* const s = sums.data() + shape_sums * p;
    const double rough = s[0];
    const double mass = s[1];
    roughness_[p] = roughness_constant * rough * plane.cell_area();
    if (!(mass > 0.0)) continue;
    const double x = s[2] / mass;
    const double y = s[5] / mass;
    const double width = plane.velocity.width();
    const double covariance = s[4] / mass - x * y;
    shape_[p] = {{{{s[3] / mass - x * x, covariance}, {covariance, s[6] / mass - y * y}}},
                 y + 0.5 * (plane.velocity.lower + plane.velocity.upper) / width,
                 -s[8] / (mass * width),
                 s[7] / (mass * width * width),
                 rough / mass};
    if (precision_ == Precision::float32 && shape_[p].roughness < float32_roughness) {
      shape_[p].roughness = gaussian_roughness(shape_[p].covariance);
    }
  }
}

/// L1 error of the rounding of one sweep.
double Integrator::sweep_rounding() const {
  return rounding_constant * unit_roundoff(precision_);
}

/// Rounding errors of sweeps are independent of each other; what they leave relaxes like everything else.
void Integrator::add_rounding(double duration, double sweeps) {
  for (std::size_t p = 0; p < rounding_.size(); ++p) {
    rounding_[p] = rounding_[p] * std::exp(-2.0 * duration / tables_.relaxation_time[p]) +
                   sweeps * sweep_rounding() * sweep_rounding();
  }
}

double lost_of(const Departed& departed, const Escape& escape) {
  return departed.total() - (escape.lower ? departed.theta_min : 0.0) - (escape.upper ? departed.theta_max : 0.0);
}

/// Clipping may create a little mass in tails that hold none; scaling takes it back. Also looks at what has left the
/// box.
void Integrator::absorb_created(Field& field) {
  const auto departed = backend_.fields().departed(field);
  std::vector<double> factor;
  bool any = false;
  for (std::size_t p = 0; p < departed.size(); ++p) {
    const double mass = initial_mass_[p] - departed[p].total();
    factor.push_back(mass / (mass + departed[p].created));
    any = any || std::abs(departed[p].created) > 1e-16 * mass;  // an extrapolated count may be negative
    lost_ = std::max(lost_, lost(departed[p], p) / initial_mass_[p]);
    if (std::abs(departed[p].created) > options_.largest_loss * initial_mass_[p]) {
      throw Error(ExitCode::numerical,
                  fmt::format("values below 0 held {:.2e} of the probability of plane {} at t = {:.6g}",
                              departed[p].created / initial_mass_[p], p + 1, time_),
                  {}, "use a smaller step or a smaller tolerance; please report the spec");
    }
  }
  if (any) backend_.fields().absorb_created(field, factor);
  if (lost_ > options_.largest_loss) {
    throw Error(ExitCode::numerical,
                fmt::format("{:.2e} of the probability left the box until t = {:.6g}", lost_, time_), {},
                "enlarge the box (grid.theta, grid.velocity)");
  }
}

/// Rounding changes the mass by up to 1e-15 per step (float32: 2e-8), often in the same direction. Scaling takes that
/// back; what is more than rounding stays, for all to see. What was taken back is added up: health.hpp compares it with
/// what rounding explains.
void Integrator::restore_mass() {
  const double most_rounding = precision_ == Precision::float64 ? 1e-12 : 1e-4;
  restored_ = statistics_.strang_steps;
  const auto masses = backend_.reductions().sum_planes(mesh_, *density_);
  const auto departed = backend_.fields().departed(*density_);
  std::vector<double> factor;
  bool any = false;
  for (std::size_t p = 0; p < departed.size(); ++p) {
    const double mass = masses[p];
    require_finite(mass);
    const double ratio = (initial_mass_[p] - departed[p].total()) / mass;
    factor.push_back(std::abs(ratio - 1.0) < most_rounding ? ratio : 1.0);
    restored_mass_[p] += (factor.back() - 1.0) * mass / initial_mass_[p];
    any = any || factor.back() != 1.0;
  }
  if (any) backend_.fields().absorb_created(*density_, factor);
}

double Integrator::explained_by_rounding() const {
  return mass_rounding(precision_) * unit_roundoff(precision_) * static_cast<double>(statistics_.strang_steps);
}

/// Looks for the cell in the density, then in its copy, or in the levels of the window that made it.
void Integrator::require_finite(double value) {
  if (std::isfinite(value)) return;
  const std::string remedy = "use a smaller step or a smaller tolerance; please report the spec";
  const std::string when = fmt::format("the density is not finite at t = {:.6g}", time_);
  const auto look_into = [&](const Field& field, const std::string& what) {
    const auto sums = backend_.reductions().sum_lines(mesh_, field, {});
    for (std::size_t l = 0; l < sums.size(); ++l) {
      if (std::isfinite(sums[l].mass)) continue;
      const int lines = mesh_.theta_cells();
      const std::array<int, 2> cell{static_cast<int>(l) % lines, static_cast<int>(sums[l].minimum_column)};
      throw Error(ExitCode::numerical, what, place_text(mesh_, static_cast<int>(l) / lines, cell), remedy);
    }
  };
  look_into(*density_, when);
  const std::string after = fmt::format("the step after t = {:.6g} gives values that are not finite", time_);
  if (copy_) look_into(*copy_, after);
  for (const Field* level : levels_->first_const(levels_->count())) look_into(*level, after);
  throw Error(ExitCode::numerical, when, {}, remedy);
}

std::vector<ErrorEstimate> Integrator::errors() const {
  auto result = errors_;
  for (std::size_t p = 0; p < result.size(); ++p) {
    result[p].space = grid_error_[p].norm(shape_[p]);
    result[p].rounding = std::sqrt(rounding_[p]);
  }
  if (error_ && statistics_.windows > 0 && !options_.step) {
    const std::array<const Field*, 1> field{error_.get()};
    const std::array<double, 1> one{1.0};
    const auto norm = backend_.reductions().combination_norm(field, one);
    for (std::size_t p = 0; p < result.size(); ++p) {
      result[p].time = time_error_safety * norm[p] * mesh_.plane(static_cast<int>(p)).cell_area();
    }
  }
  // Two runs that differ in their steps also differ by part of what the grid and the walls take. The map has no error
  // in time: what has left its box counts with the grid.
  const auto departed = backend_.fields().departed(*density_);
  for (std::size_t p = 0; p < result.size(); ++p) {
    const double missing = std::abs(lost(departed[p], p)) * mesh_.plane(static_cast<int>(p)).cell_area();
    if (tables_.dynamics == Dynamics::langevin) {
      result[p].step = result[p].time;
      result[p].time += 0.5 * interference_[p] + missing;
    } else {
      result[p].space += missing;
    }
  }
  return result;
}

}  // namespace underdamp
