#pragma once
#include <string>

#include "solver/run/simulation.hpp"

namespace underdamp {

/// Everything that `check` prints: derived quantities, box and why, resolution, first step, memory, time.
std::string describe_plan(const Simulation& simulation);

}  // namespace underdamp
