#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include <gtest/gtest.h>

#include "kernels/tables/drift_table.hpp"
#include "kernels/tables/gaussian_weights.hpp"
#include "kernels/tables/kernel_store.hpp"
#include "kernels/tables/make_velocity_table.hpp"
#include "kernels/tables/remap.hpp"
#include "kernels/tables/rounding.hpp"
#include "meshes/error.hpp"

namespace underdamp {
namespace {

double moment(const std::vector<double>& weights, int half_width, int power) {
  double sum = 0.0;
  for (int m = -half_width; m <= half_width; ++m)
    sum += weights[static_cast<std::size_t>(m + half_width)] * std::pow(m, power);
  return sum;
}

/// Flux part for cell values p_c given by a function.
template <class F>
double flux(double a, int b, F p) {
  const auto w = remap_weights(a);
  double sum = 0.0;
  for (int k = 0; k < remap_cells; ++k) sum += w[static_cast<std::size_t>(k)] * p(b - remap_reach + k);
  return sum;
}

TEST(RemapWeights, ConstantLineGivesTheFraction) {  // C(b + a) − C(b) = a for p = 1
  for (const double a : {0.0, 0.125, 0.5, 0.999}) EXPECT_NEAR(flux(a, 0, [](int) { return 1.0; }), a, 1e-15);
}

TEST(RemapWeights, LinearLineByHand) {
  // p_c = c: Σ_{c<b} c = b(b − 1)/2, so F = ((b+a)(b+a−1) − b(b−1))/2; b = 3, a = 1/4: (3.25·2.25 − 6)/2 = 0.65625.
  EXPECT_NEAR(flux(0.25, 3, [](int c) { return static_cast<double>(c); }), 0.65625, 1e-14);
}

TEST(RemapWeights, ExactForTheTenthPower) {
  // p_c = (c+1)^11 − c^11 has C(y) = y^11: degree Q = 11 is reproduced.
  const auto p = [](int c) { return std::pow(c + 1.0, 11) - std::pow(static_cast<double>(c), 11); };
  EXPECT_NEAR(flux(0.5, 1, p), std::pow(1.5, 11) - 1.0, 1e-7);
}

TEST(RemapWeights,
     MirrorSymmetric) {  // the mirrored line at 1 − a: w_k(a) + w_{Q−1−k}(1 − a) = 1 at the centre, else 0
  const auto w = remap_weights(0.3);
  const auto mirrored = remap_weights(0.7);
  for (int k = 0; k < remap_cells; ++k) {
    const double expected = k == remap_reach ? 1.0 : 0.0;
    EXPECT_NEAR(w[static_cast<std::size_t>(k)] + mirrored[static_cast<std::size_t>(remap_cells - 1 - k)], expected,
                1e-15);
  }
}

TEST(RemapWeights, VanishAtZero) {
  for (const double w : remap_weights(0.0)) EXPECT_EQ(w, 0.0);
}

TEST(BoxCompensation, ByHand) {  // e = 1/2: −(3/4)/12, (15/16)/120, −(63/64)/252
  const KickLaw law = box_compensation(0.5);
  EXPECT_EQ(law.mean, 0.0);
  EXPECT_NEAR(law.variance, -0.0625, 1e-16);
  EXPECT_NEAR(law.fourth_cumulant, 0.0078125, 1e-16);
  EXPECT_NEAR(law.sixth_cumulant, -0.00390625, 1e-16);
}

TEST(MomentStencil, IsADeltaWithoutNoise) {
  const auto w = moment_stencil({0.0, 0.0, 0.0, 0.0});
  for (int m = 0; m < 13; ++m) EXPECT_NEAR(w[static_cast<std::size_t>(m)], m == 6 ? 1.0 : 0.0, 1e-15);
}

TEST(MomentStencil, MomentsByHand) {
  // N(1/2, 1/4): E X² = 1/2, E X³ = μ³ + 3μσ² = 1/8 + 3/8, E X⁴ = 3σ⁴ + 6σ²μ² + μ⁴ = 3/16 + 3/8 + 1/16 = 5/8.
  const auto w = moment_stencil({0.5, 0.25, 0.0, 0.0});
  const std::vector<double> weights(w.begin(), w.end());
  EXPECT_NEAR(moment(weights, 6, 0), 1.0, 1e-14);
  EXPECT_NEAR(moment(weights, 6, 1), 0.5, 1e-14);
  EXPECT_NEAR(moment(weights, 6, 2), 0.5, 1e-13);
  EXPECT_NEAR(moment(weights, 6, 3), 0.5, 1e-13);
  EXPECT_NEAR(moment(weights, 6, 4), 0.625, 1e-12);
}

TEST(MomentStencil, HigherCumulantsByHand) {
  // κ₂ = 1, κ₄ = 0.1, κ₆ = −0.01: E X⁴ = 3 + 0.1; E X⁶ = 15 + 15·0.1 − 0.01.
  const auto w = moment_stencil({0.0, 1.0, 0.1, -0.01});
  const std::vector<double> weights(w.begin(), w.end());
  EXPECT_NEAR(moment(weights, 6, 4), 3.1, 1e-12);
  EXPECT_NEAR(moment(weights, 6, 6), 16.49, 1e-10);
}

TEST(MomentStencil, NegativeVarianceKeepsItsMoments) {
  const auto w = moment_stencil({0.2, -0.05, 0.0, 0.0});
  const std::vector<double> weights(w.begin(), w.end());
  EXPECT_NEAR(moment(weights, 6, 2), -0.05 + 0.04, 1e-14);
}

TEST(SampledKernel, MomentsAreThoseOfTheLaw) {
  // s = 1.2, where sampling is felt, and s = 2.25 where the fourth moment of the tails beyond 7 s is
  // missing, 2 φ(7) He_3(7) s⁴ = 6e-9 s⁴.
  for (const auto& [s, half_width, tolerance] : {std::tuple{1.2, 13, 1e-9}, std::tuple{2.25, 16, 2e-7}}) {
    const double variance = s * s;
    const KickLaw law{0.3, variance, 0.004, -0.002};
    const auto w = sampled_kernel(law, half_width);
    EXPECT_NEAR(moment(w, half_width, 0), 1.0, 1e-15);
    EXPECT_NEAR(moment(w, half_width, 1), 0.3, 1e-11);
    EXPECT_NEAR(moment(w, half_width, 2), variance + 0.09, 1e-11);
    // Central fourth moment 3σ⁴ + κ₄.
    double fourth = 0.0;
    for (int m = -half_width; m <= half_width; ++m) {
      fourth += w[static_cast<std::size_t>(m + half_width)] * std::pow(m - 0.3, 4);
    }
    EXPECT_NEAR(fourth, 3.0 * variance * variance + 0.004, tolerance);
  }
}

TEST(SampledKernel, IsTheGaussianItself) {
  // Cut-off tails are not made up for elsewhere: no weight is further from the density than the tails beyond 7 s hold.
  const double s = 6.0;
  const auto w = sampled_kernel({0.2, s * s, 0.0, 0.0}, 42);
  double l1 = 0.0;
  for (int m = -42; m <= 42; ++m) {
    const double z = (m - 0.2) / s;
    l1 += std::abs(w[static_cast<std::size_t>(m + 42)] -
                   std::exp(-0.5 * z * z) / (s * std::sqrt(2.0 * 3.14159265358979323846)));
  }
  EXPECT_LT(l1, 3e-10);
}

TEST(ConvolutionLevels, CascadeAddsUpToTheVariance) {
  for (const double s : {1.2, 3.1, 3.3, 5.0, 6.9}) {
    const std::array<KickLaw, 1> law{KickLaw{-0.25, s * s, 0.0, 0.0}};
    EXPECT_EQ(convolution_with(law).restrictions, 0);
    double variance = 0.0;
    double mean = 0.0;
    std::size_t taps = 0;
    for (const KernelLevel& level : convolution_with(law).levels) {
      const double first = moment(level.weights, level.half_width, 1) * level.stride;
      mean += first;
      variance += moment(level.weights, level.half_width, 2) * level.stride * level.stride - first * first;
      taps += level.weights.size();
      for (const double w : level.weights) EXPECT_GE(w, 0.0);
    }
    EXPECT_NEAR(mean, -0.25, 1e-12);
    EXPECT_NEAR(variance, s * s, 1e-10 * s * s);
    EXPECT_LE(taps, 80U);
  }
}

TEST(ConvolutionLevels, WideLanesShareTheLevelsOfTheNarrowest) {
  const std::array<KickLaw, 2> laws{KickLaw{0.0, 4.0, 0.0, 0.0}, KickLaw{0.0, 25.0, 0.0, 0.0}};
  const auto levels = convolution_with(laws).levels;
  ASSERT_EQ(levels.size(), 1U);  // s = 2 needs no cascade, so s = 5 gets none either
  double variance = 0.0;
  const int h = levels[0].half_width;
  for (int m = -h; m <= h; ++m) variance += levels[0].weights[static_cast<std::size_t>(2 * (m + h) + 1)] * m * m;
  EXPECT_NEAR(variance, 25.0, 1e-9);
}

TEST(ConvolutionLevels, WideKernelsActOnACoarserGrid) {
  // s = 8 → 4 once; 23 → 11.5 → 5.75; 100 → 50 → 25 → 12.5 → 6.25. Mean and variance go along.
  const std::array<std::pair<double, int>, 3> cases{{{8.0, 1}, {23.0, 2}, {100.0, 4}}};
  for (const auto& [s, restrictions] : cases) {
    const std::array<KickLaw, 1> law{KickLaw{-0.25, s * s, 0.0, 0.0}};
    for (const bool cascade : {true, false}) {
      const Convolution convolution = convolution_with(law, cascade);
      EXPECT_EQ(convolution.restrictions, restrictions);
      ASSERT_EQ(convolution.levels.size(), 1U);  // a coarse grid need not resolve the data: no cascade
      const KernelLevel& level = convolution.levels[0];
      const double scale = std::ldexp(1.0, restrictions);
      const double mean = moment(level.weights, level.half_width, 1) * scale;
      EXPECT_NEAR(mean, -0.25, 1e-12);
      EXPECT_NEAR(moment(level.weights, level.half_width, 2) * scale * scale - mean * mean, s * s, 1e-10 * s * s);
    }
  }
}

TEST(HalfBand, InterpolatesMidpointsOfPolynomials) {
  constexpr auto a = half_band_weights();
  for (int degree = 0; degree <= 17; ++degree) {  // Σ_i a_i ((−x_i)^r + x_i^r) = 0^r
    double sum = 0.0;
    for (int i = 0; i < half_band_pairs; ++i) {
      const double x = (2.0 * i + 1.0) / 17.0;
      sum += a[static_cast<std::size_t>(i)] * (std::pow(-x, degree) + std::pow(x, degree));
    }
    EXPECT_NEAR(sum, degree == 0 ? 1.0 : 0.0, 1e-14) << "degree " << degree;
  }
}

TEST(HalfBand, WallsShareWhatIsProlonged) {
  // One restriction, wall before fine cell 0: coarse cell k gives a_{j−2k} to fine cell j. Cell −20 lies before the
  // wall with all it has, 2; cell 0 gives Σ_i a_i = 1/2 to the odd cells before the wall; cell 20 nothing.
  const BeyondWall wall = beyond_wall(0, 1);
  EXPECT_EQ(wall.wall_cell, 0);
  EXPECT_NEAR(wall.below.front(), 2.0, 1e-15);
  EXPECT_NEAR(wall.below[wall_reach], 0.5, 1e-15);
  EXPECT_NEAR(wall.below.back(), 0.0, 1e-15);
  for (std::size_t k = 0; k < wall.below.size(); ++k) EXPECT_NEAR(wall.below[k] + wall.above[k], 2.0, 1e-15);
  // Eleven fine cells make six coarse ones; the last of them reaches over the wall with fine cell 11 and more.
  EXPECT_EQ(beyond_wall(11, 1).wall_cell, 6);
  EXPECT_NEAR(beyond_wall(11, 1).above[wall_reach - 1], 0.5, 1e-15);  // cell 5 = fine cell 10
  EXPECT_EQ(beyond_wall(11, 3).wall_cell, 2);
}

TEST(DriftTable, OffsetsByHand) {
  // h_θ = 0.5, v_j = −3.75, −3.25, …; τ = 0.4: δ_0 = −3, a whole number; δ_1 = −2.6 = −β − a with β = 2, a = 0.6.
  const PhaseMesh mesh(std::vector<PhasePlane>{{{0.0, 8.0, 16}, {-4.0, 4.0, 16}}});
  const double tau = 0.4;
  const DriftTable table = make_drift_table(mesh, {&tau, 1});
  EXPECT_EQ(table.offset[0], 3);
  EXPECT_EQ(table.offset[1], 2);
  const auto expected = remap_weights(0.6);
  for (int k = 0; k < remap_cells; ++k) {
    EXPECT_NEAR(table.weights[static_cast<std::size_t>(k * table.weight_stride + 1)],
                expected[static_cast<std::size_t>(k)], 1e-14);
  }
}

TEST(DriftTable, WholeTurnsOfAnAngleDoNotCount) {
  // h_θ = 2π/32, v_j from −2.8125 on in steps of 0.375: after a time of 10 turns of v = 1 columns have gone round many
  // times, after 1e12 more often than an int counts.
  const PhaseMesh mesh(std::vector<PhasePlane>{{{-3.0, 3.0, 32}, {-3.0, 3.0, 16}}}, ThetaBoundary::periodic);
  for (const double tau : {0.1, 60.0, 1e12, -1e12}) {
    const DriftTable table = make_drift_table(mesh, {&tau, 1});
    for (int j = 0; j < 16; ++j) {
      const double cells = std::fmod(tau * mesh.plane(0).velocity.center(j) / mesh.plane(0).theta.width(), 32.0);
      const int offset = table.offset[static_cast<std::size_t>(j)];
      EXPECT_GE(offset, -32);
      EXPECT_LE(offset, 32);
      EXPECT_EQ(offset, static_cast<int>(std::floor(-cells))) << tau << " " << j;
      double shift = 0.0;  // Σ w_k = a
      for (int k = 0; k < remap_cells; ++k)
        shift += table.weights[static_cast<std::size_t>(k * table.weight_stride + j)];
      EXPECT_NEAR(offset + shift, -cells, 1e-12 * 32);
    }
  }
  const double endless = std::numeric_limits<double>::infinity();
  EXPECT_THROW(make_drift_table(mesh, {&endless, 1}), Error);
  const double none = std::nan("");
  EXPECT_THROW(make_drift_table(mesh, {&none, 1}), Error);
}

TEST(VelocityTable, ContractionEdgesByHand) {
  // v ∈ [−8, 8], 16 cells, e = 1/2: edge e is pulled back to 8 + 2(e − 8) = 2e − 8; every target gains one whole cell
  // more.
  const PhaseMesh mesh(std::vector<PhasePlane>{{{0.0, 1.0, 16}, {-8.0, 8.0, 16}}});
  const VelocityLaw law{{0.5}, std::vector<double>(16, 0.0), std::vector<double>(16, 1.0)};
  const VelocityTable table = make_velocity_table(mesh, law, 4);
  ASSERT_FALSE(table.deposits);
  for (int e = 0; e <= 16; ++e) EXPECT_EQ(table.contractions[0].base[static_cast<std::size_t>(e)], 2 * e - 8);
  EXPECT_EQ(table.contractions[0].whole_cells.size(), 16U);
  EXPECT_EQ(table.bundles_per_plane, 4);
}

TEST(VelocityTable, IdentityContractionHasNoWholeCells) {
  const PhaseMesh mesh(std::vector<PhasePlane>{{{0.0, 1.0, 16}, {-1.3, 2.9, 37}}});
  const VelocityLaw law{{1.0}, std::vector<double>(16, 0.0), std::vector<double>(16, 1.0)};
  const VelocityTable table = make_velocity_table(mesh, law, 8);
  EXPECT_TRUE(table.contractions[0].whole_cells.empty());
  for (int e = 0; e <= 37; ++e) EXPECT_EQ(table.contractions[0].base[static_cast<std::size_t>(e)], e);
}

TEST(VelocityTable, KickIsSplitBeforeTheContraction) {
  // h_v = 1, kick 3.1, e = 1/2: 6.2 cells before the contraction, six of them whole; 3.1 − 6/2 = 0.1 is left for the
  // kernel.
  const PhaseMesh mesh(std::vector<PhasePlane>{{{0.0, 1.0, 16}, {-8.0, 8.0, 16}}});
  const VelocityLaw law{{0.5}, std::vector<double>(16, 3.1), std::vector<double>(16, 4.0)};
  const VelocityTable table = make_velocity_table(mesh, law, 1);
  EXPECT_EQ(table.shift[0], 6);
  const LevelEntry level = table.levels[0];
  double mean = 0.0;
  for (int m = -level.half_width; m <= level.half_width; ++m) {
    mean += m * table.weights[static_cast<std::size_t>(level.weights + m + level.half_width)];
  }
  EXPECT_NEAR(mean, 0.1, 1e-12);
}

TEST(KernelFamily, IsTheKernelOfEveryMean) {
  for (const double deviation : {1.4, 1.7, 2.6, 4.0, 6.99, 7.0, 19.0, 250.0}) {
    KickLaw law{0.0, deviation * deviation, 0.3, -0.02};
    for (const bool cascade : {false, true}) {
      const KernelFamily family(law, cascade);
      for (const double mean : {-0.5, -0.1234, 0.0, 1e-16, 0.37, 0.5}) {
        law.mean = mean;
        const Convolution direct = convolution_with(std::vector<KickLaw>{law}, cascade);
        const Convolution& at_points = family.at_points();
        ASSERT_EQ(at_points.restrictions, direct.restrictions);
        ASSERT_EQ(at_points.levels.size(), direct.levels.size());
        const std::vector<double> shares = family.shares(mean);
        for (std::size_t k = 0; k < direct.levels.size(); ++k) {
          const KernelLevel& level = direct.levels[k];
          ASSERT_EQ(at_points.levels[k].half_width, level.half_width);
          const double peak = *std::max_element(level.weights.begin(), level.weights.end());
          for (std::size_t m = 0; m < level.weights.size(); ++m) {
            double weight = 0.0;
            for (std::size_t q = 0; q < shares.size(); ++q)
              weight += shares[q] * at_points.levels[k].weights[m * shares.size() + q];
            EXPECT_NEAR(weight, level.weights[m], 2e-15 * peak) << deviation << " " << mean;
          }
        }
      }
    }
  }
}

TEST(KernelFamily, NeedsAllItsPoints) {  // every second of them gives another kernel
  const KickLaw law{0.0, 2.25, 0.0, 0.0};
  const KernelFamily family(law, false);
  const std::vector<double> shares = family.shares(0.3);
  const KernelLevel& level = family.at_points().levels[0];
  double all = 0.0;
  double half = 0.0;
  double share_of_half = 0.0;
  for (std::size_t q = 0; q < shares.size(); ++q) {
    const double part = shares[q] * level.weights[static_cast<std::size_t>(level.half_width) * shares.size() + q];
    all += part;
    if (q % 2 == 0) half += part;
    if (q % 2 == 0) share_of_half += shares[q];
  }
  EXPECT_GT(std::abs(half / share_of_half / all - 1.0), 1e-6);
}

TEST(VelocityTable, ManyLinesShareAFamily) {
  // The same kicks in planes of 64 lines, which interpolate between kernels, and of 16, which do not.
  for (const double deviation : {2.0, 4.5, 9.0, 40.0}) {
    const VelocityLaw law{{0.9, 0.9, 0.9, 0.9}, {}, std::vector<double>(64, deviation * deviation)};
    VelocityLaw many = law;
    for (int line = 0; line < 64; ++line) many.kick.push_back(0.37 * line - 11.0);
    many.contraction.resize(1);
    VelocityLaw few = many;
    few.contraction = law.contraction;
    const Axis velocity{-128.0, 128.0, 256};
    const PhasePlane small{{0.0, 1.0, 16}, velocity};
    const VelocityTable family = make_velocity_table(PhaseMesh({{{0.0, 1.0, 64}, velocity}}), many, 8);
    const VelocityTable direct = make_velocity_table(PhaseMesh({small, small, small, small}), few, 8);
    EXPECT_EQ(family.shift, direct.shift);
    EXPECT_EQ(family.margin, direct.margin);
    ASSERT_EQ(family.weights.size(), direct.weights.size());
    for (std::size_t k = 0; k < direct.weights.size(); ++k)
      EXPECT_NEAR(family.weights[k], direct.weights[k], 4e-15 * std::max(1.0, std::abs(direct.weights[k])));
  }
}

TEST(Rounding, AStencilKeepsItsSumInSinglePrecision) {
  // Rounded one by one, the weights of a kernel add up to 1 within some 2⁻²⁵; with what each loses given to the next,
  // to within the rounding of the last and smallest. Two stencils side by side, as lines in a table.
  const std::vector<KickLaw> laws{{0.3, 9.0}, {-0.2, 4.0}};
  const auto level = convolution_with(laws, false).levels.front();
  const int count = 2 * level.half_width + 1;
  const std::vector<float> one_by_one = rounded<float>(level.weights);
  std::vector<float> stencil(level.weights.size());
  for (const int lane : {0, 1}) {
    round_stencil(level.weights.data() + lane, count, 2, stencil.data() + lane);
    double sum = 0.0, exact = 0.0, careless = 0.0;
    for (int k = 0; k < count; ++k) {
      const auto at = static_cast<std::size_t>(2 * k + lane);
      sum += stencil[at];
      exact += level.weights[at];
      careless += one_by_one[at];
      const double before = k > 0 ? level.weights[at - 2] : 0.0;
      EXPECT_NEAR(stencil[at], level.weights[at], 0x1p-24 * (level.weights[at] + before));
      EXPECT_GE(stencil[at], 0.0F);
    }
    EXPECT_NEAR(sum, exact, 1e-13);
    EXPECT_GT(std::abs(careless - exact), 1e-10);
  }
  std::vector<double> same(level.weights.size());
  round_stencil(level.weights.data(), 2 * count, 1, same.data());
  EXPECT_EQ(same, level.weights);
}

/// 150 planes, each with a box, a contraction and noise of its own: more than are made together.
struct ManyPlanes {
  static constexpr int planes = 150;
  static constexpr int rows = 20;
  std::vector<PhasePlane> boxes;
  VelocityLaw law;
  std::vector<double> duration;

