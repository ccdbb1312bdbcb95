#include "meshes/phase_space.hpp"

#include <cmath>
#include <limits>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

void require_valid(const Axis& axis, const std::string& where) {
  if (!std::isfinite(axis.lower) || !std::isfinite(axis.upper))
    throw Error(ExitCode::bad_input, "the box is not finite", where, "give finite bounds");
  if (!(axis.upper > axis.lower)) {
    throw Error(ExitCode::bad_input,
                "the box [" + std::to_string(axis.lower) + ", " + std::to_string(axis.upper) + "] is empty", where,
                "make the upper bound larger than the lower one");
  }
  if (axis.cells < PhaseSpace::minimum_cells) {
    throw Error(ExitCode::bad_input, std::to_string(axis.cells) + " cells are too few", where,
                "use at least " + std::to_string(PhaseSpace::minimum_cells) + " cells; 24 to 48 are usual");
  }
}

void require_valid(const std::vector<Axis>& axes, const char* name, int problem) {
  for (std::size_t k = 0; k < axes.size(); ++k)
    require_valid(axes[k], name + std::to_string(k + 1) + " axis of problem " + std::to_string(problem + 1));
}

/// Cells of the axes, and of all together.
int take_cells(const std::vector<Axis>& axes, std::array<int, most_parameters>& cells) {
  long all = 1;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    cells[k] = axes[k].cells;
    all *= cells[k];
    if (all > std::numeric_limits<int>::max())
      throw Error(ExitCode::bad_input, "the axes have more than 2147483647 cells together", "grid.cells", "use fewer");
  }
  return static_cast<int>(all);
}

FieldShape shape_of(const PhaseBox& box, int problems) {
  FieldShape shape;
  shape.planes = problems;
  shape.axes.parameters = box.parameters();
  shape.theta_cells = take_cells(box.theta, shape.axes.theta);
  shape.velocity_cells = take_cells(box.velocity, shape.axes.velocity);
  return shape;
}

}  // namespace

double PhaseBox::cell_volume() const {
  double volume = 1.0;
  for (const Axis& axis : theta) volume *= axis.width();
  for (const Axis& axis : velocity) volume *= axis.width();
  return volume;
}

PhaseSpace::PhaseSpace(std::vector<PhaseBox> problems, std::vector<ThetaWalls> walls)
    : problems_(std::move(problems)), walls_(std::move(walls)) {
  if (problems_.empty()) throw Error(ExitCode::bad_input, "a phase space needs at least one problem");
  const int d = parameters();
  require(d >= 1 && d <= most_parameters, "a phase space has one, two or three parameters");
  if (walls_.empty()) walls_.resize(static_cast<std::size_t>(d));
  require(walls_.size() == static_cast<std::size_t>(d), "each theta axis has its walls");
  for (const ThetaWalls& pair : walls_) {
    if ((pair.lower == ThetaBoundary::periodic) != (pair.upper == ThetaBoundary::periodic))
      throw Error(ExitCode::bad_input, "one theta wall is periodic, the other is not", "walls", "make both periodic");
  }
  shape_ = shape_of(problems_.front(), this->problems());
  for (int p = 0; p < this->problems(); ++p) {
    const PhaseBox& box = problem(p);
    require(box.velocity.size() == box.theta.size(), "a phase space has as many velocities as parameters");
    require_valid(box.theta, "theta", p);
    require_valid(box.velocity, "v", p);
    if (shape_of(box, this->problems()) != shape_) {
      throw Error(ExitCode::bad_input, "problem " + std::to_string(p + 1) + " has another number of cells", "batch",
                  "give every problem the same cells");
    }
  }
}

std::array<int, most_parameters> axis_positions(const std::array<int, most_parameters>& cells, int parameters,
                                                long index) {
  std::array<int, most_parameters> positions{};
  for (int k = parameters - 1; k >= 0; --k) {
    const auto axis = static_cast<std::size_t>(k);
    positions[axis] = static_cast<int>(index % cells[axis]);
    index /= cells[axis];
  }
  return positions;
}

}  // namespace underdamp
