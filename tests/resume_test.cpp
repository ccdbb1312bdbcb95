#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "hooked_backend.hpp"
#include "kernels/host/host_backend.hpp"
#include "memory_state.hpp"
#include "meshes/error.hpp"
#include "process.hpp"
#include "result_files.hpp"
#include "solver/io/checkpoint.hpp"
#include "solver/particles/ensemble.hpp"
#include "solver/run/run.hpp"
#include "solver/spec/spec_reader.hpp"
#include "test_support.hpp"

/// A run that was interrupted or killed and continued gives the same bits as one that was not (docs/reliability.md).
namespace underdamp {
namespace {

namespace fs = std::filesystem;
using testing::MemoryState;
using testing::TemporaryDirectory;

// --- specs ---------------------------------------------------------------------------------------

const std::string optimizer = "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n";
const std::string quadratic = "[loss]\nkind = \"quadratic\"\n[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n";
const std::string off_center =
    "[initial]\nkind = \"gaussian\"\nmean = [0.1, 0.0]\ncovariance = [[0.004, 0.01], [0.01, 0.08]]\n";
const std::string small = "[grid]\ncells = [40, 48]\n";

struct Case {
  std::string name;
  std::string spec;
};

std::string double_well(const std::string& grid, const std::string& evolve) {
  return "[langevin]\nfriction = 0.7\ntemperature = 0.1\n[loss]\nkind = \"polynomial\"\n"
         "coefficients = [0.25, 0.1, -0.5, 0.0, 0.25]\n" +
         grid + "[initial]\nkind = \"gaussian\"\nmean = [-1.0, 0.0]\ncovariance = [[0.03, 0.0], [0.0, 0.04]]\n" +
         evolve;
}

/// Every scheme, every wall, and what makes windows change and be rejected.
const std::vector<Case>& cases() {
  static const std::vector<Case> list{
      {"windows", optimizer + quadratic + small + off_center + "[evolve]\nuntil = 3.0\nframes = 3\n"},
      {"rejected windows",
       "[langevin]\nfriction = 0.3\ntemperature = 0.1\n[loss]\nkind = \"expression\"\nformula = \"x^2/2 + "
       "0.3*cos(6*x)\"\n[grid]\ncells = [40, 40]\n[initial]\nkind = \"gaussian\"\nmean = [-1.2, 0.0]\n"
       "covariance = [[0.01, 0.0], [0.0, 0.01]]\n[evolve]\nuntil = 2.0\ntolerance = 1e-2\n"},
      {"no limiter", double_well("[grid]\ncells = [48, 40]\n",
                                 "[evolve]\nuntil = 2.0\nframes = 2\ntolerance = 1e-4\npositivity = \"none\"\n")},
      {"fixed step", optimizer + quadratic + small + off_center + "[evolve]\nuntil = 4.0\nframes = 2\nstep = 0.03\n"},
      {"one fixed step",
       optimizer + quadratic + small + off_center + "[evolve]\nuntil = 0.2\nframes = 4\nstep = 0.1\n"},
      {"map",
       "dynamics = \"sgd\"\n" + optimizer + quadratic + small + off_center + "[evolve]\nsteps = 150\nframes = 2\n"},
      {"leaking box", optimizer + quadratic +
                          "[grid]\ncells = [40, 48]\ntheta = [-0.55, 0.6]\nvelocity = [-1.9, 2.0]\n" + off_center +
                          "[evolve]\nuntil = 3.0\nframes = 2\n"},
      {"periodic",
       "[langevin]\nfriction = 0.5\ntemperature = 1.0\n[loss]\nkind = \"expression\"\n"
       "formula = \"-cos(x)\"\n[grid]\ncells = [40, 40]\ntheta = [-3.141592653589793, 3.141592653589793]\n"
       "theta_boundary = \"periodic\"\n[evolve]\nuntil = 2.0\nframes = 2\ntolerance = 1e-4\n"},
      {"reflecting", double_well("[grid]\ncells = [40, 40]\ntheta = [-2.0, 2.0]\ntheta_boundary = \"reflecting\"\n",
                                 "[evolve]\nuntil = 2.0\nframes = 2\ntolerance = 1e-4\n")},
  };
  return list;
}

const std::string data = "a,b,y\n1,2,1.5\n2,1,0.5\n3,5,4\n4,3,2.5\n5,8,6.5\n6,4,3\n7,9,8.5\n8,7,5.5\n9,10,9\n10,6,6\n";

std::string batch_spec(const std::string& folder) {
  return optimizer + "[loss]\nkind = \"dataset\"\nfile = \"" + folder + "data.csv\"\ntarget = \"y\"\n" + small +
         "[evolve]\nuntil = 2.0\nframes = 2\ntolerance = 1e-5\n";
}

// --- the state of an evolution -------------------------------------------------------------------

/// Everything that a frame and a summary can show of an evolution.
struct Track {
  std::vector<std::vector<double>> densities;
  std::vector<double> numbers;
  long polls = 0;
};

void note(Simulation& simulation, int frame, Track& track) {
  const Frame seen = simulation.observe(frame);
  track.numbers.push_back(seen.time);
  for (const Observables& o : seen.observables) {
    track.numbers.insert(track.numbers.end(),
                         {o.mass, o.magnitude, o.mean[0], o.mean[1], o.covariance[0][0], o.covariance[0][1],
                          o.covariance[1][1], o.entropy, o.entropy_production, o.minimum, o.departed.theta[0].lower,
                          o.departed.theta[0].upper, o.departed.velocity[0].lower, o.departed.velocity[0].upper});
  }
  for (const ErrorEstimate& e : simulation.errors()) {
    track.numbers.insert(track.numbers.end(), {e.time, e.step, e.space});
  }
  for (const IntegratorStatistics& s : simulation.statistics()) {
    for (const long count : {s.strang_steps, s.windows, s.rejected})
      track.numbers.push_back(static_cast<double>(count));
  }
  for (int p = 0; p < simulation.mesh().planes(); ++p) track.densities.push_back(simulation.density(p));
}

struct Stop {};

/// Evolves from `frame` on; `poll` gets the number of each call.
Track evolve(Simulation& simulation, int& frame, const std::function<void(long)>& poll) {
  Track track;
  const auto times = simulation.frame_times();
  while (static_cast<std::size_t>(frame) < times.size()) {
    simulation.advance(times[static_cast<std::size_t>(frame)], [&](double) { poll(track.polls++); });
    note(simulation, ++frame, track);
  }
  return track;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

/// `tail` holds the last frames of `whole`.
void expect_same_end(const Track& whole, const Track& tail, const std::string& what) {
  ASSERT_GE(whole.numbers.size(), tail.numbers.size());
  const auto first = whole.numbers.end() - static_cast<std::ptrdiff_t>(tail.numbers.size());
  EXPECT_TRUE(same_bits({first, whole.numbers.end()}, tail.numbers)) << what;
  const std::size_t skipped = whole.densities.size() - tail.densities.size();
  for (std::size_t k = 0; k < tail.densities.size(); ++k)
    EXPECT_TRUE(same_bits(whole.densities[skipped + k], tail.densities[k])) << what << ", density " << k;
}

/// Interrupted at that poll, saved, restored elsewhere, and continued.
Track interrupted_at(const Spec& spec, const std::string& device, long poll) {
  MemoryState state;
  int frame = 0;
  const auto backend = testing::make_device(device);
  Simulation first(spec, *backend);
  first.start();
  try {
    evolve(first, frame, [&](long number) {
      if (number != poll) return;
      first.save(state);
      throw Stop{};
    });
    ADD_FAILURE() << "there was no poll " << poll;
  } catch (const Stop&) {
  }
  const auto other = testing::make_device(device);
  Simulation second(spec, *other);
  second.restore(state);
  return evolve(second, frame, [](long) {});
}

void expect_resumes_at_every_poll(const Spec& spec, const std::string& device, long most) {
  const auto backend = testing::make_device(device);
  Simulation simulation(spec, *backend);
  simulation.start();
  int frame = 0;
  MemoryState state;
  // Saved at every poll: that alone changes nothing, as the other runs show.
  const Track whole = evolve(simulation, frame, [&](long) { simulation.save(state); });
  ASSERT_GT(whole.polls, 1);
  const long stride = std::max(1L, whole.polls / most);
  for (long poll = 0; poll < whole.polls; poll += stride)
    expect_same_end(whole, interrupted_at(spec, device, poll), "poll " + std::to_string(poll));
  expect_same_end(whole, interrupted_at(spec, device, whole.polls - 1), "the last poll");
}

class Resume : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Resume, EveryPollOfAnEvolution) {
  expect_resumes_at_every_poll(testing::spec_from(cases()[GetParam()].spec), "host", 150);
}

INSTANTIATE_TEST_SUITE_P(All, Resume, ::testing::Range(std::size_t{0}, cases().size()), [](const auto& instance) {
  std::string name = cases()[instance.param].name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

TEST(Resume, CasesAreWhatTheyAreCalled) {
  const auto statistics = [](std::size_t c) {
    const auto backend = testing::make_device("host");
    Simulation simulation(testing::spec_from(cases()[c].spec), *backend);
    return testing::run_to_end(simulation);
  };
  EXPECT_GT(statistics(1).statistics[0].rejected, 0);
  EXPECT_GT(statistics(6).frame.observables[0].departed.total(), 1e-9);
}

TEST(Resume, BatchOfPlanes) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "data.csv") << data;
  expect_resumes_at_every_poll(testing::spec_from(batch_spec(folder.path().string() + "/")), "host", 12);
}

class ResumeOnDevice : public testing::DeviceTest {};

TEST_P(ResumeOnDevice, DepartedMassComesBackBitByBit) {
  const PhaseMesh mesh({{{-1.0, 1.0, 80}, {-1.0, 1.5, 32}}, {{0.0, 1.0, 80}, {-2.0, 2.0, 32}}});
  const auto field = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(testing::bumpy_density(mesh, 5), *field);
  const std::vector<double> durations{0.8, 0.3};
  const auto drift = backend_->sweeps().plan_drift(mesh, durations);
  backend_->sweeps().drift(*field, *drift, Positivity::limit);
  const auto parts = backend_->fields().departed_parts(*field);
  std::vector<double> cells(mesh.shape().cells());
  backend_->fields().download(*field, cells);
  const auto other = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(cells, *other);
  backend_->fields().restore_departed(parts, *other);
  EXPECT_TRUE(same_bits(backend_->fields().departed_parts(*other), parts));
  EXPECT_GT(backend_->fields().departed(*field)[0].total(), 0.0);
  EXPECT_EQ(backend_->fields().departed(*field)[1].total(), backend_->fields().departed(*other)[1].total());
  EXPECT_THROW(backend_->fields().restore_departed(std::vector<double>(7), *other), Error);
}

/// On a GPU all planes of a batch go together.
TEST_P(ResumeOnDevice, BatchOfPlanes) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "data.csv") << data;
  Spec spec = testing::spec_from(batch_spec(folder.path().string() + "/"));
  spec.grid.cells = {16, 16};
  spec.evolve->until = 0.02;
  spec.evolve->frames = 1;
  spec.evolve->tolerance = 1e-2;
  if (GetParam() == "emulated") spec.evolve->step = 0.02;  // fewer steps: it is slow
  expect_resumes_at_every_poll(spec, GetParam(), 1);
}

