#include "solver/displacement/cold_start.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "meshes/cell_index.hpp"
#include "meshes/error.hpp"
#include "solver/displacement/flow_window.hpp"
#include "solver/displacement/moment_sums.hpp"
#include "solver/displacement/slow_flow.hpp"
#include "solver/model/gaussian.hpp"
#include "solver/model/linear_covariance.hpp"
#include "solver/model/resampling.hpp"
#include "solver/step/propagator.hpp"
#include "solver/step/short_waves.hpp"

namespace underdamp {
namespace {

/// Until this share of its fastest time the process is the linearised one: the force has changed v by as little, and a
/// loss that is no parabola has not been felt.
constexpr double early_share = 0.01;
/// A density grows by at most this factor in one box, of which it then fills ± so many standard deviations.
constexpr double growth = 2.0;
constexpr double deviations = 7.5;
/// A box that would be nearly as large as the last one is the last one.
constexpr double nearly = 0.8;
/// Probability near the walls of a box that was too small.
constexpr double largest_tail = 1e-9;
/// Change of the density in one window below which it is stationary: what is slower has been left to the generator.
constexpr double stationary_change = 1e-10;
/// Windows are at most as long as a mode takes for this angle; variances turn twice as fast.
constexpr double longest_angle = 0.5;
constexpr long windows_before_generator = 16;

/// Mean and covariance of (x, y).
struct Gaussian {
  Vector2 mean{};
  Covariances covariance{};
};

/// One of the growing boxes, and until when it serves.
struct Stage {
  PhasePlane box;  ///< in (x, y)
  double end;
  bool is_last;
};

class ColdStart {
 public:
  ColdStart(Backend& backend, const Model& model, int p, const PhasePlane& box, const FlowOptions& options)
      : backend_(backend), model_(model), p_(p), options_(options), is_map_(model.dynamics() == Dynamics::sgd) {
    const Derived d = model.derived(p);
    length_ = d.std_theta;
    speed_ = d.std_theta * d.omega;
    last_box_ = scaled_plane(model, p, box).plane;
  }

  FlowResult run() {
    begin();
    bool must_be_last = false;
    while (time_ < end() * (1.0 - 1e-9) && !relaxed_) {
      const Stage stage = must_be_last ? Stage{last_box_, end(), true} : next_stage();
      if (!march(stage)) must_be_last = true;
    }
    return {DisplacementCurve(DisplacementCurve::Kind::cold, std::move(samples_), step_, relaxed_, early_), step_error_,
            windows_, used_generator_};
  }

 private:
  double end() const { return is_map_ ? options_.until + step_ : options_.until; }

  /// The plane in a box, scaled; the map in units of its step.
  ScaledPlane plane_in(const PhasePlane& box) const {
    PhasePlane user = box;
    const double minimum = model_.plane(p_).minimum;
    user.theta.lower = minimum + length_ * box.theta.lower;
    user.theta.upper = minimum + length_ * box.theta.upper;
    user.velocity.lower = speed_ * box.velocity.lower;
    user.velocity.upper = speed_ * box.velocity.upper;
    return scaled_plane(model_, p_, user);
  }

  /// The Gaussian of the linearised process, when it can be put on a grid.
  void begin() {
    const Derived d = model_.derived(p_);
    const double minimum = model_.plane(p_).minimum;
    local_ = {-model_.k() * model_.curvature(p_, minimum) / (d.omega * d.omega), d.gamma / d.omega,
              model_.diffusion(p_, minimum) / (speed_ * speed_ * d.omega)};
    if (is_map_) return begin_map();
    early_ = LinearSpread{-local_.slope, local_.friction, local_.diffusion};
    time_ = early_share / std::max(std::sqrt(std::abs(local_.slope)), local_.friction);
    density_ = {{0.0, 0.0}, early_->covariance(time_)};
    CurveSample sample;
    sample.time = time_;
    sample.displacement = early_->spread(time_);
    samples_.push_back(sample);
  }

