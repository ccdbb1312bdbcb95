#include "solver/model/model.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "solver/io/diagnostics.hpp"
#include "solver/model/loss_minimum.hpp"
#include "solver/spec/mode_selection.hpp"

namespace underdamp {
namespace {

std::shared_ptr<const Function> constant(double value) {
  return make_polynomial({value});
}

void set_minimum(PlaneModel& plane, const LossMinimum& found) {
  plane.minimum = found.theta;
  plane.tilt = found.tilt;
}

}  // namespace

std::string PlaneModel::named(const std::string& before, const std::string& after) const {
  return name.empty() ? "" : before + name + after;
}

Model::Model(const Spec& spec)
    : dynamics_(spec.dynamics),
      loss_source_{spec.place(spec.loss_key()), spec.loss_key()},
      noise_source_{spec.place(spec.noise_key()), spec.noise_key()} {
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
  } else if (spec.loss.kind == LossKind::spectrum) {
    add_spectrum_planes(spec);
  } else {
    add_single_plane(spec);
  }
  for (int p = 0; p < planes(); ++p) {
    require_noise(spec, p);
    if (!spec.has_parabolas()) choose_curvature(spec, p);
    require_scales(spec, p);
  }
  if (dynamics_ == Dynamics::sgd) require_stable_map(spec);
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
    case LossKind::expression:
    case LossKind::table:
      plane.loss = loss.function;
      break;
    case LossKind::dataset:
    case LossKind::spectrum:
      break;
  }
  set_minimum(plane, find_minimum(spec, *plane.loss, weight_decay_));
  const double hessian = plane.loss->second_derivative(plane.minimum);
  plane.curvature = hessian + weight_decay_;
  plane.noise = make_noise(spec, hessian);
  require_common_range(spec, plane);
  planes_.push_back(std::move(plane));
}

/// The tables of loss and noise overlap, around the minimum.
void Model::require_common_range(const Spec& spec, const PlaneModel& plane) const {
  const auto known = plane.noise->domain();
  if (!known || (plane.minimum > known->lower && plane.minimum < known->upper)) return;
  refuse(spec, spec.noise_key(),
         fmt::format("the minimum of the loss, x = {:.6g}, is not inside the range [{:.6g}, {:.6g}] of {}",
                     plane.minimum, known->lower, known->upper, plane.noise->describe()),
         "extend the table");
}

const NoiseCoupling* Model::dropped_noise() const {
  return has_measured_noise_ && planes() > 1 ? &dataset_->noise_coupling() : nullptr;
}

void Model::add_dataset_planes(const Spec& spec) {
  dataset_ = std::make_shared<Dataset>(spec.loss.data, weight_decay_);
  has_measured_noise_ = spec.noise.kind == NoiseKind::dataset;
  std::vector<int> wanted = spec.loss.modes;
  const int count = static_cast<int>(dataset_->modes().size());
  if (wanted.empty()) {
    for (int number = 1; number <= count; ++number) wanted.push_back(number);
  }
  for (const int number : wanted) {
    const HessianMode& mode = dataset_->modes()[static_cast<std::size_t>(number) - 1];
    if (!(mode.eigenvalue + weight_decay_ > 0.0)) {
      refuse(spec, "loss.modes",
             fmt::format("the Hessian is singular, mode {} has eigenvalue 0 and nothing holds it", number),
             "use weight_decay > 0, leave this mode out, or remove columns that others determine");
    }
    PlaneModel plane;
    plane.name = fmt::format("mode_{:02d}", number);
    plane.mode = number;
    plane.eigenvalue = mode.eigenvalue;
    plane.loss = make_quadratic(mode.eigenvalue, mode.minimum);
    plane.curvature = mode.eigenvalue + weight_decay_;
    plane.minimum = mode.eigenvalue * mode.minimum / plane.curvature;
    plane.noise = spec.noise.kind == NoiseKind::dataset ? constant(mode.noise) : make_noise(spec, mode.eigenvalue);
    planes_.push_back(std::move(plane));
  }
}

/// Formulas are made anew for every plane, with its eigenvalue.
void Model::add_spectrum_planes(const Spec& spec) {
  require_eigenvalues(spec);
  const Interval window = spec.search_window();
  const auto digits = std::max<std::size_t>(2, std::to_string(spec.loss.eigenvalues.size()).size());
  for (std::size_t l = 0; l < spec.loss.eigenvalues.size(); ++l) {
    PlaneModel plane;
    plane.mode = static_cast<int>(l) + 1;
    plane.name = fmt::format("mode_{:0{}d}", plane.mode, digits);
    plane.eigenvalue = spec.loss.eigenvalues[l];
    plane.weight = spec.loss.weights[l];
    double hessian = plane.eigenvalue;
    if (spec.loss.formula.empty()) {
      plane.loss = make_quadratic(plane.eigenvalue, 0.0);
    } else {
      auto formula = make_expression(spec.loss.formula, plane.eigenvalue);
      formula->set_length(0.1 * (window.upper - window.lower));
      plane.loss = std::move(formula);
      set_minimum(plane, find_minimum(spec, *plane.loss, weight_decay_));
      hessian = plane.loss->second_derivative(plane.minimum);
    }
    plane.curvature = hessian + weight_decay_;
    plane.noise = make_noise(spec, hessian, plane.eigenvalue);
    require_common_range(spec, plane);
    planes_.push_back(std::move(plane));
  }
}

