#pragma once
#include "solver/model.hpp"

namespace underdamp {

/// Velocities of the stationary state on a circle around which a mean force drives (Model::is_driven), to `deviations`
/// standard deviations: around the running state, and around rest where some angle may hold the parameter.
Interval driven_velocities(const Model& model, int p, const Interval& circle, double deviations);

}  // namespace underdamp
