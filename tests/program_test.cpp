#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <regex>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "kernels/host/host_backend.hpp"
#include "kernels/host/host_workers.hpp"
#include "process.hpp"
#include "result_files.hpp"
#include "solver/io/checkpoint.hpp"
#include "solver/io/vtk_file.hpp"
#include "solver/run/output.hpp"
#include "solver/run/summary.hpp"
#include "test_support.hpp"

/// The program as a user meets it: commands, messages, exit codes, files.
namespace underdamp {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryDirectory;

const std::string program = UNDERDAMP_PROGRAM;
const fs::path examples = fs::path(UNDERDAMP_SOURCE_FOLDER) / "examples";

struct Result {
  int code = -1;
  std::string output;  ///< standard output and standard error
};

/// Runs a shell command in a folder.
Result shell(const fs::path& folder, const std::string& command) {
  Result result;
  FILE* pipe = popen(("cd '" + folder.string() + "' && { " + command + "; } 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) result.output += buffer;
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}
Result underdamp(const fs::path& folder, const std::string& arguments) {
  return shell(folder, "'" + program + "' " + arguments);
}

using testing::contains;
using testing::json_of;
using testing::text_of;

/// Does a run warn of anything but a library that this build lacks?
bool warns(const std::string& output) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (contains(line, "warning:") && !contains(line, "warning: this build has no ")) return true;
  }
  return false;
}

const std::string small_spec =
    "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\nkind = \"quadratic\"\n"
    "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n[grid]\ncells = [48, 48]\n[initial]\nkind = \"gaussian\"\nmean = "
    "[0.1, 0.0]\n"
    "[evolve]\nuntil = 2.0\nframes = 4\n[output]\nprecision = \"float64\"\n";

void expect_bench_measures_each_sweep(const std::string& precision, double bytes_per_number) {
  const TemporaryDirectory folder;
  const Result r =
      underdamp(folder.path(),
                "bench --device host --sizes 32,48 --batches 2 --seconds 0.001 --sync --json bench.json --precision " +
                    precision);
  EXPECT_EQ(r.code, 0) << r.output;
  EXPECT_CONTAINS(r.output, "  32x32 ");
  EXPECT_CONTAINS(r.output, "2 of 128x128");
  const auto device = json_of(folder.path() / "bench.json")["devices"][0];
  EXPECT_EQ(device["precision"], precision);
  ASSERT_EQ(device["rows"].size(), 3U);
  for (const auto& row : device["rows"]) {
    const double cells = row["planes"].get<double>() * row["cells"][0].get<double>() * row["cells"][1].get<double>();
    EXPECT_EQ(row["field_bytes"].get<double>(), bytes_per_number * cells);
    // A few numbers of each plane, whatever the cells.
    const double downloaded = row["bytes_per_window"]["downloaded"].get<double>();
    EXPECT_GT(downloaded, 0.0);
    EXPECT_LE(downloaded, 1000.0 * row["planes"].get<double>());
    const double copy = row["copy"]["bytes_per_second"].get<double>();
    for (const auto& [sweep, passes] : {std::pair{"copy", 1.0}, {"drift", 1.0}, {"velocity", 1.0}, {"step", 2.0}}) {
      const double bytes = 2.0 * passes * bytes_per_number;
      const double seconds = row[sweep]["seconds"].get<double>();
      EXPECT_GT(seconds, 0.0) << sweep;
      EXPECT_NEAR(row[sweep]["cells_per_second"].get<double>() * seconds / cells, 1.0, 1e-9) << sweep;
      EXPECT_NEAR(row[sweep]["bytes_per_second"].get<double>() * seconds / (bytes * cells), 1.0, 1e-9) << sweep;
      EXPECT_NEAR(row[sweep]["share_of_copy"].get<double>() * copy / row[sweep]["bytes_per_second"].get<double>(), 1.0,
                  1e-9)
          << sweep;
    }
  }
}

TEST(Program, BenchOfSeveralParameters) {
  const TemporaryDirectory folder;
  const Result r =
      underdamp(folder.path(), "bench --device host --dimensions 2 --sizes 10 --seconds 0.001 --json b.json");
  EXPECT_EQ(r.code, 0) << r.output;
  EXPECT_CONTAINS(r.output, "  10^4   correlated");
  const auto rows = json_of(folder.path() / "b.json")["devices"][0]["rows"];
  ASSERT_EQ(rows.size(), 2U);
  for (const auto& row : rows) {
    EXPECT_EQ(row["field_bytes"], 80000);
    EXPECT_EQ(row["bytes_per_cell"], 48.0);  // two drifts and a velocity sweep
    EXPECT_GE(row["multiply_adds_per_cell"].get<double>(), 40.0 + 2.0 * 10.0);
    EXPECT_NEAR(row["cell_steps_per_second"].get<double>() * row["seconds"]["step"].get<double>(), 1e4, 1e-6);
  }
  EXPECT_GT(rows[1]["multiply_adds_per_cell"].get<double>(), rows[0]["multiply_adds_per_cell"].get<double>());
  EXPECT_EQ(underdamp(folder.path(), "bench --dimensions 4").code, 2);
}

TEST(Program, BenchMeasuresEachSweep) {
  expect_bench_measures_each_sweep("float64", 8.0);
  expect_bench_measures_each_sweep("float32", 4.0);
  const TemporaryDirectory folder;
  EXPECT_EQ(underdamp(folder.path(), "bench --precision double").code, 2);
  EXPECT_EQ(underdamp(folder.path(), "bench --sizes 4").code, 2);
  EXPECT_EQ(underdamp(folder.path(), "bench --device host --sizes 32 --json none/bench.json --seconds 0.001").code, 5);
}

TEST(Program, HelpVersionAndUsage) {
  const TemporaryDirectory folder;
  EXPECT_EQ(underdamp(folder.path(), "--help").code, 0);
  EXPECT_CONTAINS(underdamp(folder.path(), "--version").output, "underdamp ");
  EXPECT_EQ(underdamp(folder.path(), "").code, 2);
  EXPECT_EQ(underdamp(folder.path(), "rum x.toml").code, 2);
  EXPECT_EQ(underdamp(folder.path(), "run").code, 2);
  for (const std::string device : {"gpu", "2"}) {
    const Result r = underdamp(folder.path(), "run a.toml --device " + device);
    EXPECT_EQ(r.code, 2);
    EXPECT_CONTAINS(r.output, "error: --device " + device + ": the choices are auto, cuda and host\n");
  }
}

TEST(Program, InfoNamesTheDevices) {
  const TemporaryDirectory folder;
  const Result r = underdamp(folder.path(), "info");
  EXPECT_EQ(r.code, 0);
  EXPECT_CONTAINS(r.output, "host: " + make_host_workers()->name());
  EXPECT_CONTAINS(r.output, "cuda: ");
}

TEST(Program, NewWritesSpecsThatCheckAndRun) {
  const TemporaryDirectory folder;
  const Result list = underdamp(folder.path(), "new --list");
  EXPECT_EQ(list.code, 0);
  for (const std::string name : {"oscillator", "double-well", "kramers", "sgd", "table", "dataset"}) {
    EXPECT_CONTAINS(list.output, name);
    EXPECT_EQ(underdamp(folder.path(), "new " + name).code, 0);
  }
  const Result keys = underdamp(folder.path(), "new --keys");
  EXPECT_EQ(keys.code, 0);
  EXPECT_CONTAINS(keys.output, "momentum         number, [0, 1); required");
  EXPECT_EQ(underdamp(folder.path(), "new oscillator").code, 2);  // never overwrites
  EXPECT_CONTAINS(underdamp(folder.path(), "new oscilator").output, "did you mean oscillator?");
}

TEST(Program, TemplatesRunWithoutWarnings) {
  const TemporaryDirectory folder;
  const std::vector<std::pair<std::string, std::string>> templates{{"oscillator", ""},     {"double-well", ""},
                                                                   {"kramers", ""},        {"sgd", ""},
                                                                   {"table", "slice.csv"}, {"dataset", "data.csv"}};
  for (const auto& [name, data] : templates) {
    const Result written = underdamp(folder.path(), "new " + name);
    if (!data.empty()) {  // its comments show an example of the file
      EXPECT_CONTAINS(written.output, "it reads " + data);
      EXPECT_CONTAINS(underdamp(folder.path(), "check " + name + ".toml").output,
                      "loss.file: " + data + ": there is no such file");
      shell(folder.path(), "sed -n 's/^#   //p' " + name + ".toml > " + data);
    }
    const Result r = underdamp(folder.path(), "run " + name + ".toml");
    EXPECT_EQ(r.code, 0) << r.output;
    EXPECT_FALSE(warns(r.output)) << r.output;
  }
}

TEST(Program, RunWritesCompleteFiles) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "s.toml") << small_spec;
  const Result r = underdamp(folder.path(), "run s.toml --device host");
  ASSERT_EQ(r.code, 0) << r.output;
  const fs::path out = folder.path() / "out" / "s";
  const auto s = json_of(out / "summary.json");
  for (const char* key : {"version", "commit", "device", "spec", "derived", "solver_seconds", "wall_seconds", "steps",
                          "cells", "planes", "cell_steps_per_second", "time", "time_error_estimate", "mass", "leak",
                          "minimum", "mean", "covariance", "warnings"}) {
    EXPECT_TRUE(s.contains(key)) << key;
  }
  EXPECT_EQ(s["cells"], 48 * 48);
  EXPECT_EQ(s["planes"], 1);
  EXPECT_EQ(s["state"], "finished");
  EXPECT_EQ(s["spec"]["optimizer"]["momentum"], 0.9);
  EXPECT_EQ(s["spec"]["evolve"]["positivity"], "limit");
  EXPECT_NEAR(s["time"].get<double>(), 2.0, 1e-15);
  EXPECT_NEAR(s["mass"].get<double>() + s["leak"]["theta_min"].get<double>() + s["leak"]["theta_max"].get<double>() +
                  s["leak"]["v_min"].get<double>() + s["leak"]["v_max"].get<double>(),
              1.0, 1e-12);
  const std::string history = text_of(out / "history.csv");
  EXPECT_EQ(std::count(history.begin(), history.end(), '\n'), 6);  // header, start, four frames
  EXPECT_CONTAINS(text_of(out / "marginals.csv"), "2,theta,");
  if (has_vtk()) {
    EXPECT_CONTAINS(r.output, "open in ParaView: out/s/density.pvd");
    EXPECT_CONTAINS(text_of(out / "density.pvd"), "density_0004.vti");
    const GridDensity last = read_vti_density((out / "density_0004.vti").string());
    double mean = 0.0, mass = 0.0;
    for (std::size_t i = 0; i < 48; ++i) {
      for (std::size_t j = 0; j < 48; ++j) {
        mass += last.values[i * 48 + j];
        mean += last.values[i * 48 + j] * last.theta[i];
      }
    }
    EXPECT_NEAR(mean / mass, s["mean"][0].get<double>(), 1e-9);  // x of the picture is θ
  } else {
    EXPECT_CONTAINS(r.output, "no pictures");
  }
  for (const auto& entry : fs::directory_iterator(out)) EXPECT_FALSE(contains(entry.path().string(), ".writing"));
}

