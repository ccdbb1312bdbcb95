#include "kernels/tables/gaussian_weights.hpp"

#include <algorithm>
#include <cmath>

namespace underdamp {
namespace {

/// basis[m][q]: coefficient of x^q in the Lagrange polynomial of node m − half_width (products of small integers).
template <int half_width>
auto lagrange_basis() {
  constexpr int nodes = 2 * half_width + 1;
  std::array<std::array<double, nodes>, nodes> basis{};
  for (int m = 0; m < nodes; ++m) {
    std::array<long double, nodes> coefficient{1.0L};
    long double denominator = 1.0L;
    int degree = 0;
    for (int other = 0; other < nodes; ++other) {
      if (other == m) continue;
      const long double root = other - half_width;
      ++degree;
      for (int q = degree; q > 0; --q) coefficient[q] = coefficient[q - 1] - root * coefficient[q];
      coefficient[0] *= -root;
      denominator *= m - other;
    }
    for (int q = 0; q < nodes; ++q) basis[m][q] = static_cast<double>(coefficient[q] / denominator);
  }
  return basis;
}

/// E[X^q], q = 0 … nodes − 1, from the cumulants: μ_q = Σ_k binom(q−1, k−1) κ_k μ_{q−k}.
template <int nodes>
std::array<double, nodes> raw_moments(const KickLaw& law) {
  std::array<double, nodes> moment{1.0};
  const std::array<double, 7> cumulant{0.0, law.mean, law.variance, 0.0, law.fourth_cumulant, 0.0, law.sixth_cumulant};
  for (int q = 1; q < nodes; ++q) {
    double binomial = 1.0;
    for (int k = 1; k <= q && k <= 6; ++k) {
      moment[q] += binomial * cumulant[k] * moment[q - k];
      binomial = binomial * (q - k) / k;
    }
  }
  return moment;
}

/// He_0 … He_6 at z.
using HermiteValues = std::array<double, 7>;
HermiteValues hermite(double z) {
  HermiteValues he{1.0, z};
  for (std::size_t n = 2; n < he.size(); ++n) he[n] = z * he[n - 1] - static_cast<double>(n - 1) * he[n - 2];
  return he;
}

bool is_sampled(const KickLaw& law) {
  return law.variance >= sampled_from * sampled_from;
}

/// Is the kernel so narrow that sampling changes its moments?
bool feels_sampling(const KickLaw& law) {
  return law.variance < sampling_felt_below * sampling_felt_below;
}

int half_width_of(const KickLaw& law) {
  if (!is_sampled(law)) return moment_half_width;
  const double reach = feels_sampling(law) ? sampled_reach_of_narrow : sampled_reach;
  return static_cast<int>(std::ceil(reach * std::sqrt(law.variance)));
}

/// Weights of all lanes, padded with zeros to the widest of them.
KernelLevel one_level(std::span<const KickLaw> laws, int stride) {
  KernelLevel level{stride, 0, {}};
  for (const KickLaw& law : laws) level.half_width = std::max(level.half_width, half_width_of(law));
  const std::size_t lanes = laws.size();
  level.weights.resize(static_cast<std::size_t>(2 * level.half_width + 1) * lanes);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    const auto place = [&](const auto& weights) {
      const std::size_t first = static_cast<std::size_t>(level.half_width) - weights.size() / 2;
      for (std::size_t m = 0; m < weights.size(); ++m) level.weights[(first + m) * lanes + lane] = weights[m];
    };
    if (is_sampled(laws[lane])) {
      place(sampled_kernel(laws[lane], half_width_of(laws[lane])));
    } else {
      place(moment_stencil(laws[lane]));
    }
  }
  return level;
}

}  // namespace

KickLaw box_compensation(double contraction) {
  const double e2 = contraction * contraction;
  return {0.0, -(1.0 - e2) / 12.0, (1.0 - e2 * e2) / 120.0, -(1.0 - e2 * e2 * e2) / 252.0};
}

template <int half_width>
std::array<double, 2 * half_width + 1> moment_stencil(const KickLaw& law) {
  constexpr int nodes = 2 * half_width + 1;
  static const auto basis = lagrange_basis<half_width>();
  const auto moment = raw_moments<nodes>(law);
  std::array<double, nodes> weights{};
  for (int m = 0; m < nodes; ++m) {
    for (int q = nodes - 1; q >= 0; --q) weights[m] += basis[m][q] * moment[q];
  }
  return weights;
}
template std::array<double, 2 * moment_half_width + 1> moment_stencil<moment_half_width>(const KickLaw& law);
template std::array<double, 2 * wide_moment_half_width + 1> moment_stencil<wide_moment_half_width>(const KickLaw& law);

std::vector<double> single_kernel(const KickLaw& law) {
  if (is_sampled(law)) return sampled_kernel(law, half_width_of(law));
  const auto weights = moment_stencil<wide_moment_half_width>(law);
  return {weights.begin(), weights.end()};
}

