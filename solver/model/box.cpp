#include "solver/model/box.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "meshes/parallel_runs.hpp"
#include "solver/model/initial_state.hpp"
#include "solver/model/potential_survey.hpp"
#include "solver/model/region.hpp"
#include "solver/model/start_tube.hpp"

namespace underdamp {
namespace {

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
  const Moments start = initial_moments(spec, model, p);
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
    const SurveyedPotential potential = survey(spec, model, p, {{model.plane(p).minimum, model.plane(p).minimum}, 0.0});
    return stationary_region(potential, d.zeta);
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
  const SurveyedPotential potential = survey(spec, model, p, {region.theta, tube.highest_energy()});
  const Region stationary = stationary_region(potential, d.zeta);
  // Energy bounds what the start can reach: its own plus what noise adds.
  const double hottest = *std::max_element(potential.temperature.begin(), potential.temperature.end());
  const double energy = tube.highest_energy() + exponent_at_wall * hottest;
  const Interval reach = reach_of(potential, energy);
  // A side that was not surveyed up to that energy sets no limit.
  if (potential.potential.front() >= energy) {
    region.theta.lower = std::max(region.theta.lower, std::min(reach.lower, stationary.theta.lower));
  }
  if (potential.potential.back() >= energy) {
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
