#include "solver/displacement/correlation_flow.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/displacement/moment_sums.hpp"
#include "solver/displacement/slow_flow.hpp"
#include "solver/step/propagator.hpp"
#include "solver/step/short_waves.hpp"

namespace underdamp {
namespace {

/// A field that has fallen below this share of what it was has gone.
constexpr double gone = 1e-9;
/// Windows are at most as long as a mode takes for this angle.
constexpr double longest_angle = 1.0;
/// Windows between two looks at how the fields have changed.
constexpr long look_every = 16;
/// A field that changes by less than this in the longest window is slow, and the generator takes over if much is left
/// to do.
constexpr double slow_change = 0.06;
constexpr double many_windows = 150.0;
/// Above this share of its final size a displacement is read off directly; below, the integral of its rate has more
/// digits.
constexpr double direct_share = 0.2;

/// ∫ u over an interval h from u and three derivatives at both ends, error h⁹ u⁽⁸⁾/25 401 600; or one of them, for
/// slow ones.
double two_point_integral(const std::array<double, 5>& a, const std::array<double, 5>& b, double h, bool is_slow) {
  if (is_slow) return h * (0.5 * (a[1] + b[1]) + h / 12.0 * (a[2] - b[2]));
  return h * (0.5 * (a[1] + b[1]) +
              h * (3.0 / 28.0 * (a[2] - b[2]) + h * ((a[3] + b[3]) / 84.0 + h * (a[4] - b[4]) / 1680.0)));
}

/// Fields of one plane at the start: p, (x − c) p and (y − ȳ) p.
struct StartFields {
  std::vector<double> density;
  std::vector<double> position;
  std::vector<double> velocity;
  double center = 0.0;
};

StartFields start_fields(const ScaledPlane& s, const std::vector<double>& density) {
  const auto columns = static_cast<std::size_t>(s.plane.velocity.cells);
  const auto x = [&](std::size_t k) { return s.plane.theta.center(static_cast<int>(k / columns)); };
  const auto y = [&](std::size_t k) { return s.plane.velocity.center(static_cast<int>(k % columns)); };
  double mass = 0.0, mean_x = 0.0, mean_y = 0.0;
  for (std::size_t k = 0; k < density.size(); ++k) {
    mass += density[k];
    mean_x += density[k] * x(k);
    mean_y += density[k] * y(k);
  }
  StartFields fields{density, density, density, mean_x / mass};
  mean_y /= mass;
  for (std::size_t k = 0; k < density.size(); ++k) {
    fields.density[k] /= mass * s.plane.cell_area();
    fields.position[k] = fields.density[k] * (x(k) - fields.center);
    fields.velocity[k] = fields.density[k] * (y(k) - mean_y);
  }
  return fields;
}

/// Sums over the fields of one plane at one time; of p and (y − ȳ) p only if they are propagated.
struct FieldSums {
  MomentSums position;
  MomentSums density;
  MomentSums velocity;
};

/// Turns sums into samples: from units in which a window is 1 into those of the plane.
class Sampler {
 public:
  Sampler(bool is_stationary, bool is_map, double unit, const FieldSums& start)
      : is_stationary_(is_stationary), is_map_(is_map), unit_(unit), start_(start) {
    last_ = rates(0.0, start);
    last_.displacement[0] = last_.displacement[1] = 0.0;
  }

  const CurveSample& first() const { return last_; }

  /// The sample at `time` (in windows), later than the last.
  CurveSample next(double time, const FieldSums& sums, bool is_slow) {
    CurveSample sample = rates(time, sums);
    sample.is_slow = is_slow;
    sample.displacement[0] =
        last_.displacement[0] +
        (is_map_ ? map_increment(sums)
                 : two_point_integral(last_.displacement, sample.displacement, sample.time - last_.time, is_slow));
    const double direct = direct_displacement(sums);
    if (direct > direct_share * size(sums)) sample.displacement[0] = direct;
    last_ = sample;
    return sample;
  }