INSTANTIATE_TEST_SUITE_P(All, ResumeOnDevice, ::testing::Values("host", "emulated", "cuda"),
                         [](const auto& instance) { return instance.param; });

/// The comparison can fail: one bit of one number of the state is enough.
TEST(Resume, AChangedStateIsNoticed) {
  const Spec spec = testing::spec_from(cases()[0].spec);
  const auto backend = testing::make_device("host");
  MemoryState state;
  Simulation simulation(spec, *backend);
  simulation.start();
  int frame = 0;
  const Track whole = evolve(simulation, frame, [&](long number) {
    if (number == 6) simulation.save(state);
  });
  auto& cells = state.all_numbers().at("evolution/group_1/density");
  double& cell = *std::max_element(cells.begin(), cells.end());
  cell = std::nextafter(cell, 1.0);
  Simulation other(spec, *backend);
  other.restore(state);
  frame = 0;
  const Track tail = evolve(other, frame, [](long) {});
  EXPECT_FALSE(same_bits(whole.densities.back(), tail.densities.back()));
}

TEST(Resume, AStateOfAnotherShapeIsRefused) {
  const Spec spec = testing::spec_from(cases()[0].spec);
  const auto backend = testing::make_device("host");
  Simulation simulation(spec, *backend);
  simulation.start();
  const auto damage = [&](const std::function<void(MemoryState&)>& change) {
    MemoryState state;
    simulation.save(state);
    change(state);
    EXPECT_THROW(Simulation(spec, *backend).restore(state), Error);
  };
  const std::string group = "evolution/group_1/";
  damage([&](MemoryState& state) { state.all_numbers().at(group + "density").pop_back(); });
  damage([&](MemoryState& state) { state.all_numbers().at(group + "density_departed").push_back(0.0); });
  damage([&](MemoryState& state) { state.all_numbers().at(group + "numbers").pop_back(); });
  damage([&](MemoryState& state) { state.all_numbers().at(group + "numbers").push_back(0.0); });
  damage([&](MemoryState& state) { state.all_numbers().erase(group + "numbers"); });
  damage([&](MemoryState& state) { state.all_numbers().at("evolution/boxes")[0] -= 1e-9; });
}

