#include "solver/stationary/spectrum.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "kernels/contract/backend.hpp"
#include "meshes/cell_index.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;

/// An order that is one: exact comparisons, and what is not a number comes last.
bool slower(const Mode& a, const Mode& b) {
  const auto key = [](const Mode& mode) {
    const Complex value = mode.line.eigenvalue;
    const bool is_number = std::isfinite(value.real()) && std::isfinite(value.imag());
    return is_number ? std::tuple(false, -value.real(), std::abs(value.imag()), -value.imag())
                     : std::tuple(true, 0.0, 0.0, 0.0);
  };
  return key(a) < key(b);
}

/// The two of a conjugate pair differ by rounding: they are made exactly conjugate.
void pair_conjugates(std::vector<Mode>& modes) {
  constexpr double tie = 1e-9;
  std::vector<bool> paired(modes.size(), false);
  for (std::size_t a = 0; a < modes.size(); ++a) {
    Complex& value = modes[a].line.eigenvalue;
    if (paired[a] || !(value.imag() != 0.0)) continue;
    std::size_t best = a;
    double nearest = tie * std::abs(value);
    for (std::size_t b = a + 1; b < modes.size(); ++b) {
      const double distance = std::abs(modes[b].line.eigenvalue - std::conj(value));
      if (paired[b] || modes[b].line.eigenvalue.imag() * value.imag() >= 0.0 || !(distance <= nearest)) continue;
      best = b;
      nearest = distance;
    }
    if (best == a) continue;
    paired[a] = paired[best] = true;
    value = 0.5 * (value + std::conj(modes[best].line.eigenvalue));
    modes[best].line.eigenvalue = std::conj(value);
  }
}

bool parallel(const Mode& a, const Mode& b, double distance) {
  const double overlap = std::abs(a.vector.dot(b.vector)) / (a.vector.norm() * b.vector.norm());
  return overlap > 1.0 - 10.0 * distance;
}

/// Lines of one Jordan block that begins with `first`: as many neighbours as the splitting of a block of that size
/// explains.
std::size_t block_size(const std::vector<Mode>& modes, std::size_t first, double perturbation) {
  for (std::size_t m = std::min<std::size_t>(4, modes.size() - first); m > 1; --m) {
    const double split = 3.0 * std::pow(perturbation, 1.0 / static_cast<double>(m));
    Complex mean = 0.0;
    for (std::size_t k = first; k < first + m; ++k) mean += modes[k].line.eigenvalue / static_cast<double>(m);
    bool fits = true;
    for (std::size_t k = first; k < first + m; ++k) {
      const double distance = std::abs(modes[k].line.eigenvalue - mean) / std::abs(mean);
      fits = fits && distance < split && parallel(modes[first], modes[k], split);
    }
    if (fits) return m;
  }
  return 1;
}

}  // namespace

std::vector<Mode> slow_modes(std::vector<Mode> modes, int count, double perturbation) {
  if (modes.empty()) return {};
  pair_conjugates(modes);
  std::sort(modes.begin(), modes.end(), slower);
  for (std::size_t k = 0; k < modes.size();) {
    const std::size_t size = block_size(modes, k, perturbation);
    Complex sum = 0.0;
    for (std::size_t b = 0; b < size; ++b) sum += modes[k + b].line.eigenvalue;
    for (std::size_t b = 0; b < size && size > 1; ++b) modes[k + b].line.eigenvalue = sum / static_cast<double>(size);
    k += size;
  }
  if (modes.size() > static_cast<std::size_t>(count)) modes.resize(static_cast<std::size_t>(count));
  return modes;
}

std::vector<SpectralLine> lines_of(const std::vector<Mode>& modes) {
  std::vector<SpectralLine> lines;
  for (const Mode& mode : modes) lines.push_back(mode.line);
  return lines;
}

const char* kind_of(const SpectralLine& line, double relaxation_time) {
  constexpr double largest_error = 0.05;
  const double size = std::abs(line.eigenvalue);
  if (!(line.error <= largest_error * size && line.error <= std::abs(line.eigenvalue.real()))) return "uncertain";
  if (std::abs(line.eigenvalue.imag()) > 1e-6 * std::abs(line.eigenvalue)) return "oscillation";
  return -line.eigenvalue.real() * relaxation_time <= 0.5 ? "metastable" : "relaxation";
}

double slowest_rate(const std::vector<SpectralLine>& spectrum, double relaxation_time, int known) {
  for (auto line = static_cast<std::size_t>(known); line < spectrum.size(); ++line) {
    const std::complex<double> value = spectrum[line].eigenvalue;
    // What grows and oscillates is no mode of the process; what grows without is a crossing below rounding.
    if (value.real() >= 0.0 && value.imag() != 0.0) continue;
    return std::max(-value.real(), 1e-300);
  }
  return 1.0 / relaxation_time;
}

double take_density(std::span<const double> vector, const PhaseMesh& mesh, std::vector<double>& density) {
  const auto weights = theta_weights(mesh);
  const CellIndex cell(mesh);
  double sum = 0.0;
  for (std::size_t k = 0; k < vector.size(); ++k) sum += weights[cell.row(k)] * vector[k];
  density.assign(vector.size(), 0.0);
  double mass = 0.0;
  double negative = 0.0;
  for (std::size_t k = 0; k < vector.size(); ++k) {
    const double value = vector[k] / sum;
    density[k] = value > 0.0 ? value : 0.0;
    mass += weights[cell.row(k)] * density[k];
    negative += std::max(0.0, -value);
  }
  for (double& value : density) value /= mass * mesh.plane(0).cell_area();
  return negative;
}

}  // namespace underdamp
