#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/model/gaussian.hpp"

/// Does a sample of particles come from a density? (docs/method.md, section 12). Every test gives a p-value: the
/// probability of a deviation at least this large if it does. Verdicts are `p >= threshold`, which a NaN fails.
namespace underdamp {

/// Probability with which a comparison of a right density may be rejected.
inline constexpr double default_false_alarm = 1e-6;

/// A mean over particles or runs and its standard error.
struct Estimate {
  double value = 0.0;
  double error = 0.0;
};

/// Probability of every cell from the density at the cell centres: averages over the cells, eq. 58, of
/// sixth order in h. For a density that jumps between neighbouring cells they mean nothing.
std::vector<double> cell_probabilities(const PhasePlane& plane, const ThetaWalls& walls,
                                       std::span<const double> density);

/// A partition of the cells of a plane, and of what lies outside, into bins.
struct Bins {
  std::vector<int> of_cell;         ///< [cells + 1], the last for outside
  std::vector<double> probability;  ///< [bin], sum 1
};

/// About m × m bins of equal probability, m = √(particles/least), at most `most_strips`: strips of θ, cut along v. Bins
/// that expect fewer than `least` particles are joined with the next. They follow from the density alone, so that the
/// tests stay what they are.
inline constexpr double least_expected = 20.0;
inline constexpr int most_strips = 20;
Bins make_bins(const PhasePlane& plane, std::span<const double> probability, double particles,
               double least = least_expected);
std::vector<double> binned(const Bins& bins, std::span<const std::uint64_t> counts);

/// G = 2 Σ O ln(O/E) over Williams' correction, eq. 59, χ² with bins − 1 degrees of freedom.
struct GTest {
  double statistic = 0.0;
  int degrees = 0;
  double p_value = 0.0;
};
GTest g_test(std::span<const double> observed, std::span<const double> probability);

/// Σ |O/N − P| and what agreement makes of it, eq. 60.
struct L1Distance {
  double value = 0.0;
  double expected = 0.0;
  double deviation = 0.0;  ///< standard deviation under agreement
};
L1Distance l1_distance(std::span<const double> observed, std::span<const double> probability);

/// Largest distance of two distribution functions at the edges of the cells, eq. 61. Looking at edges only makes the
/// p-value too large, never too small.
struct KolmogorovSmirnov {
  double distance = 0.0;
  double p_value = 0.0;
};
KolmogorovSmirnov kolmogorov_smirnov(std::span<const double> observed, std::span<const double> probability);
/// P(K > x) of Kolmogorov's distribution.
double kolmogorov_tail(double x);

/// Probability of at least `observed` particles outside where `expected` are: Poisson.
double outside_p_value(double observed, double expected);
/// Share of the particles outside that is never held against a density.
inline constexpr double negligible_outside = 1e-8;

/// Two-sided p-value of a standard normal deviation.
double normal_p_value(double z);

/// Mean and covariance of a sample with their standard errors (eq. 62), in the order θ, v and θθ, θv, vv.
struct ParticleMoments {
  double count = 0.0;
  std::array<double, 2> mean{};
  std::array<double, 2> mean_error{};
  std::array<double, 3> covariance{};
  std::array<double, 3> covariance_error{};
};
/// `sums` are added in their order.
ParticleMoments particle_moments(std::span<const ParticleSums> sums, double center_theta, double center_velocity,
                                 double count);

/// Mean and covariance of a density by the midpoint rule.
Moments density_moments(const PhasePlane& plane, std::span<const double> density);

/// Particles of one plane at one time, as far as comparisons need them.
struct ParticleSample {
  std::vector<std::uint64_t> counts;  ///< [cells + 1] of the plane, the last for outside
  ParticleMoments moments;
};

/// All tests of a sample against a density.
struct SampleComparison {
  GTest g;
  L1Distance l1;
  KolmogorovSmirnov theta;
  KolmogorovSmirnov velocity;
  double outside = 0.0;       ///< p-value of the number of particles outside, one-sided
  std::array<double, 5> z{};  ///< mean θ, v; covariance θθ, θv, vv: deviation in standard errors; NaN where not judged
  double p_value = 0.0;       ///< the least of all p-values times their number, at most 1
};

/// Moments of θ are not judged where θ has closed walls: the midpoint rule does not give them.
SampleComparison compare(const PhasePlane& plane, const ThetaWalls& walls, std::span<const double> density,
                         const ParticleSample& sample);

}  // namespace underdamp
