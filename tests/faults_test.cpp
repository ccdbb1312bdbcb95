#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>
#include <random>
#include <thread>

#include "hooked_backend.hpp"
#include "meshes/error.hpp"
#include "process.hpp"
#include "result_files.hpp"
#include "solver/io/checkpoint.hpp"
#include "solver/io/vtk_file.hpp"
#include "solver/run/health.hpp"
#include "solver/run/run.hpp"
#include "test_support.hpp"

/// What goes wrong outside of the mathematics, and inside: always a message with the cause, the right exit code, and
/// complete files only (docs/reliability.md).
namespace underdamp {
namespace {

namespace fs = std::filesystem;
using testing::Process;
using testing::ProcessResult;
using testing::TemporaryDirectory;

const std::string model =
    "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\nkind = \"quadratic\"\n"
    "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n[grid]\ncells = [48, 48]\n[initial]\nkind = \"gaussian\"\n"
    "mean = [0.1, 0.0]\n";
const std::string windows = model + "[evolve]\nuntil = 2.0\nframes = 4\n";

/// An Error as a test sees it.
struct Failure {
  int code = 0;
  std::string text;
};

Failure failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return {static_cast<int>(error.code()), error.what()};
  }
  return {};
}

void expect_complete(const fs::path& folder) {
  EXPECT_EQ(testing::half_written_files(folder), std::vector<std::string>{});
}

RunOptions quiet_into(const fs::path& folder, Beginning beginning = Beginning::fresh) {
  RunOptions options;
  options.output = folder;
  options.quiet = true;
  options.beginning = beginning;
  return options;
}

// --- numerical health ----------------------------------------------------------------------------

/// The cell that is changed, and how a message calls it.
constexpr std::array<int, 2> struck{20, 29};
constexpr std::size_t struck_cell = 20 * 48 + 29;
const char* const struck_text = "plane 1, cell (20, 29), theta = ";

struct Scheme {
  const char* name;
  std::string spec;
  const char* operation;  ///< after which the density is changed
};

std::vector<Scheme> schemes() {
  return {{"windows", windows, "extrapolate"},
          {"fixed", model + "[evolve]\nuntil = 2.0\nframes = 4\nstep = 0.05\n", "drift and velocity"},
          {"map", "dynamics = \"sgd\"\n" + model + "[evolve]\nsteps = 20\nframes = 4\n", "drift"}};
}

/// Changes the density after the n-th such operation and runs. Returns the error, with the number of frames written.
Failure struck_run(const fs::path& out, const Scheme& scheme, long number, double (*change)(double)) {
  long seen = 0;
  testing::HookedBackend* self = nullptr;
  testing::HookedBackend backend(testing::make_device("host"), [&](const std::string& name, long, Field* field) {
    if (name != scheme.operation || ++seen != number) return;
    testing::change_cell(self->inner(), *field, struck_cell, change);
  });
  self = &backend;
  const Spec spec = testing::spec_from(scheme.spec);
  const Failure failure = failure_of([&] { run(spec, backend, quiet_into(out)); });
  EXPECT_GE(seen, number);
  return failure;
}

/// Operations of a whole run.
long operations_of(const Scheme& scheme) {
  long seen = 0;
  const TemporaryDirectory folder;
  testing::HookedBackend backend(testing::make_device("host"), [&](const std::string& name, long, Field*) {
    seen += name == scheme.operation ? 1 : 0;
  });
  const Spec spec = testing::spec_from(scheme.spec);
  run(spec, backend, quiet_into(folder.path()));
  return seen;
}

/// What every numerical failure must leave behind. `frame` is the first one that can show it.
void expect_saved(const fs::path& out, const Failure& failure, const std::string& message) {
  EXPECT_EQ(failure.code, 3) << failure.text;
  EXPECT_CONTAINS(failure.text, message);
  EXPECT_EQ(testing::json_of(out / "summary.json")["state"], "failed");
  expect_complete(out);
  if (!has_checkpoints()) return;
  EXPECT_CONTAINS(failure.text, "the state was saved in " + (out / "failed.h5").string());
  EXPECT_EQ(open_checkpoint(out / "failed.h5")->numbers("evolution/group_1/density").size(), 48U * 48U);
}

std::ptrdiff_t rows_of(const fs::path& table) {
  const std::string text = testing::text_of(table);
  return std::count(text.begin(), text.end(), '\n') - 1;
}

