#include <algorithm>
#include <cmath>

#include "kernels/bodies/particles.hpp"
#include "meshes/error.hpp"
#include "test_support.hpp"

namespace underdamp {
namespace {

// --- random numbers ------------------------------------------------------------------------------

TEST(Random, PhiloxReferenceVectors) {
  // Known answers of Random123 for philox4x32 with ten rounds (its file kat_vectors).
  const auto expect = [](std::uint64_t seed, std::uint32_t stream, std::uint64_t particle, std::uint32_t step,
                         std::uint64_t first, std::uint64_t second) {
    const RandomWords words = random_words(seed, stream, particle, step);
    EXPECT_EQ(words.first, first);
    EXPECT_EQ(words.second, second);
  };
  expect(0, 0, 0, 0, 0xe169c58d6627e8d5, 0x9b00dbd8bc57ac4c);
  expect(~0ULL, ~0U, ~0ULL, ~0U, 0x41c83b0e408f276d, 0x6d5451fda20bc7c6);
  expect(0x299f31d0a4093822, 0x03707344, 0x85a308d3243f6a88, 0x13198a2e, 0x94fdccebd16cfe09, 0x24126ea15001e420);
}

TEST(Random, EveryPartOfTheAddressCounts) {
  const RandomWords words = random_words(1, random_stream(RandomPurpose::dynamics, 2), 3, 4);
  for (const RandomWords& other : {random_words(2, random_stream(RandomPurpose::dynamics, 2), 3, 4),
                                   random_words(1, random_stream(RandomPurpose::start, 2), 3, 4),
                                   random_words(1, random_stream(RandomPurpose::dynamics, 3), 3, 4),
                                   random_words(1, random_stream(RandomPurpose::dynamics, 2), 4, 4),
                                   random_words(1, random_stream(RandomPurpose::dynamics, 2), 3 + (1ULL << 32), 4),
                                   random_words(1, random_stream(RandomPurpose::dynamics, 2), 3, 5),
                                   random_words(1 + (1ULL << 32), random_stream(RandomPurpose::dynamics, 2), 3, 4)}) {
    EXPECT_NE(other.first, words.first);
    EXPECT_NE(other.second, words.second);
  }
}

TEST(Random, UniformsFillTheUnitInterval) {
  EXPECT_EQ(uniform(0), 0.0);
  EXPECT_EQ(uniform(1ULL << 63), 0.5);
  EXPECT_EQ(uniform(~0ULL), 1.0 - std::ldexp(1.0, -52));
}

TEST(Random, LogarithmAndTurnAreExactToRounding) {
  for (int k = 0; k < 100'000; ++k) {
    const double u = uniform(random_words(7, 0, static_cast<std::uint64_t>(k), 0).first);
    const double x = k % 2 == 0 ? 1.0 - u : std::ldexp(1.0 - u, -k % 50);
    ASSERT_NEAR(logarithm(x), std::log(x), 2.3e-16 * std::max(0.5, std::abs(std::log(x)))) << x;
    const SineCosine direction = turn(u);
    ASSERT_NEAR(direction.sine, std::sin(2.0 * 3.14159265358979323846 * u), 1e-15) << u;
    ASSERT_NEAR(direction.cosine, std::cos(2.0 * 3.14159265358979323846 * u), 1e-15) << u;
  }
  EXPECT_EQ(logarithm(1.0), 0.0);
  EXPECT_NEAR(logarithm(std::ldexp(1.0, -52)), -52.0 * std::log(2.0), 1e-14);
}

TEST(Random, GaussianPairByHand) {
  // u₁ = ½: radius √(2 ln 2); u₂ = 0, ¼, ½, ¾, ⅛ of a turn.
  const double radius = std::sqrt(2.0 * std::log(2.0));
  const auto expect = [&](double turns, double a, double b) {
    const GaussianPair xi = gaussian_pair({1ULL << 63, static_cast<std::uint64_t>(std::ldexp(turns, 64))});
    EXPECT_NEAR(xi.a, radius * a, 1e-15) << turns;
    EXPECT_NEAR(xi.b, radius * b, 1e-15) << turns;
  };
  expect(0.0, 1.0, 0.0);
  expect(0.25, 0.0, 1.0);
  expect(0.5, -1.0, 0.0);
  expect(0.75, 0.0, -1.0);
  expect(0.125, std::sqrt(0.5), std::sqrt(0.5));
  EXPECT_EQ(gaussian_pair({0, 0}).a, 0.0);
  EXPECT_NEAR(gaussian_pair({~0ULL, 0}).a, 8.4904, 1e-4);  // the largest there is
}

TEST(Random, GaussianPairsHaveTheMomentsOfTheNormalLaw) {
  // Each deviation is judged at 5.3 standard errors: false alarm 1e-7, of all eight 1e-6.
  constexpr int n = 500'000;
  double a = 0, aa = 0, aaa = 0, aaaa = 0, bb = 0, bbbb = 0, ab = 0, aabb = 0;
  for (int k = 0; k < n; ++k) {
    const GaussianPair xi = gaussian_pair(random_words(2, 0, static_cast<std::uint64_t>(k), 11));
    a += xi.a;
    aa += xi.a * xi.a;
    aaa += xi.a * xi.a * xi.a;
    aaaa += std::pow(xi.a, 4);
    bb += xi.b * xi.b;
    bbbb += std::pow(xi.b, 4);
    ab += xi.a * xi.b;
    aabb += xi.a * xi.a * xi.b * xi.b;
  }
  const auto expect = [](double sum, double mean, double variance) {
    EXPECT_LE(std::abs(sum / n - mean), 5.3 * std::sqrt(variance / n));
  };
  expect(a, 0.0, 1.0);
  expect(aa, 1.0, 2.0);
  expect(aaa, 0.0, 15.0);
  expect(aaaa, 3.0, 96.0);
  expect(bb, 1.0, 2.0);
  expect(bbbb, 3.0, 96.0);
  expect(ab, 0.0, 1.0);
  expect(aabb, 1.0, 8.0);
}

// --- tables --------------------------------------------------------------------------------------

std::vector<double> sampled(double lower, double upper, int intervals, double (*f)(double)) {
  std::vector<double> values;
  for (int i = 0; i <= intervals; ++i) values.push_back(f(lower + (upper - lower) * i / intervals));
  return values;
}

ParticleTableView view(const ParticleTable& table) {
  return {table.coefficients.data(), table.lower, 1.0 / table.width, table.intervals + 0.5};
}

double cubic(double x) {
  return 1.0 - 2.0 * x + 0.5 * x * x - x * x * x;
}
double parabola(double x) {
  return 2.0 + x * x;
}

TEST(ParticleTables, CubicsAreExactAndContinuedAsLines) {
  const auto table = make_particle_table(-1.0, 2.0, sampled(-1.0, 2.0, 6, cubic), sampled(-1.0, 2.0, 6, parabola));
  const auto at = view(table);
  for (const double x : {-1.0, -0.99, 0.1, 0.5, 1.3, 2.0}) {
    EXPECT_NEAR(at(x).force, cubic(x), 1e-14) << x;
    EXPECT_NEAR(at(x).deviation, std::sqrt(parabola(x)), 1e-14) << x;
  }
  // F(−1) = 4.5, F'(−1) = −6; F(2) = −9, F'(2) = −12. D stays 3 and 6.
  EXPECT_NEAR(at(-3.0).force, 4.5 + 12.0, 1e-13);
  EXPECT_NEAR(at(5.0).force, -9.0 - 36.0, 1e-13);
  EXPECT_NEAR(at(-1e6).deviation, std::sqrt(3.0), 1e-14);
  EXPECT_NEAR(at(1e6).deviation, std::sqrt(6.0), 1e-14);
  EXPECT_TRUE(std::isnan(at(std::nan("")).force));
}

TEST(ParticleTables, FourthOrderBetweenThePoints) {
  // |f − Hermite| ≤ h⁴ max|f''''|/384 for f = sin 3x; in the last intervals, with their one-sided slopes, up to twice
  // that.
  const auto wave = [](double x) { return std::sin(3.0 * x); };
  const auto worst = [&](int intervals) {
    const auto table =
        make_particle_table(-2.0, 2.0, sampled(-2.0, 2.0, intervals, wave), sampled(-2.0, 2.0, intervals, parabola));
    double error = 0.0;
    for (double x = -2.0; x < 2.0; x += 0.00137) error = std::max(error, std::abs(view(table)(x).force - wave(x)));
    return error;
  };
  EXPECT_LE(worst(128), 2.0 * std::pow(4.0 / 128, 4) * 81.0 / 384.0);
  EXPECT_GE(worst(64) / worst(128), 14.0);
  EXPECT_LE(worst(1024), 1e-10);
}

TEST(ParticleTables, NegativeNoiseCountsAsNone) {
  const std::vector<double> zero(9, 0.0);
  const std::vector<double> negative(9, -1e-20);
  EXPECT_EQ(view(make_particle_table(0.0, 1.0, zero, negative))(0.3).deviation, 0.0);
  EXPECT_THROW(static_cast<void>(make_particle_table(0.0, 1.0, std::vector<double>(4), std::vector<double>(4))), Error);
}

TEST(ParticleLaws, CoefficientsByHand) {
  // γτ = 2 ln 2: a half step contracts by ½; kick (1 − ½)/γ, noise √((1 − ¼)/γ).
  const double friction = 2.0;
  const ParticleLaw splitting = splitting_law(friction, std::log(2.0));
  EXPECT_NEAR(splitting.opening.contraction, 0.5, 1e-15);
  EXPECT_NEAR(splitting.opening.force, 0.25, 1e-15);
  EXPECT_NEAR(splitting.opening.noise, std::sqrt(0.375), 1e-15);
  EXPECT_EQ(splitting.closing.noise, splitting.opening.noise);
  EXPECT_EQ(splitting.drift_after, std::log(2.0));
  EXPECT_EQ(splitting.drift_before, 0.0);
  const ParticleLaw euler = euler_law(friction, 0.02);
  EXPECT_NEAR(euler.opening.contraction, 0.96, 1e-15);
  EXPECT_NEAR(euler.opening.noise, 0.2, 1e-15);
  EXPECT_EQ(euler.closing.contraction, 1.0);
  EXPECT_EQ(euler.drift_before, 0.02);
}

// --- one body over all devices -------------------------------------------------------------------

class Particles : public testing::DeviceTest {
 protected:
  /// θ of all particles, then v.
  std::vector<double> state(const Ensemble& ensemble) {
    std::vector<double> values(2 * ensemble.range().count);
    const std::span<double> all(values);
    backend_->particles().download_particles(ensemble, all.first(values.size() / 2), all.last(values.size() / 2));
    return values;
  }

