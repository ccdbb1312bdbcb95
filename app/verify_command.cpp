#include <filesystem>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "meshes/error.hpp"
#include "solver/io/files.hpp"
#include "solver/io/progress.hpp"
#include "solver/run/simulation.hpp"
#include "solver/spec/spec_reader.hpp"
#include "validation/verify.hpp"
#include "validation/verify_report.hpp"

namespace underdamp {

int verify_command(const VerifyArguments& arguments) {
  const Spec spec = read_spec(arguments.spec);
  if (precision_of_run(spec) != Precision::float64) {
    refuse(spec, "evolve.precision", "verify judges by errors far below the rounding of float32",
           "remove precision = \"float32\"");
  }
  for (const std::string& note : spec.notes) warn(note);
  const ChosenBackend chosen = make_backend(arguments.device);
  chosen.backend->synchronize_each(arguments.sync);
  const std::string device = chosen.backend->describe().name;
  fmt::print("{}\n{}\n", spec.title, device);

  VerifyOptions options;
  std::unique_ptr<Progress> progress;
  std::string stage;
  options.poll = [&](const std::string& what, double share) {
    if (what != stage) {
      progress.reset();
      progress = std::make_unique<Progress>(what, 1.0, arguments.quiet);
      stage = what;
    }
    progress->update(share);
  };
  std::vector<Check> checks = verify(spec, *chosen.backend, options);
  progress.reset();

  if (!arguments.baseline.empty()) {
    if (std::filesystem::exists(arguments.baseline)) {
      compare_with_baseline(arguments.baseline, checks);
    } else {
      write_text(arguments.baseline, verify_json(spec.title, device, checks).dump(2) + "\n");
      fmt::print("baseline written to {}\n", arguments.baseline);
    }
  }
  fmt::print("{}", verify_table(checks));
  if (!arguments.json.empty()) write_text(arguments.json, verify_json(spec.title, device, checks).dump(2) + "\n");
  if (!arguments.junit.empty()) write_text(arguments.junit, verify_junit(spec.title, checks));
  const bool passed = all_passed(checks);
  fmt::print("{}\n", passed ? "all checks passed" : "at least one check fell short");
  return static_cast<int>(passed ? ExitCode::success : ExitCode::check_failed);
}

}  // namespace underdamp
