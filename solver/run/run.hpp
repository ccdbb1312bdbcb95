#pragma once
#include "kernels/contract/backend.hpp"
#include "solver/run/run_options.hpp"
#include "solver/spec/spec.hpp"

namespace underdamp {

/// Does what a spec asks for and writes the output directory (docs/reliability.md says what it promises).
///
/// Interrupted: the state goes to checkpoint.h5, all files are complete, the result says so. Throws Error: bad input
/// before anything is written; numerical failure (see health.hpp) after the state was saved in failed.h5; input_output
/// and device, with the checkpoint from which the run can go on.
RunResult run(const Spec& spec, Backend& backend, const RunOptions& options);

}  // namespace underdamp
