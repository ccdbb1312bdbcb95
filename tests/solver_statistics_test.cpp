#include "solver/particles/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "meshes/error.hpp"
#include "test_support.hpp"

namespace underdamp {
namespace {

// Scalar functions against tabulated values.

TEST(Statistics, TailsAgainstKnownValues) {
  EXPECT_NEAR(kolmogorov_tail(0.5), 0.9639452436648751, 1e-14);
  EXPECT_NEAR(kolmogorov_tail(1.0), 0.26999967167735456, 1e-14);
  EXPECT_NEAR(kolmogorov_tail(2.0), 0.0006709252557796953, 1e-16);
  EXPECT_NEAR(kolmogorov_tail(std::nextafter(1.0, 0.0)), kolmogorov_tail(1.0), 1e-13);  // two series, one function
  EXPECT_EQ(kolmogorov_tail(0.0), 1.0);
  EXPECT_TRUE(std::isnan(kolmogorov_tail(std::nan(""))));
  EXPECT_NEAR(normal_p_value(-1.959963984540054), 0.05, 1e-15);
  EXPECT_NEAR(normal_p_value(4.891638475699412), 1e-6, 1e-17);
}

TEST(Statistics, GTestByHand) {
  // G = 2 (30 ln 0.6 + 70 ln 1.4) = 16.4565; Williams 1 + (2 + 2 − 1)/600 = 1.005; χ² with one degree: p = erfc √(G/2).
  const std::vector<double> observed{30.0, 70.0};
  const std::vector<double> half{0.5, 0.5};
  const GTest g = g_test(observed, half);
  const double statistic = 2.0 * (30.0 * std::log(0.6) + 70.0 * std::log(1.4)) / 1.005;
  EXPECT_NEAR(g.statistic, statistic, 1e-12);
  EXPECT_EQ(g.degrees, 1);
  EXPECT_NEAR(g.p_value, std::erfc(std::sqrt(0.5 * statistic)), 1e-16);
  EXPECT_EQ(g_test(std::vector<double>{50.0, 50.0}, half).p_value, 1.0);
  EXPECT_TRUE(std::isnan(g_test(std::vector<double>{std::nan(""), 1.0}, half).p_value));
  EXPECT_FALSE(g_test(observed, std::vector<double>{1.0, 0.0}).p_value >= 0.0);  // what cannot happen has happened
  EXPECT_TRUE(std::isnan(g_test(std::vector<double>{1.0}, std::vector<double>{1.0}).p_value));
}

TEST(Statistics, L1ByHand) {
  const L1Distance l1 = l1_distance(std::vector<double>{30.0, 70.0}, std::vector<double>{0.5, 0.5});
  EXPECT_NEAR(l1.value, 0.4, 1e-15);
  EXPECT_NEAR(l1.expected, 2.0 * std::sqrt(0.5 / (3.14159265358979 * 100.0)), 1e-15);
  EXPECT_NEAR(l1.deviation, std::sqrt(0.005 * (1.0 - 2.0 / 3.14159265358979)), 1e-15);
}

TEST(Statistics, KolmogorovSmirnovByHand) {
  // Distribution functions 0.1, 0.5, 1 and 0.25, 0.5, 1 at the edges: distance 0.15.
  const KolmogorovSmirnov ks = kolmogorov_smirnov(std::vector<double>{10, 40, 50}, std::vector<double>{0.5, 0.5, 1.0});
  EXPECT_NEAR(ks.distance, 0.15, 1e-15);
  EXPECT_NEAR(ks.p_value, kolmogorov_tail((10.0 + 0.12 + 0.011) * 0.15), 1e-15);
  EXPECT_FALSE(kolmogorov_smirnov(std::vector<double>{10, std::nan("")}, std::vector<double>{0.5, 0.5}).p_value >= 0.0);
}

TEST(Statistics, ParticlesOutsideByHand) {
  EXPECT_EQ(outside_p_value(0.0, 0.01), 1.0);
  EXPECT_NEAR(outside_p_value(1.0, 0.01), 1.0 - std::exp(-0.01), 1e-16);
  EXPECT_NEAR(outside_p_value(3.0, 2.0), 1.0 - 5.0 * std::exp(-2.0), 1e-15);  // 1 − e⁻² (1 + 2 + 2)
}

TEST(Statistics, MomentsByHand) {
  // (θ, v) = (1, 2), (3, 2), (5, 6), (7, −2) about the centre (1, 1), in two blocks.
  const double theta[4] = {1, 3, 5, 7};
  const double v[4] = {2, 2, 6, -2};
  std::vector<ParticleSums> sums(2);
  for (int k = 0; k < 4; ++k) {
    ParticleSums& s = sums[static_cast<std::size_t>(k / 2)];
    const double x = theta[k] - 1.0;
    const double y = v[k] - 1.0;
    s.x += x, s.y += y, s.xx += x * x, s.xy += x * y, s.yy += y * y;
    s.xxx += x * x * x, s.xxy += x * x * y, s.xyy += x * y * y, s.yyy += y * y * y;
    s.xxxx += x * x * x * x, s.xxyy += x * x * y * y, s.yyyy += y * y * y * y;
  }
  const ParticleMoments m = particle_moments(sums, 1.0, 1.0, 4.0);
  // Deviations −3, −1, 1, 3 and 0, 0, 4, −4: sums of squares 20, 32, of products −8.
  EXPECT_NEAR(m.mean[0], 4.0, 1e-14);
  EXPECT_NEAR(m.mean[1], 2.0, 1e-14);
  EXPECT_NEAR(m.covariance[0], 20.0 / 3.0, 1e-13);
  EXPECT_NEAR(m.covariance[1], -8.0 / 3.0, 1e-13);
  EXPECT_NEAR(m.covariance[2], 32.0 / 3.0, 1e-13);
  EXPECT_NEAR(m.mean_error[0], std::sqrt(5.0 / 4.0), 1e-14);
  EXPECT_NEAR(m.mean_error[1], std::sqrt(8.0 / 4.0), 1e-14);
  // Fourth central moments 164/4, 512/4, and (16 + 144)/4.
  EXPECT_NEAR(m.covariance_error[0], std::sqrt((41.0 - 25.0) / 4.0), 1e-13);
  EXPECT_NEAR(m.covariance_error[1], std::sqrt((40.0 - 4.0) / 4.0), 1e-13);
  EXPECT_NEAR(m.covariance_error[2], std::sqrt((128.0 - 64.0) / 4.0), 1e-13);
}

// From a density to bins.

PhasePlane plane_of(int cells) {
  return {{-6.0, 6.0, cells}, {-6.0, 6.0, cells + 8}};
}
std::vector<double> gaussian(const PhasePlane& plane, double variance = 1.0) {
  std::vector<double> density;
  for (int i = 0; i < plane.theta.cells; ++i) {
    for (int j = 0; j < plane.velocity.cells; ++j)
      density.push_back(gaussian_density({0.0, 0.0}, {{{variance, 0.0}, {0.0, 1.0}}}, plane.theta.center(i),
                                         plane.velocity.center(j)));
  }
  return density;
}
double between(const Axis& axis, int c) {
  return 0.5 * (std::erf(axis.edge(c + 1) / std::sqrt(2.0)) - std::erf(axis.edge(c) / std::sqrt(2.0)));
}

TEST(Statistics, CellProbabilitiesAreSixthOrder) {
  const auto worst = [](int cells, bool corrected) {
    const PhasePlane plane = plane_of(cells);
    const auto density = gaussian(plane);
    const auto probability = cell_probabilities(plane, ThetaBoundary::open, density);
    double error = 0.0;
    for (int i = 0; i < plane.theta.cells; ++i) {
      for (int j = 0; j < plane.velocity.cells; ++j) {
        const auto c = static_cast<std::size_t>(i * plane.velocity.cells + j);
        const double p = corrected ? probability[c] : density[c] * plane.cell_area();
        error = std::max(error, std::abs(p - between(plane.theta, i) * between(plane.velocity, j)) / plane.cell_area());
      }
    }
    return error;
  };
  EXPECT_LE(worst(96, true), 1e-7);
  EXPECT_GE(worst(96, false), 1e-4);
  EXPECT_GE(worst(48, true) / worst(96, true), 50.0);
}

TEST(Statistics, CellProbabilitiesKnowTheWalls) {
  // A density without structure along θ: with closed walls every row stays as it is, with open ones the outer rows do
  // not.
  const PhasePlane plane{{0.0, 1.0, 16}, {-4.0, 4.0, 32}};
  std::vector<double> density;
  for (int c = 0; c < 16 * 32; ++c) density.push_back(std::exp(-0.5 * std::pow(plane.velocity.center(c % 32), 2)));
  const auto rows_differ = [&](ThetaBoundary boundary) {
    const auto p = cell_probabilities(plane, boundary, density);
    double difference = 0.0;
    for (std::size_t j = 0; j < 32; ++j) difference = std::max(difference, std::abs(p[j] - p[8 * 32 + j]));
    return difference;
  };
  EXPECT_LT(rows_differ(ThetaBoundary::periodic), 1e-16);
  EXPECT_LT(rows_differ(ThetaBoundary::reflecting), 1e-16);
  EXPECT_GT(rows_differ(ThetaBoundary::open), 1e-5);
}

TEST(Statistics, BinsAreAPartitionOfAboutEqualParts) {
  const PhasePlane plane = plane_of(128);
  const auto probability = cell_probabilities(plane, ThetaBoundary::open, gaussian(plane));
  const Bins bins = make_bins(plane, probability, 1e6);
  std::vector<double> sum(bins.probability.size(), 0.0);
  for (std::size_t c = 0; c < probability.size(); ++c) sum[static_cast<std::size_t>(bins.of_cell[c])] += probability[c];
  EXPECT_GE(sum.size(), 250U);
  EXPECT_LE(sum.size(), 400U);
  for (std::size_t b = 0; b < sum.size(); ++b) {
    EXPECT_NEAR(sum[b], bins.probability[b], 1e-8);
    EXPECT_LE(bins.probability[b], 4.0 / 400.0);
    EXPECT_GE(bins.probability[b] * 1e6, 20.0);
  }
  // Fewer particles, fewer bins; what lies outside is one of them if it is expected to be.
  EXPECT_LE(make_bins(plane, probability, 2000.0).probability.size(), 100U);
  auto half = probability;
  for (double& p : half) p *= 0.5;
  const Bins lossy = make_bins(plane, half, 1e6);
  EXPECT_NEAR(lossy.probability[static_cast<std::size_t>(lossy.of_cell.back())], 0.5, 1e-8);
  EXPECT_EQ(make_bins(plane, probability, 10.0).probability.size(), 1U);
}

// How the tests behave under agreement and under small errors.

/// Counts of `n` draws from the cells.
ParticleSample drawn(const PhasePlane& plane, const std::vector<double>& probability, int n, std::mt19937_64& random) {
  ParticleSample sample;
  sample.counts.assign(probability.size() + 1, 0);
  std::discrete_distribution<std::size_t> cell(probability.begin(), probability.end());
  std::uniform_real_distribution<double> within(-0.5, 0.5);
  ParticleSums s{};
  for (int k = 0; k < n; ++k) {
    const std::size_t c = cell(random);
    ++sample.counts[c];
    const auto columns = static_cast<std::size_t>(plane.velocity.cells);
    const double x = plane.theta.center(static_cast<int>(c / columns)) + within(random) * plane.theta.width();
    const double y = plane.velocity.center(static_cast<int>(c % columns)) + within(random) * plane.velocity.width();
    s.x += x, s.y += y, s.xx += x * x, s.xy += x * y, s.yy += y * y;
    s.xxx += x * x * x, s.xxy += x * x * y, s.xyy += x * y * y, s.yyy += y * y * y;
    s.xxxx += x * x * x * x, s.xxyy += x * x * y * y, s.yyyy += y * y * y * y;
  }
  sample.moments = particle_moments(std::vector<ParticleSums>{s}, 0.0, 0.0, n);
  return sample;
}

TEST(Statistics, PValuesAreUniformUnderAgreement) {
  // Of 1000 samples the p-values of the G-test are uniform and those of Kolmogorov-Smirnov no smaller than that: judged
  // by Kolmogorov-Smirnov itself at 1e-6, and the combined p-value by its false alarms at 5 %: at most 50 + 5 √50.
  const PhasePlane plane = plane_of(64);
  const auto density = gaussian(plane);
  const auto probability = cell_probabilities(plane, ThetaBoundary::open, density);
  std::mt19937_64 random(1);
  std::vector<double> g(20, 0.0);
  std::vector<double> theta(20, 0.0);
  int alarms = 0;
  double l1 = 0.0;
  constexpr int samples = 1000;
  for (int s = 0; s < samples; ++s) {
    const SampleComparison c = compare(plane, ThetaBoundary::open, density, drawn(plane, probability, 4000, random));
    g[static_cast<std::size_t>(std::min(19.0, 20.0 * c.g.p_value))] += 1.0;
    theta[static_cast<std::size_t>(std::min(19.0, 20.0 * c.theta.p_value))] += 1.0;
    alarms += c.p_value < 0.05 ? 1 : 0;
    l1 += (c.l1.value - c.l1.expected) / c.l1.deviation / samples;
  }
  EXPECT_GE(kolmogorov_smirnov(g, std::vector<double>(20, 1.0)).p_value, default_false_alarm);
  double low = 0.0;
  for (std::size_t k = 0; k < 20; ++k) {
    low += theta[k];
    EXPECT_LE(low - 50.0 * static_cast<double>(k + 1), 5.3 * std::sqrt(samples) / 2.0);
  }
  EXPECT_LE(alarms, 85);
  EXPECT_LE(std::abs(l1), 5.3 / std::sqrt(samples));
}

TEST(Statistics, TheCombinedTestCanFail) {
  // A variance off by 2 % with 10⁶ particles, a lost particle in ten thousand, and not-a-number anywhere.
  const PhasePlane plane = plane_of(160);
  const auto density = gaussian(plane);
  std::mt19937_64 random(2);
  const ParticleSample sample =
      drawn(plane, cell_probabilities(plane, ThetaBoundary::open, density), 1'000'000, random);
  const auto p_value = [&](const std::vector<double>& other, const ParticleSample& particles) {
    return compare(plane, ThetaBoundary::open, other, particles).p_value;
  };
  EXPECT_GE(p_value(density, sample), default_false_alarm);
  EXPECT_LT(p_value(gaussian(plane, 1.02), sample), default_false_alarm);
  EXPECT_LT(p_value(gaussian(plane, 0.98), sample), default_false_alarm);
  auto strays = sample;
  strays.counts.back() += 100;
  EXPECT_LT(p_value(density, strays), default_false_alarm);
  strays.counts.back() = 1;
  EXPECT_GE(p_value(density, strays), default_false_alarm);
  auto broken = density;
  broken[2000] = std::nan("");
  EXPECT_FALSE(p_value(broken, sample) >= default_false_alarm);
  auto lost = sample;
  lost.moments.mean[1] = std::nan("");
  EXPECT_FALSE(p_value(density, lost) >= default_false_alarm);
  EXPECT_THROW(static_cast<void>(p_value(gaussian(plane_of(32)), sample)), Error);
}

}  // namespace
}  // namespace underdamp