  std::unique_ptr<Ensemble> started(const ParticleRange& range, const GaussianStart& start) {
    auto ensemble = backend_->particles().allocate_ensemble(range.count);
    backend_->particles().sample_gaussian(*ensemble, range, start);
    return ensemble;
  }
};

constexpr GaussianStart wide_start{{0.4, -0.2}, {0.3, 0.1, 0.5}};
constexpr double friction = 0.7;

double spring(double x) {
  return -3.0 * x + 0.5 * x * x;
}
ParticleTable spring_table() {
  return make_particle_table(-2.0, 2.0, sampled(-2.0, 2.0, 32, spring), sampled(-2.0, 2.0, 32, parabola));
}
constexpr Axis spring_axis{-2.0, 2.0, 16};

/// Words of the dynamics of one particle, straight from their definition.
GaussianPair noise_of(std::uint64_t particle, std::uint32_t point) {
  return gaussian_pair(random_words(5, 3, particle, point));
}
GaussianPair start_of(std::uint64_t particle) {
  return gaussian_pair(random_words(5, (1U << 24) + 3, particle, 0));
}

TEST_P(Particles, SplittingEqualsItsDefinition) {
  // V(τ/2) X(τ) V(τ/2) written out, eq. 53.
  constexpr double tau = 0.05;
  const ParticleRange range{5, 3, 1024, 700};
  auto ensemble = started(range, wide_start);
  const auto plan = backend_->particles().plan_particles(splitting_law(friction, tau), spring_table(), spring_axis,
                                                         ThetaBoundary::open);
  backend_->particles().advance_particles(*ensemble, *plan, 6, 3);
  const auto result = state(*ensemble);
  const double e = std::exp(-0.5 * friction * tau);
  for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{511}, std::size_t{512}, std::size_t{699}}) {
    const std::uint64_t number = 1024 + k;
    const GaussianPair xi = start_of(number);
    double x = 0.4 + 0.3 * xi.a;
    double v = -0.2 + 0.1 * xi.a + 0.5 * xi.b;
    const auto half_kick = [&](double noise) {
      v = e * v + spring(x) * (1.0 - e) / friction + std::sqrt(parabola(x) / friction * (1.0 - e * e)) * noise;
    };
    for (std::uint32_t step = 6; step < 9; ++step) {
      half_kick(noise_of(number, step).b);
      x += tau * v;
      half_kick(noise_of(number, step + 1).a);
    }
    EXPECT_NEAR(result[k], x, 1e-13);
    EXPECT_NEAR(result[700 + k], v, 1e-13);
  }
}