double become_nan(double) {
  return std::numeric_limits<double>::quiet_NaN();
}
double become_infinite(double) {
  return std::numeric_limits<double>::infinity();
}
double grow(double p) {
  return 3.0 * p + 1.0;
}
double vanish(double) {
  return 0.0;
}
double turn_negative(double p) {
  return -p - 0.1;
}

class Health : public ::testing::TestWithParam<std::size_t> {
 protected:
  Scheme scheme_ = schemes()[GetParam()];
  TemporaryDirectory folder_;
};

TEST_P(Health, NotANumber) {
  const long all = operations_of(scheme_);
  for (const auto change : {become_nan, become_infinite}) {
    for (const long number : {1L, all / 2, all}) {
      const fs::path out = folder_.path() / std::to_string(number);
      const Failure failure = struck_run(out, scheme_, number, change);
      expect_saved(out, failure, "not finite");
      EXPECT_CONTAINS(failure.text, "plane 1, cell (");
      // Within one output interval: every frame that was written is good.
      EXPECT_FALSE(testing::contains(testing::text_of(out / "history.csv"), "nan"));
      EXPECT_LT(rows_of(out / "history.csv"), 5);
      if (number == 1) {
        EXPECT_EQ(rows_of(out / "history.csv"), 1);
      }
      if (std::string(scheme_.name) == "windows") {
        EXPECT_CONTAINS(failure.text, struck_text);
      }
    }
  }
}

TEST_P(Health, Growth) {
  const Failure failure = struck_run(folder_.path() / "out", scheme_, 1, grow);
  expect_saved(folder_.path() / "out", failure, "the density has gained ");
  EXPECT_CONTAINS(failure.text, "plane 1, cell (");
  EXPECT_EQ(rows_of(folder_.path() / "out/history.csv"), 1);  // nothing but the start
}

TEST_P(Health, LostMass) {
  const Failure failure = struck_run(folder_.path() / "out", scheme_, 1, vanish);
  expect_saved(folder_.path() / "out", failure, "the density has lost ");
  EXPECT_CONTAINS(failure.text, "plane 1, cell (");
  EXPECT_EQ(rows_of(folder_.path() / "out/history.csv"), 1);
}

TEST_P(Health, NegativeValues) {
  const long copy = std::string(scheme_.name) == "fixed" ? 5 : 0;  // its steps come last
  const Failure failure = struck_run(folder_.path() / "out", scheme_, operations_of(scheme_) - copy, turn_negative);
  expect_saved(folder_.path() / "out", failure, "values below 0 hold ");
  EXPECT_CONTAINS(failure.text, struck_text);
}

INSTANTIATE_TEST_SUITE_P(All, Health, ::testing::Range(std::size_t{0}, std::size_t{3}),
                         [](const auto& instance) { return schemes()[instance.param].name; });

TEST(Health, MassThatIsLostBitByBitIsLost) {
  // 5e-13 in 64 steps of the map are less than one restoration takes for rounding, and in all more than rounding
  // explains: 1e-9 after 128 000 steps.
  const Spec spec = testing::spec_from("dynamics = \"sgd\"\n" + model + "[evolve]\nsteps = 200000\nframes = 10\n");
  const auto outcome = [&](double share) {
    const TemporaryDirectory folder;
    long drifts = 0;
    testing::HookedBackend* self = nullptr;
    testing::HookedBackend backend(testing::make_device("host"), [&](const std::string& name, long, Field* field) {
      if (name != "drift" || ++drifts % 64 != 1) return;
      self->inner().fields().absorb_created(*field, std::array{1.0 - share});
    });
    self = &backend;
    return failure_of([&] { run(spec, backend, quiet_into(folder.path() / "out")); });
  };
  const Failure failure = outcome(5e-13);
  EXPECT_EQ(failure.code, 3);
  EXPECT_CONTAINS(failure.text, "the density has lost 1.");
  EXPECT_EQ(outcome(-5e-13).code, 3);   // mass that comes from nowhere, the same
  const Failure none = outcome(1e-15);  // as much as rounding does
  EXPECT_EQ(none.code, 0) << none.text;
}

/// The checks one by one, on frames made by hand: what passes, what does not, and what is said.
class HealthOfAFrame : public ::testing::Test {
 protected:
  HealthOfAFrame() : backend_(testing::make_device("host")), simulation_(testing::spec_from(windows), *backend_) {
    simulation_.start();
    frame_ = simulation_.observe(0);
  }
  Observables& observables() { return frame_.observables[0]; }
  Failure failure() const {
    return failure_of([&] { require_healthy(simulation_, frame_, "; saved"); });
  }