 private:
  double size(const FieldSums& sums) const {
    return is_stationary_ ? 2.0 * start_.position.position[0] : sums.density.square + start_.density.square;
  }
  double direct_displacement(const FieldSums& sums) const {
    if (is_stationary_) return 2.0 * (start_.position.position[0] - sums.position.position[0]);
    return sums.density.square - 2.0 * sums.position.position[0] + start_.density.square;
  }
  /// E|x_n − x_0|² − E|x_{n−1} − x_0|², with x_n = x_{n−1} + y_n in these units.
  double map_increment(const FieldSums& sums) const {
    if (is_stationary_) return -2.0 * sums.position.position[1];
    return 2.0 * (sums.density.spread[0] - sums.position.position[1]) - sums.density.velocity_square;
  }
  CurveSample rates(double time, const FieldSums& sums) const {
    CurveSample sample;
    sample.time = time * unit_;
    double scale = 1.0;
    for (std::size_t n = 0; n < 5; ++n, scale /= unit_) {
      sample.correlation[n] = sums.position.position[n] * scale;
      if (n == 0) continue;
      const double spread = is_stationary_ ? 0.0 : sums.density.spread[n - 1];
      sample.displacement[n] = 2.0 * (spread - sums.position.position[n]) * scale;
      if (!is_stationary_) sample.velocity[n - 1] = sums.velocity.position[n] * scale / unit_;
    }
    return sample;
  }

  bool is_stationary_;
  bool is_map_;
  double unit_;
  FieldSums start_;
  CurveSample last_;
};

class CorrelationFlow {
 public:
  CorrelationFlow(Backend& backend, const std::vector<ScaledPlane>& planes, const std::vector<FlowStart>& starts,
                  const FlowOptions& options)
      : backend_(backend), scaled_(planes), options_(options), is_stationary_(starts.front().is_stationary) {
    is_map_ = planes.front().tables.dynamics == Dynamics::sgd;
    for (std::size_t p = 0; p < planes.size(); ++p) starts_.push_back(start_fields(planes[p], starts[p].density));
    choose_windows();
    upload();
    const auto sums = read();
    const auto norm = norms(*position_);
    for (std::size_t p = 0; p < planes.size(); ++p) {
      Lane lane{Sampler(is_stationary_, is_map_, unit_[p], sums[p]), {}, norm[p]};
      lane.samples.push_back(lane.sampler.first());
      lanes_.push_back(std::move(lane));
    }
  }

  std::vector<FlowResult> run() {
    for (long n = 1; !all_done(); ++n) {
      const bool looks = n % look_every == 0;
      if (looks) backend_.fields().copy(*position_, *before_);
      advance(*position_);
      if (!is_stationary_) {
        advance(*density_);
        advance(*velocity_);
      }
      record(n);
      if (looks) look(n);
      options_.poll(share(n));
    }
    std::vector<FlowResult> results;
    for (std::size_t p = 0; p < lanes_.size(); ++p) results.push_back(finished(p));
    return results;
  }

 private:
  struct Lane {
    Sampler sampler;
    std::vector<CurveSample> samples;
    double norm;  ///< of (x − c) p_0
    bool done = false;
    bool relaxed = false;
    bool used_generator = false;
    long windows = 0;
    long next_attempt = 0;  ///< when the generator may be asked again
  };

  // --- set-up ------------------------------------------------------------------------------------

  /// Windows of every plane as long as its error allows; in units of them the batch has windows of length 1.
  void choose_windows() {
    if (is_map_) {
      for (const ScaledPlane& s : scaled_) unit_.push_back(s.tables.learning_rate);
      return build(1);
    }
    double most = 0.0;
    int levels = fewest_levels;
    for (const ScaledPlane& s : scaled_) {
      const WindowChoice choice = choose_window(s, options_.tolerance, longest_angle);
      unit_.push_back(choice.length);
      if (marching_time(s) < most * choice.length) continue;
      most = marching_time(s) / choice.length;
      levels = choice.levels;
    }
    constexpr int most_attempts = 10;
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
      build(levels);
      step_error_ = measured_error();
      if (step_error_ <= options_.tolerance) {
        step_error_ += removal_error();
        return;
      }
      const double shrink = std::clamp(std::pow(options_.tolerance / step_error_, 0.5 / levels), 0.4, 0.9);
      for (double& unit : unit_) unit *= shrink;
    }
    throw Error(ExitCode::numerical,
                fmt::format("no step gives a displacement to {:.1e}: the shortest tried has an error of {:.1e}",
                            options_.tolerance, step_error_),
                {}, "give more cells or a wider box, or loosen displacement.tolerance");
  }

