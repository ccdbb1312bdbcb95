#include "solver/step/grid_error.hpp"

#include <algorithm>
#include <cmath>

#include "solver/step/matrix2.hpp"
#include "solver/step/sweep_constants.hpp"

namespace underdamp {

/// A velocity sweep of the linearised flow and what it leaves: of ∂¹² before it, of ∂¹² and ∂⁸ after it.
struct GridError::Sweep {
  Matrix2 matrix;
  double variance = 0.0;  ///< of its noise
  double remap = 0.0;
  double deposit = 0.0;
  double kernel = 0.0;
};

/// Sums of squares of errors that live for a few sweeps only.
struct GridError::Fleeting {
  Matrix2 now{};  ///< covariance that the level at hand gives the density of now
  Matrix2 now_inverse{};
  double excess = 1.0;   ///< roughness over that of a Gaussian
  double largest = 0.0;  ///< ‖Δ¹²p‖₁ of the densities about: an error does not grow in L1
  double modulated = 0.0;
  double images = 0.0;

  void set_now(const Matrix2& covariance) {
    now = covariance;
    now_inverse = inverse(covariance);
  }

  /// What is left of a source amplitude·cos(q·z)(u·∇)¹²p of a density of covariance `then`, M later. Its spectrum
  /// |u·(Mᵀk − q)|¹² exp(−½(Mᵀk − q)ᵀC(Mᵀk − q) − ½kᵀQk) over t = u·(Mᵀk − q) is t¹² exp(−½V − ½(t − t₀)²/σ²).
  void add(double amplitude, double q, const std::array<double, 2>& u, const Matrix2& then, const Matrix2& m) {
    const auto dot = [](const std::array<double, 2>& x, const std::array<double, 2>& y) {
      return x[0] * y[0] + x[1] * y[1];
    };
    const auto times = [](const Matrix2& a, const std::array<double, 2>& x) {
      return std::array<double, 2>{a[0][0] * x[0] + a[0][1] * x[1], a[1][0] * x[0] + a[1][1] * x[1]};
    };
    const std::array<double, 2> wave{0.0, q};
    const auto a = times(m, u);
    const auto b = times(m, times(then, wave));
    const auto back = times(now_inverse, b);
    const double damping = std::max(0.0, dot(wave, times(then, wave)) - dot(b, back));
    const double center = std::abs(dot(a, back) - dot(u, wave));
    const double deviation = std::sqrt(dot(a, times(now_inverse, a)));
    if (!(deviation > 0.0)) return;
    const double t = 0.5 * (center + std::sqrt(center * center + 48.0 * deviation * deviation));
    const double off = (t - center) / deviation;
    const double half = 0.5 * std::min(t, 3.141592653589793);  // Δ¹² has the symbol (2 sin t/2)¹²
    const double left =
        l1_per_root_mean_square * std::sqrt(factorial(12)) *
        std::exp(12.0 * std::log(2.0 * std::sin(half) / std::sqrt(12.0)) + 6.0 - 0.5 * damping - 0.5 * off * off);
    const double bounded = amplitude * std::min(excess * left, largest);
    modulated += bounded * bounded;
  }

  /// What is left of the images of a kernel of this variance, M later. Its first level repeats its symbol at κ = 2π,
  /// the second of a cascade at κ = π: there level m of variance S lets pass exp(−½ S (κ − k_v)²) of what the density
  /// has.
  void add_images(double amplitude, double variance, const Matrix2& m) {
    if (variance < sampled_variance || variance >= restricted_variance) return;
    if (variance <= cascade_variance) {
      add_image(amplitude, variance, 0.0, 6.283185307179586, m);
    } else {
      add_image(amplitude, fine_level_variance, variance - fine_level_variance, 6.283185307179586, m);
      add_image(amplitude, variance - fine_level_variance, 0.0, 3.141592653589793, m);
    }
  }