// --- a whole run ---------------------------------------------------------------------------------

const std::string whole_run = optimizer + quadratic + small + off_center +
                              "[evolve]\nuntil = 2.0\nframes = 4\n[stationary]\nmodes = 2\ntolerance = 1e-6\n"
                              "[ensemble]\nparticles = 5000\n[output]\nfields = [\"density\", \"generator\"]\n";

/// Runs with an interrupt after that many operations of the device; a negative number: without.
RunResult run_until(const Spec& spec, const fs::path& output, long operations, Beginning beginning) {
  std::atomic<int> interrupted{0};
  testing::HookedBackend backend(testing::make_device("host"), [&](const std::string&, long count, Field*) {
    if (count == operations) interrupted = SIGINT;
  });
  RunOptions options;
  options.output = output;
  options.quiet = true;
  options.beginning = beginning;
  options.interrupted = &interrupted;
  return run(spec, backend, options);
}

/// Interrupts a run at `count` places, goes on, and compares all files with those of a run that was left alone;
/// `resumes`: how often a continued run says that it was.
void expect_interrupts_change_nothing(const std::string& text, int count, std::size_t resumes) {
  const TemporaryDirectory folder;
  const Spec spec = testing::spec_from(text);
  long operations = 0;
  testing::HookedBackend backend(testing::make_device("host"),
                                 [&](const std::string&, long number, Field*) { operations = number; });
  RunOptions options;
  options.output = folder.path() / "whole";
  options.quiet = true;
  run(spec, backend, options);
  EXPECT_FALSE(fs::exists(folder.path() / "whole/checkpoint.h5"));
  std::mt19937 random(7);
  int interrupted = 0;
  for (int k = 0; k < count; ++k) {
    const fs::path out = folder.path() / ("part" + std::to_string(k));
    const long at = static_cast<long>(random() % static_cast<unsigned long>(operations));
    const RunResult first = run_until(spec, out, at, Beginning::fresh);
    EXPECT_TRUE(testing::half_written_files(out).empty());
    if (!first.was_interrupted) continue;  // after the last poll
    ++interrupted;
    EXPECT_EQ(first.summary["state"], "interrupted");
    const RunResult last = run_until(spec, out, -1, Beginning::resume);
    EXPECT_EQ(last.summary["timing"]["resumed_at"].size(), resumes);
    EXPECT_EQ(testing::differing_files(folder.path() / "whole", out), std::vector<std::string>{}) << at;
  }
  EXPECT_GT(2 * interrupted, count);
}

