#include "solver/displacement/moment_sums.hpp"

#include "meshes/cell_index.hpp"

namespace underdamp {
namespace {

void add_line(MomentSums& sums, const ScaledPlane& s, std::size_t i, double center, const LineMoments& line) {
  const double gamma = s.tables.friction[0];
  const double force = s.tables.force[i];
  const double slope = s.slope[i];
  const double bend = s.bend[i];
  const double x = s.plane.theta.center(static_cast<int>(i)) - center;
  const double m = line.mass;
  const double y = line.velocity;
  const double yy = line.velocity_squared;
  const double third = slope * y - gamma * force * m + gamma * gamma * y;
  const double fourth = bend * yy - gamma * slope * y + (slope + gamma * gamma) * (force * m - gamma * y);
  sums.mass += m;
  sums.position[0] += x * m;
  sums.position[1] += y;
  sums.position[2] += force * m - gamma * y;
  sums.position[3] += third;
  sums.position[4] += fourth;
  sums.square += x * x * m;
  const double diffusion = s.tables.diffusion[i];
  const double third_y = slope * yy - gamma * force * y + gamma * gamma * yy;  // Σ y φ_3
  sums.spread[0] += x * y;
  sums.spread[1] += yy + x * (force * m - gamma * y);
  sums.spread[2] += 3.0 * (force * y - gamma * yy) + 2.0 * diffusion * m + x * third;
  sums.spread[3] += 3.0 * slope * yy + 3.0 * force * force * m - 9.0 * gamma * force * y + 6.0 * gamma * gamma * yy -
                    6.0 * gamma * diffusion * m + 2.0 * s.gust[i] * y + third_y + x * fourth;
  sums.velocity_square += yy;
  sums.potential += s.tables.loss[i] * m;
}

MomentSums scaled(const MomentSums& sums, double area) {
  MomentSums result;
  result.add(area, sums);
  return result;
}

}  // namespace

void MomentSums::add(double factor, const MomentSums& other) {
  mass += factor * other.mass;
  for (std::size_t n = 0; n < position.size(); ++n) position[n] += factor * other.position[n];
  square += factor * other.square;
  for (std::size_t n = 0; n < spread.size(); ++n) spread[n] += factor * other.spread[n];
  velocity_square += factor * other.velocity_square;
  potential += factor * other.potential;
}

std::vector<MomentSums> moment_sums(Backend& backend, const PhaseMesh& mesh, const Field& field,
                                    const std::vector<ScaledPlane>& planes, std::span<const double> center) {
  const auto lines = backend.reductions().sum_moments(mesh, field);
  const CellIndex cell(mesh);
  std::vector<MomentSums> result;
  for (std::size_t p = 0; p < planes.size(); ++p) {
    MomentSums sums;
    for (std::size_t i = 0; i < cell.rows(); ++i) add_line(sums, planes[p], i, center[p], lines[cell.line(p, i)]);
    result.push_back(scaled(sums, planes[p].plane.cell_area()));
  }
  return result;
}

MomentSums moment_sums(const ScaledPlane& plane, std::span<const double> values, double center) {
  const CellIndex cell(plane.plane);
  MomentSums sums;
  for (std::size_t i = 0; i < cell.rows(); ++i) {
    LineMoments line{};
    for (std::size_t j = 0; j < cell.columns(); ++j) {
      const double y = plane.plane.velocity.center(static_cast<int>(j));
      const double f = values[cell(i, j)];
      line.mass += f;
      line.velocity += f * y;
      line.velocity_squared += f * y * y;
    }
    add_line(sums, plane, i, center, line);
  }
  return scaled(sums, plane.plane.cell_area());
}

}  // namespace underdamp
