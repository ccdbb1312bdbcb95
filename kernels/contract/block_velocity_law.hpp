#pragma once
#include <vector>

namespace underdamp {

/// What one velocity sweep of several parameters does to the block of all velocities at one θ, in the units of the
/// grid's axes: v ← e v + c(θ) + ξ, ξ Gaussian of covariance S(θ).
struct BlockVelocityLaw {
  std::vector<double> contraction;  ///< [problem] e: e^{−γτ}, or β in the SGD map; 0 ≤ e ≤ 1
  std::vector<double> kick;         ///< [line · d + k] c
  std::vector<double> covariance;   ///< [line · d(d+1)/2 + entry] S, upper triangle row by row: 11, 12, …, 22, …
  bool keep_mass = false;           ///< scale each block to the mass it had; what that gives back counts as created
};

}  // namespace underdamp
