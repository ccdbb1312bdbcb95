#include "solver/run/displacement_run.hpp"

#include <chrono>
#include <memory>

#include "generated/version.hpp"
#include "meshes/error.hpp"
#include "meshes/seconds_since.hpp"
#include "solver/displacement/displacement_ensemble.hpp"
#include "solver/io/files.hpp"
#include "solver/io/progress.hpp"
#include "solver/run/displacement_output.hpp"
#include "solver/run/dropped_noise.hpp"
#include "solver/run/interrupted.hpp"
#include "solver/run/output.hpp"

namespace underdamp {
Json carry_out_displacement(Displacement& displacement, Backend& backend, const std::filesystem::path& folder,
                            bool quiet, const std::function<void()>& pulse) {
  const auto begin = std::chrono::steady_clock::now();
  auto progress = std::make_unique<Progress>("displacement", 1.0, quiet);
  displacement.solve([&](double share) {
    pulse();
    progress->update(share);
  });
  progress.reset();
  write_displacement(folder, displacement);
  Json entry = displacement_summary(displacement, seconds_since(begin));
  if (!displacement.spec().ensemble) return entry;
  MeasureOptions options;
  std::string stage;
  options.poll = [&](const std::string& what, double share) {
    pulse();
    if (what != stage) {
      progress.reset();
      progress = std::make_unique<Progress>(what, 1.0, quiet);
    }
    stage = what;
    progress->update(share);
  };
  write_measured(folder, displacement, measure_displacement(displacement, backend, options));
  entry["seconds"] = seconds_since(begin);
  return entry;
}

RunResult run_displacement(const Spec& spec, Backend& backend, const RunOptions& options,
                           const std::filesystem::path& directory, const std::string& spec_hash,
                           const std::function<std::string()>& now) {
  const auto begin = std::chrono::steady_clock::now();
  Displacement displacement(spec, backend);
  make_folder(directory);
  const FolderLock lock(directory);
  remove_earlier_run(directory);
  Json summary{{"version", version},
               {"commit", commit},
               {"state", "finished"},
               {"device", backend.describe().name},
               {"spec", resolved_spec(spec)},
               {"spec_hash", spec_hash},
               {"planes", displacement.modes()},
               {"warnings", spec.notes},
               {"timing", {{"started", now()}, {"resumed_at", Json::array()}}}};
  if (Json dropped = dropped_noise(displacement.model()); !dropped.is_null())
    summary["dropped_noise"] = std::move(dropped);
  for (const std::string& note : spec.notes) warn(note);
  const auto finish = [&](const char* state) {
    summary["state"] = state;
    summary["wall_seconds"] = seconds_since(begin);
    summary["timing"]["ended"] = now();
    name_clock_keys(summary);
    write_text(directory / "summary.json", summary.dump(2) + "\n");
  };
  RunResult result;
  try {
    summary["displacement"] = carry_out_displacement(displacement, backend, directory, options.quiet, [&] {
      if (options.interrupted != nullptr && *options.interrupted != 0) throw Interrupted{};
    });
    for (const Json& text : summary["displacement"]["warnings"]) {
      warn(text.get<std::string>());
      summary["warnings"].push_back(text);
    }
    finish("finished");
  } catch (const Interrupted&) {
    result.was_interrupted = true;
    finish("interrupted");
  } catch (const Error& error) {
    if (error.code() != ExitCode::numerical) throw;
    summary["warnings"].push_back(error.what());
    finish("failed");
    throw;
  }
  result.summary = std::move(summary);
  result.directory = directory;
  result.main_file = directory / "displacement.csv";
  return result;
}

}  // namespace underdamp