  ManyPlanes() {
    for (int p = 0; p < planes; ++p) {
      boxes.push_back({{-1.0, 1.0 + 0.01 * p, rows}, {-2.0, 2.0 + 0.003 * p, 32}});
      law.contraction.push_back(0.9 - 0.001 * p);
      duration.push_back(0.01 + 0.001 * p);
      for (int i = 0; i < rows; ++i) {
        law.kick.push_back(0.02 * i - 0.001 * p);
        law.variance.push_back(0.01 + (p % 3 == 0 ? 0.002 * i : 0.0) + 0.0001 * p);
      }
    }
  }
  VelocityLaw law_of(int p) const {
    const auto of_plane = [&](const std::vector<double>& values) {
      return std::vector<double>(values.begin() + p * rows, values.begin() + (p + 1) * rows);
    };
    return {{law.contraction[static_cast<std::size_t>(p)]}, of_plane(law.kick), of_plane(law.variance)};
  }
};

TEST(VelocityTable, PlanesMadeSideBySideAreThoseMadeAlone) {
  const ManyPlanes many;
  constexpr int lanes = 8;
  const VelocityTable all = make_velocity_table(PhaseMesh(many.boxes), many.law, lanes);
  ASSERT_EQ(all.bundles.size(), static_cast<std::size_t>(ManyPlanes::planes * all.bundles_per_plane));
  for (int p = 0; p < ManyPlanes::planes; ++p) {
    const auto plane = static_cast<std::size_t>(p);
    const VelocityTable alone = make_velocity_table(PhaseMesh({many.boxes[plane]}), many.law_of(p), lanes);
    EXPECT_LE(alone.margin, all.margin);
    for (std::size_t b = 0; b < alone.bundles.size(); ++b) {
      const BundleEntry& one = alone.bundles[b];
      const BundleEntry& other = all.bundles[plane * alone.bundles.size() + b];
      ASSERT_EQ(one.levels, other.levels);
      ASSERT_EQ(one.restrictions, other.restrictions);
      for (int k = 0; k < one.levels; ++k) {
        const LevelEntry& mine = alone.levels[static_cast<std::size_t>(one.first_level + k)];
        const LevelEntry& same = all.levels[static_cast<std::size_t>(other.first_level + k)];
        ASSERT_EQ(mine.half_width, same.half_width);
        const auto count = static_cast<std::ptrdiff_t>((2 * mine.half_width + 1) * lanes);
        EXPECT_TRUE(std::equal(alone.weights.begin() + mine.weights, alone.weights.begin() + mine.weights + count,
                               all.weights.begin() + same.weights))
            << "plane " << p << ", bundle " << b;
      }
    }
  }
}

TEST(VelocityTable, EqualPlanesShareTheirKernels) {
  constexpr int planes = 100;
  const PhasePlane box{{-1.0, 1.0, 20}, {-2.0, 2.0, 32}};
  const auto size_of = [&](int count) {
    const auto lines = static_cast<std::size_t>(20 * count);
    const PhaseMesh mesh(std::vector<PhasePlane>(static_cast<std::size_t>(count), box));
    const VelocityLaw law{std::vector<double>(static_cast<std::size_t>(count), 0.9), std::vector<double>(lines, 0.02),
                          std::vector<double>(lines, 0.01)};
    return make_velocity_table(mesh, law, 8).weights.size();
  };
  EXPECT_EQ(size_of(planes), size_of(1));
}

TEST(DriftTable, PlanesMadeSideBySideAreThoseMadeAlone) {
  const ManyPlanes many;
  const DriftTable all = make_drift_table(PhaseMesh(many.boxes), many.duration);
  int reach = 0;
  for (std::size_t p = 0; p < many.boxes.size(); ++p) {
    const DriftTable alone = make_drift_table(PhaseMesh({many.boxes[p]}), std::vector{many.duration[p]});
    reach = std::max(reach, alone.reach);
    for (std::size_t j = 0; j < 32; ++j) {
      ASSERT_EQ(all.offset[32 * p + j], alone.offset[j]);
      for (std::size_t k = 0; k < static_cast<std::size_t>(remap_cells); ++k) {
        ASSERT_EQ(all.weights[k * static_cast<std::size_t>(all.weight_stride) + 32 * p + j],
                  alone.weights[k * static_cast<std::size_t>(alone.weight_stride) + j]);
      }
    }
  }
  EXPECT_EQ(all.reach, reach);
}

TEST(VelocityTable, RefusesWhatItCannotDo) {
  const PhaseMesh mesh(std::vector<PhasePlane>{{{0.0, 1.0, 16}, {1.0, 5.0, 16}}});
  const std::vector<double> lines(16, 1.0);
  EXPECT_THROW(make_velocity_table(mesh, {{1.5}, lines, lines}, 1), Error);
  EXPECT_THROW(make_velocity_table(mesh, {{std::nan("")}, lines, lines}, 1), Error);
  EXPECT_THROW(make_velocity_table(mesh, {{0.1}, lines, lines}, 1), Error);  // deposit, but v = 0 lies outside
}

}  // namespace
}  // namespace underdamp