  std::unique_ptr<Backend> backend_;
  Simulation simulation_;
  Frame frame_;
};

TEST_F(HealthOfAFrame, AGoodOnePasses) {
  EXPECT_EQ(failure().code, 0);
  EXPECT_NEAR(observables().magnitude, 1.0, 1e-14);
}

TEST_F(HealthOfAFrame, NegativeValuesNameTheirCell) {
  observables().magnitude = observables().mass + 4e-9;
  observables().minimum = -1.5e-6;
  observables().minimum_cell = struck;
  EXPECT_EQ(failure().code, 3);
  EXPECT_CONTAINS(failure().text, struck_text);
  EXPECT_CONTAINS(failure().text, "values below 0 hold 2.00e-09 of the probability; the least is -1.5e-06");
  EXPECT_CONTAINS(failure().text, "; saved");
  observables().magnitude = observables().mass + 1e-9;  // half of it is negative
  EXPECT_EQ(failure().code, 0);
}

TEST_F(HealthOfAFrame, WithoutALimiterTheyMayHoldAThousandth) {
  Simulation signed_one(testing::spec_from(windows + "positivity = \"none\"\n"), *backend_);
  signed_one.start();
  Frame frame = signed_one.observe(0);
  frame.observables[0].magnitude += 1.9e-3;
  EXPECT_EQ(failure_of([&] { require_healthy(signed_one, frame, ""); }).code, 0);
  frame.observables[0].magnitude += 0.2e-3;
  EXPECT_EQ(failure_of([&] { require_healthy(signed_one, frame, ""); }).code, 3);
}

TEST_F(HealthOfAFrame, MassMustBeAccountedFor) {
  observables().mass = 1.0 - 0.5e-9;
  observables().magnitude = observables().mass;
  EXPECT_EQ(failure().code, 0);
  observables().mass = 1.0;
  observables().departed.velocity[0].upper = 1e-6;  // counted, but not missing
  EXPECT_CONTAINS(failure().text, "the density has gained 1.00e-06 of probability");
  observables().departed.velocity[0].upper = 0.0;
  observables().mass = 1.0 - 2e-9;
  EXPECT_CONTAINS(failure().text, "the density has lost 2.00e-09 of probability");
  observables().mass = std::numeric_limits<double>::quiet_NaN();
  EXPECT_CONTAINS(failure().text, "not finite");
}

TEST_F(HealthOfAFrame, LeaksNameTheDensestCellAtTheWall) {
  observables().departed.theta[0].upper = 2e-3;
  observables().mass = 1.0 - 2e-3;
  observables().magnitude = observables().mass;
  EXPECT_EQ(failure().code, 3);
  EXPECT_CONTAINS(failure().text, "plane 1, cell (47, 2");
  EXPECT_CONTAINS(failure().text, "2.00e-03 of the probability left the box through theta_max");
}

TEST(Observables, TheFirstValueThatIsNotFiniteIsNamed) {
  const auto backend = testing::make_device("host");
  Simulation simulation(testing::spec_from(windows), *backend);
  const auto field = backend->fields().allocate(simulation.mesh().shape());
  std::vector<double> values(field->shape().cells(), 1.0);
  values[struck_cell] = std::numeric_limits<double>::quiet_NaN();
  values[30 * 48 + 3] = std::numeric_limits<double>::infinity();
  values[40] = -2.0;
  backend->fields().upload(values, *field);
  const Observables o = observe(*backend, simulation.mesh(), simulation.tables(), *field)[0];
  EXPECT_EQ(o.minimum_cell, struck);
  values[struck_cell] = 1.0;
  values[30 * 48 + 3] = 1.0;
  backend->fields().upload(values, *field);
  const Observables finite = observe(*backend, simulation.mesh(), simulation.tables(), *field)[0];
  EXPECT_EQ(finite.minimum_cell, (std::array<int, 2>{0, 40}));
  EXPECT_NEAR(finite.magnitude - finite.mass, 4.0 * simulation.mesh().plane(0).cell_area(), 1e-12);
}

// --- devices -------------------------------------------------------------------------------------

