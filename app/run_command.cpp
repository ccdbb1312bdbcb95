#include <atomic>
#include <cmath>
#include <csignal>
#include <map>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "meshes/error.hpp"
#include "solver/checkpoint.hpp"
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

void catch_signals() {
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, on_signal);
  // The end of a terminal, unless nohup lets the run outlive it.
  if (std::signal(SIGHUP, on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that becomes too large is an error of write(), with a message
  std::signal(SIGPIPE, SIG_IGN);  // a run goes on if nobody reads its messages
}

void print_evolution(const Json& s, bool was_interrupted) {
  fmt::print("{} at t = {}, {} of solver time, {:.3g} million cell-steps per second\n",
             was_interrupted ? "interrupted" : "finished", s["time"].dump(),
             duration_text(s["solver_seconds"].get<double>()), s["cell_steps_per_second"].get<double>() / 1e6);
  if (s["planes"].get<int>() > 1) return;
  fmt::print("  mean           {}\n  covariance     {}\n", s["mean"].dump(), s["covariance"].dump());
  fmt::print("  error          step {}, grid {}, rounding {} (L1, estimated)\n", s["time_error_estimate"].dump(),
             s["space_error_estimate"].dump(), s["rounding_error_estimate"].dump());
}

void print_stationary(const Json& s) {
  const Json& state = s["stationary"];
  if (s["planes"].get<int>() > 1) {
    double seconds = 0.0;
    for (const Json& plane : state["seconds"]) seconds += plane.get<double>();
    fmt::print("stationary states of {} planes in {}\n", s["planes"].dump(), duration_text(seconds));
    return;
  }
  fmt::print("stationary state by {} in {}, residual {:.1e}\n", state["method"].get<std::string>(),
             duration_text(state["seconds"].get<double>()), state["residual"].get<double>());
  fmt::print("  covariance     {}\n  entropy prod.  {:.6g}\n", state["covariance"].dump(),
             state["entropy_production"].get<double>());
  std::string text;
  for (const Json& value : state["eigenvalues"]) {
    const double frequency = value[1].get<double>();
    if (frequency < 0.0) continue;  // its conjugate says it all
    text += fmt::format("{}{:.7g}{}", text.empty() ? "" : ", ", value[0].get<double>(),
                        frequency > 0.0 ? fmt::format(" ± {:.7g}i", frequency) : "");
  }
  if (!text.empty()) fmt::print("  eigenvalues    {}\n", text);
}

void print_displacement(const Json& d) {
  for (const Json& warning : d["warnings"]) fmt::print("warning: {}\n", warning.get<std::string>());
  const auto number = [](const Json& value) { return fmt::format("{:.6g}", value.get<double>()); };
  fmt::print("displacement of {} modes in {}: {} problems solved, {} windows\n", d["modes"].dump(),
             duration_text(d["seconds"].get<double>()), d["problems_solved"].dump(), d["windows"].dump());
  fmt::print("  at the end     {} at t = {}, local exponent {}\n", number(d["displacement"]), number(d["time"]),
             number(d["exponent"]));
  if (d.contains("fit")) {
    fmt::print("  exponent       {:.4f} +- {:.4f} for t from {} to {}\n", d["fit"]["exponent"].get<double>(),
               d["fit"]["uncertainty"].get<double>(), number(d["fit"]["window"][0]), number(d["fit"]["window"][1]));
  }
  if (d.contains("step_energy")) {
    const Json& e = d["step_energy"];
    fmt::print("  step length    sqrt(E |step|^2) = {:.6g}, excess loss {}, by the step length {}\n",
               std::sqrt(e["step_length_squared"].get<double>()), number(e["excess_loss"]),
               number(e["predicted_excess_loss"]));
  }
}

void print_result(const RunResult& result, const RunArguments& arguments) {
  if (result.was_finished) {
    fmt::print("the run in {} is finished: there is nothing to continue\n", result.directory.string());
    return;
  }
  const Json& s = result.summary;
  if (s["spec"].contains("evolve")) print_evolution(s, result.was_interrupted);
  if (s.contains("stationary")) print_stationary(s);
  if (s.contains("ensemble") && s["planes"].get<int>() == 1) {
    const Json& e = s["ensemble"];
    fmt::print("{} particles ({}) in {}: L1 {:.3g}, {:.3g} expected, p-value {:.3g}\n", e["particles"].dump(),
               e["integrator"].get<std::string>(), duration_text(e["seconds"].get<double>()), e["l1"].get<double>(),
               e["l1_expected"].get<double>(), e["p_value"].get<double>());
  }
  if (s.contains("displacement")) print_displacement(s["displacement"]);
  fmt::print("results in {}\n", result.directory.string());
  if (!s["spec"].contains("evolve") && !s["spec"].contains("stationary")) {
    fmt::print("pictures: underdamp plot {}\n", result.directory.string());
  } else if (has_vtk()) {
    fmt::print("open in ParaView: {}\n", result.main_file.string());
  } else {
    fmt::print("no pictures were written: this build has no VTK\n");
  }
  const bool has_state = s["spec"].contains("evolve") || s["spec"].contains("stationary");
  if (result.was_interrupted && has_state && has_checkpoints()) {
    static const std::map<DeviceChoice, const char*> devices{
        {DeviceChoice::automatic, ""}, {DeviceChoice::cuda, " --device cuda"}, {DeviceChoice::host, " --device host"}};
    fmt::print("continue with: underdamp run {}{}{} --resume\n", arguments.spec,
               arguments.output.empty() ? "" : " --output " + arguments.output, devices.at(arguments.device));
  }
}

}  // namespace

int run_command(const RunArguments& arguments) {
  if (arguments.resume && arguments.restart) {
    throw Error(ExitCode::bad_input, "--resume continues a run, --restart replaces it", "", "give only one of the two");
  }
  const Spec spec = read_spec(arguments.spec);
  const ChosenBackend chosen = make_backend(arguments.device, precision_of_run(spec));
  if (!arguments.quiet) fmt::print("{} ({})\n", chosen.backend->describe().name, chosen.reason);
  catch_signals();
  RunOptions options;
  options.output = arguments.output;
  options.quiet = arguments.quiet;
  if (arguments.resume) options.beginning = Beginning::resume;
  if (arguments.restart) options.beginning = Beginning::restart;
  options.interrupted = &interrupt_signal;
  const RunResult result = run(spec, *chosen.backend, options);
  if (!arguments.quiet) print_result(result, arguments);
  return static_cast<int>(result.was_interrupted ? ExitCode::interrupted : ExitCode::success);
}

}  // namespace underdamp
