#pragma once
#include <atomic>
#include <filesystem>

#include "solver/run/resume.hpp"
#include "solver/spec/resolved_spec.hpp"

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

}  // namespace underdamp
