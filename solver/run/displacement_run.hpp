#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "solver/displacement/displacement.hpp"
#include "solver/run/run_options.hpp"

namespace underdamp {

/// Solves a displacement, measures it with particles if the spec has [ensemble], and writes its files into a folder
/// that is there; returns its entry in the summary. `pulse` is called often; what it throws ends the work.
Json carry_out_displacement(Displacement& displacement, Backend& backend, const std::filesystem::path& folder,
                            bool quiet, const std::function<void()>& pulse);

/// A spec that asks for a displacement and nothing else: no mesh of all planes, no pictures, and no state to continue
/// from, for it begins anew. Errors and interrupts are those of run(). `now`: the time of day, for the summary.
RunResult run_displacement(const Spec& spec, Backend& backend, const RunOptions& options,
                           const std::filesystem::path& directory, const std::string& spec_hash,
                           const std::function<std::string()>& now);

}  // namespace underdamp
