#pragma once
#include <cmath>
#include <limits>

#include "kernels/contract/particle_law.hpp"
#include "kernels/contract/random.hpp"

/// Bodies of the particle operations, one block of `particle_block` particles per call. Memory of an ensemble is padded
/// to whole blocks and the padding moves along, so that every particle goes through the same instructions wherever it
/// lies.
namespace underdamp {

struct ParticleArrays {
  double* theta;
  double* velocity;
  std::uint64_t seed;
  std::uint32_t plane;
  std::uint64_t first;  ///< number of particle 0 in the ensemble of its plane
  std::size_t count;

  UNDERDAMP_HD std::size_t begin(int block) const { return static_cast<std::size_t>(block) * particle_block; }
  UNDERDAMP_HD int used(int block) const {
    const std::size_t left = count - begin(block);
    return static_cast<int>(left < particle_block ? left : particle_block);
  }
};

struct ParticleTableView {
  const double* coefficients;
  double lower;
  double inverse_width;
  double last;  ///< number of intervals + ½

  struct Values {
    double force;
    double deviation;  ///< √D
  };

  /// F(θ) and √D(θ), eq. 56. A θ that is not a number gives values that are none.
  UNDERDAMP_HD Values operator()(double theta) const {
    const double x = (theta - lower) * inverse_width;
    double inside = x > -0.5 ? x : -0.5;
    inside = inside < last ? inside : last;
    const int i = static_cast<int>(inside + 1.0);
    const double r = x - (i - 1);
    const int c = ParticleTable::row * i;
    const double f = coefficients[c] + r * (coefficients[c + 1] + r * (coefficients[c + 2] + r * coefficients[c + 3]));
    const double d =
        coefficients[c + 4] + r * (coefficients[c + 5] + r * (coefficients[c + 6] + r * coefficients[c + 7]));
    return {f, sqrt(d > 0.0 ? d : 0.0)};
  }
};

/// Closed θ walls: positions beyond them are mapped back, mirrored ones with reversed velocity.
struct ThetaFold {
  double origin;  ///< lower end of the axis; of one mirror alone, its place
  double length;  ///< of the axis; infinite beside one mirror alone
  double period;  ///< length of the axis if periodic, twice that between two mirrors, infinite beside one
  double side;    ///< −1 if the axis lies below its one mirror, else 1

  UNDERDAMP_HD void operator()(double& theta, double& velocity) const {
    double x = side * (theta - origin);
    const bool stands_alone = period > largest;
    const bool behind = stands_alone && x < 0.0;
    x = stands_alone ? (behind ? -x : x) : x - period * floor(x / period);
    const bool beyond = x > length;
    theta = origin + side * (beyond ? period - x : x);
    velocity = behind || beyond ? -velocity : velocity;
  }

 private:
  static constexpr double largest = 1e300;
};

/// For walls of which at least one is closed.
inline ThetaFold theta_fold(const Axis& theta, const ThetaWalls& walls) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (walls.is_periodic()) return {theta.lower, theta.length(), theta.length(), 1.0};
  if (walls.closed()) return {theta.lower, theta.length(), 2.0 * theta.length(), 1.0};
  if (walls.lower == ThetaBoundary::reflecting) return {theta.lower, infinity, infinity, 1.0};
  return {theta.upper, infinity, infinity, -1.0};
}

/// Steps first … last − 1 of a ParticleLaw (eqs. 53-55). At the time points k = first … last: the closing kick of step
/// k − 1 with ξ_a(k), the opening kick of step k with ξ_b(k), the drift of step k. Kicks and drifts that belong to
/// other calls are replaced by the identity, so that cutting a run into calls does not change a bit.
template <bool closed>
struct AdvanceParticles {
  ParticleArrays particles;
  ParticleTableView table;
  ParticleLaw law;
  ThetaFold fold;
  long first;
  long last;
  bool closes;  ///< the law has a closing kick, so that there is something to do at the time point `last`

  struct Point {
    Kick closing;
    Kick opening;
    double drift_before;
    double drift_after;
  };

  UNDERDAMP_HD Point operator()(long k) const {
    Point p{law.closing, law.opening, law.drift_before, law.drift_after};
    if (k == first) p.closing = {};
    if (k == last) {
      p.opening = {};
      p.drift_before = 0.0;
      p.drift_after = 0.0;
    }
    return p;
  }

  /// What a particle meets at one time point.
  struct Step {
    std::uint64_t seed;
    std::uint32_t stream;
    std::uint64_t number;  ///< of the first particle of the block
    ParticleTableView table;
    ThetaFold fold;

    static UNDERDAMP_HD double kicked(const Kick& kick, double v, const ParticleTableView::Values& local, double xi) {
      return kick.contraction * v + kick.force * local.force + kick.noise * local.deviation * xi;
    }

    UNDERDAMP_HD void operator()(const Point& p, long k, int j, double& theta, double& velocity) const {
      const std::uint64_t particle = number + static_cast<std::uint64_t>(j);
      const GaussianPair xi = gaussian_pair(random_words(seed, stream, particle, static_cast<std::uint32_t>(k)));
      const ParticleTableView::Values local = table(theta);
      const double before = kicked(p.closing, velocity, local, xi.a);
      double v = kicked(p.opening, before, local, xi.b);
      double x = theta + p.drift_before * before + p.drift_after * v;
      if constexpr (closed) fold(x, v);
      theta = x;
      velocity = v;
    }
  };

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, int block) const {
    const std::size_t begin = particles.begin(block);
    const Step step{particles.seed, random_stream(RandomPurpose::dynamics, particles.plane), particles.first + begin,
                    table, fold};
    line.march(static_cast<int>(particle_block), first, closes ? last : last - 1, particles.theta + begin,
               particles.velocity + begin, *this, step);
  }
};

