#pragma once
#include <cmath>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/contract/backend.hpp"
#include "meshes/phase_mesh.hpp"
#include "solver/run/simulation.hpp"

/// Shared by all tests.
namespace underdamp::testing {

/// Σ-free comparison of two fields, written so that a NaN on either side fails: the largest |a − b| must be ≤
/// tolerance. Fields without cells are not near to each other: a test would compare nothing.
::testing::AssertionResult fields_near(std::span<const double> computed, std::span<const double> expected,
                                       double tolerance);
#define EXPECT_FIELDS_NEAR(computed, expected, tolerance) \
  EXPECT_TRUE(::underdamp::testing::fields_near(computed, expected, tolerance))

/// A device that tests run on.
struct TestDevice {
  std::string name;
  std::unique_ptr<Backend> (*make)(Precision precision);
};
/// host, the emulated GPU, and a real one if there is one. With UNDERDAMP_REQUIRE_GPU=1 a missing GPU fails.
const std::vector<TestDevice>& all_devices();
/// A device in double precision; with "_float32" after its name in single precision.
std::unique_ptr<Backend> make_device(const std::string& name);

/// Fixture of tests that run on every device, named by their parameter; what is not there is skipped visibly.
class DeviceTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;

  std::unique_ptr<Backend> backend_;
};

/// Smooth positive values that are different in every cell and small at the walls.
std::vector<double> bumpy_density(const PhaseMesh& mesh, unsigned seed);

/// The sums of each line, by a law whose factors pick one row each; without the smallest. Finite fields only.
std::vector<LineSums> line_sums(Backend& backend, const PhaseMesh& mesh, const Field& field,
                                const Dissipation& dissipation = {});

/// A spec in text form on disk-free paths; shorthand for parse_spec with a made-up file name.
Spec spec_from(const std::string& text);

/// Runs a spec to its end without writing anything.
struct Outcome {
  std::vector<double> density;  ///< of plane 0
  Frame frame;
  std::vector<ErrorEstimate> errors;
  std::vector<IntegratorStatistics> statistics;
};
Outcome run_to_end(Simulation& simulation);

/// A directory that disappears with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace underdamp::testing
