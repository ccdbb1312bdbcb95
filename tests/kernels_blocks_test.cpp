#include <array>
#include <cmath>
#include <numeric>

#include "kernels/contract/noise_directions.hpp"
#include "kernels/tables/velocity_block_table.hpp"
#include "meshes/theta_runs.hpp"
#include "test_support.hpp"

/// Sweeps of several parameters: blocks of velocities, drifts along each θ axis, and what puts levels together.
namespace underdamp {
namespace {

// --- lattice directions of the noise -------------------------------------------------------------

SymmetricEntries rebuilt(const std::vector<NoiseDirection>& directions, int d) {
  SymmetricEntries c{};
  for (const NoiseDirection& e : directions) {
    for (int i = 0; i < d; ++i) {
      for (int j = i; j < d; ++j) {
        c[static_cast<std::size_t>(entry_of(d, i, j))] +=
            e.variance * e.direction[static_cast<std::size_t>(i)] * e.direction[static_cast<std::size_t>(j)];
      }
    }
  }
  return c;
}

TEST(NoiseDirections, TwoAxesAndOneDiagonal) {
  const auto anti = noise_directions({2.0, -0.5, 1.0}, 2);
  ASSERT_EQ(anti.size(), 3U);
  EXPECT_EQ(anti[0].direction, (std::array<int, 3>{1, 0, 0}));
  EXPECT_EQ(anti[0].variance, 1.5);
  EXPECT_EQ(anti[1].direction, (std::array<int, 3>{0, 1, 0}));
  EXPECT_EQ(anti[1].variance, 0.5);
  EXPECT_EQ(anti[2].direction, (std::array<int, 3>{1, -1, 0}));
  EXPECT_EQ(anti[2].variance, 0.5);
  const auto rank_one = noise_directions({4.0, 2.0, 1.0}, 2);  // (2, 1)
  EXPECT_EQ(rank_one[1].variance, -1.0);
  EXPECT_EQ(rank_one[2].direction, (std::array<int, 3>{1, 1, 0}));
  EXPECT_EQ(noise_directions({4.0, 0.0, 1.0}, 2).size(), 2U);
}

TEST(NoiseDirections, ThreeParametersAddUpAndStayAboveAFifth) {
  for (int seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    std::normal_distribution<double> normal;
    std::array<std::array<double, 3>, 3> a{};
    for (auto& row : a) {
      for (double& x : row) x = normal(random);
    }
    SymmetricEntries c{};
    double trace = 0.0;
    for (int i = 0; i < 3; ++i) {
      for (int j = i; j < 3; ++j) {
        double sum = i == j ? 0.3 : 0.0;  // no eigenvalue below
        for (std::size_t k = 0; k < 3; ++k)
          sum += a[static_cast<std::size_t>(i)][k] * a[static_cast<std::size_t>(j)][k];
        c[static_cast<std::size_t>(entry_of(3, i, j))] = sum;
        if (i == j) trace += sum;
      }
    }
    const auto directions = noise_directions(c, 3);
    const SymmetricEntries sum = rebuilt(directions, 3);
    for (std::size_t e = 0; e < 6; ++e) EXPECT_NEAR(sum[e], c[e], 1e-12 * trace) << seed;
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(directions[k].direction[k], 1);
    for (const NoiseDirection& e : directions) EXPECT_GE(e.variance, -0.2 * trace) << seed;
  }
}

TEST(NoiseDirections, OnePairOfThreeIsTakenAsInTwoDimensions) {
  const auto directions = noise_directions({2.0, 0.0, 1.5, 3.0, 0.0, 2.0}, 3);  // C_13 alone
  ASSERT_EQ(directions.size(), 4U);
  EXPECT_EQ(directions[3].direction, (std::array<int, 3>{1, 0, 1}));
  EXPECT_EQ(directions[3].variance, 1.5);
  EXPECT_EQ(directions[1].variance, 3.0);
}

TEST(NoiseDirections, RankOneOfThreeIsRefused) {
  EXPECT_THROW(noise_directions({1.0, 1.0, 1.0, 1.0, 1.0, 1.0}, 3), Error);
}

// --- runs ------------------------------------------------------------------------------------------

TEST(ThetaRuns, MeetEveryCellOnceAndKnowItsVelocity) {
  FieldShape shape{2, 9 * 10 * 11, 8 * 12 * 13, {3, {9, 10, 11}, {8, 12, 13}}};
  for (int k = 0; k < 3; ++k) {
    const ThetaRuns runs(shape, k);
    std::vector<int> met(shape.cells(), 0);
    for (long run = 0; run < runs.runs; ++run) {
      for (int i = 0; i < runs.cells; ++i) {
        for (int lane = 0; lane < runs.lanes; ++lane) {
          const auto cell = static_cast<std::size_t>(runs.origin(run) + static_cast<long>(i) * runs.pitch + lane);
          ++met.at(cell);
          const long of_problem =
              static_cast<long>(cell) % (shape.theta_cells * static_cast<long>(shape.velocity_cells));
          const auto theta = axis_positions(shape.axes.theta, 3, of_problem / shape.velocity_cells);
          const auto v = axis_positions(shape.axes.velocity, 3, of_problem % shape.velocity_cells);
          const auto axis = static_cast<std::size_t>(k);
          ASSERT_EQ(theta[axis], i);
          ASSERT_EQ(v[axis], runs.alike ? runs.velocity(run) : lane);
          ASSERT_EQ(runs.problem(run),
                    static_cast<long>(cell) / (shape.theta_cells * static_cast<long>(shape.velocity_cells)));
        }
      }
    }
    EXPECT_EQ(std::count(met.begin(), met.end(), 1), static_cast<long>(met.size())) << k;
  }
}

// --- sweeps on every device --------------------------------------------------------------------------

class Blocks : public testing::DeviceTest {
 protected:
  /// d parameters, `problems` boxes that differ in their widths.
  static PhaseSpace space_of(std::vector<int> theta, std::vector<int> velocity, int problems = 1,
                             std::vector<ThetaWalls> walls = {}) {
    std::vector<PhaseBox> boxes;
    for (int p = 0; p < problems; ++p) {
      PhaseBox box;
      for (const int n : theta) box.theta.push_back({-1.0 - 0.1 * p, 1.0, n});
      for (const int n : velocity) box.velocity.push_back({-1.0, 1.0 + 0.2 * p, n});
      boxes.push_back(box);
    }
    return PhaseSpace(boxes, std::move(walls));
  }

