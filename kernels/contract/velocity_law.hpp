#pragma once
#include <vector>

namespace underdamp {

/// What one velocity sweep does, in the user's units.
struct VelocityLaw {
  std::vector<double> contraction;  ///< [plane] e: e^{−γτ}, or β in the SGD map; 0 ≤ e ≤ 1
  std::vector<double> kick;         ///< [line] c_i
  std::vector<double> variance;     ///< [line] s_i², without the box compensation
};

}  // namespace underdamp