TEST_P(Particles, EulerAndHeavyBallEqualTheirDefinition) {
  constexpr double tau = 0.1;
  for (const bool euler : {true, false}) {
    const ParticleRange range{5, 3, 0, 40};
    auto ensemble = started(range, wide_start);
    const auto law = euler ? euler_law(friction, tau) : sgd_law(0.9, tau);
    const auto plan = backend_->particles().plan_particles(law, spring_table(), spring_axis, ThetaBoundary::open);
    backend_->particles().advance_particles(*ensemble, *plan, 0, 4);
    const auto result = state(*ensemble);
    for (std::size_t k = 0; k < 40; ++k) {
      const GaussianPair xi = start_of(k);
      double x = 0.4 + 0.3 * xi.a;
      double v = -0.2 + 0.1 * xi.a + 0.5 * xi.b;
      for (std::uint32_t step = 0; step < 4; ++step) {
        const double noise = noise_of(k, step).b;
        const double old = v;
        if (euler) {
          v += tau * (spring(x) - friction * v) + std::sqrt(2.0 * parabola(x) * tau) * noise;
          x += tau * old;
        } else {
          v = 0.9 * v + spring(x) + std::sqrt(parabola(x)) * noise;
          x += tau * v;
        }
      }
      EXPECT_NEAR(result[k], x, 1e-12) << euler;
      EXPECT_NEAR(result[40 + k], v, 1e-12) << euler;
    }
  }
}