TEST(Device, AGpuThatVanishes) {
  NEEDS_CHECKPOINTS();
  const TemporaryDirectory folder;
  const Spec spec = testing::spec_from(windows + "[stationary]\nmodes = 2\ntolerance = 1e-6\n" +
                                       "[checkpoint]\nevery_seconds = 1e-9\n");
  run(spec, *testing::make_device("host"), quiet_into(folder.path() / "whole"));
  std::mt19937 random(11);
  for (int k = 0; k < 4; ++k) {
    const fs::path out = folder.path() / ("out" + std::to_string(k));
    const long last = 60 + static_cast<long>(random() % 400);
    testing::HookedBackend backend(testing::make_device("host"), [&](const std::string&, long count, Field*) {
      if (count >= last) {
        throw Error(ExitCode::device, "the GPU reports a failure: unspecified launch failure", "CUDA",
                    "see whether another program uses the GPU, or use --device host");
      }
    });
    const Failure failure = failure_of([&] { run(spec, backend, quiet_into(out)); });
    EXPECT_EQ(failure.code, 4);
    EXPECT_CONTAINS(failure.text, "CUDA: the GPU reports a failure: unspecified launch failure\n  to fix: ");
    EXPECT_CONTAINS(failure.text, "\n  to go on: repeat the command with --resume; it continues at t = ");
    expect_complete(out);
    run(spec, *testing::make_device("host"), quiet_into(out, Beginning::resume));
    EXPECT_EQ(testing::differing_files(folder.path() / "whole", out), std::vector<std::string>{});
  }
}

TEST(Device, OutOfMemoryNamesTheNumbers) {
  const Error gpu = out_of_memory("the GPU", std::size_t{512} << 20, std::size_t{300} << 20, std::size_t{81559} << 20);
  EXPECT_EQ(gpu.code(), ExitCode::device);
  EXPECT_STREQ(gpu.what(),
               "the GPU has no room for 512 MiB: 300 of its 81559 MiB are free\n  to fix: use fewer cells or planes, "
               "or --device host");
  EXPECT_STREQ(out_of_memory("the host", std::size_t{3} << 20).what(),
               "the host has no room for 3 MiB\n  to fix: use fewer cells or planes");
  EXPECT_EQ(failure_of([] { testing::make_device("host")->fields().allocate({1 << 20, 1 << 10, 1 << 10}); }).code, 4);
}

TEST(Device, OutOfMemoryUnderWay) {
  const TemporaryDirectory folder;
  const Spec spec = testing::spec_from(windows);
  for (const bool of_the_library : {false, true}) {
    long fields = 0;
    testing::HookedBackend backend(testing::make_device("host"), [&](const std::string& name, long, Field*) {
      if (name != "allocate field" || ++fields < 4) return;
      if (of_the_library) throw std::bad_alloc();
      throw out_of_memory("the GPU", std::size_t{512} << 20, 1, std::size_t{81559} << 20);
    });
    const Failure failure = failure_of([&] { run(spec, backend, quiet_into(folder.path() / "out")); });
    EXPECT_EQ(failure.code, 4);
    EXPECT_CONTAINS(failure.text, of_the_library ? "the host has no memory left" : "has no room for 512 MiB: 0 of its");
    expect_complete(folder.path() / "out");
  }
}

TEST(Checkpoints, OneThatCannotBeWrittenIsTriedAgain) {
  NEEDS_CHECKPOINTS();
  const TemporaryDirectory folder;
  const fs::path out = folder.path() / "out";
  const fs::path obstacle = out / ".checkpoint.writing.h5";  // where checkpoints are written
  fs::create_directories(obstacle / "kept");
  testing::HookedBackend backend(testing::make_device("host"), [&](const std::string&, long count, Field*) {
    if (count == 100) fs::remove_all(obstacle);
    if (count == 160) throw Error(ExitCode::device, "the GPU reports a failure");
  });
  const Spec spec = testing::spec_from(windows + "[checkpoint]\nevery_seconds = 1e-9\n");
  const Failure failure = failure_of([&] { run(spec, backend, quiet_into(out)); });
  EXPECT_EQ(failure.code, 4) << failure.text;
  EXPECT_CONTAINS(failure.text, "repeat the command with --resume; it continues at t = ");
  EXPECT_TRUE(fs::is_regular_file(out / "checkpoint.h5"));
}

// --- pictures that are written behind the solver -------------------------------------------------

