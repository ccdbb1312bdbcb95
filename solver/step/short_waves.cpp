#include "solver/step/short_waves.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <boost/math/special_functions/beta.hpp>

namespace underdamp {
namespace {

/// Half of the degree of the filter in sin²(ω/2), rounded up.
constexpr int flatness = 12;
constexpr int reach = 2 * flatness - 1;
/// Diffusion of a window, as variance in cells, that damps short waves faster than extrapolation amplifies them.
constexpr double damping_variance = 2.0;
/// Share of an axis beside each wall on which fields fade out: less than half a standard deviation of fifteen.
constexpr double fading = 0.03;

/// Symbol 1 − I(sin²(ω/2); 12, 12), maximally flat at both ends and ½ at waves of four cells: it changes a wave of 12
/// cells by 1e-10 and of 24 by 1e-17.
std::vector<double> filter_weights() {
  constexpr int samples = 64;  // exact for trigonometric polynomials of degree 23
  std::vector<double> weights(reach + 1, 0.0);
  for (int k = 0; k < samples; ++k) {
    const double angle = 2.0 * std::numbers::pi * k / samples;
    const double square = std::pow(std::sin(0.5 * angle), 2);
    const double symbol = boost::math::ibetac(flatness, flatness, square);
    for (int m = 0; m <= reach; ++m) weights[static_cast<std::size_t>(m)] += symbol * std::cos(m * angle) / samples;
  }
  return weights;
}

std::vector<double> shares(std::size_t cells) {
  std::vector<double> share;
  const double width = fading * static_cast<double>(cells);
  for (std::size_t c = 0; c < cells; ++c) {
    const double distance = 0.5 + static_cast<double>(std::min(c, cells - 1 - c));
    const double u = std::min(1.0, distance / width);
    share.push_back(u * u * (3.0 - 2.0 * u));
  }
  return share;
}

bool amplifies(const ScaledPlane& plane) {
  const double diffusion = *std::min_element(plane.tables.diffusion.begin(), plane.tables.diffusion.end());
  const double width = plane.plane.velocity.width();
  return !(2.0 * diffusion >= damping_variance * width * width);
}

}  // namespace

ShortWaves::ShortWaves(Backend& backend, const std::vector<ScaledPlane>& planes)
    : backend_(backend),
      rows_(static_cast<std::size_t>(planes.front().plane.theta.cells)),
      columns_(static_cast<std::size_t>(planes.front().plane.velocity.cells)),
      weight_(filter_weights()),
      theta_share_(shares(rows_)),
      velocity_share_(shares(columns_)) {
  for (const ScaledPlane& plane : planes) grow_.push_back(amplifies(plane));
}

void ShortWaves::remove(Field& field) {
  if (std::find(grow_.begin(), grow_.end(), true) == grow_.end()) return;
  values_.resize(grow_.size() * rows_ * columns_);
  backend_.fields().download(field, values_);
  for (std::size_t p = 0; p < grow_.size(); ++p) {
    if (grow_[p]) remove(values_.data() + p * rows_ * columns_);
  }
  backend_.fields().upload(values_, field);
}

void ShortWaves::remove(double* values) const {
  smooth_along_theta(values);
  smooth_along_velocity(values);
  for (std::size_t i = 0; i < rows_; ++i) {
    for (std::size_t j = 0; j < columns_; ++j) values[i * columns_ + j] *= theta_share_[i] * velocity_share_[j];
  }
}

void ShortWaves::smooth_along_theta(double* values) const {
  const std::vector<double> from(values, values + rows_ * columns_);
  for (std::size_t i = 0; i < rows_; ++i) {
    double* const to = values + i * columns_;
    for (std::size_t j = 0; j < columns_; ++j) to[j] *= weight_[0];
    for (std::size_t m = 1; m < weight_.size(); ++m) {
      const double weight = weight_[m];
      const auto add = [&](std::size_t row) {
        const double* const source = from.data() + row * columns_;
        for (std::size_t j = 0; j < columns_; ++j) to[j] += weight * source[j];
      };
      if (i >= m) add(i - m);
      if (i + m < rows_) add(i + m);
    }
  }
}

void ShortWaves::smooth_along_velocity(double* values) const {
  std::vector<double> line(columns_ + 2 * reach, 0.0);
  for (std::size_t i = 0; i < rows_; ++i) {
    double* const to = values + i * columns_;
    std::copy(to, to + columns_, line.begin() + reach);
    const double* const source = line.data() + reach;
    for (std::size_t j = 0; j < columns_; ++j) to[j] = weight_[0] * source[j];
    for (std::size_t m = 1; m < weight_.size(); ++m) {
      const double weight = weight_[m];
      const double* const below = source - m;
      const double* const above = source + m;
      for (std::size_t j = 0; j < columns_; ++j) to[j] += weight * (below[j] + above[j]);
    }
  }
}

}  // namespace underdamp
