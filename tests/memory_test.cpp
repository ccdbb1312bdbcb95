#include "solver/step/memory.hpp"

#include <unistd.h>

#include <fstream>

#include "hooked_backend.hpp"
#include "kernels/host/cgroup_memory.hpp"
#include "kernels/host/host_array.hpp"
#include "kernels/host/host_backend.hpp"
#include "solver/displacement/displacement.hpp"
#include "solver/io/checkpoint.hpp"
#include "test_support.hpp"

/// How much memory there is, and that what is counted before a run is what it takes.
namespace underdamp {
namespace {

namespace fs = std::filesystem;
using testing::spec_from;

// --- control groups ---------------------------------------------------------------------------------

class ControlGroups : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((folder_.path() / file).parent_path());
    std::ofstream(folder_.path() / file) << text << "\n";
  }
  std::size_t limit(const std::string& groups) const { return cgroup_memory_limit(groups, folder_.path()); }

  testing::TemporaryDirectory folder_;
};

TEST_F(ControlGroups, WithoutALimitThereIsNone) {
  EXPECT_EQ(limit(""), 0U);
  EXPECT_EQ(limit("0::/\n"), 0U);
  write("memory.max", "max");
  write("job/memory.max", "max");
  EXPECT_EQ(limit("0::/job\n"), 0U);
  EXPECT_EQ(limit("what is this\n1:\n::\n"), 0U);
}

TEST_F(ControlGroups, VersionTwo) {
  write("memory.max", "max");
  write("batch/memory.max", "4000000000");
  write("batch/job_7/memory.max", "1000000000");
  write("batch/job_7/step/memory.max", "max");
  EXPECT_EQ(limit("0::/batch/job_7/step\n"), 1000000000U);  // of the group that holds it
  EXPECT_EQ(limit("0::/batch/job_7\n"), 1000000000U);
  EXPECT_EQ(limit("0::/batch\n"), 4000000000U);
  EXPECT_EQ(limit("0::/batch/job_8\n"), 4000000000U);
  write("batch/memory.max", "500000000");
  EXPECT_EQ(limit("0::/batch/job_7/step\n"), 500000000U);  // the smallest counts
}

TEST_F(ControlGroups, InAContainerTheRootCounts) {
  write("memory.max", "2000000000");
  EXPECT_EQ(limit("0::/\n"), 2000000000U);
  EXPECT_EQ(limit("0::/../../elsewhere\n"), 2000000000U);
  // Version 1 names the group as it is outside, and mounts it as the root.
  write("memory/memory.limit_in_bytes", "1500000000");
  EXPECT_EQ(limit("4:memory:/docker/0123456789\n"), 1500000000U);
}

TEST_F(ControlGroups, VersionOneAndBoth) {
  write("memory/memory.limit_in_bytes", "9223372036854771712");
  write("memory/job/memory.limit_in_bytes", "3000000000");
  const std::string groups = "9:name=systemd:/\n5:cpu,cpuacct:/job\n4:memory:/job\n";
  EXPECT_EQ(limit(groups), 3000000000U);
  EXPECT_EQ(limit("4:hugetlb,memory:/job\n"), 3000000000U);
  EXPECT_EQ(limit("4:nomemory:/job\n"), 0U);
  EXPECT_EQ(limit("4:memory:/\n"), 9223372036854771712U);  // no limit: more than any machine has
  write("slice/memory.max", "2000000000");
  EXPECT_EQ(limit(groups + "0::/slice\n"), 2000000000U);
}

TEST(HostMemory, IsThatOfTheMachineOrLess) {
  const auto pages = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES));
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  EXPECT_GT(host_memory_bytes(), 0U);
  EXPECT_LE(host_memory_bytes(), pages * page);
  EXPECT_EQ(make_host_backend()->describe().memory_bytes, host_memory_bytes());
}

// --- what is counted is what is taken ---------------------------------------------------------------

const std::string three_modes =
    "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\nkind = \"spectrum\"\n"
    "eigenvalues = [1.0, 1.5, 2.0]\n[noise]\nkind = \"hessian\"\nsigma2 = 1.0\n";

testing::HookedBackend hooked(const std::string& device) {
  return {testing::make_device(device), [](const std::string&, long, Field*) {}};
}

