#include "solver/model/model.hpp"

#include <algorithm>
#include <boost/math/tools/minima.hpp>
#include <cmath>
#include <limits>
#include <tuple>

#include <fmt/format.h>

#include "solver/io/diagnostics.hpp"
#include "solver/spec/mode_selection.hpp"

namespace underdamp {
namespace {

std::shared_ptr<const Function> constant(double value) {
  return make_polynomial({value});
}

/// Lowest point of a function in a window.
struct Lowest {
  double theta = 0.0;
  double value = std::numeric_limits<double>::infinity();
  double highest = 0.0;  ///< largest |value| that was sampled
  bool at_end = false;   ///< of the window
  bool is_flat = true;   ///< the function has one value only
};

/// Looks at a grid of the window and refines by Brent's method; where the function is not a number it counts as high.
template <class F>
Lowest lowest(const F& f, const Interval& window) {
  constexpr int samples = 4000;
  const double step = (window.upper - window.lower) / samples;
  const auto value = [&](double x) {
    const double y = f(x);
    return std::isnan(y) ? std::numeric_limits<double>::infinity() : y;
  };
  Lowest result;
  int index = 0;
  double first = value(window.lower);
  for (int s = 0; s <= samples; ++s) {
    const double y = value(window.lower + s * step);
    if (std::isfinite(y)) result.highest = std::max(result.highest, std::abs(y));
    result.is_flat = result.is_flat && y == first;
    if (y >= result.value) continue;
    result.value = y;
    index = s;
  }
  result.at_end = index == 0 || index == samples;
  const double left = std::max(window.lower, window.lower + (index - 1) * step);
  const double right = std::min(window.upper, window.lower + (index + 1) * step);
  std::tie(result.theta, result.value) = boost::math::tools::brent_find_minima(value, left, right, 50);
  return result;
}

/// The lowest point of a window that is lower than what is next to it on both sides; absent if there is none.
template <class F>
std::optional<double> lowest_inside(const F& f, const Interval& window) {
  constexpr int samples = 4000;
  const double step = (window.upper - window.lower) / samples;
  std::optional<double> bottom;
  double least = std::numeric_limits<double>::infinity();
  double before = f(window.lower);
  double here = f(window.lower + step);
  for (int s = 1; s < samples; ++s) {
    const double after = f(window.lower + (s + 1) * step);
    if (here < before && here <= after && here < least) {
      least = here;
      bottom = window.lower + s * step;
    }
    before = here;
    here = after;
  }
  if (bottom) bottom = boost::math::tools::brent_find_minima(f, *bottom - step, *bottom + step, 50).first;
  return bottom;
}

/// Where the well around a minimum ends in one direction: where the height over the temperature is 40, at a wall, or
/// at the top of a barrier of 1 or more beyond which it falls by a half again. Absent if it ends at an open wall that
/// is the minimum itself, or nowhere.
template <class Height>
std::optional<double> well_end(const Height& height, double minimum, double direction,
                               const std::optional<Interval>& limits, ThetaBoundary wall) {
  constexpr double gone = 40.0;
  constexpr double barrier = 1.0;
  // Outwards in ever longer steps to where it has risen by some hundredths, then in even ones.
  double step = 1e-60;
  while (step < 1e60 && std::abs(height(minimum + direction * step)) < 0.02 &&
         !(limits && (minimum + direction * step >= limits->upper || minimum + direction * step <= limits->lower)))
    step *= 2.0;
  double highest = 0.0;
  double top = minimum;
  constexpr int most_steps = 200'000;
  double theta = minimum;
  for (int s = 0; s < most_steps; ++s, step *= 1.001) {
    theta += direction * step;
    if (limits && (theta >= limits->upper || theta <= limits->lower)) {
      const double end = direction > 0.0 ? limits->upper : limits->lower;
      const bool is_at_wall = std::abs(end - minimum) < 1e-6 * (limits->upper - limits->lower);
      return is_at_wall && wall == ThetaBoundary::open ? std::nullopt : std::optional(end);
    }
    const double h = height(theta);
    if (std::isnan(h)) return std::nullopt;
    if (h >= gone) return theta;
    if (h > highest) {
      highest = h;
      top = theta;
    }
    if (highest >= barrier && h < highest - 0.5) return top;
    if (!std::isfinite(theta)) return std::nullopt;
  }
  return std::nullopt;
}

std::string of_plane(const PlaneModel& plane) {
  return plane.name.empty() ? "" : " of " + plane.name;
}

}  // namespace

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
  locate_minimum(spec, plane);
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
      locate_minimum(spec, plane);
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

void Model::locate_minimum(const Spec& spec, PlaneModel& plane) const {
  if (spec.loss.kind == LossKind::quadratic && spec.loss.hessian + weight_decay_ > 0.0) {
    plane.minimum = spec.loss.hessian * spec.loss.minimum / (spec.loss.hessian + weight_decay_);
    return;
  }
  if (spec.grid.walls.is_periodic() && spec.grid.theta) return locate_on_circle(spec, plane);
  const auto loss = [&](double theta) { return plane.loss->value(theta) + 0.5 * weight_decay_ * theta * theta; };
  const bool may_grow = !plane.loss->domain() && !spec.grid.theta;
  constexpr int most_doublings = 30;
  Interval window = plane.loss->domain().value_or(spec.search_window());
  if (spec.grid.theta) {
    window = {std::max(window.lower, spec.grid.theta->lower), std::min(window.upper, spec.grid.theta->upper)};
    if (!(window.upper > window.lower)) window = *spec.grid.theta;  // the box is refused later, with the table's name
  }
  Lowest found = lowest(loss, window);
  for (int doubling = 0; may_grow && found.at_end && doubling < most_doublings; ++doubling) {
    const double middle = 0.5 * (window.lower + window.upper);
    window = {middle - 2.0 * (middle - window.lower), middle + 2.0 * (window.upper - middle)};
    found = lowest(loss, window);
  }
  const auto reject = [&](const std::string& problem, const std::string& remedy) {
    refuse(spec, spec.loss_key(), plane.loss->describe() + " " + problem, remedy);
  };
  if (!std::isfinite(found.value)) {
    reject(found.is_flat ? fmt::format("is not finite anywhere between {:.6g} and {:.6g}", window.lower, window.upper)
                         : fmt::format("is not finite at x = {:.6g}", found.theta),
           "change the loss, or restrict grid.theta to where it is defined");
  }
  if (found.is_flat && !spec.grid.walls.closed()) {
    reject("is the same everywhere: nothing holds the parameter",
           "use a loss with a minimum, or closed walls (grid.theta_boundary)");
  }
  if (found.is_flat) found.theta = 0.5 * (window.lower + window.upper);
  if (spec.grid.theta && found.at_end) {
    // Beyond an open wall it falls on: what is held is held further in.
    const double middle = 0.5 * (window.lower + window.upper);
    const ThetaBoundary wall = found.theta < middle ? spec.grid.walls.lower : spec.grid.walls.upper;
    if (wall == ThetaBoundary::open) found.theta = lowest_inside(loss, window).value_or(found.theta);
  }
  if ((may_grow && found.at_end) || found.value < -1e3 * found.highest) {
    reject(fmt::format("has no minimum: it falls without bound towards x = {:.3g}", found.theta),
           "use a loss that grows on both sides, or give grid.theta");
  }
  plane.minimum = found.theta;
}

/// The lowest of the local minima, less the mean slope around the circle; where the slope leaves none, the minimum of
/// the periodic part.
void Model::locate_on_circle(const Spec& spec, PlaneModel& plane) const {
  const Interval circle = *spec.grid.theta;
  const double length = circle.upper - circle.lower;
  const auto loss = [&](double theta) { return plane.loss->value(theta) + 0.5 * weight_decay_ * theta * theta; };
  const double gain = loss(circle.upper) - loss(circle.lower);
  const auto on_circle = [&](double theta) {
    const double turns = std::floor((theta - circle.lower) / length);
    return loss(theta - turns * length) + turns * gain;
  };
  const auto periodic_part = [&](double theta) { return on_circle(theta) - gain * (theta - circle.lower) / length; };
  const Lowest found = lowest(periodic_part, circle);
  if (!std::isfinite(found.value) || !std::isfinite(gain)) {
    refuse(spec, spec.loss_key(), fmt::format("{} is not finite at x = {:.6g}", plane.loss->describe(), found.theta),
           "change the loss, or restrict grid.theta to where it is defined");
  }
  plane.minimum = found.is_flat ? 0.5 * (circle.lower + circle.upper) : found.theta;
  constexpr double rounding = 1e-11;
  if (!(std::abs(gain) > rounding * found.highest)) return;
  plane.tilt = gain / length;
  constexpr int samples = 4000;
  const double step = length / samples;
  double least = std::numeric_limits<double>::infinity();
  for (int s = 0; s < samples; ++s) {
    const double theta = circle.lower + s * step;
    const bool is_minimum = on_circle(theta) < on_circle(theta - step) && on_circle(theta) <= on_circle(theta + step);
    if (!is_minimum || !(periodic_part(theta) < least)) continue;
    least = periodic_part(theta);
    plane.minimum = boost::math::tools::brent_find_minima(on_circle, theta - step, theta + step, 50).first;
  }
}

void Model::require_noise(const Spec& spec, int p) const {
  const double noise = plane(p).noise->value(plane(p).minimum);
  if (std::isfinite(noise) && noise > 0.0) return;
  const bool follows_hessian = spec.noise.kind == NoiseKind::hessian;
  refuse(spec, spec.noise_key(),
         fmt::format("the noise{} is {} at the minimum {:.6g}, not {}", of_plane(plane(p)), number_text(noise),
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
  const auto upper = well_end(height, minimum, 1.0, limits, grid.walls.upper);
  const auto lower = well_end(height, minimum, -1.0, limits, grid.walls.lower);
  if (!lower || !upper || !(*upper > *lower)) return std::nullopt;
  constexpr int samples = 4000;
  double weight = 0.0;
  double moment = 0.0;
  for (int s = 0; s < samples; ++s) {
    const double theta = *lower + (*upper - *lower) * (s + 0.5) / samples;
    const double density = std::exp(-height(theta));
    weight += density;
    moment += density * (theta - minimum) * (theta - minimum);
  }
  const double curvature = temperature * weight / (k_ * moment);
  return std::isfinite(curvature) && curvature > 0.0 ? std::optional(curvature) : std::nullopt;
}

void Model::require_scales(const Spec& spec, int p) const {
  constexpr double smallest = 1e-60;  // products of four such numbers do not overflow
  constexpr double largest = 1e60;
  const Derived d = derived(p);
  const auto check = [&](const std::string& key, const char* what, double value) {
    if (value >= smallest && value <= largest) return;
    refuse(spec, key, fmt::format("{}{} would be {:.3g}", what, of_plane(plane(p)), value),
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
                       of_plane(plane(p)), d.std_theta, plane(p).minimum),
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
                  plane(steepest).name.empty() ? "" : " in " + plane(steepest).name, learning_rate_, curvature,
                  learning_rate_ * curvature, 2.0 * (1.0 + momentum_)),
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
