#pragma once
#include <cstddef>
#include <vector>

#include "meshes/axis.hpp"

namespace underdamp {

/// What happens to probability at the two θ walls of a plane. Velocity walls are always open.
enum class ThetaBoundary {
  open,        ///< mass that crosses is lost and counted
  periodic,    ///< θ is an angle
  reflecting,  ///< (θ, v) → (2θ_wall − θ, −v)
};

/// Number of cells of a field: planes × θ-cells × v-cells, v fastest in memory. Cells along an axis and planes are
/// int; what they multiply to is not.
struct FieldShape {
  int planes = 1;
  int theta_cells = 1;
  int velocity_cells = 1;

  long lines() const { return static_cast<long>(planes) * theta_cells; }       ///< along v, one per (plane, θ cell)
  long columns() const { return static_cast<long>(planes) * velocity_cells; }  ///< along θ, one per (plane, v cell)
  std::size_t cells() const {
    return static_cast<std::size_t>(planes) * static_cast<std::size_t>(theta_cells) *
           static_cast<std::size_t>(velocity_cells);
  }
  friend bool operator==(const FieldShape&, const FieldShape&) = default;
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
  /// Throws Error (bad_input) if there is no plane, shapes differ, a box is empty or not finite, or an axis has
  /// fewer than `minimum_cells` cells.
  explicit PhaseMesh(std::vector<PhasePlane> planes, ThetaBoundary boundary = ThetaBoundary::open);

  /// The widest stencil (13 points) must fit into a line.
  static constexpr int minimum_cells = 16;

  int planes() const { return static_cast<int>(planes_.size()); }
  int theta_cells() const { return planes_.front().theta.cells; }
  int velocity_cells() const { return planes_.front().velocity.cells; }
  FieldShape shape() const { return {planes(), theta_cells(), velocity_cells()}; }
  const PhasePlane& plane(int p) const { return planes_[static_cast<std::size_t>(p)]; }
  ThetaBoundary boundary() const { return boundary_; }

  /// The mesh of one plane alone.
  PhaseMesh only(int p) const { return PhaseMesh({plane(p)}, boundary_); }

 private:
  std::vector<PhasePlane> planes_;
  ThetaBoundary boundary_;
};

}  // namespace underdamp
