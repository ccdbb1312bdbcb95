#include <atomic>
#include <cmath>
#include <csignal>
#include <initializer_list>
#include <map>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "meshes/error.hpp"
#include "solver/io/checkpoint.hpp"
#include "solver/io/progress.hpp"
#include "solver/io/rounding.hpp"
#include "solver/io/vtk_file.hpp"
#include "solver/run/dropped_noise.hpp"
#include "solver/run/run.hpp"
#include "solver/run/simulation.hpp"
#include "solver/spec/spec_reader.hpp"

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

/// null is what could not be found out.
double number_of(const Json& value) {
  return value.is_null() ? std::nan("") : value.get<double>();
}

/// The L1 errors of a density that were estimated, together; those that are not there count as none.
double total_error(const Json& s, std::initializer_list<const char*> keys) {
  double sum = 0.0;
  for (const char* key : keys) {
    if (s.contains(key)) sum += number_of(s[key]);
  }
  return sum;
}

/// Mean and covariance with their own errors, or to what an L1 error leaves of them: in units of the standard
/// deviations they err by as much.
void print_moments(const Json& s, double error) {
  const bool has_errors = s.contains("mean_error");
  const auto std_of = [&](std::size_t i) { return std::sqrt(s["covariance"][i][i].get<double>()); };
  const auto mean = [&](std::size_t i) {
    return with_error(s["mean"][i].get<double>(), has_errors ? number_of(s["mean_error"][i]) : error * std_of(i));
  };
  const auto covariance = [&](std::size_t i, std::size_t j) {
    const double own = has_errors ? number_of(s["covariance_error"][i][j]) : error * std_of(i) * std_of(j);
    return with_error(s["covariance"][i][j].get<double>(), own);
  };
  fmt::print("  mean           [{}, {}]\n", mean(0), mean(1));
  fmt::print("  covariance     [[{}, {}], [{}, {}]]\n", covariance(0, 0), covariance(0, 1), covariance(1, 0),
             covariance(1, 1));
}

void print_evolution(const Json& s, bool was_interrupted) {
  fmt::print("{} at t = {:.10g}, {} of solver time, {:.3g} million cell-steps per second\n",
             was_interrupted ? "interrupted" : "finished", s["time"].get<double>(),
             duration_text(s["solver_seconds"].get<double>()), s["cell_steps_per_second"].get<double>() / 1e6);
  if (s["planes"].get<int>() > 1) return;
  double lost = 0.0;
  for (const Json& share : s["leak"]) lost += share.get<double>();
  const double escaped = s["escaped"].get<double>();
  lost -= escaped;
  const double error =
      lost + total_error(s, {"time_error_estimate", "space_error_estimate", "rounding_error_estimate"});
  print_moments(s, error);
  if (escaped > 0.0) fmt::print("  escaped        {}, moments are those of what is left\n", with_error(escaped, error));
  fmt::print("  error          step {:.1e}, grid {:.1e}, walls {:.1e}, rounding {:.1e} (L1, estimated)\n",
             s["time_error_estimate"].get<double>(), s["space_error_estimate"].get<double>(), lost,
             s["rounding_error_estimate"].get<double>());
}

/// Each to the digits that its own error leaves, or else that of the state.
std::string eigenvalues_text(const Json& state, double error) {
  std::string text;
  for (std::size_t l = 0; l < state["eigenvalues"].size(); ++l) {
    const double real = state["eigenvalues"][l][0].get<double>();
    const double frequency = state["eigenvalues"][l][1].get<double>();
    if (frequency < 0.0) continue;  // its conjugate says it all
    const Json& own = state["eigenvalue_errors"][l];
    const double size = (own.is_null() ? error : own.get<double>()) * std::hypot(real, frequency);
    text += (text.empty() ? "" : ", ") + rounded_to_error(real, size) +
            (frequency > 0.0 ? " ± " + rounded_to_error(frequency, size) + "i" : "");
  }
  return text;
}

/// What a mean force around a circle does, to what an L1 error leaves of it.
void print_driven(const Json& driven, double error) {
  const auto number = [&](const char* key, double size) { return with_error(driven[key].get<double>(), size); };
  const double velocity_error = driven["mean_velocity_error"].get<double>();
  const double force = std::abs(driven["mean_force"].get<double>());
  fmt::print(
      "  driven         mean force {}, mean velocity {}, {} turns per time\n", number("mean_force", 0.0),
      number("mean_velocity", velocity_error),
      number("current", velocity_error * driven["current"].get<double>() / driven["mean_velocity"].get<double>()));
  if (!driven.contains("friction_power")) return;
  const double power_error = error * driven["friction_power"].get<double>();
  fmt::print("  power          gamma E v^2 = {}, E D = {}, F E v = {}\n", number("friction_power", power_error),
             number("noise_power", error * driven["noise_power"].get<double>()),
             number("driving_power", force * velocity_error));
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
  const double error = total_error(state, {"error_estimate", "space_error_estimate", "box_error_estimate"});
  print_moments(state, error);
  fmt::print("  error          step {:.1e}, grid {:.1e}, walls {:.1e} (L1, estimated)\n",
             number_of(state["error_estimate"]), number_of(state["space_error_estimate"]),
             number_of(state["box_error_estimate"]));
  if (const double rate = state["entropy_production"].get<double>(); std::isfinite(rate)) {
    // It is γ (γ E v²/D − 1) where D is constant.
    fmt::print("  entropy prod.  {}\n", with_error(rate, error * s["derived"]["gamma"].get<double>()));
  }
  if (state.contains("driven")) print_driven(state["driven"], error);
  if (const std::string text = eigenvalues_text(state, error); !text.empty()) fmt::print("  eigenvalues    {}\n", text);
}

void print_displacement(const Json& d) {
  const double error = total_error(d, {"step_error_estimate", "interpolation_error_estimate"});  // relative
  const auto number = [&](const Json& value) {
    return with_error(value.get<double>(), error * std::abs(value.get<double>()));
  };
  const auto time = [](const Json& value) { return fmt::format("{:.6g}", value.get<double>()); };
  fmt::print("displacement of {} modes in {}: {} problems solved, {} windows\n", d["modes"].dump(),
             duration_text(d["seconds"].get<double>()), d["problems_solved"].dump(), d["windows"].dump());
  fmt::print("  at the end     {} at t = {}, local exponent {:.4f}\n", number(d["displacement"]), time(d["time"]),
             d["exponent"].get<double>());
  if (d.contains("fit")) {
    fmt::print("  exponent       {:.4f} ± {:.4f} for t from {} to {}\n", d["fit"]["exponent"].get<double>(),
               d["fit"]["uncertainty"].get<double>(), time(d["fit"]["window"][0]), time(d["fit"]["window"][1]));
  }
  if (d.contains("step_energy")) {
    const Json& e = d["step_energy"];
    fmt::print("  step length    sqrt(E |step|^2) = {}, excess loss {}, by the step length {}\n",
               number(std::sqrt(e["step_length_squared"].get<double>())), number(e["excess_loss"]),
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
  if (s.contains("dropped_noise")) fmt::print("{}", dropped_noise_text(s["dropped_noise"]));
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
  chosen.backend->synchronize_each(arguments.sync);
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