TEST(ResumedRun, BeforeAnythingIsComputedNothingIsTouched) {
  const TemporaryDirectory folder;
  const Spec spec = testing::spec_from(whole_run);
  run_until(spec, folder.path() / "first", -1, Beginning::fresh);
  run_until(spec, folder.path() / "second", -1, Beginning::fresh);
  const auto backend = testing::make_device("host");
  std::atomic<int> interrupted{SIGINT};  // while the boxes are chosen
  RunOptions options;
  options.output = folder.path() / "second";
  options.quiet = true;
  options.beginning = Beginning::restart;
  options.interrupted = &interrupted;
  try {
    run(spec, *backend, options);
    FAIL() << "it was not interrupted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::interrupted) << error.what();
  }
  EXPECT_EQ(testing::differing_files(folder.path() / "first", folder.path() / "second"), std::vector<std::string>{});
  EXPECT_TRUE(fs::exists(folder.path() / "second/summary.json"));
  // Nor is anything left where nothing was.
  options.output = folder.path() / "third";
  EXPECT_THROW(run(spec, *backend, options), Error);
  EXPECT_FALSE(fs::exists(folder.path() / "third/summary.json"));
  EXPECT_TRUE(testing::half_written_files(folder.path()).empty());
}

TEST(ResumedRun, AfterInterruptsAnywhere) {
  NEEDS_CHECKPOINTS();
  expect_interrupts_change_nothing(whole_run, 12, 1);
}

TEST(ResumedRun, ADisplacementIsComputedAgain) {
  NEEDS_CHECKPOINTS();
  const std::string way = "[displacement]\nuntil = 20.0\npoints = 20\n";
  expect_interrupts_change_nothing(
      optimizer + quadratic + small + off_center + "[evolve]\nuntil = 1.0\nframes = 2\n" + way, 4, 1);
  expect_interrupts_change_nothing(optimizer + quadratic + small + way, 2, 0);  // alone it has no state
}

TEST(ResumedRun, CheckpointsAtEveryPollChangeNothing) {
  NEEDS_CHECKPOINTS();
  const TemporaryDirectory folder;
  const auto files_of = [&](const std::string& name, const std::string& every) {
    const Spec spec = testing::spec_from(whole_run + "[checkpoint]\nevery_seconds = " + every + "\n");
    run_until(spec, folder.path() / name, -1, Beginning::fresh);
    auto summary = testing::json_of(folder.path() / name / "summary.json");
    summary["spec"].erase("checkpoint");
    std::ofstream(folder.path() / name / "summary.json") << summary;
  };
  files_of("never", "0");
  files_of("always", "1e-9");
  EXPECT_EQ(testing::differing_files(folder.path() / "never", folder.path() / "always"), std::vector<std::string>{});
}

