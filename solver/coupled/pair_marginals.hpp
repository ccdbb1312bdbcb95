#pragma once
#include <memory>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/coupled/coupled_tables.hpp"

namespace underdamp {

/// Marginal density and marginal current of two of the coordinates z = (θ1 … θd, v1 … vd) of the user, whatever the
/// axes of the grid: ∫ p and ∫ J over all others (docs/method.md, section 16).
struct PairMarginal {
  int first = 0;  ///< number of a coordinate, θ1 … θd, v1 … vd
  int second = 0;
  Axis x;                         ///< of `first`
  Axis y;                         ///< of `second`
  std::vector<double> density;    ///< [i · y.cells + j], per unit of both
  std::vector<double> current_x;  ///< the same, along `first`
  std::vector<double> current_y;  ///< … and along `second`
};

/// Reads pairs off densities of one grid. A coordinate along an axis of the grid keeps its cells, and its marginals the
/// accuracy of the density; derivatives in v are differences of eighth order. Of other coordinates each cell of the
/// grid is put on the cells of a picture by the stencil of 13 points that keeps its mass and its moments up to the
/// twelfth (method.md, eq. 15): moments stay, and shapes where a picture has three cells to the narrowest deviation of
/// the pair; with one and a half they are blurred by a few per cent.
class PairMarginals {
 public:
  /// Keeps references to all of them.
  PairMarginals(Backend& backend, const PhaseSpace& space, const GridAxes& axes, const CoupledTables& tables);
  ~PairMarginals();

  /// Axis of a coordinate in pictures.
  const Axis& axis(int coordinate) const { return axes_[static_cast<std::size_t>(coordinate)]; }
  /// Of the pairs {first, second}, first < second. Currents of the SGD map, which jumps, are left out.
  std::vector<PairMarginal> of(const Field& density, const std::vector<std::array<int, 2>>& pairs) const;

 private:
  struct Profiles;

  void choose_axes();
  BlockProjection projection() const;
  PairMarginal positions(const Profiles& profiles, int a, int b) const;
  PairMarginal mixed(const Profiles& profiles, int a, int b) const;
  PairMarginal velocities(const Field& density, int a, int b) const;

  Backend& backend_;
  const PhaseSpace& space_;
  const GridAxes& grid_;
  const CoupledTables& tables_;
  std::vector<Axis> axes_;
  std::vector<ParameterVector> theta_;     ///< [line] of the user
  std::vector<ParameterVector> velocity_;  ///< [v cell] of the user
  std::vector<ParameterVector> force_;     ///< [line]
  std::vector<ParameterMatrix> noise_;     ///< [line] D
  std::unique_ptr<BlockProjectionPlan> plan_;
};

}  // namespace underdamp