TEST(Program, ARepeatedRunIsByteIdentical) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "s.toml") << small_spec;
  ASSERT_EQ(underdamp(folder.path(), "run s.toml --device host --quiet --output a").code, 0);
  ASSERT_EQ(underdamp(folder.path(), "run s.toml --device host --quiet --output b").code, 0);
  for (const char* file : {"history.csv", "marginals.csv", "density.pvd", "density_0004.vti"}) {
    if (!has_vtk() && contains(file, "density")) continue;
    EXPECT_EQ(text_of(folder.path() / "a" / file), text_of(folder.path() / "b" / file)) << file;
  }
}

TEST(Program, SinglePrecisionIsAChoiceWithAStatedError) {
  const TemporaryDirectory folder;
  const auto write = [&](const std::string& name, const std::string& evolve, const std::string& more) {
    std::string text = small_spec;
    text.replace(text.find("frames = 4\n"), 11, "frames = 4\n" + evolve);
    std::ofstream(folder.path() / name) << text + more;
  };
  write("double.toml", "tolerance = 1e-5\n", "directory = \"double\"\n");
  write("single.toml", "precision = \"float32\"\n", "directory = \"single\"\n");
  EXPECT_EQ(underdamp(folder.path(), "run double.toml --device host").code, 0);
  const Result run = underdamp(folder.path(), "run single.toml --device host");
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_FALSE(contains(run.output, "float32")) << run.output;
  const auto single = json_of(folder.path() / "single" / "summary.json");
  const auto reference = json_of(folder.path() / "double" / "summary.json");
  EXPECT_EQ(single["spec"]["evolve"]["precision"], "float32");
  EXPECT_EQ(single["spec"]["evolve"]["tolerance"], 1e-5);
  EXPECT_EQ(reference["spec"]["evolve"]["precision"], "float64");
  EXPECT_GT(single["rounding_error_estimate"].get<double>(), 1e-8);
  EXPECT_LT(single["rounding_error_estimate"].get<double>(), 1e-5);
  EXPECT_LT(reference["rounding_error_estimate"].get<double>(), 1e-13);
  for (const int a : {0, 1}) {
    const double expected = reference["covariance"][a][a].get<double>();
    EXPECT_NEAR(single["covariance"][a][a].get<double>(), expected, 1e-4 * expected);
  }
  EXPECT_NE(text_of(folder.path() / "single" / "history.csv"), text_of(folder.path() / "double" / "history.csv"));

  const Result check = underdamp(folder.path(), "check single.toml");
  EXPECT_EQ(check.code, 0) << check.output;
  EXPECT_CONTAINS(check.output, "precision      float32");
  write("fine.toml", "precision = \"float32\"\ntolerance = 1e-8\n", "");
  EXPECT_CONTAINS(underdamp(folder.path(), "check fine.toml").output,
                  "warning: float32 cannot meet evolve.tolerance = 1e-08");
  const Result verify = underdamp(folder.path(), "verify single.toml");
  EXPECT_EQ(verify.code, 2);
  EXPECT_CONTAINS(verify.output, "verify judges by errors far below the rounding of float32");
  write("stationary.toml", "precision = \"float32\"\n", "[stationary]\n");
  const Result stationary = underdamp(folder.path(), "run stationary.toml --device host");
  EXPECT_EQ(stationary.code, 2);
  EXPECT_CONTAINS(stationary.output, "evolve.precision: stationary states and spectra need double precision");
}

