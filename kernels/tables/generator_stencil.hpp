#pragma once
#include <cstddef>

#include "kernels/contract/generator_reach.hpp"
#include "meshes/host_device.hpp"
#include "meshes/phase_mesh.hpp"

/// What the probability current and the generator are made of (docs/method.md, eqs. 34-39): face weights, and what lies
/// beyond the walls.
///
///   J_θ = v p,   J_v = f_i p − γ v p − D_i ∂_v p,   f_i = −k L'_λ(θ_i),   L_h p = −∇_h·J_h
///
/// Face fluxes are written so that their differences approximate the divergence at the cell centres, the points where
/// the density is known: central of sixth order in v; upwind-biased of seventh order in θ, where there is no diffusion
/// and a central difference would leave a checkerboard mode undamped. Beyond a θ wall p = 0 (open: what flows out is
/// lost), wrapped (periodic) or mirrored (reflecting); next to a reflecting wall on which a force acts the rows are
/// those of wall_stencils.hpp. No flux passes the walls of v.
namespace underdamp {

inline constexpr int theta_reach = generator_theta_reach;        ///< cells e − 4 … e + 3 around θ-face e
inline constexpr int velocity_reach = generator_velocity_reach;  ///< cells e − 3 … e + 2 around v-face e

/// Weight of cell e + m, m = −4 … 3, in the density at θ-face e for a positive velocity; mirrored for a negative one.
UNDERDAMP_HD double theta_face_weight(int m, bool positive) {
  // (−3, 25, −101, 319, 214, −38, 4)/420 for the cells e − 4 … e + 2
  constexpr double weight[7] = {-3.0 / 420.0,  25.0 / 420.0,  -101.0 / 420.0, 319.0 / 420.0,
                                214.0 / 420.0, -38.0 / 420.0, 4.0 / 420.0};
  const int k = positive ? m + 4 : 3 - m;
  return k >= 0 && k < 7 ? weight[k] : 0.0;
}

/// Weight of cell e + m, m = −3 … 2, in the value at v-face e.
UNDERDAMP_HD double velocity_face_weight(int m) {
  constexpr double weight[3] = {37.0 / 60.0, -8.0 / 60.0, 1.0 / 60.0};
  return weight[m >= 0 ? m : -1 - m];
}

/// Weight of cell e + m, m = −3 … 2, in h_v ∂_v at v-face e.
UNDERDAMP_HD double velocity_slope_weight(int m) {
  constexpr double weight[3] = {49.0 / 36.0, -5.0 / 36.0, 1.0 / 90.0};
  return m >= 0 ? weight[m] : -weight[-1 - m];
}

/// Rows of −∂_θ J_θ next to a wall on which a force acts, at unit speed in units of cells; see WallRows. The outgoing
/// ones balance the mass: Σ_r w_r of all is what the faces of the last row carry.
struct WallGeneratorView {
  int rows;  ///< 0: there is no such wall
  int sources;
  const double* incoming;  ///< [row · sources + s]
  const double* outgoing;
  const double* crossing;
};

/// Coefficients of the generator on the device, for a batch of planes.
struct GeneratorView {
  const double* friction;         ///< [plane] γ
  const double* force;            ///< [line] f_i
  const double* diffusion;        ///< [line] D_i
  const double* velocity_origin;  ///< [plane] v of cell centre 0
  const double* velocity_width;   ///< [plane] h_v
  const double* theta_width;      ///< [plane] h_θ
  int theta_cells;
  int velocity_cells;
  ThetaWalls walls;
  WallGeneratorView beside_walls;

  UNDERDAMP_HD double velocity(int plane, int j) const { return velocity_origin[plane] + j * velocity_width[plane]; }
};

/// Where row i of column j of a plane is found, beyond the θ walls too: its offset from the first cell of the plane, or
/// −1.
UNDERDAMP_HD std::ptrdiff_t neighbour(const GeneratorView& g, int i, int j) {
  const int n = g.theta_cells;
  if (i < 0 || i >= n) {
    const ThetaBoundary wall = i < 0 ? g.walls.lower : g.walls.upper;
    if (wall == ThetaBoundary::open) return -1;
    if (wall == ThetaBoundary::periodic) {
      i = i < 0 ? i + n : i - n;
    } else {
      i = i < 0 ? -1 - i : 2 * n - 1 - i;
      j = g.velocity_cells - 1 - j;
    }
  }
  return static_cast<std::ptrdiff_t>(i) * g.velocity_cells + j;
}

/// Does any current pass θ-face e of a column of that velocity? Nothing comes in through an open wall.
UNDERDAMP_HD bool theta_face_open(const GeneratorView& g, int e, double v) {
  if (e > 0 && e < g.theta_cells) return true;
  const bool flows_out = e > 0 ? v > 0.0 : v < 0.0;
  return flows_out || (e > 0 ? g.walls.upper : g.walls.lower) != ThetaBoundary::open;
}

/// Distance of row i from the wall on which a force acts, if its row is one of those beside it; else −1.
UNDERDAMP_HD int row_beside_wall(const GeneratorView& g, int i) {
  const int rows = g.beside_walls.rows;
  if (g.walls.lower_pressed && i < rows) return i;
  return g.walls.upper_pressed && g.theta_cells - 1 - i < rows ? g.theta_cells - 1 - i : -1;
}

}  // namespace underdamp
