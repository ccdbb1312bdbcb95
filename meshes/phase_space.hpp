#pragma once
#include <string>
#include <vector>

#include "meshes/axis.hpp"
#include "meshes/field_shape.hpp"
#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// Box of one problem of d parameters: axes θ1 … θd and v1 … vd.
struct PhaseBox {
  std::vector<Axis> theta;
  std::vector<Axis> velocity;

  int parameters() const { return static_cast<int>(theta.size()); }
  double cell_volume() const;
  friend bool operator==(const PhaseBox&, const PhaseBox&) = default;
};

/// A batch of independent problems of d parameters and of equal shape, each with its own box.
class PhaseSpace {
 public:
  /// `walls`: of each θ axis; left out: open. Throws Error (bad_input) if there is no problem, d is not 1 … 3, shapes
  /// differ, a box is empty or not finite, an axis has fewer than `minimum_cells` cells, or one wall of an axis alone
  /// is periodic.
  explicit PhaseSpace(std::vector<PhaseBox> problems, std::vector<ThetaWalls> walls = {});

  /// Fewer than the widest stencil: beyond its walls a density is zero.
  static constexpr int minimum_cells = 8;

  int problems() const { return static_cast<int>(problems_.size()); }
  int parameters() const { return problems_.front().parameters(); }
  const PhaseBox& problem(int p) const { return problems_[static_cast<std::size_t>(p)]; }
  const ThetaWalls& walls(int k) const { return walls_[static_cast<std::size_t>(k)]; }
  FieldShape shape() const { return shape_; }
  int theta_cells(int k) const { return shape_.axes.theta[static_cast<std::size_t>(k)]; }
  int velocity_cells(int k) const { return shape_.axes.velocity[static_cast<std::size_t>(k)]; }

 private:
  std::vector<PhaseBox> problems_;
  std::vector<ThetaWalls> walls_;
  FieldShape shape_;
};

/// Position along each of `cells` of the `index`-th cell, the last one fastest.
std::array<int, most_parameters> axis_positions(const std::array<int, most_parameters>& cells, int parameters,
                                                long index);

}  // namespace underdamp
