#pragma once
#include "solver/run/simulation.hpp"
#include "solver/stationary/stationary.hpp"
#include "validation/checks.hpp"

namespace underdamp {

/// The rows of `verify` about the stationary state of a plane: what is known exactly, and the identities that every
/// stationary state fulfils. Tolerances are twice the errors that the state itself reports (docs/validation.md).
std::vector<Check> verify_stationary(const Simulation& simulation, int p, const StationaryState& state);

}  // namespace underdamp