TEST(Program, AShorterRunRemovesPicturesOfALongerOne) {
  if (!has_vtk()) GTEST_SKIP() << "built without VTK";
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "s.toml") << small_spec;
  ASSERT_EQ(underdamp(folder.path(), "run s.toml --quiet").code, 0);
  ASSERT_EQ(shell(folder.path(), "sed -i 's/frames = 4/frames = 2/' s.toml").code, 0);
  ASSERT_EQ(underdamp(folder.path(), "run s.toml --quiet").code, 0);
  EXPECT_TRUE(fs::exists(folder.path() / "out/s/density_0002.vti"));
  EXPECT_FALSE(fs::exists(folder.path() / "out/s/density_0003.vti"));
}

TEST(Program, BadSpecsAreRefusedAndNothingIsWritten) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "empty.csv") << "theta,loss\n0,\n1,\n2,\n3,\n";
  std::ofstream(folder.path() / "nan.csv") << "theta,loss\n0,1\n1,nan\n2,1\n3,2\n";
  const std::string optimizer = "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n";
  const std::string noise = "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n[evolve]\nuntil = 1.0\n";
  const auto formula = [&](const std::string& f) {
    return optimizer + "[loss]\nkind = \"expression\"\nformula = \"" + f + "\"\n" + noise;
  };
  const auto table = [&](const std::string& f) {
    return optimizer + "[loss]\nkind = \"table\"\nfile = \"" + f + "\"\n" + noise;
  };
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = small_spec;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<std::pair<std::string, std::string>> cases{
      {formula("x^2 +"), "is not a formula"},
      {formula("x^2 + foo(x)"), "loss.formula: \"x^2 + foo(x)\" is not a formula"},
      {formula("x^2/0*0"), "not finite"},
      {table("missing.csv"), "bad.toml:7:8: loss.file: missing.csv: there is no such file"},
      {table("empty.csv"), "an empty cell"},
      {table("nan.csv"), "nan.csv:3:2"},
      {optimizer + "[loss]\nkind = \"dataset\"\nfile = \"missing.csv\"\ntarget = \"y\"\n", "there is no such file"},
      {replaced("momentum = 0.9", "momentum = 1.0"), "optimizer.momentum"},
      {replaced("batch_size = 32", "batch_size = 0"), "optimizer.batch_size"},
      {replaced("cells = [48, 48]", "cells = [3, 48]"), "grid.cells"},
      {replaced("cells = [48, 48]", "theta = [0.5, 0.5]"), "has no width"},
      {replaced("sigma2 = 1.0", "sigma2 = nan"), "noise.sigma2"},
      {replaced("learning_rate", "learning_rte"), "did you mean learning_rate?"},
      {replaced("[evolve]\nuntil = 2.0\nframes = 4\n", ""), "there is nothing to do"},
  };
  for (const auto& [text, message] : cases) {
    std::ofstream(folder.path() / "bad.toml") << text;
    const Result r = underdamp(folder.path(), "run bad.toml --output result");
    EXPECT_EQ(r.code, 2) << text << r.output;
    EXPECT_CONTAINS(r.output, message);
    EXPECT_CONTAINS(r.output, "to fix: ");
    EXPECT_FALSE(fs::exists(folder.path() / "result")) << text;
  }
}

