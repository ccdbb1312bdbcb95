#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <new>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/commands.hpp"
#include "app/openblas.hpp"
#include "generated/version.hpp"
#include "meshes/error.hpp"
#include "meshes/phase_space.hpp"

namespace {

using namespace underdamp;

void add_device_options(CLI::App& command, DeviceChoice& device, bool& sync) {
  static const std::map<std::string, DeviceChoice> choices{
      {"auto", DeviceChoice::automatic}, {"cuda", DeviceChoice::cuda}, {"host", DeviceChoice::host}};
  const auto choose = [&device](const std::string& name) {
    const auto found = choices.find(name);
    if (found == choices.end()) throw CLI::ValidationError("--device " + name, "the choices are auto, cuda and host");
    device = found->second;
  };
  command.add_option_function<std::string>("--device", choose, "auto (a GPU if one works), cuda or host")
      ->option_text("auto|cuda|host");
  command.add_flag("--sync", sync,
                   "wait after each kernel of a GPU, so that an error names the one that failed (slow)");
}

void add_precision_option(CLI::App& command, Precision& precision) {
  const auto choose = [&precision](const std::string& name) {
    if (name != "float64" && name != "float32")
      throw CLI::ValidationError("--precision " + name, "the choices are float64 and float32");
    precision = name == "float64" ? Precision::float64 : Precision::float32;
  };
  command.add_option_function<std::string>("--precision", choose, "of the density and the sweeps: float64 or float32")
      ->option_text("float64|float32");
}

/// Usage errors look like all others.
std::string usage_error(const CLI::App*, const CLI::Error& error) {
  return fmt::format("error: {}\n  to fix: see underdamp --help\n", error.what());
}

CLI::App* add_run(CLI::App& app, RunArguments& run) {
  CLI::App* command = app.add_subcommand("run", "do what a spec asks for");
  command->add_option("spec", run.spec, "TOML file")->required();
  command->add_option("--output", run.output, "output directory (default: that of the spec)");
  add_device_options(*command, run.device, run.sync);
  command->add_flag("--resume", run.resume, "continue an unfinished run from its checkpoint");
  command->add_flag("--restart", run.restart, "begin again even if the directory holds an unfinished run");
  command->add_flag("--quiet", run.quiet, "print nothing but warnings and errors");
  return command;
}

CLI::App* add_verify(CLI::App& app, VerifyArguments& verify) {
  CLI::App* command = app.add_subcommand("verify", "run a spec and compare it with exact answers and particles");
  command->add_option("spec", verify.spec, "TOML file")->required();
  add_device_options(*command, verify.device, verify.sync);
  command->add_option("--json", verify.json, "write the table as JSON");
  command->add_option("--junit", verify.junit, "write the table for continuous integration");
  command->add_option("--baseline", verify.baseline,
                      "compare with this file of an earlier run; write it if there is none");
  command->add_flag("--quiet", verify.quiet, "no progress");
  return command;
}

CLI::App* add_bench(CLI::App& app, BenchArguments& bench) {
  CLI::App* command = app.add_subcommand("bench", "how fast the sweeps of a step are, next to a copy of the field");
  add_device_options(*command, bench.device, bench.sync);
  command->add_option("--json", bench.json, "write the figures as JSON");
  command->add_option("--dimensions", bench.dimensions, "parameters: 1 for planes, 2 or 3 for four and six axes")
      ->check(CLI::Range(1, most_parameters));
  command->add_option("--sizes", bench.sizes, "cells along every axis")
      ->delimiter(',')
      ->check(CLI::Range(PhaseSpace::minimum_cells, 32768));
  command->add_option("--batches", bench.batches, "numbers of planes of 128 x 128 cells")
      ->delimiter(',')
      ->check(CLI::Range(1, 100000));
  add_precision_option(*command, bench.precision);
  command->add_option("--seconds", bench.seconds, "time for each figure")->check(CLI::Range(0.001, 60.0));
  return command;
}

int dispatch(int argc, char** argv) {
  CLI::App app{"underdamp: how SGD with momentum spreads in phase space", "underdamp"};
  app.set_version_flag("--version", std::string("underdamp ") + version);
  app.require_subcommand(1);
  app.failure_message(usage_error);
  app.footer(
      "Exit codes: 0 done, 1 a check fell short, 2 bad spec or usage, 3 numerical failure, 4 device, 5 input/output,\n"
      "130 interrupted (state saved). Documentation: docs/user-guide.md");

  RunArguments run;
  CLI::App* run_app = add_run(app, run);

  std::string spec;
  CLI::App* check_app = app.add_subcommand("check", "validate a spec and print what follows from it; computes nothing");
  check_app->add_option("spec", spec, "TOML file")->required();

  VerifyArguments verify;
  CLI::App* verify_app = add_verify(app, verify);

  PlotArguments plot;
  CLI::App* plot_app =
      app.add_subcommand("plot", "figures of a run for papers, PNG and SVG (needs Python 3 with matplotlib)");
  plot_app->add_option("run", plot.run, "output directory of a run")->required();
  plot_app->add_option("folder", plot.folder, "where to (default: plots/ in it)");

  std::string name;
  bool list = false;
  bool keys = false;
  CLI::App* new_app = app.add_subcommand("new", "write a commented spec to start from");
  new_app->add_option("name", name, "template; the file is called NAME.toml");
  new_app->add_flag("--list", list, "list the templates");
  new_app->add_flag("--keys", keys, "list every key of a spec: type, range, default");

  BenchArguments bench;
  CLI::App* bench_app = add_bench(app, bench);

  app.add_subcommand("info", "version, devices, how it was built");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : static_cast<int>(ExitCode::bad_input);
  }
  if (run_app->parsed()) return run_command(run);
  if (check_app->parsed()) return check_command(spec);
  if (verify_app->parsed()) return verify_command(verify);
  if (bench_app->parsed()) return bench_command(bench);
  if (plot_app->parsed()) return plot_command(plot);
  if (new_app->parsed()) return keys ? new_keys_command() : new_command(name, list || name.empty());
  return info_command();
}

