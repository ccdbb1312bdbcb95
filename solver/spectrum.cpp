#include "solver/spectrum.hpp"

#include <algorithm>
#include <cmath>

namespace underdamp {
namespace {

using Complex = std::complex<double>;

bool slower(const Mode& a, const Mode& b) {
  const Complex x = a.line.eigenvalue;
  const Complex y = b.line.eigenvalue;
  // The two of a conjugate pair differ by rounding in their real parts.
  const double tie = 1e-9 * std::max(std::abs(x), std::abs(y));
  if (std::abs(x.real() - y.real()) > tie) return x.real() > y.real();
  if (std::abs(std::abs(x.imag()) - std::abs(y.imag())) > tie) return std::abs(x.imag()) < std::abs(y.imag());
  return x.imag() > y.imag();
}

bool parallel(const Mode& a, const Mode& b, double distance) {
  const double overlap = std::abs(a.vector.dot(b.vector)) / (a.vector.norm() * b.vector.norm());
  return overlap > 1.0 - 10.0 * distance;
}

/// Lines of one Jordan block that begins with `first`: as many neighbours as the splitting of a block of that size
/// explains.
std::size_t block_size(const std::vector<Mode>& modes, std::size_t first, double perturbation) {
  const Complex lambda = modes[first].line.eigenvalue;
  for (std::size_t m = std::min<std::size_t>(4, modes.size() - first); m > 1; --m) {
    const double split = 3.0 * std::pow(perturbation, 1.0 / static_cast<double>(m));
    bool fits = true;
    for (std::size_t k = first + 1; k < first + m; ++k) {
      const double distance = std::abs(modes[k].line.eigenvalue - lambda) / std::abs(lambda);
      fits = fits && distance < split && parallel(modes[first], modes[k], split);
    }
    if (fits) return m;
  }
  return 1;
}

}  // namespace

std::vector<Mode> slow_modes(std::vector<Mode> modes, int count, double perturbation) {
  if (modes.empty()) return {};
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

double wall_share(const Eigen::VectorXcd& vector, const PhaseMesh& mesh) {
  const int rows = mesh.theta_cells();
  const int columns = mesh.velocity_cells();
  const auto at = [&](int i, int j) { return std::abs(vector[static_cast<Eigen::Index>(i) * columns + j]); };
  double wall = 0.0;
  for (int i = 0; i < rows; ++i) wall = std::max({wall, at(i, 0), at(i, columns - 1)});
  for (int j = 0; j < columns; ++j) {
    if (mesh.walls().lower == ThetaBoundary::open) wall = std::max(wall, at(0, j));
    if (mesh.walls().upper == ThetaBoundary::open) wall = std::max(wall, at(rows - 1, j));
  }
  const double peak = vector.cwiseAbs().maxCoeff();
  return peak > 0.0 ? wall / peak : 0.0;
}

const char* kind_of(const SpectralLine& line, double relaxation_time) {
  if (std::abs(line.eigenvalue.imag()) > 1e-6 * std::abs(line.eigenvalue)) return "oscillation";
  return -line.eigenvalue.real() * relaxation_time <= 0.5 ? "metastable" : "relaxation";
}

double slowest_rate(const std::vector<SpectralLine>& spectrum, double relaxation_time) {
  if (spectrum.empty()) return 1.0 / relaxation_time;
  return std::max(-spectrum.front().eigenvalue.real(), 1e-300);
}

double take_density(std::span<const double> vector, double cell_area, std::vector<double>& density) {
  double sum = 0.0;
  for (const double value : vector) sum += value;
  density.assign(vector.size(), 0.0);
  double mass = 0.0;
  double negative = 0.0;
  for (std::size_t k = 0; k < vector.size(); ++k) {
    const double value = vector[k] / sum;
    density[k] = value > 0.0 ? value : 0.0;
    mass += density[k];
    negative += std::max(0.0, -value);
  }
  for (double& value : density) value /= mass * cell_area;
  return negative;
}

}  // namespace underdamp
