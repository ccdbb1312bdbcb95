#pragma once
#include <string>

#include "solver/run/simulation.hpp"

/// What a density must be at every frame (docs/reliability.md): finite, with all its mass accounted for, and not
/// negative.
namespace underdamp {

/// Mass that may be neither in the box nor counted at a wall, beyond what the rounding of all steps explains. What
/// scaling has given back counts as missing.
inline constexpr double unaccounted_error = 1e-9;
inline constexpr double unaccounted_error_float32 = 1e-5;
/// Mass that values below 0 may hold: where the limiter forbids them, and without it.
inline constexpr double negative_error_limited = 1e-9;
inline constexpr double negative_error_unlimited = 1e-3;

/// Throws Error (numerical) with cell and coordinates if the density of a frame is none; `saved` says where the state
/// is.
void require_healthy(const Simulation& simulation, const Frame& frame, const std::string& saved);

}  // namespace underdamp
