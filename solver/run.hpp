#pragma once
#include <atomic>
#include <filesystem>
#include <string>

#include "kernels/backend.hpp"
#include "solver/report.hpp"
#include "solver/spec.hpp"

namespace underdamp {

struct RunOptions {
  std::filesystem::path output;  ///< empty: the directory of the spec
  bool quiet = false;
  const std::atomic<int>* interrupted = nullptr;  ///< becomes non-zero when the run should stop and save
};

struct RunResult {
  Json summary;
  std::filesystem::path directory;
  std::filesystem::path main_file;
  bool was_interrupted = false;
};

/// Does what a spec asks for and writes the output directory.
///
/// Interrupted: the density goes to checkpoint.h5, all files are complete, the result says so. Throws Error: bad input
/// before anything is written; numerical failure (not finite, more than 1e-3 of the mass lost) after the state was
/// saved in checkpoint.h5; input_output.
RunResult run(const Spec& spec, Backend& backend, const RunOptions& options);

}  // namespace underdamp