  /// A Gaussian about a cell of each axis, in cells; of deviation `width`.
  static std::vector<double> bump(const PhaseSpace& space, double width = 1.6, double offset = 0.0) {
    const FieldShape shape = space.shape();
    std::vector<double> values(shape.cells());
    const long of_problem = static_cast<long>(shape.cells()) / shape.planes;
    for (std::size_t c = 0; c < values.size(); ++c) {
      const long cell = static_cast<long>(c) % of_problem;
      const auto theta = axis_positions(shape.axes.theta, space.parameters(), cell / shape.velocity_cells);
      const auto v = axis_positions(shape.axes.velocity, space.parameters(), cell % shape.velocity_cells);
      double square = 0.0;
      for (int k = 0; k < space.parameters(); ++k) {
        const auto axis = static_cast<std::size_t>(k);
        square += std::pow((theta[axis] - 0.5 * (shape.axes.theta[axis] - 1) - offset) / width, 2);
        square += std::pow((v[axis] - 0.5 * (shape.axes.velocity[axis] - 1) - offset) / width, 2);
      }
      values[c] = std::exp(-0.5 * square);
    }
    return values;
  }

  std::unique_ptr<Field> field_of(const PhaseSpace& space, const std::vector<double>& values) {
    auto field = backend_->fields().allocate(space.shape());
    backend_->fields().upload(values, *field);
    return field;
  }
  std::vector<double> values_of(const Field& field) {
    std::vector<double> values(field.shape().cells());
    backend_->fields().download(field, values);
    return values;
  }

