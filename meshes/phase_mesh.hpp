#pragma once
#include <array>
#include <string>
#include <vector>

#include "meshes/axis.hpp"
#include "meshes/field_shape.hpp"

namespace underdamp {

/// What happens to probability at a θ wall of a plane. Velocity walls are always open.
enum class ThetaBoundary {
  open,        ///< mass that crosses is lost and counted
  periodic,    ///< θ is an angle
  reflecting,  ///< (θ, v) → (2θ_wall − θ, −v)
};

/// The two θ walls of every plane of a mesh: periodic both or neither.
struct ThetaWalls {
  ThetaBoundary lower = ThetaBoundary::open;
  ThetaBoundary upper = ThetaBoundary::open;
  /// A force acts at a reflecting wall, so that the density mirrored in it has a kink there
  /// (kernels/tables/wall_stencils.hpp).
  bool lower_pressed = false;
  bool upper_pressed = false;

  ThetaWalls() = default;
  ThetaWalls(ThetaBoundary both) : lower(both), upper(both) {}  // NOLINT: one word for both is meant to be enough
  ThetaWalls(ThetaBoundary below, ThetaBoundary above) : lower(below), upper(above) {}

  bool is_periodic() const { return lower == ThetaBoundary::periodic; }
  bool any_open() const { return lower == ThetaBoundary::open || upper == ThetaBoundary::open; }
  bool any_reflecting() const { return lower == ThetaBoundary::reflecting || upper == ThetaBoundary::reflecting; }
  bool any_pressed() const { return lower_pressed || upper_pressed; }
  /// Nothing passes either of them.
  bool closed() const { return !any_open(); }
  bool any_closed() const { return lower != ThetaBoundary::open || upper != ThetaBoundary::open; }

  friend bool operator==(const ThetaWalls&, const ThetaWalls&) = default;
};

/// One plane (θ, v) of phase space.
struct PhasePlane {
  Axis theta;
  Axis velocity;
  double cell_area() const { return theta.width() * velocity.width(); }
  friend bool operator==(const PhasePlane&, const PhasePlane&) = default;
};

/// A batch of independent planes of equal shape, each with its own box.
class PhaseMesh {
 public:
  /// Throws Error (bad_input) if there is no plane, shapes differ, a box is empty or not finite, an axis has fewer than
  /// `minimum_cells` cells, one wall alone is periodic, or a velocity box beside a reflecting wall is not symmetric.
  explicit PhaseMesh(std::vector<PhasePlane> planes, ThetaWalls walls = ThetaBoundary::open);

  /// The widest stencil (13 points) must fit into a line.
  static constexpr int minimum_cells = 16;

  int planes() const { return static_cast<int>(planes_.size()); }
  int theta_cells() const { return planes_.front().theta.cells; }
  int velocity_cells() const { return planes_.front().velocity.cells; }
  FieldShape shape() const { return {planes(), theta_cells(), velocity_cells()}; }
  const PhasePlane& plane(int p) const { return planes_[static_cast<std::size_t>(p)]; }
  const ThetaWalls& walls() const { return walls_; }

  /// The mesh of one plane alone.
  PhaseMesh only(int p) const { return PhaseMesh({plane(p)}, walls_); }

 private:
  std::vector<PhasePlane> planes_;
  ThetaWalls walls_;
};

/// "plane 2, cell (17, 40), theta = 0.3, v = -1.2": plane from 1, cells from 0.
std::string place_text(const PhaseMesh& mesh, int plane, std::array<int, 2> cell);

}  // namespace underdamp