/// Start N(mean, L Lᵀ).
struct SampleGaussian {
  ParticleArrays particles;
  GaussianStart start;

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, int block) const {
    const std::size_t begin = particles.begin(block);
    const std::uint32_t stream = random_stream(RandomPurpose::start, particles.plane);
    line.for_each(static_cast<int>(particle_block), [&](int j) {
      const std::size_t k = begin + static_cast<std::size_t>(j);
      const GaussianPair xi = gaussian_pair(random_words(particles.seed, stream, particles.first + k, 0));
      particles.theta[k] = start.mean[0] + start.factor[0] * xi.a;
      particles.velocity[k] = start.mean[1] + (start.factor[1] * xi.a + start.factor[2] * xi.b);
    });
  }
};

/// Start from the cells of a plane, eq. 57.
struct SampleGrid {
  ParticleArrays particles;
  PhasePlane plane;
  const double* cumulative;
  const double* slope_theta;
  const double* slope_velocity;

  /// x in [−½, ½] with density 1 + s x, from u in [0, 1): the inverse of its distribution function.
  static UNDERDAMP_HD double within_cell(double s, double u) {
    const double b = 1.0 - 0.5 * s;
    const double root = sqrt(b * b + 2.0 * s * u);
    return u > 0.0 ? 2.0 * u / (b + root) - 0.5 : -0.5;
  }

  /// First cell whose cumulative probability exceeds u.
  UNDERDAMP_HD int cell_of(double u) const {
    int low = 0;
    int high = plane.theta.cells * plane.velocity.cells - 1;
    while (low < high) {
      const int middle = low + (high - low) / 2;
      if (cumulative[middle] > u) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, int block) const {
    const std::size_t begin = particles.begin(block);
    line.for_each(static_cast<int>(particle_block), [&](int j) {
      const std::size_t k = begin + static_cast<std::size_t>(j);
      const std::uint64_t number = particles.first + k;
      const RandomWords which =
          random_words(particles.seed, random_stream(RandomPurpose::start, particles.plane), number, 0);
      const RandomWords where =
          random_words(particles.seed, random_stream(RandomPurpose::start_in_cell, particles.plane), number, 0);
      const int cell = cell_of(uniform(which.first));
      const double x = within_cell(slope_theta[cell], uniform(where.first));
      const double y = within_cell(slope_velocity[cell], uniform(where.second));
      particles.theta[k] = plane.theta.center(cell / plane.velocity.cells) + x * plane.theta.width();
      particles.velocity[k] = plane.velocity.center(cell % plane.velocity.cells) + y * plane.velocity.width();
    });
  }
};

/// Particles in each cell of a plane; the last count is for those outside and those that are not finite. Whole numbers
/// add up to the same in any order.
struct CountParticles {
  ParticleArrays particles;
  PhasePlane plane;
  unsigned long long* counts;

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, int block) const {
    const std::size_t begin = particles.begin(block);
    line.for_each(particles.used(block), [&](int j) {
      const double x = (particles.theta[begin + static_cast<std::size_t>(j)] - plane.theta.lower) / plane.theta.width();
      const double y =
          (particles.velocity[begin + static_cast<std::size_t>(j)] - plane.velocity.lower) / plane.velocity.width();
      const bool inside = x >= 0.0 && x < plane.theta.cells && y >= 0.0 && y < plane.velocity.cells;
      const int columns = plane.velocity.cells;
      const std::ptrdiff_t cell = inside ? static_cast<std::ptrdiff_t>(x) * columns + static_cast<std::ptrdiff_t>(y)
                                         : static_cast<std::ptrdiff_t>(plane.theta.cells) * columns;
      add_one(counts + cell);
    });
  }
};

/// ParticleSums of each block.
struct SumParticles {
  ParticleArrays particles;
  double center_theta;
  double center_velocity;
  ParticleSums* sums;  ///< [block]

  template <class Line>
  UNDERDAMP_HD void operator()(Line& line, int block) const {
    const double* const theta = particles.theta + particles.begin(block);
    const double* const velocity = particles.velocity + particles.begin(block);
    const int n = particles.used(block);
    const auto sum = [&](auto&& term) {
      return line.sum(n, [&](int j) { return term(theta[j] - center_theta, velocity[j] - center_velocity); });
    };
    ParticleSums s{};
    s.x = sum([](double x, double) { return x; });
    s.y = sum([](double, double y) { return y; });
    s.xx = sum([](double x, double) { return x * x; });
    s.xy = sum([](double x, double y) { return x * y; });
    s.yy = sum([](double, double y) { return y * y; });
    s.xxx = sum([](double x, double) { return x * x * x; });
    s.xxy = sum([](double x, double y) { return x * x * y; });
    s.xyy = sum([](double x, double y) { return x * y * y; });
    s.yyy = sum([](double, double y) { return y * y * y; });
    s.xxxx = sum([](double x, double) { return (x * x) * (x * x); });
    s.xxyy = sum([](double x, double y) { return (x * x) * (y * y); });
    s.yyyy = sum([](double, double y) { return (y * y) * (y * y); });
    line.once([&] { sums[block] = s; });
    line.barrier();
  }
};

}  // namespace underdamp