  /// The covariance of the map's first steps, until a grid can hold it: after one step the density is a line, and some
  /// of that correlation remains for ever. Twenty relaxation times on, what the grid cannot hold it never will.
  void begin_map() {
    step_ = model_.learning_rate() * model_.derived(p_).omega;
    const double minimum = model_.plane(p_).minimum;
    // In units where θ is x and v is y: their curvature is the change of y per x.
    const LinearizedMap map{model_.curvature(p_, minimum) * length_ / speed_, model_.momentum(), step_,
                            model_.step_variance(p_, minimum) / (speed_ * speed_)};
    const double cells = std::min(last_box_.theta.cells, last_box_.velocity.cells) / (2.0 * deviations);
    Covariances c{};
    samples_.emplace_back();
    const double last = 20.0 * model_.derived(p_).relaxation_time * model_.derived(p_).omega;
    for (long n = 1;; ++n) {
      map.advance(c);
      time_ = static_cast<double>(n) * step_;
      CurveSample sample;
      sample.time = time_;
      sample.displacement[0] = c[0];
      samples_.push_back(sample);
      const double correlation = std::abs(c[1]) / std::sqrt(c[0] * c[2]);
      if (n > 1 && cells * std::sqrt(1.0 - correlation) >= fewest_cells_across) break;
      if (!(time_ <= last)) {
        throw Error(ExitCode::bad_input,
                    fmt::format("from rest the map keeps theta and v correlated by {:.6g}, too narrow for its grid",
                                correlation),
                    {}, "use more cells (grid.cells)");
      }
      options_.poll(std::min(1.0, time_ / end()));
    }
    density_ = {{0.0, 0.0}, c};
  }

  /// The box for what the linearised process makes of the density until it has grown by `growth`.
  Stage next_stage() const {
    LinearizedLangevin linear = local_;
    if (!values_.empty()) linear = linear_at_mean();
    const auto start = density_.covariance;
    auto c = start;
    auto largest = start;
    double t = time_;
    const double dt =
        0.02 * std::min({time_, 1.0 / std::max(std::sqrt(std::abs(linear.slope)), 1e-12), 1.0 / linear.friction});
    const bool x_is_last = fits_last(last_box_.theta, density_.mean[0], growth * std::sqrt(start[0]));
    const bool y_is_last = fits_last(last_box_.velocity, density_.mean[1], growth * std::sqrt(start[2]));
    if (x_is_last && y_is_last) return {last_box_, end(), true};
    constexpr double square = growth * growth;
    constexpr long most_steps = 1'000'000;
    for (long n = 0; n < most_steps && t < end(); ++n) {
      auto next = c;
      linear.advance(next, dt);
      if ((!x_is_last && next[0] > square * start[0]) || (!y_is_last && next[2] > square * start[2])) break;
      c = next;
      t += dt;
      for (std::size_t a = 0; a < 3; ++a) largest[a] = std::max(largest[a], c[a]);
    }
    t = std::min(std::max(t, time_ + dt), end());
    if (is_map_) t = std::max(time_ + step_, std::floor(t / step_ + 1e-9) * step_);
    PhasePlane box = last_box_;
    if (!x_is_last) box.theta = around(last_box_.theta, density_.mean[0], std::sqrt(largest[0]));
    if (!y_is_last) box.velocity = around(last_box_.velocity, density_.mean[1], std::sqrt(largest[2]));
    return {box, t, false};
  }

  /// Would a density of this width need nearly all of the last box?
  static bool fits_last(const Axis& last, double mean, double deviation) {
    const double reach = deviations * deviation;
    return mean - reach < nearly * last.lower || mean + reach > nearly * last.upper;
  }
  static Axis around(const Axis& last, double mean, double deviation) {
    return {std::max(last.lower, mean - deviations * deviation), std::min(last.upper, mean + deviations * deviation),
            last.cells};
  }
  LinearizedLangevin linear_at_mean() const {
    const Axis& axis = box_.theta;
    const int i = std::clamp(static_cast<int>((density_.mean[0] - axis.lower) / axis.width()), 0, axis.cells - 1);
    const ScaledPlane s = plane_in(box_);
    const auto line = static_cast<std::size_t>(i);
    return {s.slope[line], s.tables.friction[0], s.tables.diffusion[line]};
  }

  std::vector<double> density_in(const PhasePlane& box) const {
    std::vector<double> values;
    if (values_.empty()) {
      const auto& c = density_.covariance;
      for (int i = 0; i < box.theta.cells; ++i) {
        for (int j = 0; j < box.velocity.cells; ++j)
          values.push_back(gaussian_density(density_.mean, {{{c[0], c[1]}, {c[1], c[2]}}}, box.theta.center(i),
                                            box.velocity.center(j)));
      }
    } else {
      values = resampled(values_, box_, box);
    }
    double mass = 0.0;
    for (const double value : values) mass += value * box.cell_area();
    for (double& value : values) value /= mass;
    return values;
  }

  /// A stage on the device, in units of its windows.
  struct Work {
    double unit;  ///< time of a window
    long count;   ///< windows of the stage
    ScaledPlane plane;
    PhaseMesh mesh;
    std::unique_ptr<Propagator> propagator;
    std::unique_ptr<Field> field;
    double error = 0.0;  ///< estimated, of the step
  };

