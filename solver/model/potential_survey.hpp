#pragma once
#include <cstddef>
#include <vector>

#include "solver/model/model.hpp"
#include "solver/model/region.hpp"

/// The potential around the minimum, walked along θ, and what follows from it for the box of the stationary state
/// (docs/method.md, section 6).
namespace underdamp {

/// Potential U = k L_λ − min and local temperature D/γ on a line of points around the minimum.
struct SurveyedPotential {
  std::vector<double> theta;
  std::vector<double> potential;
  std::vector<double> temperature;
  std::size_t bottom = 0;
};

/// The start, as far as it matters for the landscape: how far it spreads if nothing holds it, and its highest energy.
struct Spread {
  Interval theta;
  double energy;
};

/// Out to where the stationary density, and the start with what noise adds to it, has gone. Throws Error (bad_input) if
/// nothing confines the parameter.
SurveyedPotential survey(const Spec& spec, const Model& model, int p, const Spread& start);

/// Points that an orbit of energy E can reach.
Interval reach_of(const SurveyedPotential& potential, double energy);

/// What a stationary state of damping ratio ζ fills.
Region stationary_region(const SurveyedPotential& potential, double zeta);

}  // namespace underdamp
