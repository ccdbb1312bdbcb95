#pragma once
#include <string>

#include "solver/model/model.hpp"
#include "solver/spec/resolved_spec.hpp"

namespace underdamp {

/// What planes leave out of the gradient noise of a dataset, and the line that says so; null if nothing is left out.
Json dropped_noise(const Model& model);
std::string dropped_noise_text(const Json& dropped);

}  // namespace underdamp