 private:
  /// Maximum over k, with B the covariance of now less what the levels after this one add, `rest`.
  void add_image(double amplitude, double kernel, double rest, double wave, const Matrix2& m) {
    const std::array<double, 2> axis{m[0][1], m[1][1]};
    Matrix2 b = now;
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t j = 0; j < 2; ++j) b[i][j] -= rest * axis[i] * axis[j];
    const double determinant = b[0][0] * b[1][1] - b[0][1] * b[1][0];
    if (!(determinant > 0.0)) return;
    const double back =
        (b[1][1] * axis[0] * axis[0] - 2.0 * b[0][1] * axis[0] * axis[1] + b[0][0] * axis[1] * axis[1]) / determinant;
    const double left = 1.3 * amplitude * std::exp(-0.5 * wave * wave * kernel * std::max(0.0, 1.0 - kernel * back));
    // It comes from content of wave number k*, and what a density has there shows in its Δ¹².
    const double content = std::min(wave * std::min(1.0, kernel * back), 3.141592653589793);
    const double bounded = std::min(std::abs(left), 10.0 * largest / std::pow(2.0 * std::sin(0.5 * content), 12));
    images += bounded * bounded;
  }
};

namespace {

/// The first two harmonics of C(a), and the wave number per cell of a shift that grows by `slope` from cell to cell.
constexpr std::array<double, 2> harmonics{2.32e-5, 4.8e-6};
double wave_number(double slope, int harmonic) {
  const double x = slope * harmonic;
  return 2.0 * 3.141592653589793 * (x - std::round(x));
}

double conditional_variance(const Matrix2& c) {
  return std::max(c[1][1] - c[0][1] * c[0][1] / c[0][0], 1e-6);
}

/// How far back short-lived errors are looked for.
constexpr std::size_t remembered_windows = 3;
constexpr std::size_t remembered_steps = 12;

/// Without it the median of estimate over true error is 1.5, and one in ten is below a half.
constexpr double safety = 2.0;

}  // namespace

Matrix2 GridError::drift_matrix(double duration) const {
  return {{{1.0, duration * width_ratio_}, {0.0, 1.0}}};
}

double GridError::drift_constant(const Crossing& from, double duration) const {
  const double cells = duration * width_ratio_;
  return mean_remap_constant(cells * from.velocity, cells * std::sqrt(from.covariance[1][1]));
}

GridError::Sweep GridError::velocity_sweep(const Crossing& from, double duration) const {
  const bool map = from.momentum >= 0.0;
  const double e = map ? from.momentum : std::exp(-friction_ * duration);
  Sweep sweep{{{{1.0, 0.0}, {-from.stiffness * (map ? 1.0 : (1.0 - e) / friction_), e}}}};
  sweep.variance = from.diffusion * (map ? 1.0 : (1.0 - e * e) / friction_);
  const double data = e * e * conditional_variance(from.covariance);
  const double width = std::sqrt(data + sweep.variance);
  if (e < deposit_below) {
    // Lagrange interpolation of degree 12: ∂¹³ of a sign that changes from image to image, ∂¹⁴ otherwise; here as ∂¹².
    sweep.deposit =
        2.75e-5 * std::sqrt(13.0) / width * std::exp(-2.0 * data) + 5e-6 * std::sqrt(13.0 * 14.0) / (width * width);
    sweep.kernel = kernel_constant(sweep.variance, width, true);
  } else {
    const double spread = 1.0 / e - 1.0;
    sweep.remap = mean_remap_constant(spread * from.velocity, spread * std::sqrt(from.covariance[1][1]));
    // The eighth cumulant of the box that the contraction shrinks, beyond (13).
    sweep.kernel = (1.0 - std::pow(e, 8)) / (240.0 * factorial(8)) + kernel_constant(sweep.variance, width, false);
  }
  return sweep;
}