  /// A law with the same kick and covariance on every line, in cells of the first problem.
  static BlockVelocityLaw law_of(const PhaseSpace& space, double contraction, const std::vector<double>& kick,
                                 const std::vector<double>& covariance) {
    BlockVelocityLaw law;
    const int d = space.parameters();
    law.contraction.assign(static_cast<std::size_t>(space.problems()), contraction);
    for (long l = 0; l < space.shape().lines(); ++l) {
      const PhaseBox& box = space.problem(static_cast<int>(l / space.shape().theta_cells));
      for (int k = 0; k < d; ++k) {
        const double width = box.velocity[static_cast<std::size_t>(k)].width();
        law.kick.push_back(kick[static_cast<std::size_t>(k)] * width);
      }
      for (int k = 0; k < d; ++k) {
        for (int m = k; m < d; ++m) {
          law.covariance.push_back(covariance[static_cast<std::size_t>(entry_of(d, k, m))] *
                                   box.velocity[static_cast<std::size_t>(k)].width() *
                                   box.velocity[static_cast<std::size_t>(m)].width());
        }
      }
    }
    return law;
  }

  double rounding(double of_double) const {
    return backend_->describe().precision == Precision::float64 ? of_double : std::max(of_double, 1e-5);
  }

  /// Σ of a problem, and of what left it.
  static double sum(const std::vector<double>& values, const PhaseSpace& space, int p) {
    const auto cells = static_cast<std::ptrdiff_t>(values.size()) / space.problems();
    return std::accumulate(values.begin() + p * cells, values.begin() + (p + 1) * cells, 0.0);
  }
};

/// Mean and covariance of v of problem 0, in cells.
struct VelocityMoments {
  std::array<double, 3> mean{};
  std::array<std::array<double, 3>, 3> covariance{};
};
VelocityMoments velocity_moments(const std::vector<double>& values, const PhaseSpace& space) {
  VelocityMoments m;
  const FieldShape shape = space.shape();
  const std::size_t cells = values.size() / static_cast<std::size_t>(space.problems());
  double mass = 0.0;
  for (std::size_t c = 0; c < cells; ++c) {
    const auto v = axis_positions(shape.axes.velocity, space.parameters(), static_cast<long>(c) % shape.velocity_cells);
    mass += values[c];
    for (std::size_t i = 0; i < 3; ++i) {
      m.mean[i] += values[c] * v[i];
      for (std::size_t j = 0; j < 3; ++j) m.covariance[i][j] += values[c] * v[i] * v[j];
    }
  }
  for (std::size_t i = 0; i < 3; ++i) m.mean[i] /= mass;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) m.covariance[i][j] = m.covariance[i][j] / mass - m.mean[i] * m.mean[j];
  }
  return m;
}

TEST_P(Blocks, NothingHappensInNoTime) {
  const PhaseSpace space = space_of({8, 9}, {17, 12});
  const auto field = field_of(space, bump(space));
  const auto before = values_of(*field);
  const std::vector<double> none{0.0};
  backend_->sweeps().drift(*field, *backend_->sweeps().plan_drift(space, none), Positivity::none);
  const auto plan = backend_->sweeps().plan_velocity(space, law_of(space, 1.0, {0.0, 0.0}, {0.0, 0.0, 0.0}));
  backend_->sweeps().velocity(*field, *field, *plan, Positivity::none);
  EXPECT_EQ(values_of(*field), before);
}

