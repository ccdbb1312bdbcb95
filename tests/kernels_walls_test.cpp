#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>

#include "kernels/tables/wall_stencils.hpp"
#include "meshes/error.hpp"
#include "solver/model/tables.hpp"
#include "test_support.hpp"

/// Sweeps and generator next to a reflecting wall on which a force acts (docs/method.md, section 3.4).
namespace underdamp {
namespace {

using testing::bumpy_density;

ThetaWalls pressed_walls() {
  ThetaWalls walls = ThetaBoundary::reflecting;
  walls.lower_pressed = walls.upper_pressed = true;
  return walls;
}
ThetaWalls pressed_below() {
  ThetaWalls walls{ThetaBoundary::reflecting, ThetaBoundary::open};
  walls.lower_pressed = true;
  return walls;
}
PhaseMesh box(int theta_cells, int velocity_cells, const ThetaWalls& walls = pressed_walls()) {
  return PhaseMesh(std::vector<PhasePlane>{{{0.0, 2.0, theta_cells}, {-3.0, 3.0, velocity_cells}}}, walls);
}

/// ∫ of a density with the weights of its mesh, in cells.
double mass_of(const PhaseMesh& mesh, const std::vector<double>& values) {
  const auto weights = theta_weights(mesh);
  const auto columns = static_cast<std::size_t>(mesh.velocity_cells());
  double sum = 0.0;
  for (std::size_t k = 0; k < values.size(); ++k) sum += weights[k / columns % weights.size()] * values[k];
  return sum;
}

template <class F>
std::vector<double> tabulated(const PhaseMesh& mesh, const F& f) {
  std::vector<double> values;
  for (int p = 0; p < mesh.planes(); ++p) {
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      for (int j = 0; j < mesh.velocity_cells(); ++j)
        values.push_back(f(mesh.plane(p).theta.center(i), mesh.plane(p).velocity.center(j)));
    }
  }
  return values;
}

/// ∫₀¹ x^k dx by the weights on a grid of so many cells, less 1/(k + 1).
double quadrature_error(int cells, double power) {
  const PhaseMesh mesh(std::vector<PhasePlane>{{{0.0, 1.0, cells}, {-1.0, 1.0, 16}}}, pressed_walls());
  const auto weights = theta_weights(mesh);
  double sum = 0.0;
  for (int i = 0; i < cells; ++i)
    sum += weights[static_cast<std::size_t>(i)] * std::pow(mesh.plane(0).theta.center(i), power) / cells;
  return sum - 1.0 / (power + 1.0);
}

TEST(WallWeights, IntegrateQuarticsExactly) {
  for (const int cells : {16, 24, 48, 96}) {
    for (const double power : {0.0, 1.0, 2.0, 3.0, 4.0})
      EXPECT_NEAR(quadrature_error(cells, power), 0.0, 1e-13) << cells;
  }
  // x⁸ by midpoints alone: h²/24 · 8 = 1.4e-4 at 48 cells.
  EXPECT_NEAR(quadrature_error(48, 8.0), 0.0, 2e-8);
  for (const double weight : wall_weights(16)) EXPECT_GT(weight, 0.5);
}

TEST(WallWeights, AreOneWithoutForce) {
  for (const ThetaWalls walls :
       {ThetaWalls(ThetaBoundary::open), ThetaWalls(ThetaBoundary::periodic), ThetaWalls(ThetaBoundary::reflecting)}) {
    for (const double weight : theta_weights(box(40, 16, walls))) EXPECT_EQ(weight, 1.0);
  }
  const auto one_wall = theta_weights(box(40, 16, pressed_below()));
  EXPECT_NE(one_wall.front(), 1.0);
  EXPECT_EQ(one_wall.back(), 1.0);
}

TEST(WallShifts, ComposeAsTimesAdd) {
  // exp(2s A) = exp(s A)²: the rows of two short shifts, one after the other, on a column that is smooth.
  const std::vector<int> rows{14};
  const auto once = wall_shifts(0.7, 0.0, rows, 12, 60);
  const auto twice = wall_shifts(1.4, 0.0, rows, 12, 60);
  const auto apply = [](const WallRows& map, const std::vector<double>& column, int row) {
    double sum = 0.0;
    for (int s = 0; s < map.sources; ++s)
      sum += map.incoming[static_cast<std::size_t>(row * map.sources + s)] * column[static_cast<std::size_t>(s)];
    return sum;
  };
  // What moves towards the wall through cells x ↦ e^{−x/9} grows by e^{−s/9}.
  std::vector<double> column;
  for (int s = 0; s < 60; ++s) column.push_back(std::exp(-(s + 0.5) / 9.0));
  for (int row = 0; row < 12; ++row) {
    const double exact = column[static_cast<std::size_t>(row)];
    EXPECT_NEAR(apply(once[0], column, row), exact * std::exp(-0.7 / 9.0), 1e-6) << row;
    EXPECT_NEAR(apply(twice[0], column, row), exact * std::exp(-1.4 / 9.0), 1e-6) << row;
  }
}

class Walls : public testing::DeviceTest {
 protected:
  std::vector<double> drifted(const PhaseMesh& mesh, const std::vector<double>& values, double duration, int times,
                              Positivity positivity, double* departed = nullptr) {
    const auto field = backend_->fields().allocate(mesh.shape());
    backend_->fields().upload(values, *field);
    const auto plan =
        backend_->sweeps().plan_drift(mesh, std::vector<double>(static_cast<std::size_t>(mesh.planes()), duration));
    for (int k = 0; k < times; ++k) backend_->sweeps().drift(*field, *plan, positivity);
    std::vector<double> result(values.size());
    backend_->fields().download(*field, result);
    if (departed != nullptr) {
      *departed = 0.0;
      for (const Departed& d : backend_->fields().departed(*field)) *departed += d.total();
    }
    return result;
  }
  double rounding(double tolerance) const {
    return backend_->describe().precision == Precision::float32 ? tolerance * 0x1p25 : tolerance;
  }
};

TEST_P(Walls, KeepTheMassToRounding) {
  for (const PhaseMesh& mesh : {box(83, 43), box(16, 16), box(40, 32), box(200, 20)}) {
    auto values = bumpy_density(mesh, 3);
    for (double& v : values) v += 0.1;  // plenty at the walls
    const double mass = mass_of(mesh, values);
    for (const Positivity positivity : {Positivity::limit, Positivity::none}) {
      for (const double duration : {0.003, 0.05, 0.3, 1.7}) {
        double departed = 0.0;
        const auto result = drifted(mesh, values, duration, 3, positivity, &departed);
        EXPECT_NEAR(mass_of(mesh, result), mass, rounding(1e-13) * mass) << duration;
        EXPECT_EQ(departed, 0.0);
      }
    }
  }
}

TEST_P(Walls, WhatPassesTheOpenOneOfTwoIsCounted) {
  const PhaseMesh mesh = box(64, 32, pressed_below());
  auto values = bumpy_density(mesh, 4);
  for (double& v : values) v += 0.1;
  const double mass = mass_of(mesh, values);
  double departed = 0.0;
  const auto result = drifted(mesh, values, 0.1, 4, Positivity::limit, &departed);
  EXPECT_GT(departed, 1e-3 * mass);
  EXPECT_NEAR(mass_of(mesh, result) + departed, mass, rounding(1e-13) * mass);
}

TEST_P(Walls, AreMirrorsOfEachOther) {
  // θ → 2 − θ, v → −v exchanges the walls and changes nothing else.
  const PhaseMesh mesh = box(50, 24);
  const auto values = bumpy_density(mesh, 5);
  auto mirrored = values;
  std::reverse(mirrored.begin(), mirrored.end());
  auto result = drifted(mesh, mirrored, 0.08, 2, Positivity::limit);
  std::reverse(result.begin(), result.end());
  EXPECT_FIELDS_NEAR(result, drifted(mesh, values, 0.08, 2, Positivity::limit), rounding(1e-14));
}

TEST_P(Walls, EveryPlaneHasItsOwnSpeed) {
  const std::vector<PhasePlane> planes{{{0.0, 2.0, 48}, {-3.0, 3.0, 20}}, {{0.0, 0.7, 48}, {-1.0, 1.0, 20}}};
  const PhaseMesh both(planes, pressed_walls());
  const auto values = bumpy_density(both, 6);
  const auto result = drifted(both, values, 0.07, 2, Positivity::limit);
  const std::size_t half = values.size() / 2;
  for (std::size_t p = 0; p < 2; ++p) {
    const PhaseMesh one({planes[p]}, pressed_walls());
    const std::vector<double> part(values.begin() + static_cast<std::ptrdiff_t>(p * half),
                                   values.begin() + static_cast<std::ptrdiff_t>((p + 1) * half));
    const auto alone = drifted(one, part, 0.07, 2, Positivity::limit);
    for (std::size_t k = 0; k < half; ++k) ASSERT_NEAR(result[p * half + k], alone[k], rounding(1e-14));
  }
}

/// L1 error, per unit of area, of a drift of what goes on evenly beyond both walls: exactly f(θ − τv).
double smooth_error(Backend& backend, int cells) {
  const PhaseMesh mesh = box(cells, 32);
  const auto f = [](double theta) { return 1.0 + 0.5 * std::cos(std::numbers::pi * theta); };
  const double tau = 0.05;
  const auto field = backend.fields().allocate(mesh.shape());
  backend.fields().upload(tabulated(mesh, [&](double theta, double) { return f(theta); }), *field);
  backend.sweeps().drift(*field, *backend.sweeps().plan_drift(mesh, std::vector<double>{tau}), Positivity::limit);
  std::vector<double> result(mesh.shape().cells());
  backend.fields().download(*field, result);
  const auto exact = tabulated(mesh, [&](double theta, double v) { return f(theta - tau * v); });
  double sum = 0.0;
  for (std::size_t k = 0; k < result.size(); ++k) sum += std::abs(result[k] - exact[k]);
  return sum * mesh.plane(0).cell_area() / 12.0;
}

TEST_P(Walls, AreOfFifthOrderOrMore) {
  const double coarse = smooth_error(*backend_, 40);
  const double fine = smooth_error(*backend_, 80);
  EXPECT_LE(coarse, 2e-6);
  EXPECT_GE(std::log2(coarse / fine), 4.8);
}

TEST_P(Walls, LongDriftsAreDoneInParts) {
  const PhaseMesh mesh = box(64, 32);
  // 2.9 · τ/h_θ = 93 cells, of which one sweep bears 12: eight sweeps.
  const std::vector<double> duration{1.0};
  EXPECT_EQ(drift_repeats(mesh, duration), 8);
  auto values = bumpy_density(mesh, 7);
  for (double& v : values) v += 0.1;
  EXPECT_FIELDS_NEAR(drifted(mesh, values, 1.0, 1, Positivity::limit),
                     drifted(mesh, values, 0.125, 8, Positivity::limit), rounding(1e-14));
  EXPECT_THROW(static_cast<void>(backend_->sweeps().plan_drift(mesh, std::vector<double>{30.0})), Error);
  EXPECT_THROW(static_cast<void>(backend_->sweeps().plan_drift(mesh, std::vector<double>{-0.1})), Error);
}

TEST_P(Walls, LongDriftsInASequenceAreTheSameEachTime) {
  // Drifts in parts change places with their target, which no graph of a GPU may hold: such sequences go one by one.
  const PhaseMesh mesh = box(64, 32);
  const auto values = bumpy_density(mesh, 7);
  const auto drift = backend_->sweeps().plan_drift(mesh, std::vector<double>{1.0});
  const std::vector<double> friction{0.3}, force(64, -1.0), diffusion(64, 0.15);
  Tables tables;
  tables.friction = friction;
  tables.force = force;
  tables.diffusion = diffusion;
  const auto velocity = backend_->sweeps().plan_velocity(mesh, tables.velocity_law(0.5));
  const auto direct = backend_->fields().allocate(mesh.shape());
  const auto replayed = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(values, *direct);
  backend_->fields().upload(values, *replayed);
  const auto sequence = backend_->sweeps().make_sequence(
      [&] { backend_->sweeps().drift_velocity(*replayed, *drift, *velocity, Positivity::limit); });
  std::vector<double> expected(values.size()), found(values.size());
  for (int times = 0; times < 3; ++times) {
    backend_->sweeps().drift_velocity(*direct, *drift, *velocity, Positivity::limit);
    backend_->sweeps().replay(*sequence);
    backend_->fields().download(*direct, expected);
    backend_->fields().download(*replayed, found);
    EXPECT_EQ(found, expected) << times;
  }
}

TEST_P(Walls, NothingGrowsAndNothingBecomesNegative) {
  // Noise, the hardest data of all, over several turns of the fast columns.
  const PhaseMesh mesh = box(60, 24);
  std::mt19937 random(11);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  const auto values = tabulated(mesh, [&](double, double) { return uniform(random); });
  const auto square = [](const std::vector<double>& field) {
    double sum = 0.0;
    for (const double v : field) sum += v * v;
    return sum;
  };
  const double before = square(values);
  const int times = backend_->describe().kind == DeviceKind::host ? 300 : 10;
  for (const double duration : {0.011, 1.0 / 45.0, 0.06, 0.1}) {
    const auto limited = drifted(mesh, values, duration, times, Positivity::limit);
    EXPECT_GE(*std::min_element(limited.begin(), limited.end()), 0.0) << duration;
    EXPECT_LE(square(limited), 1.05 * before) << duration;
    EXPECT_LE(square(drifted(mesh, values, duration, times, Positivity::none)), 1.05 * before) << duration;
  }
}

TEST_P(Walls, NotANumberStays) {
  const PhaseMesh mesh = box(40, 24);
  for (const std::size_t row : {0U, 3U, 20U, 39U}) {
    auto values = bumpy_density(mesh, 8);
    values[row * 24 + 5] = std::numeric_limits<double>::quiet_NaN();
    for (const Positivity positivity : {Positivity::limit, Positivity::none}) {
      const auto result = drifted(mesh, values, 0.05, 1, positivity);
      EXPECT_TRUE(std::any_of(result.begin(), result.end(), [](double v) { return std::isnan(v); })) << row;
    }
  }
}

TEST_P(Walls, SumsAlongThetaHaveTheWeights) {
  const PhaseMesh mesh = box(40, 24);
  const auto values = bumpy_density(mesh, 9);
  const auto field = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(values, *field);
  const auto sums = backend_->reductions().sum_columns(mesh, *field);
  const auto weights = theta_weights(mesh);
  for (std::size_t j = 0; j < 24; ++j) {
    double expected = 0.0;
    for (std::size_t i = 0; i < 40; ++i) expected += weights[i] * values[i * 24 + j];
    EXPECT_NEAR(sums[j], expected, rounding(1e-13));
  }
}

// --- the generator ---------------------------------------------------------------------------------------------------

/// exp(−(v²/2 + θ)/T): stationary between mirrors, with a kink in each of them.
struct Barometer {
  double temperature = 0.5;
  double friction = 0.3;