/// `rest`: the flow from the end of the sweep to where the form is wanted.
void GridError::add_velocity(Sources& to, double weight, const Sweep& sweep, const Matrix2& rest) {
  const std::array<double, 2> after{rest[0][1], rest[1][1]};
  const double e = sweep.matrix[1][1];
  to.remap.add(-weight * sweep.remap, {after[0] * e, after[1] * e});
  if (sweep.deposit > 0.0) to.remap.add(-weight * sweep.deposit, after);
  to.kernel.add(-weight * sweep.kernel, after);
}

namespace {

/// A density that is no Gaussian is rougher than one; n-th derivatives of features s times as wide are s⁻ⁿ times as
/// large. Where the grid resolves neither, Δ¹² falls behind ∂¹².
double excess_of(const DensityShape& shape) {
  const double ratio = shape.roughness / gaussian_roughness(shape.covariance);
  return ratio < 1.0 ? std::sqrt(ratio) : ratio;
}

/// The same for eighth derivatives.
double kernel_excess(const DensityShape& shape) {
  return std::min(std::pow(excess_of(shape), 8.0 / 12.0), 3.0);
}

}  // namespace

void GridError::repeat(const Matrix2& step, const Sources& sources, const DensityShape& shape, long count) {
  const auto& c = shape.covariance;
  if (c[0][0] > 0.0 && c[0][0] * c[1][1] > c[0][1] * c[0][1])
    undamped_kernel_ += static_cast<double>(count) * kernel_excess(shape) * sources.kernel.norm(c);
  for (long s = 0; s < count; ++s) {
    left_.remap.carry(step);
    left_.kernel.carry(step);
    for (std::size_t k = 0; k < sources.remap.c.size(); ++k) left_.remap.c[k] += sources.remap.c[k];
    for (std::size_t k = 0; k < sources.kernel.c.size(); ++k) left_.kernel.c[k] += sources.kernel.c[k];
  }
}

void GridError::remember(Crossing crossing, const DensityShape& shape, double sweeps) {
  // Between measurements of the map the density may have been rougher.
  const bool map = crossing.momentum >= 0.0;
  crossing.roughness = map ? std::max(shape.roughness, gaussian_roughness(crossing.covariance)) : shape.roughness;
  undamped_ += over_all_fractions * sweeps * crossing.roughness;
  recent_.push_back(crossing);
  if (recent_.size() > (map ? remembered_steps : remembered_windows)) recent_.pop_front();
}

void GridError::cross_window(const DensityShape& shape, double length, const double* weights, int levels) {
  Crossing crossing{shape.covariance, shape.velocity, shape.stiffness, shape.diffusion, length, -1.0, {}, levels};
  std::copy(weights, weights + levels, crossing.weights.begin());
  Sources sources;
  Matrix2 rest{};
  for (int level = 1; level <= levels; ++level) {
    const double weight = weights[level - 1];
    const double step = length / level;
    const Sweep half = velocity_sweep(crossing, 0.5 * step);
    const Sweep full = velocity_sweep(crossing, step);
    const Matrix2 drift = drift_matrix(step);
    const double constant = drift_constant(crossing, step);
    rest = {{{1.0, 0.0}, {0.0, 1.0}}};
    for (int s = 0; s <= level; ++s) {  // from the end of the window to its beginning
      const Sweep& sweep = s == 0 || s == level ? half : full;
      add_velocity(sources, weight, sweep, rest);
      rest = product(rest, sweep.matrix);
      if (s == level) break;
      sources.remap.add(-weight * constant, {rest[0][0], rest[1][0]});
      rest = product(rest, drift);
    }
  }
  repeat(rest, sources, shape, 1);
  crossing.matrix = rest;
  remember(crossing, shape, 2.0 * levels * levels);
}

