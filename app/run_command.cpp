#include <atomic>
#include <csignal>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "meshes/error.hpp"
#include "solver/progress.hpp"
#include "solver/run.hpp"
#include "solver/vtk_writer.hpp"

namespace underdamp {
namespace {

std::atomic<int> interrupt_signal{0};

/// The first signal asks the run to save and stop; a second one ends the program at once.
extern "C" void on_signal(int signal) {
  interrupt_signal = signal;
  std::signal(signal, SIG_DFL);
}

void print_result(const RunResult& result) {
  const Json& s = result.summary;
  const auto text = [](const Json& value) { return value.is_array() ? std::string("see summary.json") : value.dump(); };
  fmt::print("{} at t = {}, {} of solver time, {:.3g} million cell-steps per second\n",
             result.was_interrupted ? "interrupted" : "finished", s["time"].dump(),
             duration_text(s["solver_seconds"].get<double>()), s["cell_steps_per_second"].get<double>() / 1e6);
  if (!s["mass"].is_array()) {
    fmt::print("  mean           {}\n  covariance     {}\n", s["mean"].dump(), s["covariance"].dump());
    fmt::print("  error          step {}, grid {} (L1, estimated)\n", text(s["time_error_estimate"]),
               text(s["space_error_estimate"]));
  }
  fmt::print("results in {}\n", result.directory.string());
  if (has_vtk()) {
    fmt::print("open in ParaView: {}\n", result.main_file.string());
  } else {
    fmt::print("no pictures were written: this build has no VTK\n");
  }
}

}  // namespace

int run_command(const RunArguments& arguments) {
  const Spec spec = read_spec(arguments.spec);
  const ChosenBackend chosen = make_backend(arguments.device);
  if (!arguments.quiet) fmt::print("{} ({})\n", chosen.backend->describe().name, chosen.reason);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  RunOptions options;
  options.output = arguments.output;
  options.quiet = arguments.quiet;
  options.interrupted = &interrupt_signal;
  const RunResult result = run(spec, *chosen.backend, options);
  if (!arguments.quiet) print_result(result);
  return static_cast<int>(result.was_interrupted ? ExitCode::interrupted : ExitCode::success);
}

}  // namespace underdamp
