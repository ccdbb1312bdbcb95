#include "solver/step/integrator.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "meshes/cell_index.hpp"

namespace underdamp {
namespace {

/// With a fixed step: each time costs one half sweep more.
constexpr long steps_between_polls = 32;

/// How much larger the error of a window is than from the stationary state: the start lies some deviations away, and a
/// density narrower than the stationary one turns the same displacement into more L1.
double spread_of(const PhasePlane& plane, const Tables& tables, std::size_t p, std::span<const double> density) {
  double mass = 0.0, theta = 0.0, v = 0.0, theta2 = 0.0, v2 = 0.0;
  const CellIndex cell(plane);
  for (std::size_t k = 0; k < density.size(); ++k) {
    const double x = (plane.theta.center(static_cast<int>(cell.row(k))) - tables.minimum[p]) / tables.std_theta[p];
    const double y = plane.velocity.center(static_cast<int>(cell.column(k))) / tables.std_v[p];
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

}  // namespace

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
  const CellIndex cell(mesh_);
  for (std::size_t k = 0; k < density.size(); ++k) initial_mass_[cell.plane(k)] += weights[cell.row(k)] * density[k];
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

}  // namespace underdamp
