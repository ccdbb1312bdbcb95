#pragma once
#include <optional>
#include <vector>

#include "meshes/phase_mesh.hpp"
#include "solver/model/model.hpp"

/// Wells of a loss and what separates them (docs/method.md, section 10).
namespace underdamp {

/// Quasi-potential Φ(θ) = ∫ k dL_λ/T, T = D/γ, on an evenly spaced line of points, 0 where it is lowest. Where the
/// noise is constant e^{−Φ} is the stationary density of θ; else e^{−Φ}/T is that for strong friction.
struct QuasiPotential {
  Interval range{};
  bool is_circle = false;
  double gain = 0.0;  ///< of Φ in one turn: not 0 on a circle that is driven
  std::vector<double> phi;
  std::vector<double> temperature;  ///< T, velocity²

  double theta(std::size_t k) const {
    return range.lower + (range.upper - range.lower) * static_cast<double>(k) / static_cast<double>(phi.size() - 1);
  }
};
QuasiPotential quasi_potential(const Model& model, int p, const Interval& range, bool is_circle);

/// A well: all between the barriers around it.
struct Well {
  double lower = 0.0;  ///< tops of the barriers, or the walls; on a circle `lower` may be the larger
  double upper = 0.0;
  double bottom = 0.0;
  double barrier = 0.0;  ///< rise of Φ to the lower of the barriers; infinite for the only well
  double weight = 0.0;   ///< its share of ∫ e^{−Φ}/T

  bool holds(double theta) const {
    return lower < upper ? theta >= lower && theta < upper : theta >= lower || theta < upper;
  }
};

/// Wells that are separated by barriers of at least `least`, in units of T, by increasing θ.
std::vector<Well> wells_of(const QuasiPotential& potential, double least);

/// A well with less of the Gibbs weight than this is left out of the box of a stationary state.
inline constexpr double least_well_weight = 1e-9;

/// A well that lies outside a stretch of θ.
struct DistantWell {
  double bottom = 0.0;
  double weight = 0.0;         ///< of ∫ e^{−Φ}/T there, relative to that inside
  bool is_bottomless = false;  ///< Φ still falls where the search ends
};

/// Wells with at least the weight `least` beyond the lower (`direction` −1) or the upper end (+1) of `inside`, within
/// `limits`, nearest first: searched to a hundred times its length, at points that lie further apart the further out.
std::vector<DistantWell> wells_beyond(const Model& model, int p, const Interval& inside, double direction,
                                      const std::optional<Interval>& limits, double least);

/// Scales the rows of a density so that each well holds the given share; on the way over a barrier by the probability
/// of ending on the other side. `shares` add up to 1.
void set_well_shares(const PhaseMesh& mesh, const QuasiPotential& potential, const std::vector<Well>& wells,
                     const std::vector<double>& shares, std::vector<double>& density);

/// Share of each well in a density.
std::vector<double> well_shares(const PhaseMesh& mesh, const std::vector<Well>& wells,
                                const std::vector<double>& density);

}  // namespace underdamp
