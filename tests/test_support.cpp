#include "test_support.hpp"

#include <unistd.h>

#include <cstdlib>

#include "emulated_device.hpp"
#include "kernels/cuda/cuda_loader.hpp"
#include "kernels/host/host_backend.hpp"
#include "solver/spec/spec_reader.hpp"

namespace underdamp::testing {

::testing::AssertionResult fields_near(std::span<const double> computed, std::span<const double> expected,
                                       double tolerance) {
  if (computed.size() != expected.size()) {
    return ::testing::AssertionFailure() << computed.size() << " cells against " << expected.size();
  }
  if (computed.empty()) return ::testing::AssertionFailure() << "no cells: nothing would be compared";
  double worst = 0.0;
  std::size_t where = 0;
  for (std::size_t k = 0; k < computed.size(); ++k) {
    const double difference = std::abs(computed[k] - expected[k]);
    if (!(difference <= worst)) {  // a NaN is taken up
      worst = difference;
      where = k;
      if (std::isnan(difference)) break;
    }
  }
  if (worst <= tolerance) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "cell " << where << ": " << computed[where] << " against " << expected[where]
                                       << ", difference " << worst << " > " << tolerance;
}

const std::vector<TestDevice>& all_devices() {
  static const std::vector<TestDevice> devices = [] {
    std::vector<TestDevice> list{{"host", [](Precision precision) { return make_host_backend(precision); }},
                                 {"emulated", [](Precision precision) { return make_emulated_backend(precision); }}};
    list.push_back({"cuda", [](Precision precision) {
                      std::string explanation;
                      return make_cuda_backend(precision, explanation);
                    }});
    return list;
  }();
  return devices;
}

std::unique_ptr<Backend> make_device(const std::string& name) {
  for (const TestDevice& device : all_devices()) {
    if (device.name == name) return device.make(Precision::float64);
    if (device.name + "_float32" == name) return device.make(Precision::float32);
  }
  return nullptr;
}

void DeviceTest::SetUp() {
  backend_ = make_device(GetParam());
  if (backend_) return;
  if (std::getenv("UNDERDAMP_REQUIRE_GPU") != nullptr) FAIL() << "a GPU is required but none works";
  GTEST_SKIP() << "no " << GetParam() << " device";
}

std::vector<double> bumpy_density(const PhaseMesh& mesh, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> noise(0.2, 1.0);
  std::vector<double> values;
  for (int p = 0; p < mesh.planes(); ++p) {
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      for (int j = 0; j < mesh.velocity_cells(); ++j) {
        const double x = (i + 0.5) / mesh.theta_cells() - 0.5;
        const double y = (j + 0.5) / mesh.velocity_cells() - 0.5;
        values.push_back(noise(random) * std::exp(-20.0 * (x * x + y * y)));
      }
    }
  }
  return values;
}

std::vector<LineSums> line_sums(Backend& backend, const PhaseMesh& mesh, const Field& field,
                                const Dissipation& dissipation) {
  const auto rows = static_cast<std::size_t>(mesh.theta_cells());
  const auto lines = static_cast<std::size_t>(mesh.shape().lines());
  constexpr std::size_t quantities = 5;
  RowSumLaw law;
  for (std::size_t i = 0; i < rows; ++i) {
    std::vector<double> picked(lines, 0.0);
    for (std::size_t l = i; l < lines; l += rows) picked[l] = 1.0;
    law.factors.push_back(std::move(picked));
    for (std::size_t k = 0; k < quantities; ++k)
      law.sums.push_back({RowTerm(static_cast<int>(k), static_cast<int>(i))});
  }
  const auto plan = backend.reductions().plan_row_sums(mesh, law, dissipation);
  const auto sums = backend.reductions().sum_rows(field, *plan).sums;
  std::vector<LineSums> result(lines);
  for (std::size_t l = 0; l < lines; ++l) {
    const double* const s = sums.data() + l * quantities;
    result[l] = {s[0], s[1], s[2], s[3], s[4], 0.0, 0.0};
  }
  return result;
}

Spec spec_from(const std::string& text) {
  return parse_spec(text, "test.toml");
}

Outcome run_to_end(Simulation& simulation) {
  simulation.start();
  for (const double time : simulation.frame_times()) simulation.advance(time, [](double) {});
  return {simulation.density(0), simulation.observe(1), simulation.errors(), simulation.statistics()};
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "underdamp-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code code;
  std::filesystem::remove_all(path_, code);
}

}  // namespace underdamp::testing
