#include "solver/coupled/sweep_symbols.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "kernels/contract/sweep_symbols.hpp"

namespace underdamp {
namespace {

const std::array<double, symbol_size>& omegas() {
  static const auto values = [] {
    std::array<double, symbol_size> omega{};
    for (std::size_t i = 0; i < symbol_size; ++i)
      omega[i] = std::numbers::pi * (static_cast<double>(i) + 0.5) / static_cast<double>(symbol_size);
    return omega;
  }();
  return values;
}

using ComplexSymbol = std::array<std::complex<double>, symbol_size>;

/// Of the remap, between its values at fractions q/size of a cell: estimates need no finer ones.
ComplexSymbol remap_symbol(double shift) {
  constexpr std::size_t size = 64;
  static const auto table = [] {
    std::array<ComplexSymbol, size + 1> symbols{};  // 0 at either end
    for (std::size_t q = 1; q < size; ++q) {
      for (std::size_t i = 0; i < symbol_size; ++i)
        symbols[q][i] = wide_remap_error(static_cast<double>(q) / static_cast<double>(size), omegas()[i]);
    }
    return symbols;
  }();
  const double position = (shift - std::floor(shift)) * static_cast<double>(size);
  const std::size_t q = std::min(size - 1, static_cast<std::size_t>(position));
  const double share = position - static_cast<double>(q);
  ComplexSymbol symbol;
  for (std::size_t i = 0; i < symbol_size; ++i) symbol[i] = (1.0 - share) * table[q][i] + share * table[q + 1][i];
  return symbol;
}

/// Mean and fluctuation over fractions.
class Average {
 public:
  template <class Symbol>
  void add(double weight, const Symbol& symbol) {
    weights_ += weight;
    for (std::size_t i = 0; i < symbol_size; ++i) {
      mean_[i] += weight * symbol[i].real();  // the imaginary part changes sign with the fraction
      square_[i] += weight * std::norm(symbol[i]);
    }
  }
  SweepError result() const {
    SweepError error;
    for (std::size_t i = 0; i < symbol_size; ++i) {
      error.mean[i] = mean_[i] / weights_;
      error.fluctuation[i] = std::sqrt(std::max(0.0, square_[i] / weights_ - error.mean[i] * error.mean[i]));
    }
    return error;
  }

 private:
  double weights_ = 0.0;
  ErrorSymbol mean_{};
  ErrorSymbol square_{};
};

}  // namespace

SweepError remap_error(double mean, double deviation) {
  constexpr int points = 41;
  Average average;
  for (int q = 0; q < points; ++q) {
    const double z = -4.0 + 8.0 * q / (points - 1);
    const double shift = mean + deviation * z;
    average.add(std::exp(-0.5 * z * z), remap_symbol(shift));
  }
  return average.result();
}

SweepError kernel_error(double variance, double contraction) {
  constexpr int points = 8;
  Average average;
  for (int q = 0; q < points; ++q)
    average.add(1.0, wide_kernel_error((q + 0.5) / points - 0.5, variance, contraction, omegas()));
  return average.result();
}

double error_norm(const ErrorSymbol& symbol, double deviation) {
  constexpr int points = 64;
  constexpr double reach = 8.0;  // deviations
  std::array<double, symbol_size> amplitude{};
  for (std::size_t i = 0; i < symbol_size; ++i)
    amplitude[i] = symbol[i] * std::exp(-0.5 * std::pow(deviation * omegas()[i], 2));
  // f(x) = (1/π) ∫_0^π δ e^{−σ²ω²/2} cos ωx dω; the phases by rotation.
  const double step = std::numbers::pi / static_cast<double>(symbol_size);
  const double width = reach * std::max(deviation, 0.5);
  double norm = 0.0;
  for (int p = 0; p < points; ++p) {
    const double x = width * (p + 0.5) / points;
    std::complex<double> phase = std::polar(1.0, 0.5 * step * x);
    const std::complex<double> turn = std::polar(1.0, step * x);
    double value = 0.0;
    for (std::size_t i = 0; i < symbol_size; ++i) {
      value += amplitude[i] * phase.real();
      phase *= turn;
    }
    norm += std::abs(value);
  }
  return 2.0 * norm * (width / points) * step / std::numbers::pi;
}

}  // namespace underdamp