TEST(Program, TooSmallABoxFailsWithTheStateSaved) {
  const TemporaryDirectory folder;
  std::string text = small_spec;
  text.replace(text.find("cells = [48, 48]"), 16, "cells = [48, 48]\ntheta = [-0.15, 0.15]\nvelocity = [-2.0, 2.0]");
  std::ofstream(folder.path() / "s.toml") << text;
  const Result r = underdamp(folder.path(), "run s.toml --output result");
  EXPECT_EQ(r.code, 3) << r.output;
  EXPECT_CONTAINS(r.output, "left the box through theta_m");
  EXPECT_CONTAINS(r.output, "widen it to about");
  EXPECT_EQ(json_of(folder.path() / "result/summary.json")["state"], "failed");
  NEEDS_CHECKPOINTS();
  EXPECT_CONTAINS(r.output, "the state was saved in result/failed.h5");
  EXPECT_EQ(open_checkpoint(folder.path() / "result/failed.h5")->numbers("evolution/group_1/density").size(),
            48U * 48U);
  EXPECT_EQ(underdamp(folder.path(), "run s.toml --output result").code, 3);  // a failed run may be replaced
}

TEST(Program, ATableThatIsTooNarrowIsToBeExtended) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "t.csv") << "theta,loss\n-0.3,0.045\n-0.1,0.005\n0.1,0.005\n0.3,0.045\n";
  std::string text = small_spec;
  text.replace(text.find("kind = \"quadratic\""), 18, "kind = \"table\"\nfile = \"t.csv\"");
  std::ofstream(folder.path() / "s.toml") << text;
  const Result r = underdamp(folder.path(), "run s.toml --output result");
  EXPECT_EQ(r.code, 3) << r.output;
  EXPECT_CONTAINS(r.output, "through theta_max = 0.3: the table ends there, extend it to about 0.42");
}

TEST(Program, LeakAndResolutionAreWarnedOf) {
  const TemporaryDirectory folder;
  std::string text = small_spec;
  text.replace(text.find("cells = [48, 48]"), 16, "cells = [48, 48]\ntheta = [-0.6, 0.6]\nvelocity = [-6.0, 6.0]");
  std::ofstream(folder.path() / "s.toml") << text;
  const Result r = underdamp(folder.path(), "run s.toml --output result");
  EXPECT_EQ(r.code, 0) << r.output;
  EXPECT_CONTAINS(r.output, "cells per standard deviation of velocity");
  EXPECT_CONTAINS(r.output, "left the box through theta_max = 0.6");
  EXPECT_GE(json_of(folder.path() / "result/summary.json")["warnings"].size(), 2U);
}

TEST(Program, QuietHidesProgressNotWarnings) {
  const TemporaryDirectory folder;
  std::string text = small_spec;
  text.replace(text.find("cells = [48, 48]"), 16, "cells = [48, 48]\ntheta = [-0.6, 0.6]\nvelocity = [-6.0, 6.0]");
  std::ofstream(folder.path() / "s.toml") << text;
  EXPECT_EQ(underdamp(folder.path(), "run s.toml --device host --quiet 2>messages >results").code, 0);
  EXPECT_EQ(text_of(folder.path() / "results"), "");
  const std::string messages = text_of(folder.path() / "messages");
  EXPECT_CONTAINS(messages, "warning: the stationary state has 1.6 cells per standard deviation of velocity");
  EXPECT_CONTAINS(messages, "left the box through theta_max = 0.6");
  const auto warnings = json_of(folder.path() / "out/s/summary.json")["warnings"];
  for (const auto& warning : warnings) EXPECT_CONTAINS(messages, "warning: " + warning.get<std::string>() + "\n");
  EXPECT_EQ(std::count(messages.begin(), messages.end(), '\n'), static_cast<long>(warnings.size()));
  EXPECT_EQ(underdamp(folder.path(), "check s.toml 2>messages >results").code, 0);
  EXPECT_CONTAINS(text_of(folder.path() / "messages"),
                  "warning: the stationary state has 1.6 cells per standard deviation of velocity");
  EXPECT_FALSE(contains(text_of(folder.path() / "results"), "warning"));
}

TEST(Program, WhatASpectrumLeavesOutIsSaid) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "h.csv") << "eigenvalue\n2.0\n0.5\n-1e-4\n";
  const std::string model =
      "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\nkind = \"spectrum\"\nfile = "
      "\"h.csv\"\n[noise]\nkind = \"hessian\"\nsigma2 = 1.0\n[grid]\ncells = [48, 48]\n";
  const std::string note = "loss.file: 1 of 3 eigenvalues, from -0.0001 to -0.0001, are not positive and are left out";
  std::ofstream(folder.path() / "refused.toml") << model << "[evolve]\nuntil = 1.0\n";
  const Result refused = underdamp(folder.path(), "run refused.toml");
  EXPECT_EQ(refused.code, 2);
  EXPECT_CONTAINS(refused.output, "loss.file: eigenvalue 3 (h.csv:4) is -0.0001: nothing holds the parameter");
  EXPECT_CONTAINS(refused.output, "write negative = \"drop\" in [loss]");
  std::string dropping = model;
  dropping.replace(dropping.find("[noise]"), 7, "negative = \"drop\"\n[noise]");
  for (const std::string part : {"[evolve]\nuntil = 1.0\n", "[displacement]\nuntil = 1.0\npoints = 5\n"}) {
    std::ofstream(folder.path() / "s.toml") << dropping << part;
    EXPECT_CONTAINS(underdamp(folder.path(), "check s.toml").output, "warning: " + note);
    const Result r = underdamp(folder.path(), "run s.toml --device host --quiet");
    EXPECT_EQ(r.code, 0) << r.output;
    EXPECT_CONTAINS(r.output, "warning: " + note);
    const auto s = json_of(folder.path() / "out/s/summary.json");
    EXPECT_CONTAINS(s["warnings"][0].get<std::string>(), note);
    EXPECT_EQ(s["spec"]["loss"]["negative"], "drop");
    EXPECT_EQ(s["planes"], 2);
  }
}

