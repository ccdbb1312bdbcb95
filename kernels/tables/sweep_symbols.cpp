#include "kernels/contract/sweep_symbols.hpp"

#include <cmath>
#include <vector>

#include "kernels/tables/gaussian_weights.hpp"
#include "kernels/tables/remap.hpp"

namespace underdamp {

/// Edges are pulled back by a into the cell before, b = −1, fraction 1 − a: p'_i = p_{i−1} − F_i + F_{i+1}, F_e the
/// fluxes of remap.hpp.
std::complex<double> wide_remap_error(double fraction, double omega) {
  if (fraction == 0.0) return 0.0;
  const auto weights = remap_weights<wide_remap_cells>(1.0 - fraction);
  constexpr int reach = reach_of(wide_remap_cells);
  const std::complex<double> wave = std::polar(1.0, omega);
  std::complex<double> flux = 0.0;
  std::complex<double> phase = std::polar(1.0, -omega * (reach + 1));
  for (const double w : weights) {
    flux += w * phase;
    phase *= wave;
  }
  const std::complex<double> symbol = std::conj(wave) - flux + wave * flux;
  return symbol / std::polar(1.0, -omega * fraction) - 1.0;
}

std::function<std::complex<double>(double)> wide_kernel_error(double fraction, double variance, double contraction) {
  KickLaw law = box_compensation(contraction);
  law.mean = fraction;
  law.variance += variance;
  return [kernel = single_kernel(law), fraction, variance, contraction](double omega) {
    const int half = static_cast<int>(kernel.size()) / 2;
    std::complex<double> symbol = 0.0;
    for (int m = -half; m <= half; ++m)
      symbol += kernel[static_cast<std::size_t>(m + half)] * std::polar(1.0, -omega * m);
    const auto box = [](double w) { return w == 0.0 ? 1.0 : std::sin(w / 2.0) / (w / 2.0); };
    const double exact = std::exp(-variance * omega * omega / 2.0) * box(contraction * omega) / box(omega);
    return symbol / (exact * std::polar(1.0, -omega * fraction)) - 1.0;
  };
}

}  // namespace underdamp
