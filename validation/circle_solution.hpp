#pragma once
#include <optional>
#include <vector>

#include <Eigen/Core>

#include "meshes/phase_mesh.hpp"
#include "solver/model/model.hpp"

namespace underdamp {

/// Stationary state on a circle by Hermite functions of v and a Fourier collocation in θ (Brinkman's hierarchy; Risken,
/// The Fokker-Planck Equation, chapters 10 and 11). It shares nothing with the solver but force and noise.
struct CircleSolution {
  double lower = 0.0;          ///< θ where the circle begins
  double length = 0.0;         ///< of the circle
  double width = 1.0;          ///< velocity unit of the Hermite functions, the hottest √(D/γ)
  double error = 0.0;          ///< of E v and E v², relative to the typical velocity, from two sizes of the hierarchy
  double density_error = 0.0;  ///< in L1, from the same
  /// [n] c_n at evenly spaced angles, p = Σ c_n(θ) He_n(y) φ(y)/(√n! width), y = v/width.
  std::vector<Eigen::VectorXd> coefficients;

  double mean_velocity() const;
  double mean_square_velocity() const;
  /// At the cell centres, in the order of FieldView.
  std::vector<double> density(const PhasePlane& plane) const;
};

/// On the circle of a plane. Absent if it does not converge to 1e-6, in L1 to 1e-4: force or noise that are not smooth,
/// velocities far above the thermal one, high barriers.
std::optional<CircleSolution> circle_solution(const Model& model, int p, const PhasePlane& plane);

}  // namespace underdamp