  /// With windows so short that their error over the stage, or over the relaxation time if that is shorter, is within
  /// the tolerance.
  std::unique_ptr<Work> prepare(const Stage& stage, std::vector<double>& values) {
    const ScaledPlane scaled = plane_in(stage.box);
    const double span = stage.end - time_;
    const WindowChoice choice =
        is_map_ ? WindowChoice{step_, 1} : choose_window(scaled, options_.tolerance, longest_angle);
    const auto in_box = density_in(stage.box);
    double length = choice.length;
    constexpr double least_gain = 0.5;  // less is noise, which shorter windows do not make smaller
    double before = std::numeric_limits<double>::infinity();
    for (;;) {
      const double count = std::max(1.0, is_map_ ? std::round(span / step_) : std::ceil(span / length - 1e-9));
      const double unit = is_map_ ? step_ : span / count;
      ScaledPlane plane = in_units(scaled, 1.0, unit);
      PhaseMesh mesh = plane.mesh();
      auto work = std::unique_ptr<Work>(new Work{unit, static_cast<long>(std::min(count, 1e15)), std::move(plane),
                                                 std::move(mesh), nullptr, nullptr});
      work->propagator = std::make_unique<Propagator>(backend_, work->mesh, work->plane.tables, 1.0, 1, choice.levels);
      work->field = backend_.fields().allocate(work->mesh.shape());
      values = in_box;  // in units of a window y is longer by 1/unit than in those of the plane
      for (double& value : values) value /= unit;
      backend_.fields().upload(values, *work->field);
      const double windows = std::min(count, std::max(1.0, marching_time(work->plane)));
      work->error = windows * work->propagator->window_error(*work->field);
      if (work->error <= options_.tolerance || !(work->error < least_gain * before)) return work;
      before = work->error;
      length = unit * std::clamp(std::pow(options_.tolerance / work->error, 0.5 / choice.levels), 0.3, 0.8);
    }
  }

  /// Follows the density through one stage. False, and nothing has happened, if it came to the walls of its box.
  bool march(const Stage& stage) {
    std::vector<double> values;
    const auto work = prepare(stage, values);
    const double moved = moment_sums(work->plane, values, 0.0).square;
    const auto before = backend_.fields().allocate(work->mesh.shape());
    ShortWaves short_waves(backend_, {work->plane});
    const MomentReader moments(backend_, work->mesh, {work->plane}, zero_);
    std::vector<CurveSample> samples;
    bool relaxed = false;
    bool by_generator = false;
    long n = 0;
    long next_attempt = windows_before_generator;
    while (n < work->count && !relaxed && !by_generator) {
      backend_.fields().copy(*work->field, *before);
      work->propagator->apply(*work->field);
      if (!is_map_) short_waves.remove(*work->field);
      ++n;
      const double now = time_ + work->unit * static_cast<double>(n);
      samples.push_back(sample_of(moments.read(*work->field)[0], now, work->unit));
      options_.poll(std::min(1.0, now / std::min(end(), 21.0 * work->plane.tables.relaxation_time[0] * work->unit)));
      relaxed = stage.is_last && change(*work, *before) < stationary_change;
      if (!is_map_ && n >= next_attempt && !relaxed) {
        by_generator = finish_slowly(*work, stage, values, samples);
        next_attempt += by_generator ? 0 : std::max(8L, n / 2);
      }
    }
    if (!by_generator) backend_.fields().download(*work->field, values);
    if (!stage.is_last && tail(work->plane, values) > largest_tail) return false;
    const double exact = density_.covariance[0] + density_.mean[0] * density_.mean[0];
    step_error_ = std::max({step_error_, work->error, std::abs(moved / exact - 1.0)});
    accept(stage, *work, values, samples);
    windows_ += n;
    used_generator_ = used_generator_ || by_generator;
    relaxed_ = relaxed;
    return true;
  }

  CurveSample sample_of(const MomentSums& sums, double time, double unit) const {
    CurveSample sample;
    sample.time = time;
    sample.displacement[0] = sums.square;
    double scale = 1.0 / unit;
    for (std::size_t k = 0; k < 4; ++k, scale /= unit) sample.displacement[k + 1] = 2.0 * sums.spread[k] * scale;
    if (!std::isfinite(sample.displacement[0] + sample.displacement[1])) {
      throw Error(ExitCode::numerical, fmt::format("the displacement is not finite at omega t = {:.6g}", time), {},
                  "use more cells or a smaller displacement.tolerance; please report the spec");
    }
    return sample;
  }