TEST_P(Particles, TheSameBitsHoweverTheEnsembleIsCut) {
  // 1300 particles at once, and in ranges that begin anywhere; 9 steps at once, and in calls of 1, 5 and 3.
  const auto table = spring_table();
  for (const ParticleLaw& law : {splitting_law(friction, 0.05), euler_law(friction, 0.05), sgd_law(0.9, 0.05)}) {
    const auto plan = backend_->particles().plan_particles(law, table, spring_axis, ThetaBoundary::reflecting);
    auto whole = started({5, 3, 0, 1300}, wide_start);
    backend_->particles().advance_particles(*whole, *plan, 0, 9);
    const auto expected = state(*whole);
    std::vector<double> joined(expected.size());
    std::uint64_t first = 0;
    for (const std::size_t count : {std::size_t{1}, std::size_t{512}, std::size_t{700}, std::size_t{87}}) {
      auto part = started({5, 3, first, count}, wide_start);
      backend_->particles().advance_particles(*part, *plan, 0, 1);
      backend_->particles().advance_particles(*part, *plan, 1, 5);
      backend_->particles().advance_particles(*part, *plan, 6, 3);
      const auto values = state(*part);
      std::copy_n(values.begin(), count, joined.begin() + static_cast<std::ptrdiff_t>(first));
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(count), count,
                  joined.begin() + 1300 + static_cast<std::ptrdiff_t>(first));
      first += count;
    }
    EXPECT_EQ(first, 1300U);
    EXPECT_FIELDS_NEAR(joined, expected, 0.0);
  }
}

TEST_P(Particles, SumsAddUpHoweverTheEnsembleIsCut) {
  auto whole = started({5, 3, 0, 1300}, wide_start);
  auto head = started({5, 3, 0, 1024}, wide_start);
  auto tail = started({5, 3, 1024, 276}, wide_start);
  const auto expected = backend_->particles().sum_particles(*whole, 0.1, 0.2);
  auto joined = backend_->particles().sum_particles(*head, 0.1, 0.2);
  const auto rest = backend_->particles().sum_particles(*tail, 0.1, 0.2);
  joined.insert(joined.end(), rest.begin(), rest.end());
  ASSERT_EQ(expected.size(), 3U);
  ASSERT_EQ(joined.size(), 3U);
  EXPECT_EQ(std::memcmp(joined.data(), expected.data(), 3 * sizeof(ParticleSums)), 0);
}

