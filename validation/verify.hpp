#pragma once
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/spec/spec.hpp"
#include "validation/checks.hpp"
#include "validation/verify_options.hpp"

/// `underdamp verify`: a spec is run and compared with every exact answer that applies, with particles, and with SGD
/// itself (docs/validation.md).
namespace underdamp {

/// Runs the spec and judges it. Throws what a run throws.
std::vector<Check> verify(const Spec& spec, Backend& backend, const VerifyOptions& options);

}  // namespace underdamp
