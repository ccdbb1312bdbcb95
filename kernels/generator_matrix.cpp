#include "kernels/generator_matrix.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "kernels/current.hpp"

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
  if (!theta_face_open(g, e)) return;
  const double v = g.velocity(0, j);
  for (int m = -theta_reach; m < theta_reach; ++m) {
    const std::ptrdiff_t cell = neighbour(g, e + m, j);
    if (cell >= 0) row.add(cell, factor * v * theta_face_weight(m, v > 0.0));
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

SparseMatrix assemble_generator(const PhasePlane& plane, ThetaBoundary boundary, double friction,
                                const std::vector<double>& force, const std::vector<double>& diffusion) {
  const double origin = plane.velocity.center(0);
  const double velocity_width = plane.velocity.width();
  const double theta_width = plane.theta.width();
  const GeneratorView g{&friction,    force.data(),      diffusion.data(),     &origin, &velocity_width,
                        &theta_width, plane.theta.cells, plane.velocity.cells, boundary};
  SparseMatrix matrix;
  const auto cells = static_cast<std::size_t>(g.theta_cells) * static_cast<std::size_t>(g.velocity_cells);
  matrix.row_begin.reserve(cells + 1);
  matrix.column.reserve(16 * cells);
  matrix.value.reserve(16 * cells);
  matrix.row_begin.push_back(0);
  RowBuilder row;
  for (int i = 0; i < g.theta_cells; ++i) {
    for (int j = 0; j < g.velocity_cells; ++j) {
      add_theta_face(row, g, i, j, 1.0 / theta_width);
      add_theta_face(row, g, i + 1, j, -1.0 / theta_width);
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
