#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "hooked_backend.hpp"
#include "solver/run/observables.hpp"
#include "test_support.hpp"

/// Sums over planes: in the order of the rows and on every device the same bits from the same lines, and nothing but
/// numbers of planes comes to the host.
namespace underdamp {
namespace {

class Reductions : public testing::DeviceTest {
 protected:
  std::unique_ptr<Field> filled(const PhaseMesh& mesh, const std::vector<double>& values) {
    auto field = backend_->fields().allocate(mesh.shape());
    backend_->fields().upload(values, *field);
    return field;
  }
};

PhaseMesh three_planes() {
  return PhaseMesh(std::vector<PhasePlane>{
      {{-1.0, 1.3, 37}, {-2.0, 1.0, 61}}, {{0.0, 0.1, 37}, {-0.3, 0.4, 61}}, {{-5.0, 5.0, 37}, {-9.0, 9.0, 61}}});
}

/// Factors that no power of two divides, so that the order of products and sums shows.
std::vector<double> factor(std::size_t lines, double seed) {
  std::vector<double> values;
  for (std::size_t l = 0; l < lines; ++l) values.push_back(1.0 + 0.37 * std::sin(seed + static_cast<double>(l)));
  return values;
}

TEST_P(Reductions, RowSumsAreThoseOfTheLinesInOrder) {
  const PhaseMesh mesh = three_planes();
  const auto field = filled(mesh, testing::bumpy_density(mesh, 5));
  const auto lines = static_cast<std::size_t>(mesh.shape().lines());
  const std::vector<double> friction{0.3, 0.4, 0.5};
  const std::vector<double> diffusion = factor(lines, 0.5);
  const Dissipation dissipation{friction, diffusion, 1e-14};
  RowSumLaw law{{factor(lines, 0.1), factor(lines, 0.2), factor(lines, 0.3)}, {}};
  law.sums = {{RowTerm(0)}, {RowTerm(1, 0)}, {RowTerm(2, 0, 1, 2)}, {RowTerm(3), RowTerm(4, 1), RowTerm(0, 2, 2)}};
  const auto plan = backend_->reductions().plan_row_sums(mesh, law, dissipation);
  const auto sums = backend_->reductions().sum_rows(*field, *plan).sums;
  ASSERT_EQ(sums.size(), 12U);
  const auto all = testing::line_sums(*backend_, mesh, *field, dissipation);
  const auto& f = law.factors;
  for (std::size_t p = 0; p < 3; ++p) {
    std::array<double, 4> expected{};
    for (std::size_t l = 37 * p; l < 37 * (p + 1); ++l) {
      expected[0] += all[l].mass;
      expected[1] += all[l].velocity * f[0][l];
      expected[2] += all[l].velocity_squared * f[0][l] * f[1][l] * f[2][l];
      expected[3] += all[l].entropy + all[l].dissipation * f[1][l] + all[l].mass * f[2][l] * f[2][l];
    }
    for (std::size_t k = 0; k < 4; ++k) EXPECT_EQ(sums[4 * p + k], expected[k]) << p << " " << k;
  }
}

TEST_P(Reductions, MomentsAreThoseOfTheLinesInOrder) {
  const PhaseMesh mesh = three_planes();
  auto values = testing::bumpy_density(mesh, 6);
  for (std::size_t k = 0; k < values.size(); k += 3) values[k] = -values[k];
  const auto field = filled(mesh, values);
  const auto lines = static_cast<std::size_t>(mesh.shape().lines());
  MomentLaw law;
  for (const double seed : {0.1, 0.7}) {
    const auto a = factor(lines, seed);
    const auto b = factor(lines, seed + 0.2);
    const auto c = factor(lines, seed + 0.4);
    auto& sum = law.sums.emplace_back();
    for (std::size_t l = 0; l < lines; ++l) sum.push_back({a[l], b[l], c[l]});
  }
  const auto plan = backend_->reductions().plan_moments(mesh, law);
  const auto sums = backend_->reductions().sum_moments(*field, *plan);
  ASSERT_EQ(sums.size(), 6U);
  const auto all = backend_->reductions().line_moments(mesh, *field);
  for (std::size_t p = 0; p < 3; ++p) {
    for (std::size_t k = 0; k < 2; ++k) {
      double expected = 0.0;
      for (std::size_t l = 37 * p; l < 37 * (p + 1); ++l) {
        const auto& [a, b, c] = law.sums[k][l];
        expected += a * all[l].mass + b * all[l].velocity + c * all[l].velocity_squared;
      }
      EXPECT_EQ(sums[2 * p + k], expected) << p << " " << k;
    }
  }
}

TEST_P(Reductions, TheSmallestOfAPlane) {
  const PhaseMesh mesh = three_planes();
  std::vector<double> values(mesh.shape().cells(), 1.0);
  const auto cell = [](std::size_t p, std::size_t i, std::size_t j) { return (p * 37 + i) * 61 + j; };
  values[cell(0, 30, 7)] = 0.25;
  values[cell(0, 12, 9)] = 0.25;  // the first of equal ones
  values[cell(1, 36, 60)] = -0.5;
  values[cell(2, 5, 3)] = -8.0;
  values[cell(2, 20, 2)] = std::numeric_limits<double>::quiet_NaN();
  values[cell(2, 21, 1)] = -std::numeric_limits<double>::infinity();
  const auto field = filled(mesh, values);
  const auto plan = backend_->reductions().plan_row_sums(mesh, {{}, {{RowTerm(0)}}});
  const auto [sums, least] = backend_->reductions().sum_rows(*field, *plan);
  EXPECT_NEAR(sums[0], 37.0 * 61.0 - 1.5, 1e-9);
  EXPECT_TRUE(std::isnan(sums[2]));
  EXPECT_EQ(least[0].value, 0.25);
  EXPECT_EQ(least[0].row, 12);
  EXPECT_EQ(least[0].column, 9);
  EXPECT_EQ(least[1].value, -0.5);
  EXPECT_EQ(least[1].row, 36);
  EXPECT_EQ(least[1].column, 60);
  EXPECT_TRUE(std::isnan(least[2].value));
  EXPECT_EQ(least[2].row, 20);
  EXPECT_EQ(least[2].column, 2);
}

TEST_P(Reductions, NormsAndMassesAreSumsInOrder) {
  const PhaseMesh mesh = three_planes();
  const auto field = filled(mesh, testing::bumpy_density(mesh, 5));
  const std::array<const Field*, 1> one{field.get()};
  const auto norm = backend_->reductions().combination_norm(one, std::array{1.0});
  const auto mass = backend_->reductions().sum_planes(mesh, *field);
  const auto lines = backend_->reductions().line_moments(mesh, *field);
  const auto columns = backend_->reductions().sum_columns(mesh, *field);
  for (std::size_t p = 0; p < 3; ++p) {
    double of_lines = 0.0;
    double of_columns = 0.0;
    for (std::size_t i = 0; i < 37; ++i) of_lines += lines[37 * p + i].mass;
    for (std::size_t j = 0; j < 61; ++j) of_columns += columns[61 * p + j];
    EXPECT_NEAR(norm[p], of_lines, 1e-12 * of_lines);  // a density without signs; lines add up in another order
    EXPECT_EQ(mass[p], of_columns);
  }
}

TEST_P(Reductions, WhatDepartedIsAddedUp) {
  // 130 rows make three segments of a column.
  const PhaseMesh mesh(
      std::vector<PhasePlane>{{{-1.0, 1.0, 130}, {-1.0, 1.0, 17}}, {{-1.0, 1.0, 130}, {-1.0, 1.0, 17}}});
  const auto field = filled(mesh, std::vector<double>(mesh.shape().cells(), 0.0));
  std::vector<double> parts = backend_->fields().departed_parts(*field);
  const std::size_t columns = 2 * 17;
  const std::size_t lines = 2 * 130;
  ASSERT_EQ(parts.size(), 2 * columns + 3 * lines + 3 * columns);
  for (std::size_t k = 0; k < parts.size(); ++k) parts[k] = static_cast<double>(k % 1000) / 1024.0;
  backend_->fields().restore_departed(parts, *field);
  const auto departed = backend_->fields().departed(*field);
  ASSERT_EQ(departed.size(), 2U);
  const auto added = [&](std::size_t first, std::size_t count) {
    double sum = 0.0;
    for (std::size_t k = first; k < first + count; ++k) sum += parts[k];
    return sum;
  };
  for (std::size_t p = 0; p < 2; ++p) {
    EXPECT_EQ(departed[p].theta[0].lower, added(17 * p, 17));
    EXPECT_EQ(departed[p].theta[0].upper, added(columns + 17 * p, 17));
    EXPECT_EQ(departed[p].velocity[0].lower, added(2 * columns + 130 * p, 130));
    EXPECT_EQ(departed[p].velocity[0].upper, added(2 * columns + lines + 130 * p, 130));
    double created = added(2 * columns + 2 * lines + 130 * p, 130);
    for (std::size_t s = 0; s < 3; ++s) created += added(2 * columns + 3 * lines + s * columns + 17 * p, 17);
    EXPECT_EQ(departed[p].created, created);  // multiples of 2⁻¹⁰: exact in any order
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Reductions, ::testing::Values("host", "emulated", "cuda", "host_float32"),
                         [](const auto& instance) { return instance.param; });

/// The largest transfer of each operation to the host.
std::map<std::string, std::size_t> downloads_of(const std::string& spec_text) {
  std::map<std::string, std::size_t> largest;
  const auto backend = testing::make_device("host");
  const Spec spec = testing::spec_from(spec_text);
  Simulation simulation(spec, *backend);
  backend->observe([&](const DeviceEvent& event) {
    if (event.kind == DeviceEvent::Kind::downloaded)
      largest[event.operation] = std::max(largest[event.operation], event.bytes);
  });
  simulation.start();
  simulation.advance(spec.evolve->until, [](double) {});
  static_cast<void>(simulation.observe(1));
  static_cast<void>(simulation.errors());
  backend->observe({});
  return largest;
}

TEST(Transfers, NothingOfALineComesToTheHost) {
  const std::string model =
      "[langevin]\nfriction = 1.0\ntemperature = 0.5\n[loss]\nkind = \"quadratic\"\nhessian = 1.0\n"
      "[grid]\ncells = [96, 96]\n";
  for (const std::string& evolve :
       {std::string("[evolve]\nuntil = 3.0\n"), std::string("[evolve]\nuntil = 4.0\nstep = 0.05\n")}) {
    const auto largest = downloads_of(model + evolve);
    EXPECT_GE(largest.size(), 4U);  // norms, shapes, what departed, observables
    for (const auto& [operation, bytes] : largest) EXPECT_LE(bytes, 10 * sizeof(double)) << operation;
  }
}

}  // namespace
}  // namespace underdamp