  void build(int levels) {
    propagator_.reset();
    planes_.clear();
    for (std::size_t p = 0; p < scaled_.size(); ++p) planes_.push_back(in_units(scaled_[p], 1.0, unit_[p]));
    mesh_ = std::make_unique<PhaseMesh>(stacked_mesh(planes_));
    tables_ = std::make_unique<Tables>(stacked_tables(planes_));
    propagator_ = std::make_unique<Propagator>(backend_, *mesh_, *tables_, 1.0, 1, levels);
    short_waves_ = std::make_unique<ShortWaves>(backend_, planes_);
  }

  /// Error of a window on the field of the start, added up over the relaxation time, relative to that field.
  double measured_error() {
    upload();
    const auto norm = norms(*position_);
    const auto error = propagator_->window_errors(*position_);
    double worst = 0.0;
    for (std::size_t p = 0; p < error.size(); ++p) {
      const double relative = error[p] / norm[p] * std::max(1.0, marching_time(planes_[p]));
      if (!(relative <= worst)) worst = relative;
    }
    return worst;
  }

  /// What the removal of short waves takes from the field of the start, added up in the same way.
  double removal_error() {
    const auto norm = norms(*position_);
    backend_.fields().copy(*position_, *before_);
    short_waves_->remove(*before_);
    const auto removed = change_norms();
    double worst = 0.0;
    for (std::size_t p = 0; p < removed.size(); ++p)
      worst = std::max(worst, removed[p] / norm[p] * std::max(1.0, marching_time(planes_[p])));
    return worst;
  }

  /// In units of a window y is longer than in those of the plane by 1/unit, and p smaller by as much: values times
  /// unit^`power`.
  std::vector<double> stacked(std::vector<double> StartFields::*member, int power) const {
    std::vector<double> all;
    for (std::size_t p = 0; p < starts_.size(); ++p) {
      const double factor = std::pow(unit_[p], power);
      for (const double value : starts_[p].*member) all.push_back(value * factor);
    }
    return all;
  }

  void upload() {
    const auto put = [&](std::unique_ptr<Field>& field, std::vector<double> StartFields::*member, int power) {
      if (!field) field = backend_.fields().allocate(mesh_->shape());
      backend_.fields().upload(stacked(member, power), *field);
    };
    put(position_, &StartFields::position, -1);
    put(before_, &StartFields::position, -1);
    if (is_stationary_) return;
    put(density_, &StartFields::density, -1);
    put(velocity_, &StartFields::velocity, 0);
  }

  // --- marching ----------------------------------------------------------------------------------

  void advance(Field& field) {
    propagator_->apply(field);
    if (!is_map_) short_waves_->remove(field);
  }

  std::vector<double> areas(std::vector<double> sums) const {
    for (std::size_t p = 0; p < sums.size(); ++p) sums[p] *= planes_[p].plane.cell_area();
    return sums;
  }
  std::vector<double> norms(const Field& field) {
    const std::array<const Field*, 1> fields{&field};
    const std::array<double, 1> one{1.0};
    return areas(backend_.reductions().combination_norm(fields, one));
  }

  /// Of the difference of the propagated field and the one before.
  std::vector<double> change_norms() {
    const std::array<const Field*, 2> fields{position_.get(), before_.get()};
    const std::array<double, 2> difference{1.0, -1.0};
    return areas(backend_.reductions().combination_norm(fields, difference));
  }

  std::vector<FieldSums> read() {
    std::vector<double> center;
    for (const StartFields& s : starts_) center.push_back(s.center);
    std::vector<FieldSums> result(planes_.size());
    const auto take = [&](const Field& field, MomentSums FieldSums::*member) {
      const auto sums = moment_sums(backend_, *mesh_, field, planes_, center);
      for (std::size_t p = 0; p < result.size(); ++p) result[p].*member = sums[p];
    };
    take(*position_, &FieldSums::position);
    if (is_stationary_) return result;
    take(*density_, &FieldSums::density);
    take(*velocity_, &FieldSums::velocity);
    return result;
  }

  /// A map is followed one step further, for differences of its last steps.
  double end(std::size_t p) const { return is_map_ ? options_.until + unit_[p] : options_.until; }

