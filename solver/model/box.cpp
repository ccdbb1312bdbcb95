#include "solver/model/box.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "meshes/parallel_runs.hpp"
#include "solver/model/initial_state.hpp"
#include "solver/model/wells.hpp"

namespace underdamp {
namespace {

constexpr double exponent_at_wall = 0.5 * box_deviations * box_deviations;  // −ln of the density relative to its peak

void include(Interval& interval, double x) {
  interval.lower = std::min(interval.lower, x);
  interval.upper = std::max(interval.upper, x);
}
void include(Interval& interval, const Interval& other) {
  include(interval, other.lower);
  include(interval, other.upper);
}

struct Region {
  Interval theta;
  Interval velocity;
};

/// Potential U = k L_λ − min and local temperature D/γ on a line of points around the minimum.
struct Landscape {
  std::vector<double> theta;
  std::vector<double> potential;
  std::vector<double> temperature;
  std::size_t bottom = 0;
};

/// Where the parameter can be at all: where loss and noise are known, and between given walls.
std::optional<Interval> allowed(const Spec& spec, const Model& model, int p) {
  const auto domain = model.domain(p);
  if (!domain || !spec.grid.theta) return domain ? domain : spec.grid.theta;
  return Interval{std::max(domain->lower, spec.grid.theta->lower), std::min(domain->upper, spec.grid.theta->upper)};
}

/// The start, as far as it matters for the landscape: how far it spreads if nothing holds it, and its highest energy.
struct Spread {
  Interval theta;
  double energy;
};

/// Walks away from the minimum until the quasi-potential Φ = ∫ dU/T is twice what a wall needs, and the start with what
/// noise adds can climb no higher, and beyond θ = `passing`.
void walk(const Model& model, int p, const std::optional<Interval>& domain, const Spread& start, double direction,
          double passing, Landscape& landscape) {
  const double minimum = model.plane(p).minimum;
  const double base = model.k() * model.loss(p, minimum);
  double step = 0.02 * model.derived(p).std_theta;
  double theta = minimum;
  double phi = 0.0;
  double previous = 0.0;
  double hottest = 0.0;
  const auto start_climbs = [&] {
    const bool within = theta >= start.theta.lower && theta <= start.theta.upper;
    return within && previous < start.energy + exponent_at_wall * hottest;
  };
  constexpr int most = 20000;
  const auto is_short = [&] { return direction * (passing - theta) > 0.0; };
  for (int s = 0; s < most && (phi < 2.0 * exponent_at_wall || start_climbs() || is_short()); ++s, step *= 1.002) {
    theta += direction * step;
    const bool outside = domain && (theta < domain->lower || theta > domain->upper);
    if (outside) theta = direction > 0.0 ? domain->upper : domain->lower;
    const double potential = model.k() * model.loss(p, theta) - base;
    const double temperature = model.diffusion(p, theta) / model.gamma();
    if (!std::isfinite(potential) || !(temperature >= 0.0)) model.require_valid(p, theta);
    phi += (potential - previous) / std::max(temperature, 1e-300);
    previous = potential;
    hottest = std::max(hottest, temperature);
    landscape.theta.push_back(theta);
    landscape.potential.push_back(potential);
    landscape.temperature.push_back(temperature);
    if (outside) return;
  }
  if (phi < 2.0 * exponent_at_wall) {
    throw Error(ExitCode::bad_input, fmt::format("nothing confines the parameter beyond x = {:.4g}", theta), {},
                "use a loss that grows on both sides, or give grid.theta and grid.velocity");
  }
}

Landscape survey(const Spec& spec, const Model& model, int p, const Spread& start) {
  const auto domain = allowed(spec, model, p);
  const double minimum = model.plane(p).minimum;
  const auto walked = [&](double direction) {
    Landscape side;
    walk(model, p, domain, start, direction, minimum, side);
    if (!spec.stationary) return side;
    // Wells behind barriers so high that the walk has stopped at them.
    const Interval inside{std::min(minimum, side.theta.back()), std::max(minimum, side.theta.back())};
    const auto wells = wells_beyond(model, p, inside, direction, domain, least_well_weight);
    if (wells.empty()) return side;
    side = {};
    walk(model, p, domain, start, direction, wells.back().bottom, side);
    return side;
  };
  const Landscape left = walked(-1.0);
  const Landscape right = walked(1.0);
  Landscape landscape;
  landscape.theta.assign(left.theta.rbegin(), left.theta.rend());
  landscape.potential.assign(left.potential.rbegin(), left.potential.rend());
  landscape.temperature.assign(left.temperature.rbegin(), left.temperature.rend());
  landscape.bottom = landscape.theta.size();
  landscape.theta.push_back(model.plane(p).minimum);
  landscape.potential.push_back(0.0);
  landscape.temperature.push_back(model.diffusion(p, model.plane(p).minimum) / model.gamma());
  const auto append = [](std::vector<double>& to, const std::vector<double>& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(landscape.theta, right.theta);
  append(landscape.potential, right.potential);
  append(landscape.temperature, right.temperature);
  return landscape;
}

/// Strong friction: p ~ exp(−Φ(θ) − v²/(2 T(θ))), Φ = ∫ dU/T.
Region overdamped_region(const Landscape& l) {
  Region region{{l.theta[l.bottom], l.theta[l.bottom]}, {0.0, 0.0}};
  const auto visit = [&](std::size_t k, double phi) {
    if (phi > exponent_at_wall) return;
    include(region.theta, l.theta[k]);
    const double v = std::sqrt(2.0 * l.temperature[k] * (exponent_at_wall - std::max(phi, 0.0)));
    include(region.velocity, {-v, v});
  };
  visit(l.bottom, 0.0);
  for (const int direction : {-1, 1}) {
    double phi = 0.0;
    for (std::size_t k = l.bottom; direction > 0 ? k + 1 < l.theta.size() : k > 0;) {
      const std::size_t next = direction > 0 ? k + 1 : k - 1;
      phi += (l.potential[next] - l.potential[k]) / std::max(0.5 * (l.temperature[k] + l.temperature[next]), 1e-300);
      visit(next, phi);
      k = next;
    }
  }
  return region;
}

/// Points that an orbit of energy E can reach.
Interval reach_of(const Landscape& l, double energy) {
  Interval reach{l.theta[l.bottom], l.theta[l.bottom]};
  for (std::size_t k = 0; k < l.theta.size(); ++k) {
    if (l.potential[k] <= energy) include(reach, l.theta[k]);
  }
  return reach;
}

/// Weak friction: energy diffuses with the temperature averaged over an orbit, T(E) = ∮ T v dθ / ∮ v dθ.
Region underdamped_region(const Landscape& l) {
  const double highest = *std::max_element(l.potential.begin(), l.potential.end());
  const double hottest = *std::max_element(l.temperature.begin(), l.temperature.end());
  double energy = 0.0;
  double phi = 0.0;
  // Where walls bound θ the energy may exceed what the landscape rises to. Most of it is decided at low energies.
  const double top = 2.0 * std::max(highest, exponent_at_wall * hottest);
  constexpr int energies = 500;
  for (int s = 0; s < energies && phi < exponent_at_wall; ++s) {
    const double step = top * (2.0 * s + 1.0) / (static_cast<double>(energies) * energies);
    energy += step;
    double weighted = 0.0;
    double weight = 0.0;
    for (std::size_t k = 0; k + 1 < l.theta.size(); ++k) {
      const double kinetic = energy - 0.5 * (l.potential[k] + l.potential[k + 1]);
      if (kinetic <= 0.0) continue;
      const double share = std::sqrt(kinetic) * (l.theta[k + 1] - l.theta[k]);
      weighted += share * 0.5 * (l.temperature[k] + l.temperature[k + 1]);
      weight += share;
    }
    const double rise = weight > 0.0 && weighted > 0.0 ? step * weight / weighted : step / l.temperature[l.bottom];
    if (phi + rise > exponent_at_wall) energy -= step * (phi + rise - exponent_at_wall) / rise;
    phi += rise;
  }
  const double v = std::sqrt(2.0 * energy);
  return {reach_of(l, energy), {-v, v}};
}

/// Deterministic flow of points of the start, and the covariance that noise adds along each path.
class StartTube {
 public:
  StartTube(const Spec& spec, const Model& model, int p)
      : model_(model), p_(p), has_edge_(spec.initial.kind == InitialKind::uniform) {
    if (spec.grid.theta && spec.grid.walls.lower == ThetaBoundary::open) lowest_ = spec.grid.theta->lower;
    if (spec.grid.theta && spec.grid.walls.upper == ThetaBoundary::open) highest_ = spec.grid.theta->upper;
    const InitialMoments start = initial_moments(spec, model, p);
    paths_.push_back({start.mean, {}});
    const auto& c = start.covariance;
    // Cholesky factor times a circle of seven standard deviations, or the edge of a uniform start.
    const double a = std::sqrt(c[0][0]);
    const double b = c[0][1] / a;
    const double d = std::sqrt(std::max(c[1][1] - b * b, 0.0));
    constexpr int directions = 48;
    for (int k = 0; k < directions; ++k) {
      const double angle = 2.0 * std::numbers::pi * k / directions;
      const double edge = std::numbers::sqrt3 / std::max(std::abs(std::cos(angle)), std::abs(std::sin(angle)));
      const double radius = has_edge_ ? edge : box_deviations;
      const double x = radius * std::cos(angle);
      const double y = radius * std::sin(angle);
      paths_.push_back({{start.mean[0] + a * x, start.mean[1] + b * x + d * y}, {}});
    }
    region_ = {{start.mean[0], start.mean[0]}, {start.mean[1], start.mean[1]}};
    record();
  }

  /// Follows the flow for a time, or until nothing changes any more.
  Region follow(double duration) {
    if (model_.dynamics() == Dynamics::sgd) {
      const auto steps = static_cast<long>(std::llround(duration / model_.learning_rate()));
      for (long s = 0; s < std::min(steps, longest); ++s) {
        for (Path& path : paths_) {
          if (!has_left(path)) sgd_step(path);
        }
        record();
      }
      return region_;
    }
    double time = 0.0;
    for (long s = 0; s < longest && time < duration; ++s) {
      double rate = model_.gamma();
      for (Path& path : paths_) {
        if (has_left(path)) continue;
        path.curvature = model_.curvature(p_, path.z[0]);
        rate = std::max(rate, std::sqrt(std::abs(model_.k() * path.curvature)));
      }
      const double dt = std::min(0.05 / rate, duration - time);
      for (Path& path : paths_) {
        if (!has_left(path)) langevin_step(path, dt);
      }
      time += dt;
      record();
    }
    return region_;
  }

  double highest_energy() const { return energy_; }

 private:
  static constexpr long longest = 20000;

  struct Path {
    Vector2 z;                      ///< θ, v
    std::array<double, 3> noise{};  ///< Var θ, Cov, Var v from noise alone
    double curvature = 0.0;         ///< of the loss at z; a formula takes its time for it
  };

  /// What is beyond an open wall of the spec does not come back, and its way does not concern the box.
  bool has_left(const Path& path) const { return path.z[0] < lowest_ || path.z[0] > highest_; }

  Vector2 slope(const Vector2& z) const { return {z[1], model_.force(p_, z[0]) - model_.gamma() * z[1]}; }

  void langevin_step(Path& path, double dt) {
    add_noise(path, dt);
    Vector2& z = path.z;
    const auto moved = [&](const Vector2& s, double h) { return Vector2{z[0] + h * s[0], z[1] + h * s[1]}; };
    const Vector2 s1 = slope(z);
    const Vector2 s2 = slope(moved(s1, 0.5 * dt));
    const Vector2 s3 = slope(moved(s2, 0.5 * dt));
    const Vector2 s4 = slope(moved(s3, dt));
    for (std::size_t a = 0; a < 2; ++a) z[a] += dt / 6.0 * (s1[a] + 2.0 * s2[a] + 2.0 * s3[a] + s4[a]);
  }

  /// dC/dt = −A C − C Aᵀ + 2 diag(0, D), by the midpoint rule; a concave loss counts as flat, it does not hold forever.
  void add_noise(Path& path, double dt) {
    const double stiffness = model_.k() * std::max(path.curvature, 0.0);
    const double friction = model_.gamma();
    const double noise = 2.0 * model_.diffusion(p_, path.z[0]);
    const auto change = [&](const std::array<double, 3>& c) {
      return std::array<double, 3>{2.0 * c[1], c[2] - stiffness * c[0] - friction * c[1],
                                   -2.0 * stiffness * c[1] - 2.0 * friction * c[2] + noise};
    };
    const auto first = change(path.noise);
    std::array<double, 3> middle{};
    for (std::size_t a = 0; a < 3; ++a) middle[a] = path.noise[a] + 0.5 * dt * first[a];
    const auto second = change(middle);
    for (std::size_t a = 0; a < 3; ++a) path.noise[a] += dt * second[a];
  }

  void sgd_step(Path& path) const {
    const double eta = model_.learning_rate();
    const double beta = model_.momentum();
    const double h = std::max(model_.curvature(p_, path.z[0]), 0.0);
    // v' = β v − h θ + noise, θ' = θ + η v'
    const auto& c = path.noise;
    const double vv = beta * beta * c[2] - 2.0 * beta * h * c[1] + h * h * c[0] + model_.step_variance(p_, path.z[0]);
    const double tv = beta * c[1] - h * c[0];
    path.noise = {c[0] + 2.0 * eta * tv + eta * eta * vv, tv + eta * vv, vv};
    const double v = beta * path.z[1] - model_.gradient(p_, path.z[0]);
    path.z = {path.z[0] + eta * v, v};
  }

  void record() {
    const Vector2& mean = paths_[0].z;
    const double lowest = model_.loss(p_, model_.plane(p_).minimum);
    for (const Path& path : paths_) {
      const auto& z = path.z;
      const auto reach = [&](double offset, double variance) {  // widths of Gaussians add in squares
        const double noise = box_deviations * std::sqrt(std::max(variance, 0.0));
        return has_edge_ ? std::abs(offset) + noise : std::hypot(offset, noise);
      };
      const double dx = reach(z[0] - mean[0], path.noise[0]);
      const double dv = reach(z[1] - mean[1], path.noise[2]);
      include(region_.theta, {mean[0] - dx, mean[0] + dx});
      include(region_.velocity, {mean[1] - dv, mean[1] + dv});
      energy_ = std::max(energy_, 0.5 * z[1] * z[1] + model_.k() * (model_.loss(p_, z[0]) - lowest));
    }
  }

  const Model& model_;
  int p_;
  bool has_edge_;
  double lowest_ = -std::numeric_limits<double>::infinity();  ///< θ at open walls
  double highest_ = std::numeric_limits<double>::infinity();
  std::vector<Path> paths_;
  Region region_{};
  double energy_ = 0.0;
};

/// Between the two limits the stationary region grows with ζ; the weight fits noise that rises quadratically, from
/// above.
Region blend(const Region& weak, const Region& strong, double zeta) {
  const double w = zeta * zeta / (zeta * zeta + 0.25);
  const auto mix = [w](const Interval& a, const Interval& b) {
    return Interval{(1.0 - w) * a.lower + w * b.lower, (1.0 - w) * a.upper + w * b.upper};
  };
  return {mix(weak.theta, strong.theta), mix(weak.velocity, strong.velocity)};
}

/// What the box was made for, in words.
std::string contents(const Spec& spec, bool is_driven) {
  if (is_driven)
    return spec.evolve ? "the start along its path, of rest and of the running state" : "rest and of the running state";
  const bool has_path = !spec.is_linear() || spec.initial.kind == InitialKind::uniform;
  if (!spec.evolve) return spec.is_linear() ? "the stationary Gaussian" : "the stationary state";
  if (has_path) return "the start along its path, and of the stationary state";
  return spec.stationary ? "the exact Gaussian over the whole run, and of the stationary one"
                         : "the exact Gaussian over the whole run";
}

/// What the flow or the map makes of the start may blow up.
void require_bounded(const Spec& spec, const Model& model, int p, const Region& region) {
  const InitialMoments start = initial_moments(spec, model, p);
  const Derived d = model.derived(p);
  const double scale = std::abs(start.mean[0]) + std::sqrt(start.covariance[0][0]) + std::abs(model.plane(p).minimum) +
                       d.std_theta + (std::abs(start.mean[1]) + std::sqrt(start.covariance[1][1])) * d.relaxation_time;
  const double length = region.theta.upper - region.theta.lower;
  const bool is_map = spec.dynamics == Dynamics::sgd;
  const double speed = region.velocity.upper - region.velocity.lower;
  if (std::isfinite(length) && std::isfinite(speed) && !(is_map && length > 1e6 * scale)) return;
  if (is_map) {
    refuse(
        spec, "optimizer.learning_rate",
        fmt::format("the SGD map throws the start, taken with {} standard deviations, ever further away: the loss is "
                    "too steep out there",
                    box_deviations),
        "use a smaller learning rate, or a start that is narrower or nearer to the minimum");
  }
  refuse(spec, "grid.theta", "the way of the start leads so far that the box is not finite",
         "use a start nearer to the minimum, or give grid.theta and grid.velocity");
}

/// Of a circle around which a mean force drives (Model::is_driven), as if that force, turned by `sense`, were positive.
struct Extremes {
  double smallest_force;
  double largest_force;
  double hottest;  ///< T = D/γ
  double rise;     ///< of the periodic part of the potential, from its lowest to its highest point
};

Extremes extremes_of(const Model& model, int p, const Interval& circle, double sense) {
  constexpr int samples = 4000;
  const double length = circle.upper - circle.lower;
  double lowest = 0.0;
  double highest = 0.0;
  Extremes e{sense * model.mean_force(p), sense * model.mean_force(p), 0.0, 0.0};
  const double base = model.k() * model.loss(p, circle.lower);
  for (int s = 0; s < samples; ++s) {
    const double theta = circle.lower + length * s / samples;
    const double force = sense * model.force(p, theta);
    const double potential = model.k() * model.loss(p, theta) - base + model.mean_force(p) * (theta - circle.lower);
    if (!std::isfinite(potential) || !std::isfinite(force)) model.require_valid(p, theta);
    e.smallest_force = std::min(e.smallest_force, force);
    e.largest_force = std::max(e.largest_force, force);
    e.hottest = std::max(e.hottest, model.diffusion(p, theta) / model.gamma());
    lowest = std::min(lowest, potential);
    highest = std::max(highest, potential);
  }
  e.rise = highest - lowest;
  return e;
}

/// Velocities of the stationary state there: around the running state, and around rest where some angle may hold the
/// parameter.
Interval driven_velocities(const Model& model, int p, const Interval& circle) {
  const double sense = model.mean_force(p) > 0.0 ? 1.0 : -1.0;
  const Extremes e = extremes_of(model, p, circle, sense);
  const double width = box_deviations * std::sqrt(e.hottest);
  const double running = std::abs(model.mean_force(p)) / model.gamma();
  // Neither force nor energy allows more: the one is what counts under strong friction, the other under weak.
  const double by_force = e.largest_force / model.gamma() + width;
  const double by_energy = std::sqrt((running + width) * (running + width) + 2.0 * e.rise);
  const double slowest = std::max(e.smallest_force / model.gamma(), 0.0);
  const Interval box{slowest - width, std::min(by_force, by_energy)};
  return sense > 0.0 ? box : Interval{-box.upper, -box.lower};
}

/// θ is the circle.
Region driven_region(const Spec& spec, const Model& model, int p) {
  Region region{*spec.grid.theta, driven_velocities(model, p, *spec.grid.theta)};
  if (!spec.evolve) return region;
  StartTube tube(spec, model, p);
  include(region.velocity, tube.follow(std::min(spec.evolve->until, 60.0 * model.derived(p).relaxation_time)).velocity);
  return region;
}

/// Smallest box around everything the run meets.
Region required_region(const Spec& spec, const Model& model, int p) {
  const Derived d = model.derived(p);
  if (model.is_driven(p)) return driven_region(spec, model, p);
  if (!spec.evolve && !spec.is_linear()) {
    const Landscape landscape = survey(spec, model, p, {{model.plane(p).minimum, model.plane(p).minimum}, 0.0});
    return blend(underdamped_region(landscape), overdamped_region(landscape), d.zeta);
  }
  StartTube tube(spec, model, p);
  const double duration = spec.evolve ? spec.evolve->until : 0.0;
  Region region = tube.follow(std::min(duration, 60.0 * d.relaxation_time));
  require_bounded(spec, model, p, region);
  if (spec.is_linear()) {
    if (!spec.evolve || spec.stationary) {
      const Matrix2 c = model.stationary_covariance(p);
      const double theta = box_deviations * std::sqrt(c[0][0]);
      const double v = box_deviations * std::sqrt(c[1][1]);
      include(region.theta, {model.plane(p).minimum - theta, model.plane(p).minimum + theta});
      include(region.velocity, {-v, v});
    }
    return region;
  }
  const Landscape landscape = survey(spec, model, p, {region.theta, tube.highest_energy()});
  const Region stationary = blend(underdamped_region(landscape), overdamped_region(landscape), d.zeta);
  // Energy bounds what the start can reach: its own plus what noise adds.
  const double hottest = *std::max_element(landscape.temperature.begin(), landscape.temperature.end());
  const double energy = tube.highest_energy() + exponent_at_wall * hottest;
  const Interval reach = reach_of(landscape, energy);
  // A side that was not surveyed up to that energy sets no limit.
  if (landscape.potential.front() >= energy) {
    region.theta.lower = std::max(region.theta.lower, std::min(reach.lower, stationary.theta.lower));
  }
  if (landscape.potential.back() >= energy) {
    region.theta.upper = std::min(region.theta.upper, std::max(reach.upper, stationary.theta.upper));
  }
  const double fastest = std::sqrt(2.0 * energy);
  region.velocity = {std::max(region.velocity.lower, -fastest), std::min(region.velocity.upper, fastest)};
  include(region.theta, stationary.theta);
  include(region.velocity, stationary.velocity);
  return region;
}

/// Walls of the spec, and whether a force acts on the density there: then its mirror image has a kink.
ThetaWalls walls_of(const Spec& spec, const Model& model, const std::vector<PhasePlane>& planes) {
  ThetaWalls walls = spec.grid.walls;
  for (std::size_t p = 0; p < planes.size(); ++p) {
    const auto presses = [&](double theta) {
      const int plane = static_cast<int>(p);
      const double temperature = model.diffusion(plane, theta) / model.gamma();
      // Over one cell, of the density itself.
      constexpr double negligible = 1e-8;
      return !(std::abs(model.force(plane, theta)) * planes[p].theta.width() <= negligible * temperature);
    };
    if (walls.lower == ThetaBoundary::reflecting && presses(planes[p].theta.lower)) walls.lower_pressed = true;
    if (walls.upper == ThetaBoundary::reflecting && presses(planes[p].theta.upper)) walls.upper_pressed = true;
  }
  return walls;
}

}  // namespace

PlaneBox choose_box(const Spec& spec, const Model& model, int p) {
  const auto domain = model.domain(p);
  PlaneBox box{};
  if (spec.grid.theta && spec.grid.velocity) {
    box = {*spec.grid.theta, *spec.grid.velocity, "theta and velocity as given"};
  } else {
    Region region{};
    try {
      region = required_region(spec, model, p);
      require_bounded(spec, model, p, region);
    } catch (const SpecError&) {
      throw;
    } catch (const Error& error) {
      throw Error(error.code(), std::string("grid.theta: ") + error.what(), spec.place("grid.theta"));
    }
    box = {spec.grid.theta.value_or(region.theta), spec.grid.velocity.value_or(region.velocity), ""};
    box.reason = fmt::format("±{} standard deviations of {}", box_deviations, contents(spec, model.is_driven(p)));
    if (spec.grid.theta) box.reason = "theta as given; velocity: " + box.reason;
    if (spec.grid.velocity) box.reason = "velocity as given; theta: " + box.reason;
  }
  if (spec.grid.walls.any_reflecting()) {
    const double v = std::max(std::abs(box.velocity.lower), std::abs(box.velocity.upper));
    box.velocity = {-v, v};
  }
  if (domain && (box.theta.lower <= domain->lower || box.theta.upper >= domain->upper)) {
    const double slack = 1e-9 * (domain->upper - domain->lower);
    if (spec.grid.theta && (box.theta.lower < domain->lower - slack || box.theta.upper > domain->upper + slack)) {
      refuse(spec, "grid.theta",
             fmt::format("[{:.6g}, {:.6g}] leaves the range [{:.6g}, {:.6g}] of {}", box.theta.lower, box.theta.upper,
                         domain->lower, domain->upper, model.plane(p).loss->describe()),
             "stay inside the table, or extend it");
    }
    box.theta = {std::max(box.theta.lower, domain->lower), std::min(box.theta.upper, domain->upper)};
    box.reason += fmt::format("; cut to the range [{:.4g}, {:.4g}] of the table", domain->lower, domain->upper);
  }
  return box;
}

PhaseMesh make_mesh(const Spec& spec, const Model& model, std::vector<std::string>* reasons,
                    const std::function<void(double)>& poll) {
  struct Chosen {
    PlaneBox box;
    std::exception_ptr failure;
  };
  const auto choose = [&](std::uint64_t p) -> Chosen {
    try {
      return {choose_box(spec, model, static_cast<int>(p)), nullptr};
    } catch (const std::exception&) {
      return {{}, std::current_exception()};  // which plane is named must not depend on which thread was first
    }
  };
  const auto chosen = parallel_runs<Chosen>(static_cast<std::size_t>(model.planes()), 0, choose, [&](double share) {
    if (poll) poll(share);
  });
  std::vector<PhasePlane> planes;
  for (const auto& [box, failure] : chosen) {
    if (failure) std::rethrow_exception(failure);
    planes.push_back({{box.theta.lower, box.theta.upper, spec.grid.cells[0]},
                      {box.velocity.lower, box.velocity.upper, spec.grid.cells[1]}});
    if (reasons != nullptr) reasons->push_back(box.reason);
  }
  return PhaseMesh(std::move(planes), walls_of(spec, model, planes));
}

}  // namespace underdamp
