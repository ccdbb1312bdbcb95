#include "meshes/phase_mesh.hpp"

#include <cmath>
#include <cstdio>
#include <string>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

void require_valid(const Axis& axis, const char* name, int plane) {
  const std::string where = std::string(name) + " axis of plane " + std::to_string(plane + 1);
  if (!std::isfinite(axis.lower) || !std::isfinite(axis.upper)) {
    throw Error(ExitCode::bad_input, "the box is not finite", where, "give finite bounds");
  }
  if (!(axis.upper > axis.lower)) {
    throw Error(ExitCode::bad_input,
                "the box [" + std::to_string(axis.lower) + ", " + std::to_string(axis.upper) + "] is empty", where,
                "make the upper bound larger than the lower one");
  }
  if (axis.cells < PhaseMesh::minimum_cells) {
    throw Error(ExitCode::bad_input, std::to_string(axis.cells) + " cells are too few", where,
                "use at least " + std::to_string(PhaseMesh::minimum_cells) + " cells; 64 to 256 are usual");
  }
}

}  // namespace

PhaseMesh::PhaseMesh(std::vector<PhasePlane> planes, ThetaWalls walls) : planes_(std::move(planes)), walls_(walls) {
  if ((walls_.lower == ThetaBoundary::periodic) != (walls_.upper == ThetaBoundary::periodic))
    throw Error(ExitCode::bad_input, "one theta wall is periodic, the other is not", "walls", "make both periodic");
  if (planes_.empty()) throw Error(ExitCode::bad_input, "a mesh needs at least one plane");
  for (int p = 0; p < this->planes(); ++p) {
    require_valid(plane(p).theta, "theta", p);
    require_valid(plane(p).velocity, "velocity", p);
    if (plane(p).theta.cells != theta_cells() || plane(p).velocity.cells != velocity_cells()) {
      throw Error(ExitCode::bad_input, "plane " + std::to_string(p + 1) + " has another number of cells",
                  "batch of planes", "give every plane the same cells");
    }
    const Axis& v = plane(p).velocity;
    if (walls_.any_reflecting() && std::abs(v.lower + v.upper) > 1e-12 * v.length()) {
      throw Error(ExitCode::bad_input, "a reflecting theta wall needs a velocity box that is symmetric about 0",
                  "plane " + std::to_string(p + 1), "set velocity = [-V, V]");
    }
  }
}

std::string place_text(const PhaseMesh& mesh, int plane, std::array<int, 2> cell) {
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(), "plane %d, cell (%d, %d), theta = %.6g, v = %.6g", plane + 1, cell[0],
                cell[1], mesh.plane(plane).theta.center(cell[0]), mesh.plane(plane).velocity.center(cell[1]));
  return text.data();
}

}  // namespace underdamp
