#include "solver/model/potential_survey.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/model/wells.hpp"

namespace underdamp {
namespace {

/// Where the parameter can be at all: where loss and noise are known, and between given walls.
std::optional<Interval> allowed(const Spec& spec, const Model& model, int p) {
  const auto domain = model.domain(p);
  if (!domain || !spec.grid.theta) return domain ? domain : spec.grid.theta;
  return Interval{std::max(domain->lower, spec.grid.theta->lower), std::min(domain->upper, spec.grid.theta->upper)};
}

/// Walks away from the minimum until the quasi-potential Φ = ∫ dU/T is twice what a wall needs, and the start with what
/// noise adds can climb no higher, and beyond θ = `passing`.
void walk(const Model& model, int p, const std::optional<Interval>& domain, const Spread& start, double direction,
          double passing, SurveyedPotential& landscape) {
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

/// Strong friction: p ~ exp(−Φ(θ) − v²/(2 T(θ))), Φ = ∫ dU/T.
Region overdamped_region(const SurveyedPotential& l) {
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

/// Weak friction: energy diffuses with the temperature averaged over an orbit, T(E) = ∮ T v dθ / ∮ v dθ.
Region underdamped_region(const SurveyedPotential& l) {
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

/// Between the two limits the stationary region grows with ζ; the weight fits noise that rises quadratically, from
/// above.
Region blend(const Region& weak, const Region& strong, double zeta) {
  const double w = zeta * zeta / (zeta * zeta + 0.25);
  const auto mix = [w](const Interval& a, const Interval& b) {
    return Interval{(1.0 - w) * a.lower + w * b.lower, (1.0 - w) * a.upper + w * b.upper};
  };
  return {mix(weak.theta, strong.theta), mix(weak.velocity, strong.velocity)};
}

}  // namespace

SurveyedPotential survey(const Spec& spec, const Model& model, int p, const Spread& start) {
  const auto domain = allowed(spec, model, p);
  const double minimum = model.plane(p).minimum;
  const auto walked = [&](double direction) {
    SurveyedPotential side;
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
  const SurveyedPotential left = walked(-1.0);
  const SurveyedPotential right = walked(1.0);
  SurveyedPotential landscape;
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

Interval reach_of(const SurveyedPotential& l, double energy) {
  Interval reach{l.theta[l.bottom], l.theta[l.bottom]};
  for (std::size_t k = 0; k < l.theta.size(); ++k) {
    if (l.potential[k] <= energy) include(reach, l.theta[k]);
  }
  return reach;
}

Region stationary_region(const SurveyedPotential& potential, double zeta) {
  return blend(underdamped_region(potential), overdamped_region(potential), zeta);
}

}  // namespace underdamp