TEST(Pictures, OneThatCannotBeWrittenEndsTheRun) {
  if (!has_vtk()) GTEST_SKIP() << "built without VTK";
  const TemporaryDirectory folder;
  const fs::path out = folder.path() / "out";
  testing::HookedBackend backend(testing::make_device("host"), [&](const std::string&, long count, Field*) {
    if (count == 0) fs::create_directories(out / ".density_0002.writing.vti" / "kept");  // where it is written
  });
  const Spec spec = testing::spec_from(model + "[evolve]\nuntil = 200.0\nframes = 400\n");
  const Failure failure = failure_of([&] { run(spec, backend, quiet_into(out)); });
  EXPECT_EQ(failure.code, 5) << failure.text;
  EXPECT_CONTAINS(failure.text, (out / "density_0002.vti").string());
  EXPECT_TRUE(fs::exists(out / "density_0001.vti"));
  EXPECT_FALSE(fs::exists(out / "density_0003.vti")) << "written after a failure";
  EXPECT_FALSE(fs::exists(out / "summary.json"));
  expect_complete(out);
}

TEST(Pictures, NoListNamesOneThatIsNotThere) {
  NEEDS_CHECKPOINTS();
  if (!has_vtk()) GTEST_SKIP() << "built without VTK";
  const TemporaryDirectory folder;
  const fs::path out = folder.path() / "out";
  std::size_t listed = 0;
  const auto expect_there = [&](std::size_t pictures) {
    for (std::size_t k = listed; k < pictures; ++k) {
      char name[32];
      std::snprintf(name, sizeof name, "density_%04zu.vti", k);
      EXPECT_TRUE(fs::exists(out / name)) << name;
    }
    listed = std::max(listed, pictures);
  };
  testing::HookedBackend backend(testing::make_device("host"), [&](const std::string&, long, Field*) {
    if (fs::exists(out / "checkpoint.h5"))
      expect_there(open_checkpoint(out / "checkpoint.h5")->numbers("output/plane_1/picture_times").size());
    const std::string list = testing::text_of(out / "density.pvd");
    std::size_t entries = 0;
    for (auto at = list.find("<DataSet"); at != std::string::npos; at = list.find("<DataSet", at + 1)) ++entries;
    expect_there(entries);
  });
  std::string text = model;
  text.replace(text.find("cells = [48, 48]"), 16, "cells = [512, 512]");  // takes longer to write than to compute
  const Spec spec = testing::spec_from(
      text + "[evolve]\nuntil = 0.02\nstep = 0.002\nframes = 10\n[output]\nprecision = \"float64\"\n" +
      "fields = [\"current\", \"current_reversible\", \"current_irreversible\", \"modified_loss\"]\n" +
      "[checkpoint]\nevery_seconds = 1e-9\n");
  run(spec, backend, quiet_into(out));
  EXPECT_GE(listed, 5U);
}

TEST(Pictures, ACheckpointWaitsForThem) {
  NEEDS_CHECKPOINTS();
  if (!has_vtk()) GTEST_SKIP() << "built without VTK";
  const TemporaryDirectory folder;
  const fs::path out = folder.path() / "out";
  const fs::path pipe = out / ".density_0003.writing.vti";  // who opens it to write waits for one who reads
  std::atomic<bool> is_made{false};
  std::atomic<bool> has_ended{false};
  testing::HookedBackend backend(testing::make_device("host"), [&](const std::string&, long, Field*) {
    if (!is_made && fs::exists(out / "density_0000.vti")) is_made = mkfifo(pipe.c_str(), 0600) == 0;
  });
  const auto listed = [&] {
    if (!fs::exists(out / "checkpoint.h5")) return std::size_t{0};
    return open_checkpoint(out / "checkpoint.h5")->numbers("output/plane_1/picture_times").size();
  };
  std::size_t counted_on = 0;
  std::thread reader([&] {
    while (!has_ended && (!is_made || listed() < 3)) testing::sleep_seconds(0.001);
    testing::sleep_seconds(0.3);
    counted_on = listed();
    const int descriptor = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
    std::array<char, 4096> bytes;
    while (!has_ended) {
      if (read(descriptor, bytes.data(), bytes.size()) <= 0) testing::sleep_seconds(0.001);
    }
    close(descriptor);
  });
  const Spec spec =
      testing::spec_from(model + "[evolve]\nuntil = 2.0\nframes = 20\n[checkpoint]\nevery_seconds = 1e-9\n");
  static_cast<void>(failure_of([&] { run(spec, backend, quiet_into(out)); }));  // a pipe is no file
  has_ended = true;
  reader.join();
  EXPECT_TRUE(is_made);
  EXPECT_EQ(counted_on, 3U);
}