TEST_P(Blocks, WholeCellsAreMovedExactlyAndCountedByWall) {
  const PhaseSpace space = space_of({8, 9}, {11, 12});
  const FieldShape shape = space.shape();
  const auto before = bump(space, 3.0);
  const auto field = field_of(space, before);
  // Three cells up v1 and two down v2.
  const auto plan = backend_->sweeps().plan_velocity(space, law_of(space, 1.0, {3.0, -2.0}, {0.0, 0.0, 0.0}));
  backend_->sweeps().velocity(*field, *field, *plan, Positivity::none);
  const auto after = values_of(*field);
  double off_v1 = 0.0;
  double off_v2 = 0.0;
  std::vector<double> expected(before.size(), 0.0);
  for (int i = 0; i < shape.theta_cells; ++i) {
    for (int a = 0; a < 11; ++a) {
      for (int b = 0; b < 12; ++b) {
        const double value = static_cast<float>(before[static_cast<std::size_t>((i * 11 + a) * 12 + b)]);
        if (a + 3 >= 11) {
          off_v1 += value;
        } else if (b - 2 < 0) {
          off_v2 += value;
        } else {
          expected[static_cast<std::size_t>((i * 11 + a + 3) * 12 + b - 2)] =
              before[static_cast<std::size_t>((i * 11 + a) * 12 + b)];
        }
      }
    }
  }
  EXPECT_FIELDS_NEAR(after, expected, rounding(1e-15));
  const Departed left = backend_->fields().departed(*field)[0];
  EXPECT_NEAR(left.velocity[0].upper, off_v1, 1e-5 * off_v1);
  EXPECT_NEAR(left.velocity[1].lower, off_v2, 1e-5 * off_v2);
  EXPECT_NEAR(left.total(), off_v1 + off_v2, 1e-5 * off_v1);
}

TEST_P(Blocks, MeanAndCovarianceFollowTheLaw) {
  for (const auto& [c11, c12, c22] :
       {std::array{0.5, 0.3, 0.4}, std::array{0.02, -0.015, 0.03}, std::array{2.0, 1.9, 1.9},
        std::array{0.36, 0.6, 1.0}, std::array{0.0, 0.0, 0.3}}) {
    const PhaseSpace space = space_of({8, 8}, {49, 48});
    const auto field = field_of(space, bump(space, 3.0));
    const double e = 0.8;
    const auto plan = backend_->sweeps().plan_velocity(space, law_of(space, e, {0.3, -1.4}, {c11, c12, c22}));
    backend_->sweeps().velocity(*field, *field, *plan, Positivity::none);
    const VelocityMoments m = velocity_moments(values_of(*field), space);
    EXPECT_NEAR(m.mean[0], 24.0 + 0.3, rounding(1e-9));
    EXPECT_NEAR(m.mean[1], 23.5 - 1.4, rounding(1e-9));
    EXPECT_NEAR(m.covariance[0][0], e * e * 9.0 + c11, rounding(2e-8));
    EXPECT_NEAR(m.covariance[0][1], c12, rounding(2e-8));
    EXPECT_NEAR(m.covariance[1][1], e * e * 9.0 + c22, rounding(2e-8));
  }
}

TEST_P(Blocks, StrongContractionsAreDeposited) {
  const PhaseSpace space = space_of({8, 8}, {25, 24});
  const auto field = field_of(space, bump(space, 2.0));
  const auto plan = backend_->sweeps().plan_velocity(space, law_of(space, 0.2, {0.0, 2.3}, {1.0, 0.4, 1.5}));
  backend_->sweeps().velocity(*field, *field, *plan, Positivity::none);
  const VelocityMoments m = velocity_moments(values_of(*field), space);
  EXPECT_NEAR(m.mean[0], 12.0, rounding(1e-7));
  EXPECT_NEAR(m.mean[1], 11.5 + 2.3, rounding(1e-7));
  EXPECT_NEAR(m.covariance[0][0], 0.04 * 4.0 + 1.0, rounding(1e-6));
  EXPECT_NEAR(m.covariance[0][1], 0.4, rounding(1e-6));
}

