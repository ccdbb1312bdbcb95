#pragma once
#include <array>
#include <cstddef>

/// What sweeps of several parameters do wrong to a wave of ω per cell (docs/method.md, section 16): the ratio of what a
/// remap or a kernel makes of it to what is exact, less one. It differs from column to column with the fraction of the
/// shift: the mean stays in the density, what is left over changes from cell to cell and lives for a sweep or two.
namespace underdamp {

/// On ω_i = π (i + ½)/size.
inline constexpr std::size_t symbol_size = 96;
using ErrorSymbol = std::array<double, symbol_size>;

struct SweepError {
  ErrorSymbol mean{};
  ErrorSymbol fluctuation{};  ///< root mean square of the rest
};

/// Remap with Q = 19, over shifts that are Gaussian: `mean` and `deviation` in cells.
SweepError remap_error(double mean, double deviation);
/// Kernel of the axis law of a kick: variance in cells², with the box compensation of a contraction by e, over the
/// fractions of a kick that is spread over more than a cell.
SweepError kernel_error(double variance, double contraction);

/// ‖F⁻¹[δ(ω) e^{−σ²ω²/2}]‖₁: the L1 error that a sweep of this symbol leaves in a Gaussian that is σ cells wide along
/// the axis of the sweep with everything else held.
double error_norm(const ErrorSymbol& symbol, double deviation);

}  // namespace underdamp