class Determinism : public testing::DeviceTest {};

TEST_P(Determinism, TheSameSpecTwice) {
  const TemporaryDirectory folder;
  for (const char* method : {"arnoldi", "direct", "evolve"}) {
    std::string text = whole_run;
    text.replace(text.find("modes = 2\n"), 10, std::string("modes = 2\nmethod = \"") + method + "\"\n");
    const Spec spec = testing::spec_from(text);
    for (const char* name : {"a", "b"}) {
      RunOptions options;
      options.output = folder.path() / name;
      options.quiet = true;
      run(spec, *backend_, options);
    }
    EXPECT_EQ(testing::differing_files(folder.path() / "a", folder.path() / "b"), std::vector<std::string>{}) << method;
  }
  // The clock is in one place, and the comparison sees everything else.
  auto summary = testing::json_of(folder.path() / "a/summary.json");
  EXPECT_EQ(summary["timing"]["keys"].size(), 5U);
  summary["steps"] = summary["steps"].get<long>() + 1;
  std::ofstream(folder.path() / "a/summary.json") << summary;
  EXPECT_EQ(testing::differing_files(folder.path() / "a", folder.path() / "b"),
            std::vector<std::string>{"summary.json"});
}

TEST(DeterminismOfTheHost, AnotherProcessWithOtherThreads) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "s.toml") << whole_run;
  const Spec spec = read_spec((folder.path() / "s.toml").string());
  const auto three = make_host_backend(make_thread_workers(3));
  RunOptions options;
  options.output = folder.path() / "here";
  options.quiet = true;
  run(spec, *three, options);
  for (const char* threads : {"1", "4"}) {  // as far as the workers of this build ask for them
    const auto there = testing::run_process(
        folder.path(), {"/usr/bin/env", std::string("OMP_NUM_THREADS=") + threads, UNDERDAMP_PROGRAM, "run", "s.toml",
                        "--device", "host", "--quiet", "--restart", "--output", "there"});
    ASSERT_EQ(there.code, 0) << there.output;
    auto differing = testing::differing_files(folder.path() / "here", folder.path() / "there");
    std::erase(differing, "summary.json");
    EXPECT_EQ(differing, std::vector<std::string>{});
    const auto comparable = [&](const char* name) {
      auto summary = testing::without_clock(testing::json_of(folder.path() / name / "summary.json"));
      summary.erase("device");  // says how many threads there were
      return summary;
    };
    EXPECT_EQ(comparable("here"), comparable("there"));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Determinism, ::testing::Values("host", "cuda"),
                         [](const auto& instance) { return instance.param; });

/// Chunks of an ensemble that are through are kept.
TEST(ResumedRun, EnsembleGoesOnWhereItWas) {
  const TemporaryDirectory folder;
  const Spec spec = testing::spec_from(optimizer + quadratic + small + "[evolve]\nuntil = 0.3\n");
  const auto backend = testing::make_device("host");
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  EnsembleOptions options = ensemble_options(spec, model, mesh, 0);
  options.particles = 5000;
  options.chunk = 1024;
  const std::vector<double> times{0.1, 0.3};
  const ParticleStart start = particle_start(spec, model, mesh, 0);
  const auto whole = run_ensemble(*backend, model, mesh, 0, start, options, times, [](double) {});
  EnsembleProgress progress;
  MemoryState state;
  const auto stop = [&](double share) {
    if (share < 0.5) return;
    progress.save(state, "");
    throw Stop{};
  };
  EXPECT_THROW(run_ensemble(*backend, model, mesh, 0, start, options, times, stop, &progress), Stop);
  EnsembleProgress later;
  later.restore(state, "");
  EXPECT_GE(later.particles, 2048U);
  EXPECT_LT(later.particles, 5000U);
  const auto rest = run_ensemble(
      *backend, model, mesh, 0, start, options, times, [](double) {}, &later);
  for (std::size_t f = 0; f < times.size(); ++f) {
    EXPECT_EQ(whole[f].counts, rest[f].counts);
    EXPECT_EQ(whole[f].moments.mean, rest[f].moments.mean);
    EXPECT_EQ(whole[f].moments.covariance_error, rest[f].moments.covariance_error);
  }
  options.particles = 3000;  // another ensemble
  EXPECT_THROW(run_ensemble(
                   *backend, model, mesh, 0, start, options, times, [](double) {}, &later),
               Error);
}

// --- what is refused -----------------------------------------------------------------------------

std::string error_of(const std::function<void()>& action, ExitCode expected) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(expected)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