TEST(Program, ATableAsPandasWritesItRuns) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "slice.csv")
      << ",theta,loss\n0,-1.0,0.52\n1,-0.5,0.12\n2,0.0,0.01\n3,0.5,0.14\n4,1.0,0.49\n";
  std::string text = small_spec;
  text.replace(text.find("kind = \"quadratic\""), 18, "kind = \"table\"\nfile = \"slice.csv\"");
  std::ofstream(folder.path() / "s.toml") << text;
  const Result r = underdamp(folder.path(), "run s.toml --device host");
  EXPECT_EQ(r.code, 0) << r.output;
}

TEST(Program, PrintedNumbersEndWhereTheirErrorBegins) {
  const TemporaryDirectory folder;
  std::string text = small_spec;
  text.replace(text.find("cells = [48, 48]"), 16, "cells = [96, 96]");
  text.replace(text.find("until = 2.0"), 11, "until = 2.0\ntolerance = 1e-3");
  std::ofstream(folder.path() / "s.toml") << text << "[stationary]\nmodes = 2\n";
  const Result r = underdamp(folder.path(), "run s.toml --device host");
  ASSERT_EQ(r.code, 0) << r.output;
  const auto s = json_of(folder.path() / "out/s/summary.json");
  // A mean to the digits of its error, both in the line that begins so; in equilibrium nothing is produced.
  std::smatch match;
  static const std::regex mean("  mean           \\[([-0-9.e]+) ± ([0-9.e-]+), ");
  ASSERT_TRUE(std::regex_search(r.output, match, mean)) << r.output;
  const double error = std::stod(match[2]);
  EXPECT_GT(error, 1e-8);
  EXPECT_NEAR(std::stod(match[1]), s["mean"][0].get<double>(), error);
  EXPECT_LE(match[1].length(), 9) << r.output;
  EXPECT_CONTAINS(r.output, "entropy prod.  0 ± ");
  static const std::regex long_number("[0-9]\\.[0-9]{9}");
  EXPECT_FALSE(std::regex_search(r.output, long_number)) << r.output;
  const auto stationary = s["stationary"];
  EXPECT_EQ(stationary["eigenvalue_errors"].size(), stationary["eigenvalues"].size());
  for (const auto& value : stationary["eigenvalue_errors"]) EXPECT_LT(value.get<double>(), 1e-3);
}

TEST(Program, CudaWithoutAGpuIsADeviceError) {
  if (testing::make_device("cuda")) GTEST_SKIP() << "there is a GPU";
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "s.toml") << small_spec;
  const Result r = underdamp(folder.path(), "run s.toml --device cuda --output result");
  EXPECT_EQ(r.code, 4);
  EXPECT_CONTAINS(r.output, "no CUDA device can be used");
  EXPECT_FALSE(fs::exists(folder.path() / "result"));
}

TEST(Program, ResultsThatCannotBePrintedAreAnInputOutputError) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "s.toml") << small_spec;
  for (const std::string command :
       {"--help", "--version", "info", "new --list", "new oscillator", "check s.toml",
        "bench --device host --sizes 32 --batches 1 --seconds 0.001", "run s.toml --device host"}) {
    const Result r = underdamp(folder.path(), command + " 2>message >/dev/full");
    EXPECT_EQ(r.code, 5) << command;
    EXPECT_CONTAINS(text_of(folder.path() / "message"), "error: cannot write to standard output");
  }
  EXPECT_EQ(json_of(folder.path() / "out/s/summary.json")["state"], "finished");
  const Result verify = underdamp(folder.path(), "verify s.toml --device host --quiet >/dev/full");
  EXPECT_NE(verify.code, 0);
  EXPECT_CONTAINS(verify.output, "error: cannot write to standard output");
  EXPECT_EQ(underdamp(folder.path(), "check none.toml >/dev/full").code, 2);  // the first error is the one that counts
  EXPECT_EQ(underdamp(folder.path(), "run s.toml --device host --quiet >/dev/full").code, 0);
}

TEST(Program, UnwritableOutputIsAnInputOutputError) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "s.toml") << small_spec;
  std::ofstream(folder.path() / "file") << "not a folder";
  const Result r = underdamp(folder.path(), "run s.toml --output file/result");
  EXPECT_EQ(r.code, 5);
  EXPECT_CONTAINS(r.output, "cannot create the folder");
}

/// Everything below a folder but what lies in `inside`, links not followed.
std::set<std::string> entries_outside(const fs::path& folder, const fs::path& inside) {
  std::set<std::string> names;
  for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->path() == inside) {
      entry.disable_recursion_pending();
    } else {
      names.insert(entry->path().string());
    }
  }
  return names;
}

