#include "solver/step/grid_error.hpp"

#include <algorithm>
#include <cmath>

namespace underdamp {
namespace {

using Matrix = std::array<std::array<double, 2>, 2>;

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c{};
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 2; ++j) c[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j];
  return c;
}

Matrix inverse(const Matrix& a) {
  const double determinant = a[0][0] * a[1][1] - a[0][1] * a[1][0];
  return {{{a[1][1] / determinant, -a[0][1] / determinant}, {-a[1][0] / determinant, a[0][0] / determinant}}};
}

constexpr double factorial(int n) {
  double product = 1.0;
  for (int k = 2; k <= n; ++k) product *= k;
  return product;
}

template <int n>
constexpr std::array<double, n + 1> binomials() {
  std::array<double, n + 1> b{1.0};
  for (std::size_t k = 1; k < b.size(); ++k)
    b[k] = b[k - 1] * static_cast<double>(b.size() - k) / static_cast<double>(k);
  return b;
}

/// L1 norm over root of mean square of the derivatives of a Gaussian: 0.43 (order 12) and 0.48 (order 8) along one
/// direction, 0.47 where all directions are alike.
constexpr double l1_per_root_mean_square = 0.46;

/// C(a) = Π_{k=−5}^{6} (a − k)/12! of (10): a shift by the fraction a leaves −C Δ¹²p.
double remap_constant(double shift) {
  const double a = shift - std::floor(shift);
  const double x = a * (1.0 - a);
  return x * (x + 2.0) * (x + 6.0) * (x + 12.0) * (x + 20.0) * (x + 30.0) / factorial(12);
}

constexpr double over_all_fractions = 3.534e-5;

/// Mean of C over shifts that are normally distributed.
double mean_remap_constant(double mean_shift, double deviation) {
  if (deviation > 0.5) return over_all_fractions;
  double sum = 0.0;
  double weight = 0.0;
  for (int k = -6; k <= 6; ++k) {
    const double z = 0.45 * k;
    const double w = std::exp(-0.5 * z * z);
    sum += w * remap_constant(mean_shift + z * deviation);
    weight += w;
  }
  return sum / weight;
}

// The kernels of kernels/tables/gaussian_weights.hpp, by their variance in cells².
constexpr double sampled_from = 1.15 * 1.15;
constexpr double cascade_from = 3.2 * 3.2;
constexpr double restricted_from = 7.0 * 7.0;
constexpr double fine_level = 1.5 * 1.5;

/// What a sampled kernel of deviation s cells (times `stride`) leaves of ∂⁸ on data that end up `width` cells wide: its
/// fourth moment lacks what lies beyond the cut at z, 2 He₃(z) φ(z); where kernel and data are alike, making the second
/// one right is the smaller part. Below s = 1.4 six moments are right and sampling adds to the eighth.
double sampled_constant(double s, double stride, double width) {
  const double scale = std::pow(s * stride, 8);
  const double share = s * stride / width;
  const auto as_eighth = [&](int order, double missing) {
    return missing / factorial(order) * std::sqrt(factorial(order) / factorial(8)) * std::pow(share, order - 8);
  };
  if (s < 1.4) {
    const double frequency = 6.283185307179586 * s;
    return 2.0 * std::exp(-0.5 * frequency * frequency) * std::pow(frequency, 8) / factorial(8) * scale;
  }
  const double z = (std::ceil(7.0 * s) + 0.5) / s;
  const double density = std::exp(-0.5 * z * z) / 2.5066282746310002;
  const double second = 2.0 * density * z;
  const double fourth = second * (z * z - 3.0);
  return std::min(as_eighth(2, second), as_eighth(4, fourth)) * scale;
}

/// The same for all that a convolution consists of: one kernel, two of a cascade (18), or one on a grid restricted
/// `grids` times, whose half-band filters leave 2·24310 (k/2)¹⁸ on the last but one grid. A `deposit` has no cascade.
double kernel_constant(double variance, double width, bool deposit) {
  double stride = 1.0;
  double filters = 0.0;
  while (variance >= restricted_from) {
    filters =
        2.0 * 24310.0 * std::pow(0.5 * stride, 18) * std::sqrt(factorial(18) / factorial(8)) * std::pow(width, -10);
    variance /= 4.0;
    stride *= 2.0;
  }
  if (variance < sampled_from) return 0.0;
  if (deposit || stride > 1.0 || variance <= cascade_from) {
    return filters + sampled_constant(std::sqrt(variance), stride, width);
  }
  return sampled_constant(std::sqrt(fine_level), 1.0, width) +
         sampled_constant(std::sqrt((variance - fine_level) / 4.0), 2.0, width);
}

}  // namespace

// --- forms ---------------------------------------------------------------------------------------

