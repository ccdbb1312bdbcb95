#include "solver/displacement/displacement_curve.hpp"

#include <algorithm>
#include <boost/math/quadrature/gauss.hpp>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

/// Response of y and x to a kick of 1: x̂(t) = e^{−γt/2} sinh(δt)/δ, δ² = γ²/4 − stiffness, and ŷ = dx̂/dt.
struct Response {
  double position;
  double velocity;
};
Response response(const LinearSpread& s, double t) {
  const double half = 0.5 * s.friction;
  const double square = half * half - s.stiffness;
  const double decay = std::exp(-half * t);
  const double delta = std::sqrt(std::abs(square));
  // sin u/u and sinh u/u by their series where they are 1 but for rounding.
  const double u = delta * t;
  const double ratio =
      u < 1e-4 ? 1.0 + std::copysign(u * u / 6.0, square) : (square > 0.0 ? std::sinh(u) : std::sin(u)) / u;
  const double even = square > 0.0 ? std::cosh(u) : std::cos(u);
  const double position = decay * t * ratio;
  return {position, decay * even - half * position};
}

}  // namespace

TwoPointPolynomial::TwoPointPolynomial(const double* left, const double* right, std::size_t order, double h)
    : order_(order), h_(h) {
  // Divided differences over the nodes 0 and h, each `order` times; those over equal nodes are derivatives.
  std::array<double, 2 * most> difference{};
  for (std::size_t i = 0; i < 2 * order; ++i) difference[i] = i < order ? left[0] : right[0];
  coefficient_[0] = left[0];
  double factorial = 1.0;
  for (std::size_t n = 1; n < 2 * order; ++n) {
    factorial *= static_cast<double>(n);
    for (std::size_t i = 0; i + n < 2 * order; ++i) {
      if (i + n < order) {
        difference[i] = left[n] / factorial;
      } else if (i >= order) {
        difference[i] = right[n] / factorial;
      } else {
        difference[i] = (difference[i + 1] - difference[i]) / h;
      }
    }
    coefficient_[n] = difference[0];
  }
}

std::array<double, 3> TwoPointPolynomial::at(double x) const {
  std::array<double, 3> result{coefficient_[2 * order_ - 1], 0.0, 0.0};
  for (std::size_t k = 2 * order_ - 1; k-- > 0;) {
    const double factor = x - (k < order_ ? 0.0 : h_);
    result[2] = result[2] * factor + 2.0 * result[1];
    result[1] = result[1] * factor + result[0];
    result[0] = result[0] * factor + coefficient_[k];
  }
  return result;
}

std::array<double, 3> LinearSpread::covariance(double time) const {
  const auto integral = [&](auto&& f) { return boost::math::quadrature::gauss<double, 20>::integrate(f, 0.0, time); };
  const Response end = response(*this, time);
  return {2.0 * diffusion * integral([&](double s) { return std::pow(response(*this, s).position, 2); }),
          diffusion * end.position * end.position,
          2.0 * diffusion * integral([&](double s) { return std::pow(response(*this, s).velocity, 2); })};
}

std::array<double, 5> LinearSpread::spread(double time) const {
  const Response r = response(*this, time);
  const double a = r.position;
  const double b = r.velocity;
  const double c = -stiffness * a - friction * b;  // d²x̂/dt²
  const double d = -stiffness * b - friction * c;
  const double scale = 2.0 * diffusion;
  return {covariance(time)[0], scale * a * a, 2.0 * scale * a * b, 2.0 * scale * (b * b + a * c),
          2.0 * scale * (3.0 * b * c + a * d)};
}

DisplacementCurve::DisplacementCurve(Kind kind, std::vector<CurveSample> samples, double step, bool relaxed,
                                     std::optional<LinearSpread> early)
    : kind_(kind), samples_(std::move(samples)), step_(step), relaxed_(relaxed), early_(early) {
  for (std::size_t k = 0; k + 1 < samples_.size() && !(step_ > 0.0); ++k) {
    const CurveSample& a = samples_[k];
    const CurveSample& b = samples_[k + 1];
    const std::size_t order = b.is_slow ? 2 : 5;
    displacement_.emplace_back(a.displacement.data(), b.displacement.data(), order, b.time - a.time);
    if (kind_ != Kind::cold)
      correlation_.emplace_back(a.correlation.data(), b.correlation.data(), order, b.time - a.time);
  }
}

DisplacementCurve::Value DisplacementCurve::after_relaxation() const {
  return {samples_.back().displacement[0], 0.0, 0.0, 0.0};
}

DisplacementCurve::Value DisplacementCurve::at(double time) const {
  if (!(time <= last_time() * (1.0 + 1e-9))) {
    if (relaxed_) return after_relaxation();
    throw Error(ExitCode::numerical,
                fmt::format("a displacement is known up to t = {:.6g} only, not {:.6g}", last_time(), time));
  }
  if (step_ > 0.0) return at_step(time);
  if (early_ && time < samples_.front().time) {
    const auto s = early_->spread(time);
    return {s[0], time * s[1] / s[0], 0.0, 0.0};
  }
  auto right = std::upper_bound(samples_.begin(), samples_.end(), time,
                                [](double t, const CurveSample& sample) { return t < sample.time; });
  if (right == samples_.end()) --right;
  if (right == samples_.begin()) ++right;
  const CurveSample& a = *(right - 1);
  const CurveSample& b = *right;
  const auto piece = static_cast<std::size_t>(right - samples_.begin()) - 1;
  const auto displacement = displacement_[piece].at(time - a.time);
  Value value{displacement[0], time * displacement[1] / displacement[0], 0.0, 0.0};
  if (kind_ == Kind::cold) return value;
  const auto correlation = correlation_[piece].at(time - a.time);
  value.correlation = correlation[0];
  const auto through = [&](const double* first, const double* second, std::size_t order) {
    // A slope that would lead away by more than the values are large is noise times a long time.
    const double largest = std::abs(first[0]) + std::abs(second[0]);
    if (b.is_slow && (b.time - a.time) * std::max(std::abs(first[1]), std::abs(second[1])) > largest) order = 1;
    return TwoPointPolynomial(first, second, order, b.time - a.time).at(time - a.time)[0];
  };
  if (kind_ == Kind::initial) {
    value.velocity_correlation = through(a.velocity.data(), b.velocity.data(), b.is_slow ? 2 : 4);
  } else {
    // The displacement has more digits than the correlation, from which it follows, where both have hardly changed.
    value.velocity_correlation =
        b.is_slow ? -through(a.correlation.data() + 2, b.correlation.data() + 2, 2) : 0.5 * displacement[2];
  }
  return value;
}

DisplacementCurve::Value DisplacementCurve::at_step(double time) const {
  const auto here = std::lower_bound(samples_.begin(), samples_.end(), time - 0.5 * step_,
                                     [](const CurveSample& sample, double t) { return sample.time < t; });
  if (here == samples_.end()) return after_relaxation();
  if (here->time > time + 0.5 * step_) {
    throw Error(ExitCode::numerical, fmt::format("the displacement of step {:.0f} was not kept", time / step_));
  }
  // Slope between the neighbours, as far as they are there and have a logarithm.
  const auto left = here != samples_.begin() && (here - 1)->displacement[0] > 0.0 ? here - 1 : here;
  const auto right = here + 1 != samples_.end() ? here + 1 : here;
  const double exponent =
      right > left ? std::log(right->displacement[0] / left->displacement[0]) / std::log(right->time / left->time)
                   : 0.0;
  return {here->displacement[0], exponent, here->correlation[0], here->velocity[0]};
}

}  // namespace underdamp