/// Names in specs and tables, and links that someone has left, lead nowhere else.
TEST(Program, NothingIsWrittenOutsideTheOutputDirectory) {
  const TemporaryDirectory folder;
  const fs::path work = folder.path() / "a" / "b";
  const fs::path out = work / "result";
  fs::create_directories(out);
  std::ofstream table(work / "d.csv");
  table << "../one,../../two/three,mode_01/../../four,..\n";
  for (int n = 0; n < 12; ++n) table << n % 5 << "," << n * n % 7 << "," << (n + 2) * n % 11 << "," << n % 3 << "\n";
  table.close();
  std::ofstream(work / "...toml")
      << "title = \"../../title\"\n[optimizer]\nlearning_rate = 0.01\nmomentum = 0.9\nbatch_size = 4\n[loss]\n"
         "kind = \"dataset\"\nfile = \"d.csv\"\ntarget = \"..\"\n[grid]\ncells = [32, 32]\n[evolve]\nuntil = 0.1\n"
         "frames = 2\n[stationary]\n[ensemble]\nparticles = 1000\n"
         "[output]\nfields = [\"density\", \"modified_loss\", \"generator\"]\n";
  std::ofstream(work / "precious") << "mine";
  for (const char* name : {"history.csv", "summary.json", ".summary.writing.json"})
    fs::create_symlink(work / "precious", out / name);
  const auto before = entries_outside(folder.path(), out);
  const Result r = underdamp(work, "run ...toml --device host --output result");
  EXPECT_EQ(r.code, 0) << r.output;
  EXPECT_TRUE(fs::exists(out / "mode_03" / "history.csv"));
  EXPECT_EQ(entries_outside(folder.path(), out), before);
  EXPECT_EQ(text_of(work / "precious"), "mine");
  EXPECT_EQ(underdamp(work, "run ...toml --device host --quiet").code, 0);
  for (const std::string& name : entries_outside(folder.path(), out)) {
    if (before.count(name) > 0) continue;
    EXPECT_CONTAINS(name, (work / "out").string());  // what is written elsewhere is seen
  }
  EXPECT_TRUE(fs::exists(work / "out" / "spec" / "summary.json"));
}

/// Runs s.toml into `result` until a checkpoint shows that the first plane is on its way, and interrupts it.
int interrupt_under_way(const fs::path& folder) {
  testing::Process process(folder, {program, "run", "s.toml", "--device", "host", "--quiet", "--output", "result"});
  const fs::path checkpoint = folder / "result/checkpoint.h5";
  while (process.is_running() &&
         !(fs::exists(checkpoint) && open_checkpoint(checkpoint)->numbers("evolution/plane_time")[0] > 0.0)) {
    testing::sleep_seconds(0.01);
  }
  process.signal(SIGINT);
  return process.wait();
}

TEST(Program, InterruptSavesAndLeavesCompleteFiles) {
  NEEDS_CHECKPOINTS();
  const TemporaryDirectory folder;
  std::string text = small_spec;
  text.replace(text.find("cells = [48, 48]"), 16, "cells = [256, 256]");
  text.replace(text.find("until = 2.0\nframes = 4"), 22, "until = 20000.0\nframes = 20000");
  std::ofstream(folder.path() / "s.toml") << text << "[checkpoint]\nevery_seconds = 0.01\n";
  EXPECT_EQ(interrupt_under_way(folder.path()), 130);
  const auto s = json_of(folder.path() / "result/summary.json");
  EXPECT_EQ(s["state"], "interrupted");
  const auto checkpoint = open_checkpoint(folder.path() / "result/checkpoint.h5");
  EXPECT_EQ(checkpoint->text("reason"), "interrupted");
  EXPECT_GT(checkpoint->numbers("evolution/plane_time")[0], 0.0);
  const auto box = checkpoint->numbers("evolution/boxes");
  double mass = 0.0;
  for (const double p : checkpoint->numbers("evolution/group_1/density"))
    mass += p * (box[1] - box[0]) * (box[3] - box[2]) / (256.0 * 256.0);
  EXPECT_NEAR(mass, 1.0, 1e-6);
  for (const auto& entry : fs::directory_iterator(folder.path() / "result"))
    EXPECT_FALSE(contains(entry.path().string(), ".writing"));
}

TEST(Program, AnInterruptedBatchSavesEveryPlaneAtItsTime) {
  NEEDS_CHECKPOINTS();
  const TemporaryDirectory folder;
  fs::copy(examples / "diabetes.csv", folder.path() / "diabetes.csv");
  std::ofstream(folder.path() / "s.toml")
      << "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\n"
         "kind = \"dataset\"\nfile = \"diabetes.csv\"\ntarget = \"progression\"\nmodes = [1, 2]\n"
         "[grid]\ncells = [128, 128]\n[evolve]\nuntil = 1e6\ntolerance = 1e-9\n[checkpoint]\nevery_seconds = 0.01\n";
  EXPECT_EQ(interrupt_under_way(folder.path()), 130);
  const auto times = open_checkpoint(folder.path() / "result/checkpoint.h5")->numbers("evolution/plane_time");
  ASSERT_EQ(times.size(), 2U);
  EXPECT_GT(times[0], 0.0);
  EXPECT_EQ(times[1], 0.0);  // its turn had not come
  const auto s = json_of(folder.path() / "result/summary.json");
  EXPECT_GT(s["solver_seconds"].get<double>(), 0.0);
  EXPECT_EQ(s["plane_time"][0].get<double>(), times[0]);
}

TEST(Program, APlaneOfTwoHasItsOwnSummary) {
  // With two planes a mean, an interval and a pair of modes are as long as a list of all planes.
  const TemporaryDirectory folder;
  fs::copy(examples / "diabetes.csv", folder.path() / "diabetes.csv");
  std::ofstream(folder.path() / "s.toml")
      << "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\n"
         "kind = \"dataset\"\nfile = \"diabetes.csv\"\ntarget = \"progression\"\nmodes = [4, 8]\n"
         "[grid]\ncells = [48, 48]\n[evolve]\nuntil = 0.5\n";
  const Result check = underdamp(folder.path(), "check s.toml");
  EXPECT_CONTAINS(check.output, "gradients of modes 4 and 8 are correlated by 0.17");
  const Result r = underdamp(folder.path(), "run s.toml --output result");
  ASSERT_EQ(r.code, 0) << r.output;
  EXPECT_CONTAINS(r.output, "gradients of modes 4 and 8 are correlated by 0.17");
  const auto whole = json_of(folder.path() / "result/summary.json");
  EXPECT_NEAR(whole["dropped_noise"]["largest_correlation"].get<double>(), 0.17, 0.005);
  const auto second = json_of(folder.path() / "result/mode_08/summary.json");
  EXPECT_EQ(second["mean"], whole["mean"][1]);
  EXPECT_EQ(second["box"]["theta"], whole["box"]["theta"][1]);
  EXPECT_EQ(second["dropped_noise"]["between_modes"], (nlohmann::json{4, 8}));
  EXPECT_EQ(second["spec"]["loss"]["modes"], (nlohmann::json{4, 8}));
  EXPECT_FALSE(second.contains("per_plane"));
  const auto names = whole["per_plane"].get<std::vector<std::string>>();
  EXPECT_EQ(std::count(names.begin(), names.end(), "/leak/v_max"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "/dropped_noise/between_modes"), 0);
}