void GridError::take_steps(const DensityShape& shape, double step, long count) {
  Crossing crossing{shape.covariance, shape.velocity, shape.stiffness, shape.diffusion, step, -1.0, {1.0}, 1};
  const Sweep sweep = velocity_sweep(crossing, step);
  const Matrix2 drift = drift_matrix(step);
  Sources sources;
  add_velocity(sources, 1.0, sweep, drift);
  sources.remap.add(-drift_constant(crossing, step), {1.0, 0.0});
  crossing.matrix = product(drift, sweep.matrix);
  repeat(crossing.matrix, sources, shape, count);
  remember(crossing, shape, 2.0 * static_cast<double>(count));
}

void GridError::take_sgd_step(DensityShape& shape, double learning_rate, double momentum) {
  Crossing crossing{shape.covariance, shape.velocity, shape.stiffness, shape.diffusion,
                    learning_rate,    momentum,       {1.0},           1};
  const Sweep sweep = velocity_sweep(crossing, learning_rate);
  const Matrix2 drift = drift_matrix(learning_rate);
  Sources sources;
  add_velocity(sources, 1.0, sweep, drift);
  sources.remap.add(-drift_constant(crossing, learning_rate), {1.0, 0.0});
  crossing.matrix = product(drift, sweep.matrix);
  repeat(crossing.matrix, sources, shape, 1);
  remember(crossing, shape, 2.0);
  Matrix2 after = moved(sweep.matrix, shape.covariance);
  after[1][1] += sweep.variance;
  shape.covariance = moved(drift, after);
}

/// Covariance that the sweeps of one level make of that at the beginning of a crossing.
Matrix2 GridError::end_of_level(const Crossing& from, const Sweep& half, const Sweep& full, const Matrix2& drift,
                                int sweeps) {
  const bool map = from.momentum >= 0.0;
  Matrix2 covariance = from.covariance;
  for (int s = 0; s < sweeps; ++s) {
    const Sweep& sweep = s == 0 || s == sweeps - 1 ? half : full;
    covariance = moved(sweep.matrix, covariance);
    covariance[1][1] += sweep.variance;
    if (map || s < sweeps - 1) covariance = moved(drift, covariance);
  }
  return covariance;
}

/// Follows one level of a crossing forwards. `end`: covariance of the density at the end of the crossing, `later`: the
/// flow from there to now, when it is `now`.
void GridError::follow(const Crossing& from, double weight, double step, int steps, const Matrix2& end,
                       const Matrix2& later, const Matrix2& now, Fleeting& into) const {
  const bool map = from.momentum >= 0.0;
  const Matrix2 drift = drift_matrix(step);
  const Sweep half = velocity_sweep(from, map ? step : 0.5 * step);
  const Sweep full = velocity_sweep(from, step);
  const int sweeps = map ? 1 : steps + 1;
  // The flow from the beginning of each sweep to now, from the last to the first.
  std::array<Matrix2, 7> from_velocity{};
  std::array<Matrix2, 7> from_drift{};
  Matrix2 rest = later;
  for (int s = sweeps - 1; s >= 0; --s) {
    if (map || s < sweeps - 1) {
      rest = product(rest, drift);
      from_drift[static_cast<std::size_t>(s)] = rest;
    }
    rest = product(rest, s == 0 || s == sweeps - 1 ? half.matrix : full.matrix);
    from_velocity[static_cast<std::size_t>(s)] = rest;
  }
  // A coarse level ends elsewhere than the density did; what it leaves is seen against its own end.
  Matrix2 covariance = end_of_level(from, half, full, drift, sweeps);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 2; ++j) covariance[i][j] -= end[i][j];
  covariance = moved(later, covariance);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 2; ++j) covariance[i][j] += now[i][j];
  if (!(covariance[0][0] > 0.0 && covariance[0][0] * covariance[1][1] > covariance[0][1] * covariance[1][0])) return;
  into.set_now(covariance);
  covariance = from.covariance;
  const double drift_share = std::min(1.0, drift_constant(from, step) / over_all_fractions);
  for (int s = 0; s < sweeps; ++s) {
    const Sweep& sweep = s == 0 || s == sweeps - 1 ? half : full;
    const double e = sweep.matrix[1][1];
    if (sweep.remap > 0.0) {
      // The kick comes before the contraction.
      const Matrix2 kick{{{1.0, 0.0}, {sweep.matrix[1][0] / e, 1.0}}};
      const Matrix2 back{{{1.0, 0.0}, {-sweep.matrix[1][0] / e, 1.0}}};
      const Matrix2 kicked = moved(kick, covariance);
      const Matrix2 m = product(from_velocity[static_cast<std::size_t>(s)], back);
      const double share = std::min(1.0, sweep.remap / over_all_fractions);
      for (int n = 1; n <= 2; ++n)
        into.add(weight * share * harmonics[static_cast<std::size_t>(n) - 1], wave_number(1.0 / e - 1.0, n), {0.0, 1.0},
                 kicked, m);
    }
    covariance = moved(sweep.matrix, covariance);
    covariance[1][1] += sweep.variance;
    if (e >= deposit_below) {
      into.add_images(weight, sweep.variance, map || s + 1 < sweeps ? from_drift[static_cast<std::size_t>(s)] : later);
    }
    if (!map && s == sweeps - 1) break;
    for (int n = 1; n <= 2; ++n) {
      into.add(weight * drift_share * harmonics[static_cast<std::size_t>(n) - 1], wave_number(step * width_ratio_, n),
               {1.0, 0.0}, covariance, from_drift[static_cast<std::size_t>(s)]);
    }
    covariance = moved(drift, covariance);
  }
}