TEST_P(Particles, AllDevicesAgree) {
  // Without contraction bit for bit; with it to a few units in the last place.
  const auto host = testing::make_device("host");
  const auto run = [&](Backend& backend) {
    auto ensemble = backend.particles().allocate_ensemble(700);
    backend.particles().sample_gaussian(*ensemble, {5, 3, 0, 700}, wide_start);
    const auto plan = backend.particles().plan_particles(splitting_law(friction, 0.05), spring_table(), spring_axis,
                                                         ThetaBoundary::periodic);
    backend.particles().advance_particles(*ensemble, *plan, 0, 20);
    std::vector<double> values(1400);
    const std::span<double> all(values);
    backend.particles().download_particles(*ensemble, all.first(700), all.last(700));
    return values;
  };
#ifdef UNDERDAMP_STRICT_FP
  EXPECT_FIELDS_NEAR(run(*backend_), run(*host), 0.0);
#else
  EXPECT_FIELDS_NEAR(run(*backend_), run(*host), 1e-13);
#endif
}

/// A particle without noise or force that starts at (0.9, v).
std::vector<double> thrown(Backend& backend, double v, double duration, ThetaBoundary boundary) {
  const std::vector<double> nothing(9, 0.0);
  auto ensemble = backend.particles().allocate_ensemble(1);
  backend.particles().sample_gaussian(*ensemble, {1, 0, 0, 1}, {{0.9, v}, {0.0, 0.0, 0.0}});
  const auto plan = backend.particles().plan_particles(
      sgd_law(1.0, duration), make_particle_table(-1.0, 1.0, nothing, nothing), Axis{-1.0, 1.0, 16}, boundary);
  backend.particles().advance_particles(*ensemble, *plan, 0, 1);
  std::vector<double> values(2);
  backend.particles().download_particles(*ensemble, std::span(values).first(1), std::span(values).last(1));
  return values;
}

TEST_P(Particles, WallsByHand) {
  // From 0.9 by 0.3: open 1.2; reflecting 0.8 with −v; periodic −0.8. By −2.2 from 0.9: −1.3 mirrored at −1 is −0.7.
  // By 3.4 to 4.3: mirrored at 1 and at −1, 4.3 − 4 = 0.3 with +v.
  const auto expect = [&](double v, double duration, ThetaBoundary boundary, double x, double after) {
    const auto values = thrown(*backend_, v, duration, boundary);
    EXPECT_NEAR(values[0], x, 1e-14);
    EXPECT_EQ(values[1], after);
  };
  expect(1.0, 0.3, ThetaBoundary::open, 1.2, 1.0);
  expect(1.0, 0.3, ThetaBoundary::reflecting, 0.8, -1.0);
  expect(1.0, 0.3, ThetaBoundary::periodic, -0.8, 1.0);
  expect(-1.0, 2.2, ThetaBoundary::reflecting, -0.7, 1.0);
  expect(-1.0, 2.2, ThetaBoundary::periodic, 0.7, -1.0);
  expect(1.0, 3.4, ThetaBoundary::reflecting, 0.3, 1.0);
}

TEST_P(Particles, CountsByHand) {
  // Without spread all particles lie at the mean; cells are closed below and open above.
  const PhasePlane plane{{-1.0, 1.0, 16}, {-2.0, 2.0, 32}};
  const auto counted = [&](double theta, double v) {
    auto ensemble = started({1, 0, 0, 600}, {{theta, v}, {0.0, 0.0, 0.0}});
    std::vector<std::uint64_t> counts(16 * 32 + 1, 1);
    backend_->particles().count_particles(*ensemble, plane, counts);
    std::vector<std::size_t> where;
    for (std::size_t c = 0; c < counts.size(); ++c) {
      if (counts[c] != 1U) where.push_back(c);
    }
    return where.size() == 1 && counts[where[0]] == 601 ? static_cast<long>(where[0]) : -1L;
  };
  EXPECT_EQ(counted(-1.0, -2.0), 0);
  EXPECT_EQ(counted(0.0, 0.0), 8 * 32 + 16);
  EXPECT_EQ(counted(0.99, 1.99), 16 * 32 - 1);
  for (const double outside : {-1.0001, 1.0, std::nan(""), HUGE_VAL}) EXPECT_EQ(counted(outside, 0.0), 16 * 32);
  EXPECT_EQ(counted(0.0, 2.0), 16 * 32);
}