class Refusal : public ::testing::Test {
 protected:
  void SetUp() override {
    NEEDS_CHECKPOINTS();
    std::ofstream(folder_.path() / "data.csv") << data;
    run_until(spec("1e-5"), out(), 60, Beginning::fresh);
    ASSERT_TRUE(fs::exists(out() / "checkpoint.h5"));
  }
  fs::path out() const { return folder_.path() / "out"; }
  Spec spec(const std::string& tolerance) const {
    std::string text = batch_spec(folder_.path().string() + "/");
    return testing::spec_from("title = \"any\"\n" + text.replace(text.find("1e-5"), 4, tolerance));
  }
  std::string refused(const Spec& spec, Beginning beginning, ExitCode expected = ExitCode::bad_input) {
    return error_of([&] { run_until(spec, out(), -1, beginning); }, expected);
  }

  TemporaryDirectory folder_;
};

TEST_F(Refusal, AnotherSpecNamesTheDifference) {
  const std::string text = refused(spec("1e-4"), Beginning::resume);
  EXPECT_CONTAINS(text, "checkpoint.h5: this checkpoint is of another spec: evolve.tolerance was 1e-05, is 0.0001\n");
  EXPECT_CONTAINS(text, "to fix: restore the spec, replace the run with --restart, or choose another place");
  Spec other = spec("1e-5");
  other.grid.cells = {40, 64};
  other.evolve->every = 0.5;
  other.evolve->frames.reset();
  const std::string many = refused(other, Beginning::resume);
  EXPECT_CONTAINS(many, "grid.cells was [40,48], is [40,64]");
  EXPECT_CONTAINS(many, "evolve.frames was 2, is not there now");
  EXPECT_CONTAINS(many, "evolve.every was not there, is 0.5");
}

TEST_F(Refusal, AnotherContentOfAFile) {
  std::ofstream(folder_.path() / "data.csv", std::ios::app) << "11,3,7\n";
  EXPECT_CONTAINS(refused(spec("1e-5"), Beginning::resume), "the content of loss.file has changed");
}

TEST_F(Refusal, TitleFolderAndIntervalMayChange) {
  Spec other = spec("1e-5");
  other.title = "another";
  other.checkpoint.every_seconds = 0.0;
  other.output.directory = "elsewhere";
  EXPECT_EQ(run_until(other, out(), -1, Beginning::resume).summary["state"], "finished");
}

TEST_F(Refusal, AnotherVersionOrDevice) {
  const auto rewrite = [&](const std::string& program, const std::string& kind) {
    const auto from = open_checkpoint(out() / "checkpoint.h5");
    write_checkpoint(out() / "checkpoint.h5", [&](StateWriter& to) {
      to.text("program", program);
      to.text("spec", from->text("spec"));
      to.text("device", from->text("device"));
      to.text("device_kind", kind);
    });
  };
  rewrite("0.0.9 (abc)", "host");
  EXPECT_CONTAINS(refused(spec("1e-5"), Beginning::resume),
                  "is of another version: the program was 0.0.9 (abc), is " + program_name());
  rewrite(program_name(), "cuda");
  EXPECT_CONTAINS(refused(spec("1e-5"), Beginning::resume), "is of another device: the device was cuda, is host");
}

TEST_F(Refusal, AnUnfinishedRunIsNotReplacedByMistake) {
  const std::string text = refused(spec("1e-5"), Beginning::fresh);
  EXPECT_CONTAINS(text, "this folder holds a run that is not finished\n");
  EXPECT_CONTAINS(text, "continue it with --resume, replace it with --restart");
  EXPECT_EQ(run_until(spec("1e-4"), out(), -1, Beginning::restart).summary["state"], "finished");
  EXPECT_EQ(run_until(spec("1e-5"), out(), -1, Beginning::fresh).summary["state"],
            "finished");  // replaces a finished one
}

TEST_F(Refusal, AFinishedRunIsLeftAlone) {
  run_until(spec("1e-5"), out(), -1, Beginning::resume);
  const std::string before = testing::text_of(out() / "summary.json");
  EXPECT_TRUE(run_until(spec("1e-5"), out(), -1, Beginning::resume).was_finished);
  EXPECT_EQ(testing::text_of(out() / "summary.json"), before);
  EXPECT_CONTAINS(refused(spec("1e-4"), Beginning::resume),
                  "this finished run is of another spec: evolve.tolerance was 1e-05, is 0.0001");
  std::ofstream(folder_.path() / "data.csv", std::ios::app) << "11,3,7\n";
  EXPECT_CONTAINS(refused(spec("1e-5"), Beginning::resume), "the content of a file that it names has changed");
}

TEST_F(Refusal, WithoutACheckpointARunBeginsAtTheStart) {
  fs::remove(out() / "checkpoint.h5");
  const RunResult result = run_until(spec("1e-5"), out(), -1, Beginning::resume);
  EXPECT_EQ(result.summary["state"], "finished");
  EXPECT_TRUE(result.summary["timing"]["resumed_at"].empty());
}

