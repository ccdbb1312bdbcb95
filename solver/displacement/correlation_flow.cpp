#include "solver/displacement/correlation_flow.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/displacement/flow_samples.hpp"
#include "solver/displacement/flow_window.hpp"
#include "solver/displacement/moment_sums.hpp"
#include "solver/displacement/slow_flow.hpp"
#include "solver/step/propagator.hpp"
#include "solver/step/short_waves.hpp"

namespace underdamp {
namespace {

/// A field that has fallen below this share of what it was has gone.
constexpr double gone = 1e-9;
/// Windows are at most as long as a mode takes for this angle.
constexpr double longest_flow_angle = 1.0;
/// Windows between two looks at how the fields have changed.
constexpr long look_every = 16;
class CorrelationFlow {
 public:
  CorrelationFlow(Backend& backend, const std::vector<ScaledPlane>& planes, const std::vector<FlowStart>& starts,
                  const FlowOptions& options)
      : backend_(backend), scaled_(planes), options_(options), is_stationary_(starts.front().is_stationary) {
    is_map_ = planes.front().tables.dynamics == Dynamics::sgd;
    for (std::size_t p = 0; p < planes.size(); ++p) starts_.push_back(start_fields(planes[p], starts[p].density));
    choose_windows();
    std::vector<double> center;
    for (const StartFields& s : starts_) center.push_back(s.center);
    moments_ = std::make_unique<MomentReader>(backend_, *mesh_, planes_, center);
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
      const WindowChoice choice = choose_window(s, options_.tolerance, longest_flow_angle);
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
    std::vector<FieldSums> result(planes_.size());
    const auto take = [&](const Field& field, MomentSums FieldSums::*member) {
      const auto sums = moments_->read(field);
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
      const double longest = longest_flow_window(planes_[p], longest_flow_angle);  // windows may have to be shorter
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
  std::unique_ptr<MomentReader> moments_;
  double step_error_ = 0.0;
  std::unique_ptr<Field> position_;  ///< (x − c) p, propagated
  std::unique_ptr<Field> before_;    ///< the same a window earlier
  std::unique_ptr<Field> density_;   ///< p, unless it is stationary
  std::unique_ptr<Field> velocity_;  ///< (y − ȳ) p, the same
  std::vector<Lane> lanes_;
};

}  // namespace

std::vector<FlowResult> propagate_correlations(Backend& backend, const std::vector<ScaledPlane>& planes,
                                               const std::vector<FlowStart>& starts, const FlowOptions& options) {
  return CorrelationFlow(backend, planes, starts, options).run();
}

}  // namespace underdamp