void GridError::exchange(StateList& list) {
  list(friction_);
  list(width_ratio_);
  list(left_.remap.c);
  list(left_.kernel.c);
  list(undamped_);
  list(undamped_kernel_);
  list.sequence(recent_, [&](Crossing& crossing) {
    list(crossing.covariance);
    list(crossing.velocity);
    list(crossing.stiffness);
    list(crossing.diffusion);
    list(crossing.length);
    list(crossing.momentum);
    list(crossing.weights);
    list(crossing.levels);
    list(crossing.matrix);
    list(crossing.roughness);
    if (crossing.levels < 1 || crossing.levels > static_cast<int>(crossing.weights.size()))
      damaged_state("a window has a number of levels that there is not");
  });
}

double GridError::norm(const DensityShape& shape) const {
  const auto& c = shape.covariance;
  const double determinant = c[0][0] * c[1][1] - c[0][1] * c[0][1];
  if (!(c[0][0] > 0.0) || !(determinant > 0.0)) return 0.0;
  const double excess = excess_of(shape);
  const double most = undamped_ + 4.0 * over_all_fractions * shape.roughness;
  // A flow that is concave on the average, as around a driven circle, makes both forms grow for ever.
  double sum = std::min(excess * left_.remap.norm(c), most) +
               std::min(kernel_excess(shape) * left_.kernel.norm(c), undamped_kernel_);
  Fleeting fleeting;
  fleeting.excess = std::min(excess, 4.0);
  double roughness = std::max(shape.roughness, gaussian_roughness(c));
  Matrix2 later{{{1.0, 0.0}, {0.0, 1.0}}};
  Matrix2 end = c;
  for (auto crossing = recent_.rbegin(); crossing != recent_.rend(); ++crossing) {
    fleeting.largest = std::max(roughness, crossing->roughness);
    roughness = crossing->roughness;
    for (int level = 1; level <= crossing->levels; ++level) {
      follow(*crossing, crossing->weights[static_cast<std::size_t>(level) - 1], crossing->length / level, level, end,
             later, c, fleeting);
    }
    later = product(later, crossing->matrix);
    end = crossing->covariance;
  }
  sum += std::sqrt(fleeting.modulated) + std::sqrt(fleeting.images);
  return std::min(safety * sum, 2.0);
}

}  // namespace underdamp