TEST_F(Refusal, DamagedCheckpoints) {
  const std::string whole = testing::text_of(out() / "checkpoint.h5");
  std::mt19937 random(3);
  for (int k = 0; k < 60; ++k) {
    std::string damaged = whole;
    if (k % 3 == 0) {
      damaged.resize(random() % damaged.size());
    } else {
      // The rest of the first block is empty.
      const std::size_t at = k % 3 == 1 ? 512 + random() % (damaged.size() - 512) : random() % 40;
      damaged[at] = static_cast<char>(damaged[at] ^ (1U << random() % 8));
    }
    std::ofstream(out() / "checkpoint.h5", std::ios::binary) << damaged;
    EXPECT_CONTAINS(refused(spec("1e-5"), Beginning::resume, ExitCode::input_output), "checkpoint");
  }
}

// --- the file ------------------------------------------------------------------------------------

TEST(Checkpoint, ComesBack) {
  NEEDS_CHECKPOINTS();
  const TemporaryDirectory folder;
  const fs::path path = folder.path() / "checkpoint.h5";
  const std::vector<double> values{1.0, -0.0, std::numeric_limits<double>::infinity(), 5e-324, 0.1, 3.0};
  const auto write = [&] {
    write_checkpoint(path, [&](StateWriter& to) {
      to.numbers("a/b/values", values, {2, 3});
      to.numbers("a/none", {});
      to.text("words", "ζ = 0.3\nsecond line");
      to.text("a/empty", "");
    });
  };
  write();
  const auto from = open_checkpoint(path);
  EXPECT_TRUE(same_bits(from->numbers("a/b/values"), values));
  EXPECT_TRUE(from->numbers("a/none").empty());
  EXPECT_EQ(from->text("words"), "ζ = 0.3\nsecond line");
  EXPECT_EQ(from->text("a/empty"), "");
  EXPECT_TRUE(from->has("a/none"));
  EXPECT_FALSE(from->has("b/none"));
  EXPECT_THROW(static_cast<void>(from->numbers("words")), Error);
  EXPECT_THROW(static_cast<void>(from->text("a/none")), Error);
  EXPECT_THROW(static_cast<void>(from->numbers("missing")), Error);
  const std::string bytes = testing::text_of(path);
  write();
  EXPECT_EQ(testing::text_of(path), bytes);  // equal states, equal files
}

TEST(Checkpoint, AnotherFormatIsRefusedWithItsNumber) {
  NEEDS_CHECKPOINTS();
  const TemporaryDirectory folder;
  const fs::path path = folder.path() / "checkpoint.h5";
  write_checkpoint(path, [](StateWriter& to) { to.text("words", "x"); });
  std::string bytes = testing::text_of(path);
  const std::string format = fmt::format(" {} ", checkpoint_format);
  bytes.replace(bytes.find(format), format.size(), " 7 ");
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_CONTAINS(error_of([&] { open_checkpoint(path); }, ExitCode::input_output), "the checkpoint has format 7");
}

TEST(Checkpoint, CanBeReadWhileTheRunReplacesIt) {
  NEEDS_CHECKPOINTS();
  const TemporaryDirectory folder;
  const fs::path path = folder.path() / "checkpoint.h5";
  std::vector<fs::path> generations;  // of different sizes
  for (const std::size_t count : {100000U, 200000U}) {
    generations.push_back(folder.path() / fmt::format("{}.h5", count));
    write_checkpoint(generations.back(),
                     [&](StateWriter& to) { to.numbers("values", std::vector<double>(count, 1.0)); });
  }
  fs::create_hard_link(generations[0], path);
  std::atomic<bool> done = false;
  std::thread run([&] {
    for (std::size_t i = 1; !done; ++i) {
      const fs::path temporary = folder.path() / "next.h5";
      fs::create_hard_link(generations[i % 2], temporary);
      fs::rename(temporary, path);
    }
  });
  try {
    for (int i = 0; i < 200; ++i) EXPECT_EQ(open_checkpoint(path)->numbers("values").at(99999), 1.0);
  } catch (const Error& error) {
    ADD_FAILURE() << error.what();
  }
  done = true;
  run.join();
}

