#pragma once
#include <concepts>
#include <cstddef>

#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// Where cells lie in an array of the host in the order of FieldView, and which cell lies where.
class CellIndex {
 public:
  constexpr explicit CellIndex(const FieldShape& shape)
      : rows_(static_cast<std::size_t>(shape.theta_cells)), columns_(static_cast<std::size_t>(shape.velocity_cells)) {}
  explicit CellIndex(const PhasePlane& plane) : CellIndex(FieldShape{1, plane.theta.cells, plane.velocity.cells}) {}
  explicit CellIndex(const PhaseMesh& mesh) : CellIndex(mesh.shape()) {}

  constexpr std::size_t rows() const { return rows_; }        ///< of a plane
  constexpr std::size_t columns() const { return columns_; }  ///< of a plane
  constexpr std::size_t cells() const { return rows_ * columns_; }

  template <std::integral Row, std::integral Column>
  constexpr std::size_t operator()(Row i, Column j) const {
    return static_cast<std::size_t>(i) * columns_ + static_cast<std::size_t>(j);
  }
  template <std::integral Plane, std::integral Row, std::integral Column>
  constexpr std::size_t operator()(Plane p, Row i, Column j) const {
    return static_cast<std::size_t>(p) * cells() + (*this)(i, j);
  }
  /// Of the line of row i in plane p among all lines.
  template <std::integral Plane, std::integral Row>
  constexpr std::size_t line(Plane p, Row i) const {
    return static_cast<std::size_t>(p) * rows_ + static_cast<std::size_t>(i);
  }

  template <std::integral Position>
  constexpr std::size_t plane(Position k) const {
    return static_cast<std::size_t>(k) / cells();
  }
  template <std::integral Position>
  constexpr std::size_t row(Position k) const {
    return static_cast<std::size_t>(k) / columns_ % rows_;
  }
  template <std::integral Position>
  constexpr std::size_t column(Position k) const {
    return static_cast<std::size_t>(k) % columns_;
  }

 private:
  std::size_t rows_;
  std::size_t columns_;
};

}  // namespace underdamp