// --- the program and its surroundings ------------------------------------------------------------

std::vector<std::string> command(std::vector<std::string> more = {}) {
  std::vector<std::string> words{UNDERDAMP_PROGRAM, "run", "s.toml", "--device", "host", "--output", "out"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

class Surroundings : public ::testing::Test {
 protected:
  void write_spec(const std::string& text) const { std::ofstream(folder_.path() / "s.toml") << text; }
  fs::path out() const { return folder_.path() / "out"; }
  ProcessResult run_here(const testing::ProcessLimits& limits = {}, std::vector<std::string> more = {}) const {
    return testing::run_process(folder_.path(), command(std::move(more)), limits);
  }
  /// Waits for a file, as long as the program runs.
  bool wait_for(Process& process, const char* file) const {
    while (!fs::exists(out() / file)) {
      if (!process.is_running()) return false;
      testing::sleep_seconds(0.001);
    }
    return true;
  }

  TemporaryDirectory folder_;
};

/// A run that takes a while.
const std::string long_run = model + "[evolve]\nuntil = 20000.0\nframes = 20000\n[checkpoint]\nevery_seconds = 0.05\n";

/// Bytes of the largest file, and of all.
std::pair<std::uintmax_t, std::uintmax_t> sizes_of(const fs::path& folder) {
  std::uintmax_t largest = 0;
  std::uintmax_t all = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    largest = std::max(largest, entry.file_size());
    all += entry.file_size();
  }
  return {largest, all};
}

TEST_F(Surroundings, FilesThatMayNotGrow) {
  write_spec(windows + "[output]\nprecision = \"float64\"\n[checkpoint]\nevery_seconds = 1e-6\n");
  ASSERT_EQ(run_here().code, 0);
  const auto largest = static_cast<double>(sizes_of(out()).first);
  fs::remove_all(out());
  for (const double share : {0.001, 0.01, 0.1, 0.3, 0.6, 0.8, 0.99, 3.0}) {  // a checkpoint is no three times as large
    testing::ProcessLimits limits;
    limits.file_bytes = static_cast<unsigned long>(share * largest);
    const ProcessResult r = run_here(limits, {"--restart"});
    EXPECT_EQ(r.code, share < 1.0 ? 5 : 0) << share << r.output;
    expect_complete(out());
    EXPECT_TRUE(testing::temporary_files(out()).empty());
  }
}

TEST_F(Surroundings, ACheckpointWithoutRoomEndsNoRun) {
  NEEDS_CHECKPOINTS();
  const std::string often = "[output]\nfields = [\"density\"]\n[checkpoint]\nevery_seconds = 1e-6\n";
  write_spec(model + "[evolve]\nuntil = 2.0\nframes = 1\n" + often);
  ASSERT_EQ(run_here().code, 0);
  fs::rename(out(), folder_.path() / "whole");
  testing::ProcessLimits limits;
  limits.file_bytes = 32'000;  // a checkpoint has two fields of 48 · 48 · 8 bytes
  ASSERT_LT(sizes_of(folder_.path() / "whole").first, limits.file_bytes);
  const ProcessResult r = run_here(limits);
  EXPECT_EQ(r.code, 0) << r.output;
  const std::string warning = "warning: no checkpoint could be written at t = ";
  EXPECT_CONTAINS(r.output, warning);
  EXPECT_EQ(r.output.find(warning), r.output.rfind(warning)) << "more than once: " << r.output;
  EXPECT_CONTAINS(r.output, "out/checkpoint.h5: ");
  const auto warnings = [](const fs::path& folder) {
    return testing::json_of(folder / "summary.json")["warnings"].size();
  };
  EXPECT_EQ(warnings(out()), warnings(folder_.path() / "whole") + 1);
  for (const char* table : {"history.csv", "marginals.csv"})
    EXPECT_EQ(testing::text_of(out() / table), testing::text_of(folder_.path() / "whole" / table));
  EXPECT_TRUE(testing::temporary_files(out()).empty());
  // Who interrupts a run counts on its checkpoint.
  write_spec(model + "[evolve]\nuntil = 20000.0\nframes = 1\n" + often);
  fs::remove_all(out());
  Process process(folder_.path(), command({"--quiet"}), limits);
  ASSERT_TRUE(wait_for(process, "history.csv")) << process.output();
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), 5);
  EXPECT_CONTAINS(process.output(), "out/checkpoint.h5: ");
}