TEST(Output, APlaneRepeatsNeitherWarningsNorListsOfOthers) {
  const std::vector<double> few(64, 1.0);
  const std::vector<double> many(65, 1.0);
  const Json whole{{"spec", {{"loss", {{"eigenvalues", many}, {"weights", few}}}}},
                   {"mean", {1.0, 2.0}},
                   {"warnings", {"mode_1: a", "of all: b", "mode_2: c", "mode_1: d: mode_2: e", "f"}},
                   {"per_plane", {"/mean"}}};
  const PlaneSummaries summaries(whole, {"mode_1", "mode_2"});
  EXPECT_EQ(summaries.of(0)["warnings"], (Json{"of all: b", "f", "mode_1: a", "mode_1: d: mode_2: e"}));
  const Json second = summaries.of(1);
  EXPECT_EQ(second["warnings"], (Json{"of all: b", "f", "mode_2: c"}));
  EXPECT_EQ(second["mean"], 2.0);
  EXPECT_EQ(second["spec"]["loss"]["eigenvalues"], "as in ../summary.json");
  EXPECT_EQ(second["spec"]["loss"]["weights"], Json(few));
}

TEST(Output, AllPlanesKeepTheSameMarginals) {
  const TemporaryDirectory folder;
  const auto backend = make_host_backend();
  Simulation simulation(
      testing::spec_from("[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\n"
                         "kind = \"spectrum\"\neigenvalues = [1.0, 2.0]\n[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n"
                         "[grid]\ncells = [16, 16]\n[evolve]\nuntil = 1.0\n"),
      *backend);
  simulation.start();
  RunOutput output(simulation, folder.path(), 100);  // three planes' worth of a frame, 32 rows for each
  Frame frame = simulation.observe(0);
  for (int k = 0; k < 2; ++k) {
    frame.time = k;
    output.write_frame(frame);
  }
  output.finish({{"per_plane", Json::array()}, {"spec", {{"loss", Json::object()}}}, {"warnings", Json::array()}});
  const std::string first = text_of(folder.path() / "mode_01/marginals.csv");
  const std::string second = text_of(folder.path() / "mode_02/marginals.csv");
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 33);
  EXPECT_EQ(std::count(second.begin(), second.end(), '\n'), 33);
}

TEST(Program, StationaryWithoutEvolution) {
  const TemporaryDirectory folder;
  std::string text = small_spec;
  const auto evolve = text.find("[evolve]");
  text.replace(evolve, text.find("[output]") - evolve, "[stationary]\ntolerance = 1e-6\nmodes = 3\n");
  text += "fields = [\"generator\", \"current_irreversible\"]\n";
  std::ofstream(folder.path() / "s.toml") << text;
  const Result r = underdamp(folder.path(), "run s.toml --output result");
  ASSERT_EQ(r.code, 0) << r.output;
  EXPECT_CONTAINS(r.output, "stationary state by arnoldi");
  const auto s = json_of(folder.path() / "result/summary.json");
  EXPECT_EQ(s["state"], "finished");
  EXPECT_EQ(s["stationary"]["converged"], true);
  EXPECT_EQ(s["stationary"]["eigenvalues"].size(), 3U);
  EXPECT_NEAR(s["stationary"]["covariance"][0][0].get<double>(), s["covariance"][0][0].get<double>(), 0.0);
  EXPECT_NEAR(s["mass"].get<double>(), 1.0, 1e-12);
  EXPECT_CONTAINS(text_of(folder.path() / "result/spectrum.csv"), "number,real,imaginary,decay_rate,frequency");
  EXPECT_CONTAINS(text_of(folder.path() / "result/stationary_marginals.csv"),
                  "coordinate,position,density,modified_loss\ntheta,");
  EXPECT_CONTAINS(text_of(folder.path() / "result/generator.mtx"), "2304 2304 ");
  EXPECT_FALSE(fs::exists(folder.path() / "result/history.csv"));
  if (!has_vtk()) return;
  const std::string picture = text_of(folder.path() / "result/stationary.vti");
  for (const char* name : {"density", "current", "modified_loss", "mask", "stream_function", "current_irreversible"}) {
    EXPECT_CONTAINS(picture, std::string("Name=\"") + name + "\"");
  }
}

TEST(Program, EnsembleIsComparedWithTheDensity) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "s.toml") << small_spec + "[ensemble]\nparticles = 20000\nseed = 3\n";
  const Result r = underdamp(folder.path(), "run s.toml --output result");
  ASSERT_EQ(r.code, 0) << r.output;
  EXPECT_CONTAINS(r.output, "20000 particles (splitting)");
  const auto e = json_of(folder.path() / "result/summary.json")["ensemble"];
  EXPECT_EQ(e["particles"], 20000);
  EXPECT_GE(e["p_value"].get<double>(), 1e-6);  // false alarm: 1e-6
  EXPECT_NEAR(e["l1"].get<double>() / e["l1_expected"].get<double>(), 1.0, 0.3);
  EXPECT_CONTAINS(text_of(folder.path() / "result/ensemble.csv"),
                  "coordinate,position,density,particles,standard_error\ntheta,");
}