/// Every sweep keeps what is inside and what has left together, whatever the box cuts off.
TEST_P(Blocks, NothingIsLostUncounted) {
  for (const int d : {1, 2, 3}) {
    const std::vector<int> theta(static_cast<std::size_t>(d), 8);
    std::vector<int> velocity{9, 8, 11};
    velocity.resize(static_cast<std::size_t>(d));
    const PhaseSpace space = space_of(theta, velocity, d < 3 ? 2 : 1);
    const auto values = bump(space, 2.5, 0.7);
    const auto field = field_of(space, values);
    const std::vector<double> kick{0.6, -1.3, 0.2};
    SymmetricEntries entries{1.3};
    if (d == 2) entries = {1.3, -0.7, 0.8};
    if (d == 3) entries = {1.3, 0.4, 0.2, 0.8, -0.3, 0.6};
    const auto law = law_of(space, 0.9, kick, {entries.begin(), entries.end()});
    const auto velocity_plan = backend_->sweeps().plan_velocity(space, law);
    const std::vector<double> duration(static_cast<std::size_t>(space.problems()), 0.7);
    const auto drift = backend_->sweeps().plan_drift(space, duration);
    for (const Positivity positivity : {Positivity::none, Positivity::limit}) {
      backend_->sweeps().velocity(*field, *field, *velocity_plan, positivity);
      backend_->sweeps().drift_velocity(*field, *drift, *velocity_plan, positivity);
      backend_->sweeps().drift(*field, *drift, positivity);
    }
    const auto after = values_of(*field);
    const auto left = backend_->fields().departed(*field);
    for (int p = 0; p < space.problems(); ++p) {
      const double began = sum(values, space, p);
      const Departed& of = left[static_cast<std::size_t>(p)];
      EXPECT_NEAR(sum(after, space, p) + of.total() - of.created, began, rounding(1e-12) * began) << d;
      EXPECT_GT(of.total(), 0.01 * began) << d;
      for (std::size_t k = 0; k < static_cast<std::size_t>(d); ++k) {
        // Cut off where it is high, a density rings: of either sign.
        EXPECT_NE(of.theta[k].upper, 0.0);
        EXPECT_NE(of.theta[k].lower, 0.0);
        EXPECT_NE(of.velocity[k].upper, 0.0);
        EXPECT_NE(of.velocity[k].lower, 0.0);
      }
    }
  }
}

TEST_P(Blocks, LimitedSweepsStayPositiveAndKeepMass) {
  const PhaseSpace space = space_of({9, 8}, {12, 13});
  std::vector<double> spike(space.shape().cells(), 0.0);
  spike[spike.size() / 2 + 6 * 13 + 6] = 1.0;
  const auto field = field_of(space, spike);
  const auto plan = backend_->sweeps().plan_velocity(space, law_of(space, 0.95, {0.4, 0.3}, {0.1, 0.08, 0.2}));
  const std::vector<double> duration{0.3};
  const auto drift = backend_->sweeps().plan_drift(space, duration);
  const auto signed_field = field_of(space, spike);
  for (int step = 0; step < 3; ++step) {
    backend_->sweeps().velocity(*field, *field, *plan, Positivity::limit);
    backend_->sweeps().drift(*field, *drift, Positivity::limit);
    backend_->sweeps().velocity(*signed_field, *signed_field, *plan, Positivity::none);
    backend_->sweeps().drift(*signed_field, *drift, Positivity::none);
  }
  const auto values = values_of(*field);
  EXPECT_GE(*std::min_element(values.begin(), values.end()), 0.0);
  const auto others = values_of(*signed_field);
  EXPECT_LT(*std::min_element(others.begin(), others.end()), -1e-4);  // so that there was something to limit
}

TEST_P(Blocks, KeepMassGivesBackWhatTheVelocityWallsTook) {
  const PhaseSpace space = space_of({8, 8}, {9, 10});
  const auto values = bump(space, 2.5);
  const auto field = field_of(space, values);
  BlockVelocityLaw law = law_of(space, 0.9, {0.5, 0.0}, {1.0, 0.5, 1.0});
  law.keep_mass = true;
  const auto plan = backend_->sweeps().plan_velocity(space, law);
  backend_->sweeps().velocity(*field, *field, *plan, Positivity::none);
  const double began = sum(values, space, 0);
  EXPECT_NEAR(sum(values_of(*field), space, 0), began, rounding(1e-13) * began);
  const Departed left = backend_->fields().departed(*field)[0];
  EXPECT_NEAR(left.total(), left.created, rounding(1e-13) * began);
  EXPECT_GT(left.created, 1e-3 * began);
}