/// Does something in a child process that has its own mounts; its exit code. -1 if the system does not allow it.
int with_own_mounts(const std::function<int()>& action) {
  constexpr int not_allowed = 77;
  const pid_t child = fork();
  if (child == 0) {
    const bool alone = unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    _exit(alone ? action() : not_allowed);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  return code == not_allowed ? -1 : code;
}

/// 0 if the run in a folder of `kilobytes` failed as it should.
int run_on_small_disk(const fs::path& folder, int kilobytes) {
  fs::create_directory(folder / "out");
  const std::string size = "size=" + std::to_string(kilobytes) + "k";
  if (mount("none", (folder / "out").c_str(), "tmpfs", 0, size.c_str()) != 0) return 77;
  const ProcessResult r = testing::run_process(folder, command({"--restart"}));
  const bool said = testing::contains(r.output, "No space left on device") || testing::contains(r.output, "disk");
  const bool clean =
      testing::half_written_files(folder / "out").empty() && testing::temporary_files(folder / "out").empty();
  if (r.code != 5 || !said || !clean) std::fprintf(stderr, "%d kB: %d\n%s\n", kilobytes, r.code, r.output.c_str());
  umount((folder / "out").c_str());
  return r.code == 5 && said && clean ? 0 : 1;
}

TEST_F(Surroundings, DiskFull) {
  write_spec(windows + "[output]\nprecision = \"float64\"\n[checkpoint]\nevery_seconds = 1e-6\n");
  ASSERT_EQ(run_here().code, 0);
  const double all = static_cast<double>(sizes_of(out()).second) / 1024.0;
  fs::remove_all(out());
  const int code = with_own_mounts([&] {
    int worst = 0;
    for (const double share : {0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9}) {
      worst = std::max(worst, run_on_small_disk(folder_.path(), std::max(4, static_cast<int>(share * all))));
    }
    return worst;
  });
  if (code == -1) GTEST_SKIP() << "this system lets no test mount a small disk";
  EXPECT_EQ(code, 0);
}

TEST_F(Surroundings, ReadOnlyDisk) {
  write_spec(windows);
  const int code = with_own_mounts([&] {
    fs::create_directory(out());
    if (mount("none", out().c_str(), "tmpfs", MS_RDONLY, nullptr) != 0) return 77;
    const ProcessResult r = run_here();
    const bool good = r.code == 5 && testing::contains(r.output, "out: cannot write into the folder: Read-only");
    if (!good) std::fprintf(stderr, "%d\n%s\n", r.code, r.output.c_str());
    return good ? 0 : 1;
  });
  if (code == -1) GTEST_SKIP() << "this system lets no test mount a disk";
  EXPECT_EQ(code, 0);
}

TEST_F(Surroundings, AFolderThatCannotBe) {
  write_spec(windows);
  std::ofstream(out()) << "a file";
  const ProcessResult r = run_here();
  EXPECT_EQ(r.code, 5);
  EXPECT_CONTAINS(r.output, "out: cannot create the folder");
  EXPECT_EQ(testing::text_of(out()), "a file");
}

TEST_F(Surroundings, FolderRemovedUnderWay) {
  write_spec(long_run);
  Process process(folder_.path(), command({"--quiet"}));
  ASSERT_TRUE(wait_for(process, has_vtk() ? "density_0005.vti" : "history.csv")) << process.output();
  fs::rename(out(), folder_.path() / "gone");
  EXPECT_EQ(process.wait(), 5);
  EXPECT_CONTAINS(process.output(), "No such file or directory");
  EXPECT_CONTAINS(process.output(), "out/");
  expect_complete(folder_.path() / "gone");
}

TEST_F(Surroundings, FilesRemovedUnderWay) {
  if (!has_vtk()) GTEST_SKIP() << "built without VTK";
  write_spec(model + "[evolve]\nuntil = 300.0\nframes = 300\n");
  Process process(folder_.path(), command());
  ASSERT_TRUE(wait_for(process, "density_0003.vti")) << process.output();
  fs::remove(out() / "density_0002.vti");
  fs::remove(out() / "history.csv");
  EXPECT_EQ(process.wait(), 0) << process.output();
  EXPECT_EQ(rows_of(out() / "history.csv"), 301);  // written again
  EXPECT_CONTAINS(process.output(), "warning: out/density_0002.vti was removed while the run went on");
  expect_complete(out());
}

TEST_F(Surroundings, NobodyReadsTheMessages) {
  write_spec(windows);
  const std::string here = std::string("'") + UNDERDAMP_PROGRAM + "' run s.toml --device host --output ";
  ASSERT_EQ(testing::run_process(folder_.path(), {"/bin/sh", "-c", here + "whole"}).code, 0);
  const auto expect_same = [&](const std::string& redirection, int code) {
    const ProcessResult r = testing::run_process(folder_.path(), {"/bin/sh", "-c", here + "out " + redirection});
    EXPECT_EQ(r.code, code) << redirection << r.output;
    EXPECT_EQ(testing::differing_files(folder_.path() / "whole", out()), std::vector<std::string>{}) << redirection;
    fs::remove_all(out());
  };
  expect_same(">/dev/full 2>/dev/full", 5);  // the run is complete, what it said is lost
  expect_same("2>/dev/full", 0);
  expect_same("<&- >&- 2>&-", 0);
  expect_same("2>&1 | true", 0);
  expect_same("--quiet >/dev/full", 0);  // nothing was to be said
}

TEST_F(Surroundings, TwoRunsInOneFolder) {
  write_spec(long_run);
  Process process(folder_.path(), command({"--quiet"}));
  ASSERT_TRUE(wait_for(process, "history.csv")) << process.output();
  const ProcessResult second = run_here({}, {"--restart"});
  EXPECT_EQ(second.code, 5);
  EXPECT_CONTAINS(second.output, "out: another run is writing into this folder");
  write_spec(model + "[displacement]\nuntil = 10.0\n");
  const ProcessResult third = run_here({}, {"--restart"});
  EXPECT_EQ(third.code, 5);
  EXPECT_CONTAINS(third.output, "out: another run is writing into this folder");
  EXPECT_TRUE(fs::exists(out() / "history.csv"));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), 130);
  expect_complete(out());
}