std::shared_ptr<const Function> Model::make_noise(const Spec& spec, double hessian,
                                                  std::optional<double> eigenvalue) const {
  const NoiseSpec& noise = spec.noise;
  switch (noise.kind) {
    case NoiseKind::hessian:
      return constant(noise.sigma2 * hessian);
    case NoiseKind::isotropic:
      return constant(noise.sigma2);
    case NoiseKind::constant:
      return constant(noise.covariance);
    case NoiseKind::expression:
      if (eigenvalue) return make_expression(noise.formula, eigenvalue);
      return noise.function;
    case NoiseKind::table:
      return noise.function;
    case NoiseKind::temperature:
      return constant(gamma_ * spec.langevin->temperature.value_or(1.0));
    case NoiseKind::dataset:
      break;
  }
  refuse(spec, "noise.kind", "\"dataset\" noise needs a dataset loss", "use another kind of noise");
}

void Model::require_noise(const Spec& spec, int p) const {
  const double noise = plane(p).noise->value(plane(p).minimum);
  if (std::isfinite(noise) && noise > 0.0) return;
  const bool follows_hessian = spec.noise.kind == NoiseKind::hessian;
  refuse(spec, spec.noise_key(),
         fmt::format("the noise{} is {} at the minimum {:.6g}, not {}", plane(p).named(" of "), number_text(noise),
                     plane(p).minimum, std::isfinite(noise) ? "positive" : "finite"),
         follows_hessian ? "sigma2·L'' vanishes where the loss is flat: use noise.kind = \"isotropic\""
                         : "give a noise > 0");
}

/// The curvature at one point says nothing about the width where the loss is flat there, or has a kink.
void Model::choose_curvature(const Spec& spec, int p) {
  PlaneModel& plane = planes_[static_cast<std::size_t>(p)];
  const auto thermal = thermal_curvature(p, spec.grid);
  constexpr double most = 4.0;  // within it the curvature and the width tell the same
  const bool agrees = thermal && plane.curvature > *thermal / most && plane.curvature < most * *thermal;
  if (thermal && !agrees) {
    if (spec.noise.kind == NoiseKind::hessian) {
      refuse(spec, spec.noise_key(),
             fmt::format(
                 "the curvature of the loss at its minimum x = {:.6g}, and with it the noise sigma2·L'', is {:.3g}: "
                 "it {}",
                 plane.minimum, plane.curvature - weight_decay_,
                 plane.curvature < *thermal ? "is flat there" : "has a kink there"),
             "use noise.kind = \"isotropic\"");
    }
    plane.curvature = *thermal;
    plane.is_thermal = true;
  }
  if (plane.curvature > 0.0 && std::isfinite(plane.curvature)) return;
  refuse(
      spec, spec.loss_key(),
      fmt::format("the curvature of the loss at its minimum x = {:.6g} is {}, and nothing else confines the "
                  "parameter there",
                  plane.minimum,
                  std::isfinite(plane.curvature) ? fmt::format("{:.3g}, not positive", plane.curvature) : "not finite"),
      "use a loss that grows on both sides of its minimum, or weight_decay > 0");
}

/// Curvature of the parabola whose Gibbs state spreads as far around the minimum as that of the loss, exp(−k L_λ/T), in
/// the well around it: up to the walls, to where the density has gone, or to a barrier. Absent if nothing confines the
/// parameter: the loss falls through an open wall, or does not rise.
std::optional<double> Model::thermal_curvature(int p, const GridSpec& grid) const {
  const double minimum = plane(p).minimum;
  const double temperature = diffusion(p, minimum) / gamma_;
  const bool circle = grid.walls.is_periodic() && grid.theta;
  const double length = circle ? grid.theta->upper - grid.theta->lower : 0.0;
  const auto height = [&](double theta) {  // on a circle of the periodic part
    const double turns = circle ? std::floor((theta - grid.theta->lower) / length) : 0.0;
    return k_ *
           (loss(p, theta - turns * length) + turns * length * plane(p).tilt - loss(p, minimum) -
            plane(p).tilt * (theta - minimum)) /
           temperature;
  };
  auto limits = grid.theta ? grid.theta : domain(p);
  if (circle) limits = Interval{minimum - 0.5 * length, minimum + 0.5 * length};
  const auto well = well_moments(height, minimum, limits, grid.walls);
  if (!well) return std::nullopt;
  const double curvature = temperature * well->weight / (k_ * well->square);
  return std::isfinite(curvature) && curvature > 0.0 ? std::optional(curvature) : std::nullopt;
}

