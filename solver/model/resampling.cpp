#include "solver/model/resampling.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "meshes/cell_index.hpp"

namespace underdamp {
namespace {

constexpr std::size_t nodes = 12;

/// Cells around a point and their Lagrange weights; a weight of 0 where there is no cell.
struct Stencil {
  std::array<std::size_t, nodes> cell{};
  std::array<double, nodes> weight{};
};

Stencil stencil_at(double position, const Axis& axis, Beyond beyond) {
  const auto cells = static_cast<std::ptrdiff_t>(axis.cells);
  auto first = static_cast<std::ptrdiff_t>(std::floor(position)) - 5;
  if (beyond == Beyond::smoothly) first = std::clamp<std::ptrdiff_t>(first, 0, cells - static_cast<int>(nodes));
  Stencil s;
  for (std::size_t a = 0; a < nodes; ++a) {
    auto cell = first + static_cast<std::ptrdiff_t>(a);
    if (beyond == Beyond::around) cell = (cell % cells + cells) % cells;
    if (cell < 0 || cell >= cells) continue;
    double product = 1.0;
    for (std::size_t b = 0; b < nodes; ++b) {
      if (b == a) continue;
      product *= (position - static_cast<double>(first) - static_cast<double>(b)) /
                 (static_cast<double>(a) - static_cast<double>(b));
    }
    s.cell[a] = static_cast<std::size_t>(cell);
    s.weight[a] = product;
  }
  return s;
}

/// One for each cell of `to`.
std::vector<Stencil> stencils(const Axis& from, const Axis& to, Beyond beyond) {
  std::vector<Stencil> all;
  for (int c = 0; c < to.cells; ++c)
    all.push_back(stencil_at((to.center(c) - from.center(0)) / from.width(), from, beyond));
  return all;
}

template <class Value>
double sum(const Stencil& s, const Value& value) {
  double result = 0.0;
  for (std::size_t a = 0; a < nodes; ++a) result += s.weight[a] * value(s.cell[a]);
  return result;
}

}  // namespace

std::vector<double> resampled(std::span<const double> values, const PhasePlane& from, const PhasePlane& to,
                              Beyond theta, Beyond velocity) {
  const auto along_theta = stencils(from.theta, to.theta, theta);
  const auto along_velocity = stencils(from.velocity, to.velocity, velocity);
  const auto old_columns = static_cast<std::size_t>(from.velocity.cells);
  std::vector<double> half;  // new along v, old along θ
  for (std::size_t i = 0; i < static_cast<std::size_t>(from.theta.cells); ++i) {
    const double* line = values.data() + i * old_columns;
    for (const Stencil& s : along_velocity) half.push_back(sum(s, [&](std::size_t c) { return line[c]; }));
  }
  const CellIndex cell(to);
  std::vector<double> result;
  for (const Stencil& s : along_theta) {
    for (std::size_t j = 0; j < cell.columns(); ++j)
      result.push_back(sum(s, [&](std::size_t c) { return half[cell(c, j)]; }));
  }
  return result;
}

}  // namespace underdamp
