#include "solver/particles/statistics.hpp"

#include <algorithm>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "meshes/cell_index.hpp"
#include "meshes/error.hpp"

namespace underdamp {
namespace {

constexpr double pi = 3.14159265358979323846;

/// Average over a cell from five values at cell centres: sinh(hD/2)/(hD/2) = 1 + δ²/24 − 17 δ⁴/5760 + …
double cell_average(double a, double b, double c, double d, double e) {
  const double second = b - 2.0 * c + d;
  const double fourth = a - 4.0 * b + 6.0 * c - 4.0 * d + e;
  return c + second / 24.0 - 17.0 / 5760.0 * fourth;
}

/// Group of each position, about `parts` groups of equal sum: by where its middle lies in the cumulative sum.
std::vector<int> cut(const std::vector<double>& values, int parts) {
  const double total = std::accumulate(values.begin(), values.end(), 0.0);
  std::vector<int> group(values.size());
  double before = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double place = (before + 0.5 * values[i]) / total;
    group[i] = std::clamp(static_cast<int>(place * parts), 0, parts - 1);
    if (i > 0) group[i] = std::max(group[i], group[i - 1]);
    before += values[i];
  }
  return group;
}

/// Joins neighbouring bins until each expects `least` particles; what is left at the end joins the last one.
void join_small(Bins& bins, std::size_t raw_bins, std::span<const double> raw, double particles, double least) {
  std::vector<int> name(raw_bins);
  for (std::size_t b = 0; b < raw_bins; ++b) {
    if (bins.probability.empty() || bins.probability.back() * particles >= least) bins.probability.push_back(0.0);
    bins.probability.back() += raw[b];
    name[b] = static_cast<int>(bins.probability.size()) - 1;
  }
  if (bins.probability.size() > 1 && !(bins.probability.back() * particles >= least)) {
    const double rest = bins.probability.back();
    bins.probability.pop_back();
    bins.probability.back() += rest;
    for (int& n : name) n = std::min(n, static_cast<int>(bins.probability.size()) - 1);
  }
  for (int& cell : bins.of_cell) cell = name[static_cast<std::size_t>(cell)];
}

double total(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// Smallest p-value; not a number if one of them is none.
double least_of(std::span<const double> p_values) {
  double least = 1.0;
  for (const double p : p_values) {
    if (!(p >= least)) least = p;
    if (std::isnan(least)) break;
  }
  return least;
}

}  // namespace

std::vector<double> cell_probabilities(const PhasePlane& plane, const ThetaWalls& walls,
                                       std::span<const double> density) {
  const int rows = plane.theta.cells;
  const int columns = plane.velocity.cells;
  const CellIndex cell(plane);
  const auto along_velocity = [&](int i, int j) {
    const auto at = [&](int k) { return k >= 0 && k < columns ? density[cell(i, k)] : 0.0; };
    return cell_average(at(j - 2), at(j - 1), at(j), at(j + 1), at(j + 2));
  };
  std::vector<double> averaged;
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) averaged.push_back(along_velocity(i, j));
  }
  const auto inside = [&](int i, int j) { return averaged[cell(i, j)]; };
  // Beyond a wall: nothing, the other side, or the mirror image with reversed velocity; where the mirror image has a
  // kink the polynomial through the five cells next to the wall.
  const auto at = [&](int i, int j) {
    if (i >= 0 && i < rows) return inside(i, j);
    const ThetaBoundary wall = i < 0 ? walls.lower : walls.upper;
    if (wall == ThetaBoundary::open) return 0.0;
    if (wall == ThetaBoundary::periodic) return inside((i + rows) % rows, j);
    const int distance = i < 0 ? -1 - i : i - rows;
    const auto from_wall = [&](int k) { return inside(i < 0 ? k : rows - 1 - k, j); };
    if (i < 0 ? walls.lower_pressed : walls.upper_pressed) {
      return distance == 0
                 ? 5.0 * from_wall(0) - 10.0 * from_wall(1) + 10.0 * from_wall(2) - 5.0 * from_wall(3) + from_wall(4)
                 : 15.0 * from_wall(0) - 40.0 * from_wall(1) + 45.0 * from_wall(2) - 24.0 * from_wall(3) +
                       5.0 * from_wall(4);
    }
    return inside(i < 0 ? distance : rows - 1 - distance, columns - 1 - j);
  };
  std::vector<double> probability;
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      probability.push_back(plane.cell_area() *
                            cell_average(at(i - 2, j), at(i - 1, j), at(i, j), at(i + 1, j), at(i + 2, j)));
    }
  }
  return probability;
}