/// A whole period of a periodic axis, cell by cell: each column of velocity j makes j turns.
TEST_P(Blocks, PeriodicAxesTurn) {
  const PhaseSpace space =
      space_of({8, 10}, {9, 8}, 1, {ThetaWalls(ThetaBoundary::periodic), ThetaWalls(ThetaBoundary::open)});
  const auto values = bump(space, 1.5, 1.0);
  const auto field = field_of(space, values);
  // v1 of the middle cell is 0, its neighbours ± 2/9: shifts of whole cells along θ1 for τ = (2/8)/(2/9) = 9/8.
  const std::vector<double> duration{9.0 / 8.0 * 8.0};
  const auto plan = backend_->sweeps().plan_drift(space, duration);
  const Departed none{};
  backend_->sweeps().drift(*field, *plan, Positivity::none);
  const Departed left = backend_->fields().departed(*field)[0];
  EXPECT_EQ(left.theta[0].upper, none.theta[0].upper);
  EXPECT_EQ(left.theta[0].lower, none.theta[0].lower);
  EXPECT_GT(left.theta[1].upper, 0.0);
  EXPECT_NEAR(sum(values_of(*field), space, 0) + left.total(), sum(values, space, 0), rounding(1e-11));
}

TEST_P(Blocks, TheFilterTakesGridWavesAndNothingElse) {
  const ThetaWalls turns(ThetaBoundary::periodic);
  const PhaseSpace space = space_of({24, 22}, {8, 9}, 1, {turns, turns});
  const FieldShape shape = space.shape();
  std::vector<double> values(shape.cells());
  for (std::size_t c = 0; c < values.size(); ++c) {
    const auto theta = axis_positions(shape.axes.theta, 2, static_cast<long>(c) / shape.velocity_cells);
    values[c] = 2.0 + ((theta[0] + theta[1]) % 2 == 0 ? 1.0 : -1.0);
  }
  const auto field = field_of(space, values);
  backend_->sweeps().filter(space, *field);
  EXPECT_FIELDS_NEAR(values_of(*field), std::vector<double>(values.size(), 2.0), rounding(1e-13));
}

/// S = 1 − sin²⁰(ω/2), and the mirrored rows beyond the walls let nothing pass.
TEST_P(Blocks, TheFilterLeavesLongWavesAndTheSum) {
  const PhaseSpace space = space_of({24, 22}, {8, 8});
  const auto values = bump(space, 4.0);
  const auto field = field_of(space, values);
  backend_->sweeps().filter(space, *field);
  const auto filtered = values_of(*field);
  EXPECT_NEAR(sum(filtered, space, 0), sum(values, space, 0), rounding(1e-13) * sum(values, space, 0));
  const auto middle = static_cast<std::size_t>(((12 * 22 + 11) * 8 + 4) * 8 + 4);
  EXPECT_NEAR(filtered[middle], values[middle], rounding(1e-9));
}

TEST_P(Blocks, FieldsAreCombinedAndClipped) {
  const PhaseSpace space = space_of({8, 8}, {8, 9}, 2);
  const auto a = bump(space, 1.0);
  const auto b = bump(space, 2.0);
  const auto first = field_of(space, a);
  const auto second = field_of(space, b);
  const std::array<const Field*, 2> both{first.get(), second.get()};
  const std::array<double, 4> weights{2.0, -1.0, 0.5, -1.0};  // of problem 1, then 2
  backend_->sweeps().combine(both, weights, *first);
  std::vector<double> expected(a.size());
  for (std::size_t c = 0; c < a.size(); ++c) expected[c] = (c < a.size() / 2 ? 2.0 : 0.5) * a[c] - b[c];
  EXPECT_FIELDS_NEAR(values_of(*first), expected, rounding(1e-15));
  backend_->sweeps().clip(*first);
  const auto clipped = values_of(*first);
  EXPECT_GE(*std::min_element(clipped.begin(), clipped.end()), 0.0);
  const auto left = backend_->fields().departed(*first);
  for (int p = 0; p < 2; ++p) {
    EXPECT_NEAR(sum(clipped, space, p) - left[static_cast<std::size_t>(p)].created, sum(expected, space, p),
                rounding(1e-12) * sum(b, space, p));
  }
}

