#pragma once
#include <complex>
#include <span>
#include <vector>

/// What the sweeps of several parameters make of a wave e^{iωj}, for estimates of the error of a grid
/// (kernels/tables/sweep_symbols.cpp).
namespace underdamp {

/// Remap by a fraction a of a cell (Q = 19) over the exact shift, less one.
std::complex<double> wide_remap_error(double fraction, double omega);

/// Kernel of a kick of mean `fraction` and `variance` (cells, cells²) with the box compensation of a contraction by e,
/// over what is exact, less one, at every ω of `omegas`. A contraction treats point values as cell averages: exact is
/// the Gaussian times B(eω)/B(ω), B(ω) = sin(ω/2)/(ω/2).
std::vector<std::complex<double>> wide_kernel_error(double fraction, double variance, double contraction,
                                                    std::span<const double> omegas);

}  // namespace underdamp