TEST_F(Surroundings, LeftoversOfAKilledRunAreRemoved) {
  write_spec(windows);
  fs::create_directory(out());
  for (const char* name : {".history.writing.csv", ".density_0001.writing.vti", ".checkpoint.writing.h5"})
    std::ofstream(out() / name) << "half";
  for (const char* name : {"notes.txt", ".hidden.csv", "my.writing.csv"}) std::ofstream(out() / name) << "mine";
  EXPECT_EQ(run_here().code, 0);
  EXPECT_EQ(testing::temporary_files(out()), std::vector<std::string>{"my.writing.csv"});
  EXPECT_TRUE(fs::exists(out() / "notes.txt"));
  EXPECT_TRUE(fs::exists(out() / ".hidden.csv"));
}

TEST_F(Surroundings, HostOutOfMemory) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer needs the address space";
#endif
  std::string text = windows;
  text.replace(text.find("cells = [48, 48]"), 16, "cells = [4096, 4096]");
  write_spec(text);
  for (const rlim_t mebibytes : {350, 450, 600}) {
    testing::ProcessLimits limits;
    limits.address_bytes = mebibytes << 20;
    const ProcessResult r = run_here(limits);
    EXPECT_EQ(r.code, 4) << r.output;
    EXPECT_CONTAINS(r.output, "error: the host has no");
    EXPECT_CONTAINS(r.output, "to fix: use fewer cells or planes");
    expect_complete(out());
  }
}

TEST_F(Surroundings, AnInterruptSaysHowToGoOn) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    fs::remove_all(out());
    write_spec(long_run);
    Process process(folder_.path(), command());
    ASSERT_TRUE(wait_for(process, "history.csv")) << process.output();
    process.signal(signal);
    EXPECT_EQ(process.wait(), 130);
    EXPECT_CONTAINS(process.output(), "interrupted at t = ");
    if (has_checkpoints()) {
      EXPECT_CONTAINS(process.output(), "continue with: underdamp run s.toml --output out --device host --resume");
    }
    EXPECT_EQ(testing::json_of(out() / "summary.json")["state"], "interrupted");
    expect_complete(out());
    EXPECT_TRUE(testing::temporary_files(out()).empty());
  }
  const ProcessResult both = run_here({}, {"--resume", "--restart"});
  EXPECT_EQ(both.code, 2);
  EXPECT_CONTAINS(both.output, "give only one of the two");
}

}  // namespace
}  // namespace underdamp