/// Sums and projections of values that are whole numbers, next to plain loops.
TEST_P(Blocks, SumsAndProjections) {
  const PhaseSpace space = space_of({8, 9}, {10, 11}, 2);
  const FieldShape shape = space.shape();
  std::vector<double> values(shape.cells());
  for (std::size_t c = 0; c < values.size(); ++c) values[c] = static_cast<double>((c * 7919) % 13) - 1.0;
  const auto field = field_of(space, values);
  const auto columns = static_cast<std::size_t>(shape.columns());
  const auto lines = static_cast<std::size_t>(shape.lines());
  std::vector<double> one(columns, 1.0);
  std::vector<double> number(columns);
  std::iota(number.begin(), number.end(), 1.0);
  std::vector<double> line_number(lines);
  std::iota(line_number.begin(), line_number.end(), 1.0);
  const BlockSumLaw law{{one, number}, {line_number}, {{RowTerm(0)}, {RowTerm(1, 0)}, {RowTerm(0, 0), RowTerm(1)}}};
  const auto plan = backend_->phase_sums().plan_block_sums(space, law);
  const RowSums sums = backend_->phase_sums().sum_blocks(*field, *plan);
  // Row 0 is half of the first cell and the last one; row 1 is empty; row 2 the third cell, twice.
  const auto projection =
      backend_->phase_sums().plan_projection(space, {{0, 2, 2, 4}, {0, 109, 2, 2}, {0.5, 1.0, 1.0, -3.0}});
  const auto projected = backend_->phase_sums().project_blocks(*field, *projection);
  const auto weighted =
      backend_->phase_sums().weighted_columns(*field, std::vector<std::vector<double>>(5, line_number));
  std::vector<double> expected_projections;
  std::vector<double> expected_columns(columns, 0.0);
  std::array<std::array<double, 3>, 2> expected{};
  for (std::size_t c = 0; c < values.size(); ++c) {
    const std::size_t line = c / 110;
    const std::size_t j = c % 110;
    const std::size_t p = line / 72;
    const std::size_t column = 110 * p + j;
    expected[p][0] += values[c];
    expected[p][1] += line_number[line] * number[column] * values[c];
    expected[p][2] += line_number[line] * values[c] + number[column] * values[c];
    expected_columns[column] += line_number[line] * values[c];
  }
  for (std::size_t line = 0; line < lines; ++line) {
    const double* const p = values.data() + 110 * line;
    expected_projections.insert(expected_projections.end(), {0.5 * p[0] + p[109], 0.0, -2.0 * p[2]});
  }
  for (std::size_t p = 0; p < 2; ++p) {
    for (std::size_t s = 0; s < 3; ++s)
      EXPECT_NEAR(sums.sums[3 * p + s], expected[p][s], 1e-12 * std::abs(expected[p][s]));
    EXPECT_EQ(sums.smallest[p].value, -1.0);
    const auto first =
        static_cast<std::size_t>(sums.smallest[p].row) * 110 + static_cast<std::size_t>(sums.smallest[p].column);
    EXPECT_EQ(values[7920 * p + first], -1.0);
    EXPECT_EQ(std::count(values.begin() + static_cast<long>(7920 * p),
                         values.begin() + static_cast<long>(7920 * p + first), -1.0),
              0);
  }
  EXPECT_FIELDS_NEAR(projected, expected_projections, 1e-13);
  for (std::size_t w = 0; w < 5; ++w)
    EXPECT_FIELDS_NEAR(std::span(weighted).subspan(w * columns, columns), expected_columns, 1e-9);
  const auto profile = backend_->phase_sums().block_profile(*field, *plan);
  ASSERT_EQ(profile.size(), 3 * lines);
  double entropy = 0.0;  // of the first line
  for (std::size_t j = 0; j < 110; ++j) entropy -= values[j] > 0.0 ? values[j] * std::log(values[j]) : 0.0;
  EXPECT_NEAR(profile[2], entropy, 1e-12 * std::abs(entropy));
}

INSTANTIATE_TEST_SUITE_P(Devices, Blocks,
                         ::testing::Values("host", "emulated", "cuda", "host_float32", "emulated_float32",
                                           "cuda_float32"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace underdamp
