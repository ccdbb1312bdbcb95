#pragma once
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/model/scaled_plane.hpp"

/// Extrapolated windows amplify waves of a few cells (docs/method.md, section 4). Friction damps them, unless it is so
/// weak that its diffusion does not reach from cell to cell: then a field without positivity has to be cleared of them.
namespace underdamp {

class ShortWaves {
 public:
  /// Planes of equal shape, in units of a window.
  ShortWaves(Backend& backend, const std::vector<ScaledPlane>& planes);

  /// Removes from a field, on the host, waves shorter than four cells and what is beside the walls, where the levels of
  /// a window disagree on what has left. Nothing happens to planes in which diffusion damps them.
  void remove(Field& field);

 private:
  void remove(double* values) const;
  void smooth_along_theta(double* values) const;
  void smooth_along_velocity(double* values) const;

  Backend& backend_;
  std::size_t rows_;
  std::size_t columns_;
  std::vector<bool> grow_;              ///< [plane] is the diffusion of a window too weak to damp them?
  std::vector<double> weight_;          ///< of the offsets 0 … 23
  std::vector<double> theta_share_;     ///< [row] 1 inside, falls to 0 at the walls
  std::vector<double> velocity_share_;  ///< [column]
  std::vector<double> values_;
};

}  // namespace underdamp