/// Bytes of fields that an evolution was counted for, and that it has taken; and how many levels its windows had.
struct Counted {
  std::size_t counted;
  std::size_t taken;
};
Counted evolution_on(const std::string& device, const Spec& spec) {
  auto backend = hooked(device);
  Simulation simulation(spec, backend);
  testing::run_to_end(simulation);
  return {evolution_bytes(spec, simulation.mesh().shape(), backend.describe()), backend.field_bytes()};
}

TEST(CountedMemory, IsWhatAnEvolutionTakes) {
  const std::string grid = "[grid]\ncells = [24, 21]\n";
  // To 1e-13 windows have six levels.
  for (const std::string device : {"host", "emulated"}) {
    for (const std::string evolve :
         {"[evolve]\nuntil = 0.2\ntolerance = 1e-13\n", "[evolve]\nuntil = 0.02\nstep = 0.01\n"}) {
      const Counted c = evolution_on(device, spec_from(three_modes + grid + evolve));
      EXPECT_EQ(c.counted, c.taken) << device << evolve;
    }
    const Counted map =
        evolution_on(device, spec_from("dynamics = \"sgd\"\n" + three_modes + grid + "[evolve]\nsteps = 3\n"));
    EXPECT_EQ(map.counted, map.taken) << device;
  }
}

TEST(CountedMemory, IsNeverLessThanAnEvolutionTakes) {
  // With few levels it is more: by those that were not needed.
  const Spec spec = spec_from(three_modes + "[grid]\ncells = [40, 40]\n[evolve]\nuntil = 0.2\ntolerance = 1e-3\n");
  const Counted c = evolution_on("host", spec);
  const std::size_t level = FieldSize(FieldShape{1, 40, 40}).bytes(Precision::float64);
  EXPECT_GT(c.counted, c.taken);
  EXPECT_EQ((c.counted - c.taken) % level, 0U);
  EXPECT_LE(c.counted - c.taken, 3 * level);
}

TEST(CountedMemory, OfSinglePrecisionIsLess) {
  const Spec spec = spec_from(three_modes + "[grid]\ncells = [24, 24]\n" +
                              "[evolve]\nuntil = 0.01\nstep = 0.005\nprecision = \"float32\"\n");
  for (const std::string device : {"host_float32", "emulated_float32"}) {
    const Counted c = evolution_on(device, spec);
    EXPECT_EQ(c.counted, c.taken) << device;
  }
}

TEST(CountedMemory, PlanesOfAHostShareTheLevelsOfAWindow) {
  const FieldShape shape{1000, 128, 128};
  DeviceDescription host;
  const Spec spec = spec_from(three_modes + "[evolve]\nuntil = 1\n");
  const std::size_t field = FieldSize(FieldShape{1, 128, 128}).bytes(Precision::float64);
  EXPECT_EQ(evolution_bytes(spec, shape, host), (2 * 1000 + 6) * field);
}

TEST(CountedMemory, IsWhatADisplacementTakes) {
  const FieldShape shape{1, 64, 64};
  const std::size_t field = FieldSize(shape).bytes(Precision::float64);
  const std::string optimizer =
      "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\nkind = \"quadratic\"\n"
      "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n[grid]\ncells = [64, 64]\n[displacement]\n";
  for (const std::string start : {"start = \"stationary\"\n", "start = \"initial\"\n"}) {
    const auto expect = [&](const std::string& text, std::size_t not_needed) {
      auto backend = hooked("host");
      const Spec spec = spec_from(text + start);
      Displacement displacement(spec, backend);
      displacement.solve([](double) {});
      EXPECT_EQ(backend.field_bytes() + not_needed * field, displacement_bytes(spec, shape, backend.describe()));
    };
    expect(optimizer + "until = 1\ntolerance = 1e-4\n", 2);  // the first windows are good enough, with four levels
    expect("dynamics = \"sgd\"\n" + optimizer + "steps = 4\n", 0);
  }
}

TEST(CountedMemory, OfAnEnsemble) {
  EnsembleSpec options;
  options.particles = 512'000'000;  // a million blocks of twelve sums
  const double copies = has_checkpoints() ? 2.0 : 1.0;
  EXPECT_EQ(ensemble_bytes(options, {1, 100, 100}), copies * (96e6 + 8.0 * 10'001));
  options.particles += 1;
  EXPECT_EQ(ensemble_bytes(options, {1, 100, 100}), copies * (96e6 + 96.0 + 8.0 * 10'001));
}

}  // namespace
}  // namespace underdamp