TEST(StateList, GoesBothWays) {
  StateList out;
  std::vector<std::vector<long>> lists{{1, 2}, {}, {9007199254740992}};
  std::optional<double> none;
  bool flag = true;
  out(lists);
  out.optional(none, [&](double& value) { out(value); });
  out(flag);
  StateList in(out.values());
  std::vector<std::vector<long>> back;
  std::optional<double> still{1.0};
  bool flag_back = false;
  in(back);
  in.optional(still, [&](double& value) { in(value); });
  in(flag_back);
  in.finish();
  EXPECT_EQ(back, lists);
  EXPECT_FALSE(still.has_value());
  EXPECT_TRUE(flag_back);
  for (const double bad : {-1.0, 0.5, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    StateList broken(std::vector<double>{bad});
    EXPECT_THROW(broken(back), Error) << bad;  // as the length of a list
  }
}

// --- kill -9 -------------------------------------------------------------------------------------

struct KilledRun {
  std::string name;
  std::string spec;
};

std::vector<KilledRun> killed_runs() {
  const std::string often = "[checkpoint]\nevery_seconds = 0.004\n[output]\nprecision = \"float64\"\n";
  return {{"windows", optimizer + quadratic + small + off_center +
                          "[evolve]\nuntil = 20.0\nframes = 40\n[stationary]\nmodes = 2\ntolerance = 1e-6\n"
                          "[ensemble]\nparticles = 20000\n" +
                          often},
          {"fixed",
           optimizer + quadratic + small + off_center + "[evolve]\nuntil = 60.0\nframes = 5\nstep = 0.02\n" + often},
          {"map", "dynamics = \"sgd\"\n" + optimizer + quadratic + small + off_center +
                      "[evolve]\nsteps = 400\nframes = 40\n" + often},
          {"batch", batch_spec("") + "[stationary]\nmodes = 2\ntolerance = 1e-5\n" + often},
          {"well", double_well("[grid]\ncells = [64, 64]\n", "[evolve]\nuntil = 6.0\nevery = 0.4\ntolerance = 1e-7\n") +
                       often}};
}

std::vector<std::string> resume_command(const std::string& name, const std::string& out) {
  return {UNDERDAMP_PROGRAM, "run", name + ".toml", "--device", "host", "--quiet", "--output", out, "--resume"};
}

/// Ten runs of each kind are killed at random moments, once or twice, most of them after a checkpoint, and continued.
/// When a kill comes depends on the machine; that all runs end alike does not.
class Killed : public ::testing::TestWithParam<int> {};

TEST_P(Killed, RunsEndAlike) {
  NEEDS_CHECKPOINTS();
  const KilledRun kind = killed_runs()[static_cast<std::size_t>(GetParam())];
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "data.csv") << data;
  std::ofstream(folder.path() / (kind.name + ".toml")) << kind.spec;
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(testing::run_process(folder.path(), resume_command(kind.name, "whole")).code, 0);
  const double length = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::mt19937 random(100 + static_cast<unsigned>(GetParam()));
  std::uniform_real_distribution<double> moment(0.0, std::min(length, 1.0));
  int kills = 0, half_written = 0, resumed = 0, same = 0;
  for (int k = 0; k < 10; ++k) {
    const std::string out = "part" + std::to_string(k);
    const int wanted = 1 + k % 2;
    for (int done = 0, tries = 0; done < wanted && tries < 50; ++tries) {
      testing::Process process(folder.path(), resume_command(kind.name, out));
      const bool after_a_checkpoint = k % 3 != 0;
      const fs::path checkpoint = folder.path() / out / "checkpoint.h5";
      while (after_a_checkpoint && process.is_running() && !fs::exists(checkpoint)) testing::sleep_seconds(0.001);
      testing::sleep_seconds(after_a_checkpoint ? 0.3 * moment(random) : moment(random));
      const bool running = process.is_running();
      process.signal(SIGKILL);
      process.wait();
      half_written += static_cast<int>(testing::half_written_files(folder.path() / out).size());
      if (!running) fs::remove_all(folder.path() / out);  // too late; once more
      done = running ? done + 1 : 0;
      kills += running ? 1 : 0;
    }
    const auto last = testing::run_process(folder.path(), resume_command(kind.name, out));
    EXPECT_EQ(last.code, 0) << last.output;
    const auto differing = testing::differing_files(folder.path() / "whole", folder.path() / out);
    EXPECT_EQ(differing, std::vector<std::string>{}) << out;
    same += differing.empty() ? 1 : 0;
    resumed += testing::json_of(folder.path() / out / "summary.json")["timing"]["resumed_at"].empty() ? 0 : 1;
  }
  EXPECT_EQ(half_written, 0);
  EXPECT_GE(kills, 10);
  std::printf("%s: %d kills, %d of 10 runs end alike (%d went on from a checkpoint), %d half-written files\n",
              kind.name.c_str(), kills, same, resumed, half_written);
}

INSTANTIATE_TEST_SUITE_P(All, Killed, ::testing::Range(0, 5), [](const auto& instance) {
  return killed_runs()[static_cast<std::size_t>(instance.param)].name;
});

}  // namespace
}  // namespace underdamp