template <int n>
void DerivativeForm<n>::add(double constant, const std::array<double, 2>& u) {
  constexpr auto binomial = binomials<n>();
  std::array<double, n + 1> power{1.0};
  for (std::size_t k = 1; k < power.size(); ++k) power[k] = power[k - 1] * u[1];
  double first = 1.0;
  for (std::size_t k = power.size(); k-- > 0;) {
    c[k] += constant * binomial[k] * first * power[k];
    first *= u[0];
  }
}

template <int n>
void DerivativeForm<n>::carry(const Matrix& m) {
  // ∂_θ becomes the derivative along M's first column, ∂_v along its second; Horner's scheme in both.
  std::array<double, n + 1> result{c[0]};
  std::array<double, n + 1> power{1.0};
  const auto times = [](std::array<double, n + 1>& f, std::size_t degree, double a, double b) {
    for (std::size_t k = degree; k > 0; --k) f[k] = f[k] * a + f[k - 1] * b;
    f[0] *= a;
  };
  for (std::size_t k = 1; k < c.size(); ++k) {
    times(result, k, m[0][0], m[1][0]);
    times(power, k, m[0][1], m[1][1]);
    for (std::size_t i = 0; i <= k; ++i) result[i] += c[k] * power[i];
  }
  c = result;
}

template <int n>
double DerivativeForm<n>::norm(const Matrix& covariance) const {
  constexpr auto binomial = binomials<n>();
  // In coordinates where the Gaussian is N(0, 1): form p/p is a sum of products of Hermite polynomials, of mean square
  // (n−k)! k!.
  const double l00 = std::sqrt(covariance[0][0]);
  const double l10 = covariance[0][1] / l00;
  const double l11 = std::sqrt(covariance[1][1] - l10 * l10);
  DerivativeForm white = *this;
  white.carry({{{1.0 / l00, 0.0}, {-l10 / (l00 * l11), 1.0 / l11}}});
  double square = 0.0;
  for (std::size_t k = 0; k < binomial.size(); ++k) square += white.c[k] * white.c[k] / binomial[k];
  return l1_per_root_mean_square * std::sqrt(square * factorial(n));
}

template struct DerivativeForm<12>;
template struct DerivativeForm<8>;

// --- sweeps --------------------------------------------------------------------------------------

/// A velocity sweep of the linearised flow and what it leaves: of ∂¹² before it, of ∂¹² and ∂⁸ after it.
struct GridError::Sweep {
  Matrix matrix;
  double variance = 0.0;  ///< of its noise
  double remap = 0.0;
  double deposit = 0.0;
  double kernel = 0.0;
};

/// Sums of squares of errors that live for a few sweeps only.
struct GridError::Fleeting {
  Matrix now{};  ///< covariance that the level at hand gives the density of now
  Matrix now_inverse{};
  double excess = 1.0;   ///< roughness over that of a Gaussian
  double largest = 0.0;  ///< ‖Δ¹²p‖₁ of the densities about: an error does not grow in L1
  double modulated = 0.0;
  double images = 0.0;

  void set_now(const Matrix& covariance) {
    now = covariance;
    now_inverse = inverse(covariance);
  }

