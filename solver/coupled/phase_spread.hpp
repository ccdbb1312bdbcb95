#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "solver/coupled/grid_axes.hpp"

/// Where the density of a run lies and how narrow it gets, in the coordinates of the grid: what boxes are chosen from.
namespace underdamp {

/// At one time.
struct PhaseSpread {
  /// Quantiles of a Gaussian that their values are of: 0.1 %, 1 %, 99 % and 99.9 %.
  static constexpr std::array<double, 4> deviations{-3.0902323061678132, -2.3263478740408408, 2.3263478740408408,
                                                    3.0902323061678132};

  std::array<PhaseVector, 4> quantile;  ///< of each coordinate, at these deviations
  PhaseVector narrowest;                ///< conditional deviation of each coordinate (linear_process.hpp)

  /// Beyond the quantiles as a Gaussian would go on through the two outer ones. `deviations` > 0.
  double lower(Eigen::Index i, double deviations) const;
  double upper(Eigen::Index i, double deviations) const;
};

PhaseSpread spread_of(const PhaseMoments& gaussian);

/// The Gaussians that a linear run meets.
std::vector<PhaseSpread> spread_on_the_way(const LinearProcess& process, const GridAxes& axes,
                                           const PhaseMoments& start, double until);

/// What a pilot ensemble of 4096 particles from that start meets where force or noise are not linear: quantiles of the
/// ensemble; as narrow as the process linearised at its minimum ever gets from there, or as the ensemble is, if that is
/// less. The seed is fixed: a spec has one box.
std::vector<PhaseSpread> spread_of_pilot(const CoupledModel& model, const GridAxes& axes, const PhaseMoments& start,
                                         double until);

}  // namespace underdamp