  void record(long n) {
    const auto sums = read();
    for (std::size_t p = 0; p < lanes_.size(); ++p) {
      Lane& lane = lanes_[p];
      if (lane.done) continue;
      add_sample(lane, static_cast<double>(n), sums[p], false);
      require_finite(lane.samples.back());
      lane.windows = n;
      lane.done = lane.samples.back().time >= end(p) * (1.0 - 1e-9);
    }
  }

  void add_sample(Lane& lane, double time, const FieldSums& sums, bool is_slow) const {
    const CurveSample sample = lane.sampler.next(time, sums, is_slow);
    if (is_map_ && is_stationary_) {  // E y_0 y_n is the second difference of E x_0 x_n
      CurveSample& last = lane.samples.back();
      const double before = lane.samples.size() > 1 ? last.correlation[1] : -sample.correlation[1];
      last.velocity[0] = (before - sample.correlation[1]) / (sample.time - last.time);
    }
    lane.samples.push_back(sample);
  }

  static void require_finite(const CurveSample& sample) {
    if (std::isfinite(sample.displacement[0] + sample.displacement[1] + sample.correlation[0])) return;
    throw Error(ExitCode::numerical, fmt::format("the displacement is not finite at omega t = {:.6g}", sample.time), {},
                "use more cells or a smaller displacement.tolerance; please report the spec");
  }

  /// Which planes have nothing left to do, and which are slow enough for the generator.
  void look(long n) {
    const auto norm = norms(*position_);
    const auto change = change_norms();
    for (std::size_t p = 0; p < lanes_.size(); ++p) {
      Lane& lane = lanes_[p];
      if (lane.done) continue;
      const CurveSample& last = lane.samples.back();
      if (norm[p] <= gone * lane.norm && std::abs(last.displacement[1] * unit_[p]) <= gone * last.displacement[0]) {
        lane.done = lane.relaxed = true;
        continue;
      }
      const double rate = change[p] / norm[p];
      const double longest = longest_window(planes_[p], longest_angle);  // windows may have to be shorter
      const double left = std::min((end(p) - last.time) / unit_[p], std::log(norm[p] / (gone * lane.norm)) / rate);
      if (is_map_ || !(rate * longest <= slow_change) || !(left >= many_windows) || n < lane.next_attempt) continue;
      if (!finish_slowly(p, n, rate)) lane.next_attempt = 2 * n;
    }
  }

  /// The rest of plane p by the generator, at times that grow by a constant ratio. False if its space does not
  /// converge.
  bool finish_slowly(std::size_t p, long n, double rate) {
    if (!SlowFlow::fits(planes_[p], backend_.describe())) return false;
    const double rest = end(p) / unit_[p] - static_cast<double>(n);
    const SlowTimes times = slow_times(rest, planes_[p].tables.friction[0]);
    const std::function<void()> poll = [&] { options_.poll(share(n)); };
    SlowFlow flow(planes_[p], rate, poll);
    std::vector<FieldSums> sums(times.time.size());
    const auto take = [&](const Field& field, MomentSums FieldSums::*member) {
      const auto found = flow.moments(values(field, p), starts_[p].center, times.time, 0.1 * options_.tolerance);
      for (std::size_t k = 0; found && k < sums.size(); ++k) sums[k].*member = (*found)[k];
      return found.has_value();
    };
    if (!take(*position_, &FieldSums::position)) return false;
    if (!is_stationary_ && !(take(*density_, &FieldSums::density) && take(*velocity_, &FieldSums::velocity)))
      return false;
    Lane& lane = lanes_[p];
    for (std::size_t k = 0; k < sums.size(); ++k) {
      add_sample(lane, static_cast<double>(n) + times.time[k], sums[k], k >= times.first_slow);
      require_finite(lane.samples.back());
    }
    lane.done = lane.used_generator = true;
    return true;
  }

  std::vector<double> values(const Field& field, std::size_t p) {
    std::vector<double> values(mesh_->shape().cells() / planes_.size());
    backend_.fields().download_planes(field, static_cast<int>(p), 1, values);
    return values;
  }

