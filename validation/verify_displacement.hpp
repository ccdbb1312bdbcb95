#pragma once
#include "validation/verify.hpp"

namespace underdamp {

/// The rows of `verify` about [displacement]: closed forms per mode and in total, particles, the SGD recursion,
/// minibatch SGD (docs/validation.md).
std::vector<Check> verify_displacement(const Spec& spec, Backend& backend, const VerifyOptions& options);

}  // namespace underdamp
