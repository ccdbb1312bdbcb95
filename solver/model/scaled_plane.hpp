#pragma once
#include <vector>

#include "solver/model/model.hpp"
#include "solver/model/tables.hpp"

/// One plane in units of its own (docs/method.md, section 15): in x = (θ − θ*)/std θ, y = v/(ω std θ), τ = ωt all
/// quadratic modes of equal ζ are one problem.
namespace underdamp {

struct ScaledPlane {
  PhasePlane plane;           ///< box in (x, y)
  Tables tables;              ///< of this plane alone
  std::vector<double> slope;  ///< [line] F'(x_i), F the force, 1/time²
  std::vector<double> bend;   ///< [line] F''(x_i)
  std::vector<double> gust;   ///< [line] D'(x_i)

  PhaseMesh mesh() const { return PhaseMesh({plane}); }
};

/// Plane p of a model on a box in the units of the user, scaled with ω and std θ of the linearised process.
ScaledPlane scaled_plane(const Model& model, int p, const PhasePlane& box);

/// The same with lengths in units of `length` and times in units of `time`.
ScaledPlane in_units(const ScaledPlane& from, double length, double time);

/// Planes of equal shape as one batch.
PhaseMesh stacked_mesh(const std::vector<ScaledPlane>& planes);
Tables stacked_tables(const std::vector<ScaledPlane>& planes);

}  // namespace underdamp
