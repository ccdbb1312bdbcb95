#include "validation/displacement_answers.hpp"

#include <boost/math/quadrature/gauss.hpp>
#include <cmath>

#include <Eigen/Dense>

#include "solver/model/initial_state.hpp"

namespace underdamp {
namespace {

/// R and X of e^{−At}, and their derivatives −ω²X and Ẋ; R = e^{−γt/2}(cosh δt + γ/2 sinh δt/δ), X = e^{−γt/2} sinh
/// δt/δ, δ² = γ²/4 − ω².
struct Propagation {
  double position;           ///< R
  double response;           ///< X
  double velocity_response;  ///< Ẋ
};
Propagation propagation(const LinearLangevin& p, double t) {
  const double half = 0.5 * p.friction;
  const double square = half * half - p.stiffness;
  double even = 0.0;
  double response = 0.0;
  if (square > 0.0) {
    const double delta = std::sqrt(square);
    const double slow = p.stiffness / (half + delta);
    even = 0.5 * (std::exp(-slow * t) + std::exp(-(half + delta) * t));
    response = delta * t < 1e-5 ? std::exp(-half * t) * t * (1.0 + square * t * t / 6.0)
                                : -0.5 * std::exp(-slow * t) * std::expm1(-2.0 * delta * t) / delta;
  } else {
    const double delta = std::sqrt(-square);
    even = std::exp(-half * t) * std::cos(delta * t);
    response =
        std::exp(-half * t) * (delta * t < 1e-5 ? t * (1.0 + square * t * t / 6.0) : std::sin(delta * t) / delta);
  }
  return {even + half * response, response, even - half * response};
}

/// Times shorter than this share of the fastest one are short.
constexpr double short_share = 0.5;

bool is_short(const LinearLangevin& p, double t) {
  return t * std::max(p.friction, std::sqrt(p.stiffness)) < short_share;
}
template <class F>
double integral(const F& f, double t) {
  return boost::math::quadrature::gauss<double, 20>::integrate(f, 0.0, t);
}

/// 1 − R = ω² ∫ X.
double lost_memory(const LinearLangevin& p, double t) {
  if (!is_short(p, t)) return 1.0 - propagation(p, t).position;
  return p.stiffness * integral([&](double s) { return propagation(p, s).response; }, t);
}
/// What noise adds to Var θ: 2D ∫ X².
double spread(const LinearLangevin& p, double t) {
  if (is_short(p, t))
    return 2.0 * p.diffusion * integral([&](double s) { return std::pow(propagation(p, s).response, 2); }, t);
  const Propagation now = propagation(p, t);
  const double variance = p.diffusion / (p.friction * p.stiffness);
  return variance * (1.0 - now.position * now.position - p.stiffness * now.response * now.response);
}

/// Second moments of (θ − θ*, v) at time 0.
Matrix2 second_moments(const GaussianState& start, double minimum) {
  const double x = start.mean[0] - minimum;
  const double v = start.mean[1];
  const Matrix2& c = start.covariance;
  return {{{c[0][0] + x * x, c[0][1] + x * v}, {c[1][0] + x * v, c[1][1] + v * v}}};
}

using Matrix = Eigen::Matrix2d;

Matrix power(Matrix base, long exponent) {
  Matrix result = Matrix::Identity();
  for (; exponent > 0; exponent /= 2, base = (base * base).eval()) {
    if (exponent % 2 == 1) result = (result * base).eval();
  }
  return result;
}

Matrix map_matrix(const LinearSgd& m) {  // (θ, v) → (θ + η v', v'), v' = β v − h θ
  Matrix map;
  map << 1.0 - m.learning_rate * m.curvature, m.learning_rate * m.momentum, -m.curvature, m.momentum;
  return map;
}

/// E|θ_n − θ_0|², Cov(θ_0, θ_n), Cov(v_0, v_n) of the map.
DisplacementValue at_step(const LinearSgd& m, const LinearStart& start, long n) {
  const Matrix p = power(map_matrix(m), n);
  const GaussianState origin = start.kind == DisplacementStart::stationary ? m.stationary() : start.gaussian;
  const Matrix2 c = origin.covariance;
  const Matrix2 s = second_moments(origin, m.minimum);
  DisplacementValue value;
  if (start.kind == DisplacementStart::stationary) {
    value.displacement = 2.0 * (c[0][0] * (1.0 - p(0, 0)) - c[1][0] * p(0, 1));
  } else {
    const GaussianState at_rest{{m.minimum, 0.0}, {}};
    const double noise = m.evolve(at_rest, n).covariance[0][0];
    const double r = p(0, 0) - 1.0;
    value.displacement = noise;
    if (start.kind == DisplacementStart::initial)
      value.displacement += r * r * s[0][0] + 2.0 * r * p(0, 1) * s[0][1] + p(0, 1) * p(0, 1) * s[1][1];
  }
  value.correlation = p(0, 0) * c[0][0] + p(0, 1) * c[1][0];
  value.velocity_correlation = p(1, 0) * c[0][1] + p(1, 1) * c[1][1];
  return value;
}

LinearStart linear_start(const Displacement& displacement, int l) {
  LinearStart start;
  start.kind = displacement.spec().displacement->start;
  if (start.kind != DisplacementStart::initial) return start;
  const Moments moments = initial_moments(displacement.spec(), displacement.model(), l);
  start.gaussian = {moments.mean, moments.covariance};
  return start;
}

}  // namespace

DisplacementValue exact_displacement(const LinearLangevin& process, const LinearStart& start, double time) {
  const Propagation now = propagation(process, time);
  const double omega2 = process.stiffness;
  DisplacementValue value;
  double rate = 0.0;
  if (start.kind == DisplacementStart::cold) {
    value.displacement = spread(process, time);
    rate = 2.0 * process.diffusion * now.response * now.response;
  } else if (start.kind == DisplacementStart::stationary) {
    const double variance = process.stationary().covariance[0][0];
    value.displacement = 2.0 * variance * lost_memory(process, time);
    rate = 2.0 * variance * omega2 * now.response;
    value.correlation = variance * now.position;
    value.velocity_correlation = variance * omega2 * now.velocity_response;
  } else {
    const Matrix2 s = second_moments(start.gaussian, process.minimum);
    const Matrix2& c = start.gaussian.covariance;
    const double r = -lost_memory(process, time);
    const double x = now.response;
    value.displacement = r * r * s[0][0] + 2.0 * r * x * s[0][1] + x * x * s[1][1] + spread(process, time);
    const double dr = -omega2 * x;
    const double dx = now.velocity_response;
    rate = 2.0 * (r * dr * s[0][0] + (dr * x + r * dx) * s[0][1] + x * dx * s[1][1] + process.diffusion * x * x);
    value.correlation = now.position * c[0][0] + x * c[1][0];
    value.velocity_correlation = dr * c[0][1] + dx * c[1][1];
  }
  value.exponent = time * rate / value.displacement;
  return value;
}

DisplacementValue exact_displacement(const LinearSgd& map, const LinearStart& start, long steps) {
  DisplacementValue value = at_step(map, start, steps);
  const long left = std::max(1L, steps - 1);
  value.exponent = std::log(at_step(map, start, steps + 1).displacement / at_step(map, start, left).displacement) /
                   std::log(static_cast<double>(steps + 1) / static_cast<double>(left));
  return value;
}

double minibatch_displacement(double curvature, double learning_rate, double momentum, double variance, long steps) {
  // Stationarity of E u² and of E u v gives E u v = h E u²/(1 + β), whatever the noise.
  const LinearSgd map{curvature, learning_rate, momentum, 1.0, 0.0};
  const Matrix p = power(map_matrix(map), steps);
  return 2.0 * variance * (1.0 - p(0, 0) - p(0, 1) * curvature / (1.0 + momentum));
}

DisplacementValue exact_mode(const Displacement& displacement, int l, double time) {
  const Model& model = displacement.model();
  const LinearStart start = linear_start(displacement, l);
  if (model.dynamics() == Dynamics::sgd)
    return exact_displacement(linear_sgd(model, l), start, std::lround(time / model.learning_rate()));
  return exact_displacement(linear_langevin(model, l), start, time);
}

DisplacementValue exact_total(const Displacement& displacement, double time) {
  return weighted_sum(displacement.model(), [&](int l) { return exact_mode(displacement, l, time); });
}

}  // namespace underdamp
