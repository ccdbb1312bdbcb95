#pragma once
#include <span>
#include <vector>

#include "kernels/contract/theta_walls.hpp"

/// Transport along θ next to a reflecting wall on which a force acts (docs/method.md, section 3.4, eqs. 21a-21d).
///
/// Mirrored in such a wall the density is continuous but has a kink, [∂_θ p] = −[f] ∂_v p / v, which a stencil across
/// the wall does not know. The column that moves towards the wall and the mirrored one that moves away from it are
/// therefore two smooth pieces, each in a space of splines of its own, and what passes from one to the other is a flux:
///
///   (q, ∂_s u) = (∂_x q, u) − q(N) u(N) + q(0) g − σ Σ_knots [q⁗][u⁗]      away from the wall, g = u_in(0)
///   (q, ∂_s u) = −(∂_x q, u) − q(0) u(0) − σ Σ_knots [q⁗][u⁗]              towards it
///
/// with x the distance from the wall in cells, s = |v| t / h_θ, and q any spline. With q = u: the L2 norm does not
/// grow, whatever the data; with q = 1: mass is conserved, ∫ u = Σ_c w_c u(x_c). Unknowns are the values at the cell
/// centres x_c = c + ½, where each velocity sweep acts. Splines of degree 4 make the error of fifth order at the wall
/// and of tenth away from it.
namespace underdamp {

/// w_c, c = 0 … rows − 1: ∫ p dθ = h_θ Σ_c w_c p(θ_c), with weight 1 further inside; exact for polynomials of degree 4.
std::vector<double> wall_weights(int rows);

/// Rows beside a wall within which its stencils are felt, so that those of the sweep serve from there on; at least what
/// a stencil reaches.
int wall_zone(const PhaseMesh& mesh);

/// Dense rows of a linear map of the cell values next to a wall, all counted by distance from it. Of the column that
/// moves towards the wall ("incoming"), and of the mirrored one that moves away from it ("outgoing").
struct WallRows {
  int sources = 0;
  int incoming_rows = 0;
  int outgoing_rows = 0;
  std::vector<double> incoming;  ///< [row · sources + s]: of the incoming column, from itself
  std::vector<double> outgoing;  ///< [row · sources + s]: of the outgoing column, from itself
  std::vector<double> crossing;  ///< [row · sources + s]: of the outgoing column, from the incoming one
};

/// d/ds at unit speed, for the generator, with what its upwind faces carry from the last row on: columns of the
/// outgoing rows take what mass all lack. Empty unless a force acts at a wall of the mesh.
WallRows wall_generator(const PhaseMesh& mesh);

/// The map over s = first, first + increment, …, `count` of them: exp(s A), so that s + t is s after t. `outgoing_rows`
/// of each; `incoming_rows` and `sources` are common.
std::vector<WallRows> wall_shifts(double first, double increment, std::span<const int> outgoing_rows, int incoming_rows,
                                  int sources);

}  // namespace underdamp