std::vector<double> sampled_kernel(const KickLaw& law, int half_width) {
  const double s = std::sqrt(law.variance);
  const double step = 1.0 / s;
  std::vector<double> weights(static_cast<std::size_t>(2 * half_width + 1));
  // exp(−z²/2) by its two-term recurrence: g_{m+1} = g_m r_m, r_{m+1} = r_m q. Both factors stay within range.
  const double first = (-half_width - law.mean) * step;
  double gaussian = std::exp(-0.5 * first * first);
  double ratio = std::exp(-step * (first + 0.5 * step));
  const double ratio_of_ratios = std::exp(-step * step);
  HermiteValues found{};  // Σ g He_n: what sampling and cutting off made of the moments
  for (int m = -half_width; m <= half_width; ++m) {
    weights[static_cast<std::size_t>(m + half_width)] = gaussian;
    const HermiteValues he = hermite((m - law.mean) * step);
    for (std::size_t n = 0; n < he.size(); ++n) found[n] += gaussian * he[n];
    gaussian *= ratio;
    ratio *= ratio_of_ratios;
  }
  // E He_n of the law wanted, n = 0 … 6, and the coefficients of Σ c_n He_n/n! that lead there: found and wanted differ
  // by 1e-5 at most, so that the first order in the difference is exact to rounding.
  const double s4 = law.variance * law.variance;
  const HermiteValues wanted{
      1.0, 0.0, 0.0, 0.0, law.fourth_cumulant / s4, 0.0, law.sixth_cumulant / (s4 * law.variance)};
  // High moments live in the tails: making up for tails that were cut off would put a thousand times as much elsewhere.
  const std::size_t matched = feels_sampling(law) ? wanted.size() : 3;
  HermiteValues coefficient{1.0};
  double factorial = 1.0;
  for (std::size_t n = 1; n < wanted.size(); ++n) {
    factorial *= static_cast<double>(n);
    coefficient[n] = (wanted[n] - (n < matched ? found[n] / found[0] : 0.0)) / factorial;
  }
  double sum = 0.0;
  for (int m = -half_width; m <= half_width; ++m) {
    const HermiteValues he = hermite((m - law.mean) * step);
    double factor = 0.0;
    for (std::size_t n = 0; n < he.size(); ++n) factor += coefficient[n] * he[n];
    double& weight = weights[static_cast<std::size_t>(m + half_width)];
    weight *= factor;
    sum += weight;
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

namespace {

double smallest_variance(const std::vector<KickLaw>& laws) {
  return std::min_element(laws.begin(), laws.end(),
                          [](const KickLaw& a, const KickLaw& b) { return a.variance < b.variance; })
      ->variance;
}

/// A kernel of stride 2 has images at half the wavelength of two cells: the first level damps what lies there.
std::vector<KernelLevel> cascade_of(std::vector<KickLaw> laws) {
  std::vector<KernelLevel> levels;
  if (smallest_variance(laws) > cascade_from * cascade_from) {
    constexpr double variance = fine_level_deviation * fine_level_deviation;
    std::vector<KickLaw> fine = laws;
    for (KickLaw& law : fine) law.variance = variance;
    levels.push_back(one_level(fine, 1));
    for (KickLaw& law : laws) law = {0.0, (law.variance - variance) / 4.0, 0.0, 0.0};
  }
  levels.push_back(one_level(laws, levels.empty() ? 1 : 2));
  return levels;
}

}  // namespace

Convolution convolution_with(std::span<const KickLaw> laws, bool cascade) {
  std::vector<KickLaw> rest(laws.begin(), laws.end());
  Convolution result;
  while (smallest_variance(rest) >= restrict_from * restrict_from) {
    ++result.restrictions;
    for (KickLaw& law : rest) {
      law = {law.mean / 2.0, law.variance / 4.0, law.fourth_cumulant / 16.0, law.sixth_cumulant / 64.0};
    }
  }
  if (cascade && result.restrictions == 0) {
    result.levels = cascade_of(rest);
  } else {
    result.levels.push_back(one_level(rest, 1));
  }
  return result;
}

BeyondWall beyond_wall(int fine_wall, int restrictions) {
  // Shares of grid g as a function of the distance from its wall cell; constant beyond the ends of the array.
  constexpr int range = 2 * wall_reach;
  const auto at = [](const std::vector<double>& share, int distance) {
    return share[static_cast<std::size_t>(std::clamp(distance + range, 0, 2 * range))];
  };
  std::vector<double> before(2 * range + 1);
  for (int d = -range; d <= range; ++d) before[static_cast<std::size_t>(d + range)] = d < 0 ? 1.0 : 0.0;
  constexpr auto a = half_band_weights();
  int wall = fine_wall;
  double whole = 1.0;
  for (int g = 0; g < restrictions; ++g) {
    const int coarse_wall = (wall + 1) / 2;
    std::vector<double> coarse(before.size());
    for (int d = -range; d <= range; ++d) {
      const int middle = 2 * (d + coarse_wall) - wall;
      double sum = at(before, middle);
      for (int i = 0; i < half_band_pairs; ++i) {
        sum += a[static_cast<std::size_t>(i)] * (at(before, middle - 2 * i - 1) + at(before, middle + 2 * i + 1));
      }
      coarse[static_cast<std::size_t>(d + range)] = sum;
    }
    before = coarse;
    wall = coarse_wall;
    whole *= 2.0;
  }
  BeyondWall result;
  result.wall_cell = wall;
  for (int d = -wall_reach; d <= wall_reach; ++d) {
    result.below.push_back(at(before, d));
    result.above.push_back(whole - at(before, d));
  }
  return result;
}

}  // namespace underdamp