void Model::require_scales(const Spec& spec, int p) const {
  constexpr double smallest = 1e-60;  // products of four such numbers do not overflow
  constexpr double largest = 1e60;
  const Derived d = derived(p);
  const auto check = [&](const std::string& key, const char* what, double value) {
    if (value >= smallest && value <= largest) return;
    refuse(spec, key, fmt::format("{}{} would be {:.3g}", what, plane(p).named(" of "), value),
           "choose units in which it lies between 1e-60 and 1e60");
  };
  check(spec.optimizer ? "optimizer.learning_rate" : "langevin.friction", "the friction gamma", d.gamma);
  check("optimizer.learning_rate", "the force per gradient, k,", d.k);
  check(spec.noise_key(), "the standard deviation of v", d.std_v);
  check(spec.loss_key(), "the standard deviation of theta", d.std_theta);
  check(spec.loss_key(), "the relaxation time", d.relaxation_time);
  if (std::abs(plane(p).minimum) > 1e11 * d.std_theta) {
    const bool is_measured = spec.noise.kind == NoiseKind::dataset;  // a perfect fit leaves rounding only
    refuse(spec, spec.noise_key(),
           fmt::format("the density{} is so narrow, {:.3g}, that numbers cannot resolve it at the minimum {:.6g}",
                       plane(p).named(" of "), d.std_theta, plane(p).minimum),
           is_measured ? "the data fit perfectly, which leaves no noise: use another kind of noise"
                       : "use more noise, or shift the parameter so that its minimum is nearer to 0");
  }
}

void Model::require_stable_map(const Spec& spec) const {
  int steepest = 0;
  for (int p = 1; p < planes(); ++p) {
    if (plane(p).curvature > plane(steepest).curvature) steepest = p;
  }
  const double curvature = plane(steepest).curvature;
  const double limit = 2.0 * (1.0 + momentum_) / curvature;
  if (learning_rate_ < limit) return;
  refuse(
      spec, "optimizer.learning_rate",
      fmt::format("the SGD map diverges{}: learning rate {:.6g}, curvature {:.6g} at the minimum, their product {:.6g} "
                  "is not below 2 (1 + momentum) = {:.6g}",
                  plane(steepest).named(" in "), learning_rate_, curvature, learning_rate_ * curvature,
                  2.0 * (1.0 + momentum_)),
      fmt::format("use a learning rate below {:.6g}", limit));
}

void Model::require_valid(int p, double theta) const {
  const double value = loss(p, theta);
  const double slope = gradient(p, theta);
  if (!std::isfinite(k_ * value) || !std::isfinite(k_ * slope)) {
    refuse(loss_source_.place, loss_source_.key,
           fmt::format("{} is {} with derivative {} at x = {:.6g}, where the box reaches", plane(p).loss->describe(),
                       number_text(value), number_text(slope), theta),
           "change the loss, or restrict grid.theta to where it is defined");
  }
  const double noise = plane(p).noise->value(theta);
  if (!std::isfinite(noise) || noise < 0.0) {
    refuse(noise_source_.place, noise_source_.key,
           fmt::format("{} is {} at x = {:.6g}, where the box reaches", plane(p).noise->describe(), number_text(noise),
                       theta),
           "a variance is finite and at least 0 everywhere in the box; or restrict grid.theta");
  }
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

/// A wall near the top of a barrier counts, one on the slope of a well does not: the loss is compared with that a tenth
/// of the box further on. Where it is not known there, the table should be extended.
Escape Model::escape(int p, const Interval& theta, const ThetaWalls& walls) const {
  const double beyond = 0.1 * (theta.upper - theta.lower);
  const auto passes = [&](ThetaBoundary wall, double at, double further) {
    const auto known = domain(p);
    if (wall != ThetaBoundary::open || (known && (further < known->lower || further > known->upper))) return false;
    const double rise = k_ * (loss(p, further) - loss(p, at));
    constexpr double negligible = 0.1;  // in units of the temperature
    return rise < negligible * diffusion(p, at) / gamma_;
  };
  return {passes(walls.lower, theta.lower, theta.lower - beyond),
          passes(walls.upper, theta.upper, theta.upper + beyond)};
}

Matrix2 Model::stationary_covariance(int p) const {
  const Derived d = derived(p);
  if (dynamics_ == Dynamics::langevin) return {{{d.std_theta * d.std_theta, 0.0}, {0.0, d.temperature}}};
  // Discrete heavy ball (docs/method.md, eq. 5): both variances grow by 1/(1 − ηh/(2(1+β))), with a correlation.
  const double q = learning_rate_ * plane(p).curvature / (2.0 * (1.0 + momentum_));
  const double scale = 1.0 / (1.0 - q);
  const double covariance = std::sqrt(q) * d.std_theta * d.std_v * scale;
  return {{{d.std_theta * d.std_theta * scale, covariance}, {covariance, d.temperature * scale}}};
}

}  // namespace underdamp