  /// What is left of a source amplitude·cos(q·z)(u·∇)¹²p of a density of covariance `then`, M later. Its spectrum
  /// |u·(Mᵀk − q)|¹² exp(−½(Mᵀk − q)ᵀC(Mᵀk − q) − ½kᵀQk) over t = u·(Mᵀk − q) is t¹² exp(−½V − ½(t − t₀)²/σ²).
  void add(double amplitude, double q, const std::array<double, 2>& u, const Matrix& then, const Matrix& m) {
    const auto dot = [](const std::array<double, 2>& x, const std::array<double, 2>& y) {
      return x[0] * y[0] + x[1] * y[1];
    };
    const auto times = [](const Matrix& a, const std::array<double, 2>& x) {
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
  void add_images(double amplitude, double variance, const Matrix& m) {
    if (variance < sampled_from || variance >= restricted_from) return;
    if (variance <= cascade_from) {
      add_image(amplitude, variance, 0.0, 6.283185307179586, m);
    } else {
      add_image(amplitude, fine_level, variance - fine_level, 6.283185307179586, m);
      add_image(amplitude, variance - fine_level, 0.0, 3.141592653589793, m);
    }
  }

 private:
  /// Maximum over k, with B the covariance of now less what the levels after this one add, `rest`.
  void add_image(double amplitude, double kernel, double rest, double wave, const Matrix& m) {
    const std::array<double, 2> axis{m[0][1], m[1][1]};
    Matrix b = now;
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

Matrix moved(const Matrix& m, const Matrix& c) {
  const Matrix half = product(m, c);
  return product(half, {{{m[0][0], m[1][0]}, {m[0][1], m[1][1]}}});
}

double conditional_variance(const Matrix& c) {
  return std::max(c[1][1] - c[0][1] * c[0][1] / c[0][0], 1e-6);
}

/// How far back short-lived errors are looked for.
constexpr std::size_t remembered_windows = 3;
constexpr std::size_t remembered_steps = 12;

/// Without it the median of estimate over true error is 1.5, and one in ten is below a half.
constexpr double safety = 2.0;

}  // namespace

double gaussian_roughness(const Matrix& c) {
  const double determinant = c[0][0] * c[1][1] - c[0][1] * c[0][1];
  if (!(determinant > 0.0)) return 4096.0;
  return std::min(4096.0, l1_per_root_mean_square * std::sqrt(factorial(12)) *
                              (std::pow(c[1][1] / determinant, 6) + std::pow(c[0][0] / determinant, 6)));
}

Matrix GridError::drift_matrix(double duration) const {
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
  if (e < 1.0 / 3.0) {
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
void GridError::add_velocity(Sources& to, double weight, const Sweep& sweep, const Matrix& rest) {
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

void GridError::repeat(const Matrix& step, const Sources& sources, const DensityShape& shape, long count) {
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
  Matrix rest{};
  for (int level = 1; level <= levels; ++level) {
    const double weight = weights[level - 1];
    const double step = length / level;
    const Sweep half = velocity_sweep(crossing, 0.5 * step);
    const Sweep full = velocity_sweep(crossing, step);
    const Matrix drift = drift_matrix(step);
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
  const Matrix drift = drift_matrix(step);
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
  const Matrix drift = drift_matrix(learning_rate);
  Sources sources;
  add_velocity(sources, 1.0, sweep, drift);
  sources.remap.add(-drift_constant(crossing, learning_rate), {1.0, 0.0});
  crossing.matrix = product(drift, sweep.matrix);
  repeat(crossing.matrix, sources, shape, 1);
  remember(crossing, shape, 2.0);
  Matrix after = moved(sweep.matrix, shape.covariance);
  after[1][1] += sweep.variance;
  shape.covariance = moved(drift, after);
}

/// Follows one level of a crossing forwards. `end`: covariance of the density at the end of the crossing, `later`: the
/// flow from there to now, when it is `now`.
void GridError::follow(const Crossing& from, double weight, double step, int steps, const Matrix& end,
                       const Matrix& later, const Matrix& now, Fleeting& into) const {
  const bool map = from.momentum >= 0.0;
  const Matrix drift = drift_matrix(step);
  const Sweep half = velocity_sweep(from, map ? step : 0.5 * step);
  const Sweep full = velocity_sweep(from, step);
  const int sweeps = map ? 1 : steps + 1;
  // The flow from the beginning of each sweep to now, from the last to the first.
  std::array<Matrix, 7> from_velocity{};
  std::array<Matrix, 7> from_drift{};
  Matrix rest = later;
  for (int s = sweeps - 1; s >= 0; --s) {
    if (map || s < sweeps - 1) {
      rest = product(rest, drift);
      from_drift[static_cast<std::size_t>(s)] = rest;
    }
    rest = product(rest, s == 0 || s == sweeps - 1 ? half.matrix : full.matrix);
    from_velocity[static_cast<std::size_t>(s)] = rest;
  }
  // A coarse level ends elsewhere than the density did; what it leaves is seen against its own end.
  Matrix covariance = from.covariance;
  for (int s = 0; s < sweeps; ++s) {
    const Sweep& sweep = s == 0 || s == sweeps - 1 ? half : full;
    covariance = moved(sweep.matrix, covariance);
    covariance[1][1] += sweep.variance;
    if (map || s < sweeps - 1) covariance = moved(drift, covariance);
  }
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
      const Matrix kick{{{1.0, 0.0}, {sweep.matrix[1][0] / e, 1.0}}};
      const Matrix back{{{1.0, 0.0}, {-sweep.matrix[1][0] / e, 1.0}}};
      const Matrix kicked = moved(kick, covariance);
      const Matrix m = product(from_velocity[static_cast<std::size_t>(s)], back);
      const double share = std::min(1.0, sweep.remap / over_all_fractions);
      for (int n = 1; n <= 2; ++n)
        into.add(weight * share * harmonics[static_cast<std::size_t>(n) - 1], wave_number(1.0 / e - 1.0, n), {0.0, 1.0},
                 kicked, m);
    }
    covariance = moved(sweep.matrix, covariance);
    covariance[1][1] += sweep.variance;
    if (e >= 1.0 / 3.0) {
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
  Matrix later{{{1.0, 0.0}, {0.0, 1.0}}};
  Matrix end = c;
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
