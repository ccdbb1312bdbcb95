#pragma once

namespace underdamp {

/// Cells around a cell that its row of the generator holds: as many as that along each axis, on both sides.
inline constexpr int generator_theta_reach = 4;
inline constexpr int generator_velocity_reach = 3;

}  // namespace underdamp