Bins make_bins(const PhasePlane& plane, std::span<const double> probability, double particles, double least) {
  const int strips = std::clamp(static_cast<int>(std::sqrt(particles / least)), 1, most_strips);
  const CellIndex cell(plane);
  const std::size_t rows = cell.rows();
  const std::size_t columns = cell.columns();
  std::vector<double> row_sum(rows, 0.0);
  for (std::size_t c = 0; c < cell.cells(); ++c) row_sum[cell.row(c)] += probability[c];
  const auto strip_of = cut(row_sum, strips);
  Bins bins;
  bins.of_cell.resize(cell.cells() + 1);
  std::vector<double> raw(static_cast<std::size_t>(strips * strips) + 1, 0.0);
  for (std::size_t first = 0; first < rows;) {
    std::size_t end = first;
    std::vector<double> column_sum(columns, 0.0);
    for (; end < rows && strip_of[end] == strip_of[first]; ++end) {
      for (std::size_t j = 0; j < columns; ++j) column_sum[j] += probability[cell(end, j)];
    }
    const auto part_of = cut(column_sum, strips);
    for (std::size_t c = cell(first, 0); c < cell(end, 0); ++c) {
      bins.of_cell[c] = strip_of[first] * strips + part_of[cell.column(c)];
      raw[static_cast<std::size_t>(bins.of_cell[c])] += probability[c];
    }
    first = end;
  }
  bins.of_cell.back() = strips * strips;
  raw.back() = 1.0 - total(probability);
  join_small(bins, raw.size(), raw, particles, least);
  return bins;
}

std::vector<double> binned(const Bins& bins, std::span<const std::uint64_t> counts) {
  std::vector<double> observed(bins.probability.size(), 0.0);
  for (std::size_t c = 0; c < counts.size(); ++c)
    observed[static_cast<std::size_t>(bins.of_cell[c])] += static_cast<double>(counts[c]);
  return observed;
}

GTest g_test(std::span<const double> observed, std::span<const double> probability) {
  const double n = total(observed);
  double g = 0.0;
  double inverse = 0.0;
  for (std::size_t b = 0; b < observed.size(); ++b) {
    if (observed[b] > 0.0) g += 2.0 * observed[b] * std::log(observed[b] / (n * probability[b]));
    inverse += 1.0 / probability[b];
  }
  GTest result;
  result.degrees = static_cast<int>(observed.size()) - 1;
  const double williams = 1.0 + (inverse - 1.0) / (6.0 * n * result.degrees);
  result.statistic = g / williams;
  if (!(result.degrees > 0) || !std::isfinite(result.statistic)) {
    result.p_value = std::numeric_limits<double>::quiet_NaN();
    return result;
  }
  result.p_value = boost::math::gamma_q(0.5 * result.degrees, 0.5 * std::max(0.0, result.statistic));
  return result;
}

L1Distance l1_distance(std::span<const double> observed, std::span<const double> probability) {
  const double n = total(observed);
  L1Distance result;
  double variance = 0.0;
  for (std::size_t b = 0; b < observed.size(); ++b) {
    const double p = probability[b];
    result.value += std::abs(observed[b] / n - p);
    result.expected += std::sqrt(2.0 * p * (1.0 - p) / (pi * n));
    variance += p * (1.0 - p) / n * (1.0 - 2.0 / pi);
  }
  result.deviation = std::sqrt(variance);
  return result;
}

double kolmogorov_tail(double x) {
  if (!(x > 0.0)) return std::isnan(x) ? x : 1.0;
  double sum = 0.0;
  if (x < 1.0) {  // the series that converges for small x
    for (int k = 1; k <= 7; k += 2) sum += std::exp(-k * k * pi * pi / (8.0 * x * x));
    return 1.0 - std::sqrt(2.0 * pi) / x * sum;
  }
  for (int k = 1; k <= 7; ++k) sum += (k % 2 == 1 ? 2.0 : -2.0) * std::exp(-2.0 * k * k * x * x);
  return sum;
}

KolmogorovSmirnov kolmogorov_smirnov(std::span<const double> observed, std::span<const double> probability) {
  const double n = total(observed);
  const double mass = total(probability);
  KolmogorovSmirnov result;
  double difference = 0.0;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    difference += observed[i] / n - probability[i] / mass;
    if (!(std::abs(difference) <= result.distance)) result.distance = std::abs(difference);
    if (std::isnan(difference)) break;
  }
  const double root = std::sqrt(n);
  result.p_value = kolmogorov_tail((root + 0.12 + 0.11 / root) * result.distance);
  return result;
}

double outside_p_value(double observed, double expected) {
  return observed > 0.0 ? boost::math::gamma_p(observed, expected) : 1.0;
}

double normal_p_value(double z) {
  return std::erfc(std::abs(z) / std::sqrt(2.0));
}