TEST(Program, AnUnconvergedStationaryStateEndsWithExitCode3) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "s.toml")
      << "[langevin]\nfriction = 1.0\n[loss]\nkind = \"polynomial\"\ncoefficients = [0.0, 0.02, -0.5, 0.0, 0.25]\n"
         "[noise]\nkind = \"expression\"\nformula = \"0.012*(1+0.1*x)\"\n[grid]\ncells = [64, 64]\n[stationary]\n";
  const Result r = underdamp(folder.path(), "run s.toml --output result");
  EXPECT_EQ(r.code, 3) << r.output;
  EXPECT_CONTAINS(r.output,
                  "s.toml:11:1: the stationary state did not converge: the shares of the 2 wells are not determined");
  const auto s = json_of(folder.path() / "result/summary.json");
  EXPECT_EQ(s["state"], "failed");
  EXPECT_EQ(s["stationary"]["converged"], false);
  // The density of each well was written.
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "result/quasi_stationary_1.vti"));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "result/quasi_stationary_2.vti"));
}

TEST(Program, VerifyWritesItsTablesAndSaysWhatFellShort) {
  const TemporaryDirectory folder;
  std::string text = small_spec + "[ensemble]\nparticles = 20000\n";
  text.replace(text.find("cells = [48, 48]"), 16, "cells = [96, 96]");
  text.replace(text.find("mean = [0.1, 0.0]"), 17, "mean = [0.1, 0.0]\ncovariance = [[0.004, 0.0], [0.0, 0.03]]");
  std::ofstream(folder.path() / "s.toml") << text;
  const Result good = underdamp(folder.path(), "verify s.toml --json v.json --junit v.xml --baseline b.json --quiet");
  ASSERT_EQ(good.code, 0) << good.output;
  EXPECT_CONTAINS(good.output, "all checks passed");
  EXPECT_CONTAINS(good.output, "baseline written to b.json");
  EXPECT_EQ(json_of(folder.path() / "v.json")["passed"], true);
  EXPECT_CONTAINS(text_of(folder.path() / "v.xml"), "failures=\"0\"");
  EXPECT_EQ(underdamp(folder.path(), "verify s.toml --baseline b.json --quiet").code, 0);
  text.replace(text.find("cells = [96, 96]"), 16, "cells = [96, 96]\ntheta = [-0.7, 0.7]\nvelocity = [-1.1, 1.1]");
  text.replace(text.find("frames = 4"), 10, "tolerance = 1e-3");
  std::ofstream(folder.path() / "s.toml") << text;
  const Result cut = underdamp(folder.path(), "verify s.toml --baseline b.json --quiet");
  EXPECT_EQ(cut.code, 1) << cut.output;
  EXPECT_CONTAINS(cut.output, "at least one check fell short");
  EXPECT_CONTAINS(cut.output, "drift of density, exact Gaussian (L1)");
  EXPECT_EQ(underdamp(folder.path(), "verify missing.toml").code, 2);
}

TEST(Program, FieldsThatCannotBeMadeAreRefused) {
  const TemporaryDirectory folder;
  std::string text = small_spec;
  std::ofstream(folder.path() / "s.toml") << text << "fields = [\"stream_function\"]\n";
  const Result stream = underdamp(folder.path(), "check s.toml");
  EXPECT_EQ(stream.code, 2);
  EXPECT_CONTAINS(stream.output, "only the current of a stationary state has a stream function");
  std::ofstream(folder.path() / "m.toml") << "dynamics = \"sgd\"\n" << text << "fields = [\"current\"]\n";
  const Result map = underdamp(folder.path(), "check m.toml");
  EXPECT_EQ(map.code, 2);
  EXPECT_CONTAINS(map.output, "the SGD map jumps: it has no current");
}

// --- examples ------------------------------------------------------------------------------------

class Examples : public ::testing::TestWithParam<std::string> {};

TEST_P(Examples, RunsAndKeepsItsMass) {
  const TemporaryDirectory folder;
  const Result check = underdamp(folder.path(), "check '" + (examples / (GetParam() + ".toml")).string() + "'");
  EXPECT_EQ(check.code, 0) << check.output;
  const Result r =
      underdamp(folder.path(), "run '" + (examples / (GetParam() + ".toml")).string() + "' --output result");
  ASSERT_EQ(r.code, 0) << r.output;
  EXPECT_FALSE(warns(r.output)) << r.output;
  const auto s = json_of(folder.path() / "result/summary.json");
  const auto list = [](const nlohmann::json& value) {
    return value.is_array() ? value : nlohmann::json::array({value});
  };
  for (const auto& mass : list(s["mass"])) EXPECT_NEAR(mass.get<double>(), 1.0, 1e-8);
  for (const auto& minimum : list(s["minimum"])) EXPECT_GE(minimum.get<double>(), 0.0);
}

INSTANTIATE_TEST_SUITE_P(All, Examples,
                         ::testing::Values("oscillator", "diabetes", "digits-slice", "sgd-vs-langevin", "double-well",
                                           "currents"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(ExampleFiles, DiabetesIsABatchOfTenModes) {
  const TemporaryDirectory folder;
  ASSERT_EQ(
      underdamp(folder.path(), "run '" + (examples / "diabetes.toml").string() + "' --quiet --output result").code, 0);
  const auto whole = json_of(folder.path() / "result/summary.json");
  EXPECT_EQ(whole["planes"], 10);
  EXPECT_EQ(whole["mean"].size(), 10U);
  const auto third = json_of(folder.path() / "result/mode_03/summary.json");
  EXPECT_EQ(third["planes"], 1);
  EXPECT_EQ(third["mean"], whole["mean"][2]);
  EXPECT_TRUE(fs::exists(folder.path() / "result/mode_10/history.csv"));
  EXPECT_CONTAINS(text_of(folder.path() / "result/history.csv"), "mode_10,");
}

}  // namespace
}  // namespace underdamp