  std::vector<double> density(const PhaseMesh& mesh) const {
    return tabulated(mesh, [&](double theta, double v) { return std::exp(-(0.5 * v * v + theta) / temperature); });
  }
  std::vector<double> force(const PhaseMesh& mesh) const {
    return std::vector<double>(static_cast<std::size_t>(mesh.shape().lines()), -1.0);
  }
  std::vector<double> diffusion(const PhaseMesh& mesh) const {
    return std::vector<double>(static_cast<std::size_t>(mesh.shape().lines()), friction * temperature);
  }
};

TEST_P(Walls, TheMatrixIsTheGenerator) {
  const Barometer b;
  const std::vector<double> friction{b.friction};
  for (const ThetaWalls& walls : {pressed_walls(), pressed_below()}) {
    for (const int cells : {20, 50}) {
      const PhaseMesh mesh = box(cells, 23, walls);
      const auto force = b.force(mesh);
      const auto diffusion = b.diffusion(mesh);
      const auto from = backend_->fields().allocate(mesh.shape());
      const auto applied = backend_->fields().allocate(mesh.shape());
      const auto multiplied = backend_->fields().allocate(mesh.shape());
      backend_->fields().upload(bumpy_density(mesh, 10), *from);
      backend_->generators().apply_generator(*backend_->generators().plan_generator(mesh, {friction, force, diffusion}),
                                             *from, *applied);
      const SparseMatrix matrix = assemble_generator(mesh.plane(0), walls, b.friction, force, diffusion);
      backend_->generators().multiply(*backend_->generators().plan_matrix(matrix), *from, *multiplied);
      std::vector<double> one(mesh.shape().cells()), other(mesh.shape().cells());
      backend_->fields().download(*applied, one);
      backend_->fields().download(*multiplied, other);
      const double scale = std::abs(*std::max_element(one.begin(), one.end()));
      EXPECT_FIELDS_NEAR(one, other, 1e-12 * scale);
      // Weighted columns add up to 0 where nothing leaves.
      const auto weights = theta_weights(mesh);
      std::vector<double> column(one.size(), 0.0);
      double largest = 0.0;
      for (int row = 0; row < matrix.rows(); ++row) {
        for (int k = matrix.row_begin[static_cast<std::size_t>(row)];
             k < matrix.row_begin[static_cast<std::size_t>(row) + 1]; ++k) {
          const double value = matrix.value[static_cast<std::size_t>(k)];
          column[static_cast<std::size_t>(matrix.column[static_cast<std::size_t>(k)])] +=
              weights[static_cast<std::size_t>(row / 23)] * value;
          largest = std::max(largest, std::abs(value));
        }
      }
      const std::size_t closed = walls.closed() ? column.size() : column.size() - 23 * 4;
      for (std::size_t c = 0; c < closed; ++c) ASSERT_NEAR(column[c], 0.0, 1e-13 * largest) << c;
    }
  }
}

TEST_P(Walls, TheGeneratorKnowsTheBarometer) {
  const Barometer b;
  const std::vector<double> friction{b.friction};
  const auto residual = [&](int cells) {
    const PhaseMesh mesh(std::vector<PhasePlane>{{{0.0, 6.0, cells}, {-5.0, 5.0, 2 * cells}}}, pressed_walls());
    const auto from = backend_->fields().allocate(mesh.shape());
    const auto to = backend_->fields().allocate(mesh.shape());
    backend_->fields().upload(b.density(mesh), *from);
    backend_->generators().apply_generator(
        *backend_->generators().plan_generator(mesh, {friction, b.force(mesh), b.diffusion(mesh)}), *from, *to);
    std::vector<double> change(mesh.shape().cells());
    backend_->fields().download(*to, change);
    double sum = 0.0;
    for (const double v : change) sum += std::abs(v) * mesh.plane(0).cell_area();
    return sum;
  };
  const double coarse = residual(64);
  const double fine = residual(128);
  EXPECT_LE(fine, 1e-4);
  EXPECT_GE(std::log2(coarse / fine), 3.8);
}

INSTANTIATE_TEST_SUITE_P(Devices, Walls, ::testing::Values("host", "emulated", "cuda"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace underdamp
