#include "kernels/contract/generator_matrix.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "kernels/tables/generator_stencil.hpp"
#include "kernels/tables/wall_stencils.hpp"

namespace underdamp {
namespace {

/// Entries of one row while it is put together.
class RowBuilder {
 public:
  void add(std::ptrdiff_t column, double value) {
    for (auto& entry : entries_) {
      if (entry.first == column) {
        entry.second += value;
        return;
      }
    }
    entries_.emplace_back(column, value);
  }
  void flush(SparseMatrix& matrix) {
    std::sort(entries_.begin(), entries_.end());
    for (const auto& [column, value] : entries_) {
      if (value == 0.0) continue;
      matrix.column.push_back(static_cast<int>(column));
      matrix.value.push_back(value);
    }
    matrix.row_begin.push_back(static_cast<int>(matrix.column.size()));
    entries_.clear();
  }

 private:
  std::vector<std::pair<std::ptrdiff_t, double>> entries_;
};

/// Adds factor · J_θ through θ-face e of column j.
void add_theta_face(RowBuilder& row, const GeneratorView& g, int e, int j, double factor) {
  const double v = g.velocity(0, j);
  if (!theta_face_open(g, e, v)) return;
  for (int m = -theta_reach; m < theta_reach; ++m) {
    const std::ptrdiff_t cell = neighbour(g, e + m, j);
    if (cell >= 0) row.add(cell, factor * v * theta_face_weight(m, v > 0.0));
  }
}

/// Adds −∂_θ J_θ of column j in row i, which is the one at that distance from a wall on which a force acts.
void add_row_beside_wall(RowBuilder& row, const GeneratorView& g, int i, int j, int distance) {
  const WallGeneratorView& wall = g.beside_walls;
  const bool upper = distance != i;
  const double v = g.velocity(0, j);
  const bool outgoing = upper ? v < 0.0 : v > 0.0;
  const double factor = std::abs(v) / g.theta_width[0];
  const double* const own = (outgoing ? wall.outgoing : wall.incoming) + distance * wall.sources;
  for (int s = 0; s < wall.sources; ++s) {
    const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(upper ? g.theta_cells - 1 - s : s) * g.velocity_cells;
    row.add(line + j, factor * own[s]);
    if (outgoing) row.add(line + g.velocity_cells - 1 - j, factor * wall.crossing[distance * wall.sources + s]);
  }
}

/// Adds factor · J_v through v-face e of line i.
void add_velocity_face(RowBuilder& row, const GeneratorView& g, int i, int e, double factor) {
  if (e <= 0 || e >= g.velocity_cells) return;
  for (int m = -velocity_reach; m < velocity_reach; ++m) {
    const int j = e + m;
    if (j < 0 || j >= g.velocity_cells) continue;
    const double drift = g.force[i] - g.friction[0] * g.velocity(0, j);
    row.add(
        static_cast<std::ptrdiff_t>(i) * g.velocity_cells + j,
        factor * (velocity_face_weight(m) * drift - velocity_slope_weight(m) * g.diffusion[i] / g.velocity_width[0]));
  }
}

}  // namespace

SparseMatrix assemble_generator(const PhasePlane& plane, const ThetaWalls& walls, double friction,
                                const std::vector<double>& force, const std::vector<double>& diffusion) {
  const double origin = plane.velocity.center(0);
  const double velocity_width = plane.velocity.width();
  const double theta_width = plane.theta.width();
  const WallRows beside = wall_generator(PhaseMesh({plane}, walls));
  const GeneratorView g{
      &friction,
      force.data(),
      diffusion.data(),
      &origin,
      &velocity_width,
      &theta_width,
      plane.theta.cells,
      plane.velocity.cells,
      walls,
      {beside.incoming_rows, beside.sources, beside.incoming.data(), beside.outgoing.data(), beside.crossing.data()}};
  SparseMatrix matrix;
  const auto cells = static_cast<std::size_t>(g.theta_cells) * static_cast<std::size_t>(g.velocity_cells);
  matrix.row_begin.reserve(cells + 1);
  matrix.column.reserve(16 * cells);
  matrix.value.reserve(16 * cells);
  matrix.row_begin.push_back(0);
  RowBuilder row;
  for (int i = 0; i < g.theta_cells; ++i) {
    for (int j = 0; j < g.velocity_cells; ++j) {
      if (const int distance = row_beside_wall(g, i); distance >= 0) {
        add_row_beside_wall(row, g, i, j, distance);
      } else {
        add_theta_face(row, g, i, j, 1.0 / theta_width);
        add_theta_face(row, g, i + 1, j, -1.0 / theta_width);
      }
      add_velocity_face(row, g, i, j, 1.0 / velocity_width);
      add_velocity_face(row, g, i, j + 1, -1.0 / velocity_width);
      row.flush(matrix);
    }
  }
  return matrix;
}

std::string matrix_market(const SparseMatrix& matrix) {
  std::string text = "%%MatrixMarket matrix coordinate real general\n% generator L of underdamp: dp/dt = L p\n";
  text += std::to_string(matrix.rows()) + " " + std::to_string(matrix.rows()) + " " +
          std::to_string(matrix.value.size()) + "\n";
  char number[32];
  for (int row = 0; row < matrix.rows(); ++row) {
    for (int k = matrix.row_begin[static_cast<std::size_t>(row)];
         k < matrix.row_begin[static_cast<std::size_t>(row) + 1]; ++k) {
      text += std::to_string(row + 1) + " " + std::to_string(matrix.column[static_cast<std::size_t>(k)] + 1) + " ";
      const auto end = std::to_chars(number, number + sizeof number, matrix.value[static_cast<std::size_t>(k)]).ptr;
      text.append(number, end).append("\n");
    }
  }
  return text;
}

}  // namespace underdamp