  double change(const Work& work, const Field& before) {
    const std::array<const Field*, 2> fields{work.field.get(), &before};
    const std::array<double, 2> difference{1.0, -1.0};
    return backend_.reductions().combination_norm(fields, difference)[0] * work.plane.plane.cell_area();
  }

  /// The rest of the stage by the generator, if the displacement changes slowly and much of the stage is left.
  bool finish_slowly(const Work& work, const Stage& stage, std::vector<double>& values,
                     std::vector<CurveSample>& samples) {
    const CurveSample now = samples.back();
    const double rest = (stage.end - now.time) / work.unit;
    double own = 0.0;  // over several windows: what oscillates changes slowly for a moment
    for (auto sample = samples.end() - windows_before_generator; sample != samples.end(); ++sample)
      own = std::max(own, work.unit * std::abs(sample->displacement[2] / sample->displacement[1]));
    const double rate = stage.is_last ? own : std::max(own, 2.0 / rest);
    if (!(rate * longest_flow_window(work.plane, longest_angle) <= slow_change) ||
        !(std::min(rest, 20.0 / rate) >= many_windows) || !SlowFlow::fits(work.plane, backend_.describe()))
      return false;
    const SlowTimes times = slow_times(rest, work.plane.tables.friction[0]);
    const std::function<void()> poll = [&] { options_.poll(now.time / end()); };
    SlowFlow flow(work.plane, rate, poll);
    backend_.fields().download(*work.field, values);
    const auto sums = flow.moments(values, 0.0, times.time, 0.1 * options_.tolerance);
    if (!sums) return false;
    for (std::size_t k = 0; k < sums->size(); ++k) {
      samples.push_back(sample_of((*sums)[k], now.time + work.unit * times.time[k], work.unit));
      samples.back().is_slow = k >= times.first_slow;
    }
    values = flow.last_field();
    return true;
  }

  /// |p| in the four cells next to any wall.
  static double tail(const ScaledPlane& plane, const std::vector<double>& values) {
    constexpr int depth = 4;
    const int rows = plane.plane.theta.cells;
    const int columns = plane.plane.velocity.cells;
    const CellIndex cell(plane.plane);
    double sum = 0.0;
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) {
        const bool near = i < depth || j < depth || i >= rows - depth || j >= columns - depth;
        if (near) sum += std::abs(values[cell(i, j)]);
      }
    }
    return sum * plane.plane.cell_area();
  }

  void accept(const Stage& stage, const Work& work, std::vector<double>& values,
              const std::vector<CurveSample>& samples) {
    const MomentSums sums = moment_sums(work.plane, values, 0.0);
    const double unit = work.unit;
    const double x = sums.position[0] / sums.mass;
    const double y = sums.position[1] / (sums.mass * unit);
    density_ = {{x, y},
                {sums.square / sums.mass - x * x, sums.spread[0] / (sums.mass * unit) - x * y,
                 sums.velocity_square / (sums.mass * unit * unit) - y * y}};
    samples_.insert(samples_.end(), samples.begin(), samples.end());
    for (double& value : values) value *= unit;
    values_ = std::move(values);
    box_ = stage.box;
    time_ = samples_.back().time;
  }

  Backend& backend_;
  const Model& model_;
  int p_;
  const FlowOptions& options_;
  bool is_map_;
  double length_ = 1.0;  ///< of x, in θ
  double speed_ = 1.0;   ///< of y, in v
  PhasePlane last_box_;
  LinearizedLangevin local_{};
  std::optional<LinearSpread> early_;
  double step_ = 0.0;  ///< of the map
  double time_ = 0.0;
  Gaussian density_;            ///< moments at time_
  std::vector<double> values_;  ///< density at time_ in box_; empty: the Gaussian
  PhasePlane box_;
  std::vector<CurveSample> samples_;
  double step_error_ = 0.0;
  long windows_ = 0;
  bool relaxed_ = false;
  bool used_generator_ = false;
  std::vector<double> zero_{0.0};
};

}  // namespace

int cells_for_map_from_rest(const Model& model, int p) {
  const double curvature = model.curvature(p, model.plane(p).minimum);
  const double square = model.learning_rate() * curvature / (2.0 * (1.0 + model.momentum()));  // of the correlation
  if (!(square > 0.0)) return 0;
  return static_cast<int>(
      std::ceil(fewest_cells_across * 2.0 * deviations / std::sqrt(1.0 - std::min(std::sqrt(square), 1.0 - 1e-12))));
}

FlowResult propagate_cold_start(Backend& backend, const Model& model, int p, const PhasePlane& box,
                                const FlowOptions& options) {
  return ColdStart(backend, model, p, box, options).run();
}

}  // namespace underdamp