TEST_P(Particles, SumsByHand) {
  // Five particles at (1.5, −1) about (1, 1): x = ½, y = −2. The padding of the block does not count.
  auto ensemble = started({1, 0, 0, 5}, {{1.5, -1.0}, {0.0, 0.0, 0.0}});
  const auto sums = backend_->particles().sum_particles(*ensemble, 1.0, 1.0);
  ASSERT_EQ(sums.size(), 1U);
  const ParticleSums& s = sums[0];
  EXPECT_EQ(s.x, 2.5);
  EXPECT_EQ(s.y, -10.0);
  EXPECT_EQ(s.xx, 1.25);
  EXPECT_EQ(s.xy, -5.0);
  EXPECT_EQ(s.yy, 20.0);
  EXPECT_EQ(s.xxx, 0.625);
  EXPECT_EQ(s.xxy, -2.5);
  EXPECT_EQ(s.xyy, 10.0);
  EXPECT_EQ(s.yyy, -40.0);
  EXPECT_EQ(s.xxxx, 0.3125);
  EXPECT_EQ(s.xxyy, 5.0);
  EXPECT_EQ(s.yyyy, 80.0);
}

TEST_P(Particles, GridStartFollowsCellsAndSlopes) {
  // Mass 0, ¼, 0, ¾ in four cells of a row; in the second cell the density rises from 0 (slope 2), in the fourth it is
  // flat.
  const PhasePlane plane{{-1.0, 1.0, 1}, {0.0, 4.0, 4}};
  const GridStart start{{0.0, 0.25, 0.25, 1.0}, {0.0, 2.0, 0.0, 0.0}, {0.0, -2.0, 0.0, 0.0}};
  constexpr std::size_t n = 20'000;
  auto ensemble = backend_->particles().allocate_ensemble(n);
  backend_->particles().sample_grid(*ensemble, {9, 0, 0, n}, plane, start);
  const auto values = state(*ensemble);
  double second = 0.0, theta = 0.0, v = 0.0;
  for (std::size_t k = 0; k < n; ++k) {
    const double y = values[n + k];
    ASSERT_TRUE((y >= 1.0 && y <= 2.0) || (y >= 3.0 && y < 4.0)) << y;
    ASSERT_TRUE(std::abs(values[k]) <= 1.0);
    if (y >= 3.0) continue;
    second += 1.0;
    theta += values[k];
    v += y - 1.0;
  }
  // Deviations of 5.3 standard errors: false alarm 1e-7 each. A rising triangle on [0, 1] has mean ⅔, variance 1/18.
  EXPECT_LE(std::abs(second - 0.25 * n), 5.3 * std::sqrt(0.1875 * n));
  EXPECT_LE(std::abs(theta / second - 1.0 / 3.0), 5.3 * std::sqrt(4.0 / 18.0 / second));
  EXPECT_LE(std::abs(v / second - 1.0 / 3.0), 5.3 * std::sqrt(1.0 / 18.0 / second));
}

TEST(ParticleStart, WithinACellByHand) {
  EXPECT_EQ(SampleGrid::within_cell(0.0, 0.25), -0.25);
  EXPECT_NEAR(SampleGrid::within_cell(2.0, 0.25), 0.0, 1e-15);   // (x + ½)² = ¼
  EXPECT_NEAR(SampleGrid::within_cell(-2.0, 0.75), 0.0, 1e-15);  // 1 − (½ − x)² = ¾
  EXPECT_EQ(SampleGrid::within_cell(2.0, 0.0), -0.5);
  EXPECT_NEAR(SampleGrid::within_cell(-2.0, 1.0), 0.5, 1e-15);
}

TEST(ParticleStart, CellByHand) {
  // Mass 0, ¼, 0, ¾: cells without mass are never drawn, u = ¼ already belongs to the last one.
  const std::vector<double> cumulative{0.0, 0.25, 0.25, 1.0};
  const SampleGrid sample{{}, {{0.0, 1.0, 2}, {0.0, 1.0, 2}}, cumulative.data(), nullptr, nullptr};
  EXPECT_EQ(sample.cell_of(0.0), 1);
  EXPECT_EQ(sample.cell_of(std::nextafter(0.25, 0.0)), 1);
  EXPECT_EQ(sample.cell_of(0.25), 3);
  EXPECT_EQ(sample.cell_of(std::nextafter(1.0, 0.0)), 3);
}

TEST_P(Particles, CapacityIsRespected) {
  auto ensemble = backend_->particles().allocate_ensemble(512);
  EXPECT_THROW(backend_->particles().sample_gaussian(*ensemble, {1, 0, 0, 513}, wide_start), Error);
  EXPECT_THROW(backend_->particles().sample_gaussian(*ensemble, {1, 0, 0, 0}, wide_start), Error);
}

INSTANTIATE_TEST_SUITE_P(Devices, Particles, ::testing::Values("host", "emulated", "cuda"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace underdamp
