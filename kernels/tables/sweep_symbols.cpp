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

std::vector<std::complex<double>> wide_kernel_error(double fraction, double variance, double contraction,
                                                    std::span<const double> omegas) {
  KickLaw law = box_compensation(contraction);
  law.mean = fraction;
  law.variance += variance;
  const std::vector<double> kernel = single_kernel(law);
  const int half = static_cast<int>(kernel.size()) / 2;
  const auto box = [](double w) { return w == 0.0 ? 1.0 : std::sin(w / 2.0) / (w / 2.0); };
  std::vector<std::complex<double>> error;
  for (const double omega : omegas) {
    // Σ_m g_m e^{−iωm}, the phases by rotation.
    const std::complex<double> turn = std::polar(1.0, -omega);
    std::complex<double> phase = std::polar(1.0, omega * half);
    double real = 0.0;
    double imaginary = 0.0;
    for (const double g : kernel) {
      real += g * phase.real();
      imaginary += g * phase.imag();
      phase = {phase.real() * turn.real() - phase.imag() * turn.imag(),
               phase.real() * turn.imag() + phase.imag() * turn.real()};
    }
    const double exact = std::exp(-variance * omega * omega / 2.0) * box(contraction * omega) / box(omega);
    error.push_back(std::complex<double>(real, imaginary) * std::polar(1.0 / exact, omega * fraction) - 1.0);
  }
  return error;
}

}  // namespace underdamp
