#include "solver/step/sweep_constants.hpp"

#include <algorithm>
#include <cmath>

#include "solver/step/derivative_form.hpp"

namespace underdamp {
namespace {

/// C(a) = Π_{k=−5}^{6} (a − k)/12! of (10): a shift by the fraction a leaves −C Δ¹²p.
double remap_constant(double shift) {
  const double a = shift - std::floor(shift);
  const double x = a * (1.0 - a);
  return x * (x + 2.0) * (x + 6.0) * (x + 12.0) * (x + 20.0) * (x + 30.0) / factorial(12);
}

/// What a sampled kernel of deviation s cells (times `stride`) leaves of ∂⁸ on data that end up `width` cells wide: its
/// fourth moment lacks what lies beyond the cut at z, 2 He₃(z) φ(z); where kernel and data are alike, making the second
/// one right is the smaller part. Below s = 1.4 six moments are right and sampling adds to the eighth.
double sampled_constant(double s, double stride, double width) {
  const double scale = std::pow(s * stride, 8);
  const double share = s * stride / width;
  const auto as_eighth = [&](int order, double missing) {
    return missing / factorial(order) * std::sqrt(factorial(order) / factorial(8)) * std::pow(share, order - 8);
  };
  if (s < sampling_felt_below) {
    const double frequency = 6.283185307179586 * s;
    return 2.0 * std::exp(-0.5 * frequency * frequency) * std::pow(frequency, 8) / factorial(8) * scale;
  }
  const double z = (std::ceil(sampled_reach * s) + 0.5) / s;
  const double density = std::exp(-0.5 * z * z) / 2.5066282746310002;
  const double second = 2.0 * density * z;
  const double fourth = second * (z * z - 3.0);
  return std::min(as_eighth(2, second), as_eighth(4, fourth)) * scale;
}

}  // namespace

double mean_remap_constant(double mean_shift, double deviation) {
  if (deviation > 0.5) return over_all_fractions;
  double sum = 0.0;
  double weight = 0.0;
  for (int k = -6; k <= 6; ++k) {
    const double z = 0.45 * k;
    const double w = std::exp(-0.5 * z * z);
    sum += w * remap_constant(mean_shift + z * deviation);
    weight += w;
  }
  return sum / weight;
}

double kernel_constant(double variance, double width, bool deposit) {
  double stride = 1.0;
  double filters = 0.0;
  while (variance >= restricted_variance) {
    filters =
        2.0 * 24310.0 * std::pow(0.5 * stride, 18) * std::sqrt(factorial(18) / factorial(8)) * std::pow(width, -10);
    variance /= 4.0;
    stride *= 2.0;
  }
  if (variance < sampled_variance) return 0.0;
  if (deposit || stride > 1.0 || variance <= cascade_variance) {
    return filters + sampled_constant(std::sqrt(variance), stride, width);
  }
  return sampled_constant(std::sqrt(fine_level_variance), 1.0, width) +
         sampled_constant(std::sqrt((variance - fine_level_variance) / 4.0), 2.0, width);
}

}  // namespace underdamp