/// Closed standard streams would be taken by the next files that are opened, and messages would go into results.
void open_standard_streams() {
  for (const int descriptor : {0, 1, 2}) {
    if (fcntl(descriptor, F_GETFD) != -1) continue;
    const int opened = open("/dev/null", O_RDWR);  // the lowest number that is free
    static_cast<void>(opened);
  }
}

/// On standard error; not by fmt, which throws if that cannot be written.
int fail(const std::string& text, ExitCode code) {
  std::fputs(("error: " + text + "\n").c_str(), stderr);
  return static_cast<int>(code);
}

/// Results on standard output have arrived, or the exit code says that they have not. A reader that has left early has
/// read what it wanted.
int delivered(int code) {
  errno = 0;
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (!failed || errno == EPIPE) return code;
  const std::string reason = errno != 0 ? std::string(": ") + std::strerror(errno) : "";
  const int said =
      fail("cannot write to standard output" + reason + "\n  to fix: check the space there", ExitCode::input_output);
  return code == 0 ? said : code;
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  try {
    choose_openblas_kernels(argv);
    return delivered(dispatch(argc, argv));
  } catch (const Error& error) {
    return fail(error.what(), error.code());
  } catch (const std::system_error& error) {
    return fail(error.what() + std::string("\n  to fix: check space and permissions"), ExitCode::input_output);
  } catch (const std::bad_alloc&) {
    return fail("the host has no memory left\n  to fix: use fewer cells or planes", ExitCode::device);
  } catch (const std::exception& error) {
    return fail(error.what() + std::string("\n  to fix: this is a defect of underdamp; please report it with the spec"),
                ExitCode::numerical);
  }
}
