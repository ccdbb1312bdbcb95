#include "solver/model.hpp"

#include <algorithm>
#include <boost/math/tools/minima.hpp>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

std::shared_ptr<const Function> constant(double value) {
  return make_polynomial({value});
}

/// Window that certainly holds what the user named: start, box, or the neighbourhood of 0.
Interval search_window(const Spec& spec) {
  if (spec.grid.theta) return *spec.grid.theta;
  Interval window{-1.0, 1.0};
  if (spec.initial.kind == InitialKind::gaussian && spec.initial.mean) {
    const double reach = spec.initial.covariance ? 7.0 * std::sqrt((*spec.initial.covariance)[0][0]) : 0.0;
    window.lower = std::min(window.lower, (*spec.initial.mean)[0] - reach);
    window.upper = std::max(window.upper, (*spec.initial.mean)[0] + reach);
  }
  return window;
}

/// Lowest point of f on a grid of the window, refined by Brent's method.
template <class F>
double lowest(const F& f, const Interval& window, int& index, int samples) {
  const double step = (window.upper - window.lower) / samples;
  double best = f(window.lower);
  index = 0;
  for (int s = 1; s <= samples; ++s) {
    const double value = f(window.lower + s * step);
    if (value < best) {
      best = value;
      index = s;
    }
  }
  const double left = std::max(window.lower, window.lower + (index - 1) * step);
  const double right = std::min(window.upper, window.lower + (index + 1) * step);
  return boost::math::tools::brent_find_minima(f, left, right, 50).first;
}

}  // namespace

Model::Model(const Spec& spec) : dynamics_(spec.dynamics) {
  if (spec.optimizer) {
    learning_rate_ = spec.optimizer->learning_rate;
    momentum_ = spec.optimizer->momentum;
    batch_size_ = spec.optimizer->batch_size;
    weight_decay_ = spec.optimizer->weight_decay;
    const double scale = learning_rate_ * (1.0 + momentum_);
    k_ = 2.0 / scale;
    gamma_ = 2.0 * (1.0 - momentum_) / scale;
    kappa_ = batch_size_ * (1.0 - momentum_ * momentum_);
    diffusion_per_noise_ = 2.0 / (scale * (1.0 + momentum_) * batch_size_);
  } else {
    gamma_ = spec.langevin->friction;
  }
  if (spec.loss.kind == LossKind::dataset) {
    add_dataset_planes(spec);
  } else {
    add_single_plane(spec);
  }
  for (int p = 0; p < planes(); ++p) require_noise(spec, p);
}

void Model::add_single_plane(const Spec& spec) {
  PlaneModel plane;
  const LossSpec& loss = spec.loss;
  switch (loss.kind) {
    case LossKind::quadratic:
      plane.loss = make_quadratic(loss.hessian, loss.minimum);
      break;
    case LossKind::polynomial:
      plane.loss = make_polynomial(loss.coefficients);
      break;
    case LossKind::expression: {
      auto formula = make_expression(loss.formula, spec.place("loss.formula"));
      const Interval window = search_window(spec);
      formula->set_length(0.1 * (window.upper - window.lower));
      plane.loss = std::move(formula);
      break;
    }
    case LossKind::table:
      plane.loss = make_table(loss.file, loss.columns);
      break;
    case LossKind::dataset:
      break;
  }
  locate_minimum(spec, plane);
  plane.noise = make_noise(spec, plane.loss->second_derivative(plane.minimum));
  planes_.push_back(std::move(plane));
}

void Model::add_dataset_planes(const Spec& spec) {
  dataset_ = std::make_shared<Dataset>(spec.loss, weight_decay_);
  std::vector<int> wanted = spec.loss.modes;
  const int count = static_cast<int>(dataset_->modes().size());
  if (wanted.empty()) {
    for (int number = 1; number <= count; ++number) wanted.push_back(number);
  }
  for (const int number : wanted) {
    if (number > count) {
      throw Error(ExitCode::bad_input,
                  fmt::format("loss.modes: there is no mode {}, the data have {} features", number, count),
                  spec.place("loss.modes"), fmt::format("use numbers from 1 to {}", count));
    }
    const HessianMode& mode = dataset_->modes()[static_cast<std::size_t>(number) - 1];
    if (!(mode.eigenvalue + weight_decay_ > 0.0)) {
      throw Error(
          ExitCode::bad_input,
          fmt::format("loss.modes: the Hessian is singular, mode {} has eigenvalue 0 and nothing holds it", number),
          spec.place("loss.modes"),
          "use weight_decay > 0, leave this mode out, or remove columns that others determine");
    }
    PlaneModel plane;
    plane.name = fmt::format("mode_{:02d}", number);
    plane.mode = number;
    plane.loss = make_quadratic(mode.eigenvalue, mode.minimum);
    plane.curvature = mode.eigenvalue + weight_decay_;
    plane.minimum = mode.eigenvalue * mode.minimum / plane.curvature;
    plane.noise = spec.noise.kind == NoiseKind::dataset ? constant(mode.noise) : make_noise(spec, mode.eigenvalue);
    planes_.push_back(std::move(plane));
  }
}

