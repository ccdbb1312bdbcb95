#include "solver/displacement/flow_samples.hpp"

#include <array>

#include "meshes/cell_index.hpp"

namespace underdamp {
namespace {

/// Above this share of its final size a displacement is read off directly; below, the integral of its rate has more
/// digits.
constexpr double direct_share = 0.2;

/// ∫ u over an interval h from u and three derivatives at both ends, error h⁹ u⁽⁸⁾/25 401 600; or one of them, for
/// slow ones.
double two_point_integral(const std::array<double, 5>& a, const std::array<double, 5>& b, double h, bool is_slow) {
  if (is_slow) return h * (0.5 * (a[1] + b[1]) + h / 12.0 * (a[2] - b[2]));
  return h * (0.5 * (a[1] + b[1]) +
              h * (3.0 / 28.0 * (a[2] - b[2]) + h * ((a[3] + b[3]) / 84.0 + h * (a[4] - b[4]) / 1680.0)));
}

}  // namespace

StartFields start_fields(const ScaledPlane& s, const std::vector<double>& density) {
  const CellIndex cell(s.plane);
  const auto x = [&](std::size_t k) { return s.plane.theta.center(static_cast<int>(cell.row(k))); };
  const auto y = [&](std::size_t k) { return s.plane.velocity.center(static_cast<int>(cell.column(k))); };
  double mass = 0.0, mean_x = 0.0, mean_y = 0.0;
  for (std::size_t k = 0; k < density.size(); ++k) {
    mass += density[k];
    mean_x += density[k] * x(k);
    mean_y += density[k] * y(k);
  }
  StartFields fields{density, density, density, mean_x / mass};
  mean_y /= mass;
  for (std::size_t k = 0; k < density.size(); ++k) {
    fields.density[k] /= mass * s.plane.cell_area();
    fields.position[k] = fields.density[k] * (x(k) - fields.center);
    fields.velocity[k] = fields.density[k] * (y(k) - mean_y);
  }
  return fields;
}

Sampler::Sampler(bool is_stationary, bool is_map, double unit, const FieldSums& start)
    : is_stationary_(is_stationary), is_map_(is_map), unit_(unit), start_(start) {
  last_ = rates(0.0, start);
  last_.displacement[0] = last_.displacement[1] = 0.0;
}

CurveSample Sampler::next(double time, const FieldSums& sums, bool is_slow) {
  CurveSample sample = rates(time, sums);
  sample.is_slow = is_slow;
  sample.displacement[0] =
      last_.displacement[0] +
      (is_map_ ? map_increment(sums)
               : two_point_integral(last_.displacement, sample.displacement, sample.time - last_.time, is_slow));
  const double direct = direct_displacement(sums);
  if (direct > direct_share * size(sums)) sample.displacement[0] = direct;
  last_ = sample;
  return sample;
}

double Sampler::size(const FieldSums& sums) const {
  return is_stationary_ ? 2.0 * start_.position.position[0] : sums.density.square + start_.density.square;
}

double Sampler::direct_displacement(const FieldSums& sums) const {
  if (is_stationary_) return 2.0 * (start_.position.position[0] - sums.position.position[0]);
  return sums.density.square - 2.0 * sums.position.position[0] + start_.density.square;
}

/// E|x_n − x_0|² − E|x_{n−1} − x_0|², with x_n = x_{n−1} + y_n in these units.
double Sampler::map_increment(const FieldSums& sums) const {
  if (is_stationary_) return -2.0 * sums.position.position[1];
  return 2.0 * (sums.density.spread[0] - sums.position.position[1]) - sums.density.velocity_square;
}

CurveSample Sampler::rates(double time, const FieldSums& sums) const {
  CurveSample sample;
  sample.time = time * unit_;
  double scale = 1.0;
  for (std::size_t n = 0; n < 5; ++n, scale /= unit_) {
    sample.correlation[n] = sums.position.position[n] * scale;
    if (n == 0) continue;
    const double spread = is_stationary_ ? 0.0 : sums.density.spread[n - 1];
    sample.displacement[n] = 2.0 * (spread - sums.position.position[n]) * scale;
    if (!is_stationary_) sample.velocity[n - 1] = sums.velocity.position[n] * scale / unit_;
  }
  return sample;
}

}  // namespace underdamp
