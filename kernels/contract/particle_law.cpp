#include "kernels/contract/particle_law.hpp"

#include <cmath>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

/// Slopes per interval of values at equally spaced points, fourth order: central, one-sided near the ends.
std::vector<double> slopes(std::span<const double> f) {
  const std::size_t n = f.size();
  std::vector<double> slope(n);
  for (std::size_t i = 2; i + 2 < n; ++i) slope[i] = (8.0 * (f[i + 1] - f[i - 1]) - (f[i + 2] - f[i - 2])) / 12.0;
  const auto one_sided = [&](std::size_t end, std::ptrdiff_t inward) {
    const auto at = [&](std::ptrdiff_t k) {
      return f[static_cast<std::size_t>(static_cast<std::ptrdiff_t>(end) + inward * k)];
    };
    const auto sign = static_cast<double>(inward);
    slope[end] = sign * (-25.0 * at(0) + 48.0 * at(1) - 36.0 * at(2) + 16.0 * at(3) - 3.0 * at(4)) / 12.0;
    slope[end + static_cast<std::size_t>(inward)] =
        sign * (-3.0 * at(0) - 10.0 * at(1) + 18.0 * at(2) - 6.0 * at(3) + at(4)) / 12.0;
  };
  one_sided(0, 1);
  one_sided(n - 1, -1);
  return slope;
}

/// Cubic Hermite interpolation on interval i.
void fill(double* c, std::span<const double> f, const std::vector<double>& slope, std::size_t i) {
  const double rise = f[i + 1] - f[i];
  c[0] = f[i];
  c[1] = slope[i];
  c[2] = 3.0 * rise - 2.0 * slope[i] - slope[i + 1];
  c[3] = slope[i] + slope[i + 1] - 2.0 * rise;
}

}  // namespace

ParticleLaw splitting_law(double friction, double duration) {
  const double half = 0.5 * friction * duration;
  const Kick kick{std::exp(-half), -std::expm1(-half) / friction, std::sqrt(-std::expm1(-2.0 * half) / friction)};
  return {kick, kick, 0.0, duration};
}

ParticleLaw euler_law(double friction, double duration) {
  return {{1.0 - friction * duration, duration, std::sqrt(2.0 * duration)}, {}, duration, 0.0};
}

ParticleLaw sgd_law(double momentum, double learning_rate) {
  return {{momentum, 1.0, 1.0}, {}, 0.0, learning_rate};
}

ParticleTable make_particle_table(double lower, double upper, std::span<const double> force,
                                  std::span<const double> diffusion) {
  const std::size_t points = force.size();
  if (points < 5 || diffusion.size() != points || !(upper > lower)) {
    throw Error(ExitCode::bad_input, "a table of force and noise needs at least five points on an interval");
  }
  constexpr auto row = static_cast<std::size_t>(ParticleTable::row);
  ParticleTable table;
  table.lower = lower;
  table.intervals = static_cast<int>(points) - 1;
  table.width = (upper - lower) / table.intervals;
  table.coefficients.assign((points + 1) * row, 0.0);
  const auto force_slope = slopes(force);
  const auto diffusion_slope = slopes(diffusion);
  for (std::size_t i = 0; i + 1 < points; ++i) {
    double* const c = table.coefficients.data() + (i + 1) * row;
    fill(c, force, force_slope, i);
    fill(c + 4, diffusion, diffusion_slope, i);
  }
  // Beyond the ends, measured from the left edge of an interval that is never left: F + F'·(r − 1), and F + F'·r.
  double* const below = table.coefficients.data();
  below[0] = force.front() - force_slope.front();
  below[1] = force_slope.front();
  below[4] = diffusion.front();
  double* const above = table.coefficients.data() + points * row;
  above[0] = force.back();
  above[1] = force_slope.back();
  above[4] = diffusion.back();
  return table;
}

}  // namespace underdamp
