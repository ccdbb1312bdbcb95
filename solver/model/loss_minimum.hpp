#pragma once
#include <functional>
#include <optional>

#include "solver/landscape/function.hpp"
#include "solver/spec/spec.hpp"

/// Where the parameter of a plane is held: the minimum of its loss, and how wide the well around it is.
namespace underdamp {

struct LossMinimum {
  double theta = 0.0;  ///< minimiser θ* of L_λ; on a circle that of its periodic part
  double tilt = 0.0;   ///< on a circle: what L_λ gains in one turn over the length of the circle
};

/// The minimum of L + λ θ²/2. Throws SpecError if there is none.
LossMinimum find_minimum(const Spec& spec, const Function& loss, double weight_decay);

/// ∫ exp(−height) and ∫ (θ − θ*)² exp(−height) over a well, in units of the same number.
struct WellMoments {
  double weight = 0.0;
  double square = 0.0;
};

/// Of the well around a minimum, `height` in units of the temperature: up to the limits, to where the density has gone,
/// or to a barrier. Absent if nothing confines the parameter: it falls through an open wall, or does not rise.
std::optional<WellMoments> well_moments(const std::function<double(double)>& height, double minimum,
                                        const std::optional<Interval>& limits, const ThetaWalls& walls);

}  // namespace underdamp