ParticleMoments particle_moments(std::span<const ParticleSums> sums, double center_theta, double center_velocity,
                                 double count) {
  ParticleSums s{};
  for (const ParticleSums& block : sums) {
    s.x += block.x, s.y += block.y, s.xx += block.xx, s.xy += block.xy, s.yy += block.yy;
    s.xxx += block.xxx, s.xxy += block.xxy, s.xyy += block.xyy, s.yyy += block.yyy;
    s.xxxx += block.xxxx, s.xxyy += block.xxyy, s.yyyy += block.yyyy;
  }
  const double n = count;
  const double a = s.x / n;
  const double b = s.y / n;
  // Central moments from those about the centre.
  const double xx = s.xx / n - a * a;
  const double xy = s.xy / n - a * b;
  const double yy = s.yy / n - b * b;
  const auto fourth = [](double m1, double m2, double m3, double m4) {
    return m4 - 4.0 * m1 * m3 + 6.0 * m1 * m1 * m2 - 3.0 * m1 * m1 * m1 * m1;
  };
  const double xxxx = fourth(a, s.xx / n, s.xxx / n, s.xxxx / n);
  const double yyyy = fourth(b, s.yy / n, s.yyy / n, s.yyyy / n);
  const double xxyy = s.xxyy / n - 2.0 * b * s.xxy / n - 2.0 * a * s.xyy / n + b * b * s.xx / n + a * a * s.yy / n +
                      4.0 * a * b * s.xy / n - 3.0 * a * a * b * b;
  const double unbiased = n / (n - 1.0);
  ParticleMoments m;
  m.count = n;
  m.mean = {center_theta + a, center_velocity + b};
  m.mean_error = {std::sqrt(xx / n), std::sqrt(yy / n)};
  m.covariance = {xx * unbiased, xy * unbiased, yy * unbiased};
  m.covariance_error = {std::sqrt((xxxx - xx * xx) / n), std::sqrt((xxyy - xy * xy) / n),
                        std::sqrt((yyyy - yy * yy) / n)};
  return m;
}

Moments density_moments(const PhasePlane& plane, std::span<const double> density) {
  const CellIndex cell(plane);
  double mass = 0.0;
  Moments m;
  for (std::size_t c = 0; c < density.size(); ++c) {
    const Vector2 z{plane.theta.center(static_cast<int>(cell.row(c))),
                    plane.velocity.center(static_cast<int>(cell.column(c)))};
    mass += density[c];
    for (std::size_t a = 0; a < 2; ++a) m.mean[a] += density[c] * z[a];
  }
  for (double& value : m.mean) value /= mass;
  for (std::size_t c = 0; c < density.size(); ++c) {
    const Vector2 z{plane.theta.center(static_cast<int>(cell.row(c))) - m.mean[0],
                    plane.velocity.center(static_cast<int>(cell.column(c))) - m.mean[1]};
    for (std::size_t a = 0; a < 2; ++a) {
      for (std::size_t b = 0; b < 2; ++b) m.covariance[a][b] += density[c] * z[a] * z[b] / mass;
    }
  }
  return m;
}

SampleComparison compare(const PhasePlane& plane, const ThetaWalls& walls, std::span<const double> density,
                         const ParticleSample& sample) {
  const CellIndex cell(plane);
  const std::size_t rows = cell.rows();
  const std::size_t columns = cell.columns();
  if (density.size() != cell.cells() || sample.counts.size() != density.size() + 1)
    throw Error(ExitCode::bad_input, "the sample was counted on another grid than that of the density");
  const auto probability = cell_probabilities(plane, walls, density);
  SampleComparison result;
  const Bins bins = make_bins(plane, probability, sample.moments.count);
  const auto observed = binned(bins, sample.counts);
  result.g = g_test(observed, bins.probability);
  result.l1 = l1_distance(observed, bins.probability);
  std::vector<double> theta(rows, 0.0), velocity(columns, 0.0), theta_seen(rows, 0.0), velocity_seen(columns, 0.0);
  for (std::size_t c = 0; c < density.size(); ++c) {
    theta[cell.row(c)] += probability[c];
    velocity[cell.column(c)] += probability[c];
    theta_seen[cell.row(c)] += static_cast<double>(sample.counts[c]);
    velocity_seen[cell.column(c)] += static_cast<double>(sample.counts[c]);
  }
  result.theta = kolmogorov_smirnov(theta_seen, theta);
  result.velocity = kolmogorov_smirnov(velocity_seen, velocity);
  const double missing = 1.0 - total(probability);
  const double expected_outside = sample.moments.count * (missing > negligible_outside ? missing : negligible_outside);
  result.outside = outside_p_value(static_cast<double>(sample.counts.back()), expected_outside);
  const Moments expected = density_moments(plane, density);
  const ParticleMoments& m = sample.moments;
  result.z = {(m.mean[0] - expected.mean[0]) / m.mean_error[0], (m.mean[1] - expected.mean[1]) / m.mean_error[1],
              (m.covariance[0] - expected.covariance[0][0]) / m.covariance_error[0],
              (m.covariance[1] - expected.covariance[0][1]) / m.covariance_error[1],
              (m.covariance[2] - expected.covariance[1][1]) / m.covariance_error[2]};
  std::vector<double> p_values{result.g.p_value, result.theta.p_value, result.velocity.p_value, result.outside};
  for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4}}) {
    const bool of_theta = k != 1 && k != 4;
    if (of_theta && walls.any_closed()) {
      result.z[k] = std::numeric_limits<double>::quiet_NaN();
    } else {
      p_values.push_back(normal_p_value(result.z[k]));
    }
  }
  const double least = least_of(p_values);
  result.p_value =
      least * static_cast<double>(p_values.size()) > 1.0 ? 1.0 : least * static_cast<double>(p_values.size());
  return result;
}

}  // namespace underdamp
