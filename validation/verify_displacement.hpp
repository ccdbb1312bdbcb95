#pragma once
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/spec/spec.hpp"
#include "validation/checks.hpp"
#include "validation/verify_options.hpp"

namespace underdamp {

/// The rows of `verify` about [displacement]: closed forms per mode and in total, particles, the SGD recursion,
/// minibatch SGD (docs/validation.md).
std::vector<Check> verify_displacement(const Spec& spec, Backend& backend, const VerifyOptions& options);

}  // namespace underdamp
