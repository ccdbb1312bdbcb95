#pragma once
#include <atomic>
#include <filesystem>
#include <string>

#include "kernels/backend.hpp"
#include "solver/report.hpp"
#include "solver/resume.hpp"
#include "solver/spec.hpp"

namespace underdamp {

struct RunOptions {
  std::filesystem::path output;  ///< empty: the directory of the spec
  Beginning beginning = Beginning::fresh;
  bool quiet = false;
  const std::atomic<int>* interrupted = nullptr;  ///< becomes non-zero when the run should stop and save
};

struct RunResult {
  Json summary;
  std::filesystem::path directory;
  std::filesystem::path main_file;
  bool was_interrupted = false;
  bool was_finished = false;  ///< resumed, but there was nothing left to do; the rest is empty
};

/// Does what a spec asks for and writes the output directory (docs/reliability.md says what it promises).
///
/// Interrupted: the state goes to checkpoint.h5, all files are complete, the result says so. Throws Error: bad input
/// before anything is written; numerical failure (see health.hpp) after the state was saved in failed.h5; input_output
/// and device, with the checkpoint from which the run can go on.
RunResult run(const Spec& spec, Backend& backend, const RunOptions& options);

}  // namespace underdamp