std::shared_ptr<const Function> Model::make_noise(const Spec& spec, double hessian) const {
  const NoiseSpec& noise = spec.noise;
  switch (noise.kind) {
    case NoiseKind::hessian:
      return constant(noise.sigma2 * hessian);
    case NoiseKind::isotropic:
      return constant(noise.sigma2);
    case NoiseKind::constant:
      return constant(noise.covariance);
    case NoiseKind::expression:
      return make_expression(noise.formula, spec.place("noise.formula"));
    case NoiseKind::table:
      return make_table(noise.file, noise.columns);
    case NoiseKind::temperature:
      return constant(gamma_ * spec.langevin->temperature.value_or(1.0));
    case NoiseKind::dataset:
      break;
  }
  throw Error(ExitCode::bad_input, "\"dataset\" noise needs a dataset loss", spec.place("noise.kind"));
}

void Model::locate_minimum(const Spec& spec, PlaneModel& plane) const {
  const std::string where = spec.place("loss");
  const auto loss = [&](double theta) { return plane.loss->value(theta) + 0.5 * weight_decay_ * theta * theta; };
  constexpr int samples = 4000;
  constexpr double farthest = 1e9;
  Interval window = plane.loss->domain().value_or(search_window(spec));
  int index = 0;
  plane.minimum = lowest(loss, window, index, samples);
  while (!plane.loss->domain() && !spec.grid.theta && (index == 0 || index == samples) && window.upper < farthest) {
    const double middle = 0.5 * (window.lower + window.upper);
    window = {middle - 2.0 * (middle - window.lower), middle + 2.0 * (window.upper - middle)};
    plane.minimum = lowest(loss, window, index, samples);
  }
  if (!std::isfinite(plane.minimum) || !std::isfinite(loss(plane.minimum))) {
    throw Error(ExitCode::bad_input, fmt::format("{} is not finite at x = {}", plane.loss->describe(), plane.minimum),
                where, "change the loss, or restrict grid.theta to where it is defined");
  }
  if (window.upper >= farthest) {
    throw Error(ExitCode::bad_input, plane.loss->describe() + " has no minimum: it falls without bound", where,
                "use a loss that grows on both sides, or give grid.theta");
  }
  if (spec.loss.kind == LossKind::quadratic) {
    plane.minimum = spec.loss.hessian * spec.loss.minimum / (spec.loss.hessian + weight_decay_);
  }
  plane.curvature = plane.loss->second_derivative(plane.minimum) + weight_decay_;
  if (!(plane.curvature > 0.0)) {
    throw Error(ExitCode::bad_input,
                fmt::format("the curvature of the loss at its minimum x = {:.6g} is {:.3g}, not positive",
                            plane.minimum, plane.curvature),
                where, "use a loss that is quadratic at its minimum, or weight_decay > 0");
  }
}

void Model::require_noise(const Spec& spec, int p) const {
  const double noise = plane(p).noise->value(plane(p).minimum);
  if (std::isfinite(noise) && noise > 0.0) return;
  throw Error(ExitCode::bad_input,
              fmt::format("the noise{} is {:.3g} at the minimum {:.6g}, not positive",
                          plane(p).name.empty() ? "" : " of " + plane(p).name, noise, plane(p).minimum),
              spec.place("noise"), "give a noise > 0");
}

Derived Model::derived(int p) const {
  Derived d;
  d.k = k_;
  d.gamma = gamma_;
  d.omega = std::sqrt(k_ * plane(p).curvature);
  d.zeta = gamma_ / (2.0 * d.omega);
  d.temperature = diffusion(p, plane(p).minimum) / gamma_;
  d.kappa = kappa_ > 0.0 ? kappa_ : 1.0 / d.temperature;
  d.std_v = std::sqrt(d.temperature);
  d.std_theta = d.std_v / d.omega;
  const double half = 0.5 * gamma_;
  d.relaxation_time =
      d.zeta <= 1.0 ? 1.0 / half : (half + std::sqrt(half * half - d.omega * d.omega)) / (d.omega * d.omega);
  return d;
}

double Model::loss(int p, double theta) const {
  return plane(p).loss->value(theta) + 0.5 * weight_decay_ * theta * theta;
}
double Model::gradient(int p, double theta) const {
  return plane(p).loss->derivative(theta) + weight_decay_ * theta;
}
double Model::curvature(int p, double theta) const {
  return plane(p).loss->second_derivative(theta) + weight_decay_;
}

std::optional<Interval> Model::domain(int p) const {
  const auto loss = plane(p).loss->domain();
  const auto noise = plane(p).noise->domain();
  if (!loss || !noise) return loss ? loss : noise;
  return Interval{std::max(loss->lower, noise->lower), std::min(loss->upper, noise->upper)};
}

std::array<std::array<double, 2>, 2> Model::stationary_covariance(int p) const {
  const Derived d = derived(p);
  if (dynamics_ == Dynamics::langevin) return {{{d.std_theta * d.std_theta, 0.0}, {0.0, d.temperature}}};
  // Discrete heavy ball (docs/method.md, eq. 5): both variances grow by 1/(1 − ηh/(2(1+β))), with a correlation.
  const double q = learning_rate_ * plane(p).curvature / (2.0 * (1.0 + momentum_));
  const double scale = 1.0 / (1.0 - q);
  const double covariance = std::sqrt(q) * d.std_theta * d.std_v * scale;
  return {{{d.std_theta * d.std_theta * scale, covariance}, {covariance, d.temperature * scale}}};
}

}  // namespace underdamp