  bool all_done() const {
    return std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.done; });
  }

  /// Fields have gone after about twenty relaxation times.
  double share(long n) const {
    double least = 1.0;
    for (std::size_t p = 0; p < lanes_.size(); ++p) {
      if (lanes_[p].done) continue;
      const double all = std::min(end(p), 21.0 * scaled_[p].tables.relaxation_time[0]);
      least = std::min(least, static_cast<double>(n) * unit_[p] / all);
    }
    return least;
  }

  FlowResult finished(std::size_t p) {
    Lane& lane = lanes_[p];
    using Kind = DisplacementCurve::Kind;
    const Kind kind = is_stationary_ ? Kind::stationary : Kind::initial;
    if (is_map_) thin_out(lane, unit_[p]);
    return {DisplacementCurve(kind, std::move(lane.samples), is_map_ ? unit_[p] : 0.0, lane.relaxed), step_error_,
            lane.windows, lane.used_generator};
  }

  /// Leaves the wanted steps of a map and their neighbours.
  void thin_out(Lane& lane, double unit) const {
    if (options_.steps.empty()) return;
    const double last = lane.samples.back().time;
    std::erase_if(lane.samples, [&](const CurveSample& sample) {
      const long n = std::lround(sample.time / unit);
      const auto near = std::lower_bound(options_.steps.begin(), options_.steps.end(), n - 1);
      return sample.time < last && (near == options_.steps.end() || *near > n + 1);
    });
  }

  Backend& backend_;
  const std::vector<ScaledPlane>& scaled_;
  FlowOptions options_;
  bool is_stationary_;
  bool is_map_ = false;
  std::vector<StartFields> starts_;
  std::vector<double> unit_;         ///< [plane] time that a window takes
  std::vector<ScaledPlane> planes_;  ///< in units of a window
  std::unique_ptr<PhaseMesh> mesh_;
  std::unique_ptr<Tables> tables_;
  std::unique_ptr<Propagator> propagator_;
  std::unique_ptr<ShortWaves> short_waves_;
  double step_error_ = 0.0;
  std::unique_ptr<Field> position_;  ///< (x − c) p, propagated
  std::unique_ptr<Field> before_;    ///< the same a window earlier
  std::unique_ptr<Field> density_;   ///< p, unless it is stationary
  std::unique_ptr<Field> velocity_;  ///< (y − ȳ) p, the same
  std::vector<Lane> lanes_;
};

}  // namespace

namespace {

/// Fastest rate within the standard deviations where the density is.
double typical_rate(const ScaledPlane& plane) {
  constexpr double typical = 4.0;
  double rate = 0.5 * plane.tables.friction[0];
  for (std::size_t i = 0; i < plane.slope.size(); ++i) {
    const double x = plane.plane.theta.center(static_cast<int>(i)) / plane.tables.std_theta[0];
    if (std::abs(x) < typical) rate = std::max(rate, std::sqrt(std::abs(plane.slope[i])));
  }
  return rate;
}

}  // namespace

double longest_window(const ScaledPlane& plane, double longest_angle) {
  return std::min(1.0 / plane.tables.friction[0], longest_angle / typical_rate(plane));
}

WindowChoice choose_window(const ScaledPlane& plane, double tolerance, double longest_angle) {
  // Error constants of the harmonic oscillator (solver/step/integrator.cpp): c_K (ωH)^{2K+1} for a window of K levels.
  constexpr std::array<double, most_levels + 1> constant{0.0, 0.0, 0.0, 1e-4, 1e-6, 1.5e-8, 1e-10};
  const double rate = typical_rate(plane);
  const double longest = longest_window(plane, longest_angle);
  WindowChoice best{longest, most_levels};
  double least_cost = std::numeric_limits<double>::infinity();
  for (int k = fewest_levels; k <= most_levels; ++k) {
    const double error_at_rate = constant[static_cast<std::size_t>(k)] * marching_time(plane) * rate;
    const double length = std::min(longest, std::pow(tolerance / error_at_rate, 0.5 / k) / rate);
    const double cost = (0.5 * k * (k + 1) + 2.0) / length;
    if (cost >= least_cost) continue;
    least_cost = cost;
    best = {length, k};
  }
  return best;
}

double marching_time(const ScaledPlane& plane) {
  constexpr double windows = 200.0;  // of strong friction, which bounds them by 1/γ
  return std::min(plane.tables.relaxation_time[0], windows / plane.tables.friction[0]);
}

std::vector<FlowResult> propagate_correlations(Backend& backend, const std::vector<ScaledPlane>& planes,
                                               const std::vector<FlowStart>& starts, const FlowOptions& options) {
  return CorrelationFlow(backend, planes, starts, options).run();
}

}  // namespace underdamp
