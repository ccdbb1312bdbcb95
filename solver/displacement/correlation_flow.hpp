#pragma once
#include <functional>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/displacement/displacement_curve.hpp"
#include "solver/model/scaled_plane.hpp"

/// Displacements and autocorrelations of densities that the grid resolves from the start: signed fields are propagated
/// and summed (docs/method.md, section 15).
namespace underdamp {

/// The density of one plane at the start, at its cell centres, in the order of FieldView, of integral 1.
struct FlowStart {
  std::vector<double> density;
  bool is_stationary = false;  ///< then only (x − x̄) p_0 has to be propagated
};

struct FlowOptions {
  double tolerance = 1e-6;           ///< error of the step, relative
  double until = 0.0;                ///< last time that is asked for
  std::vector<long> steps;           ///< of a map: those to be kept, increasing
  std::function<void(double)> poll;  ///< told the share that is done; what it throws ends the work
};

/// What the propagation of one plane gave.
struct FlowResult {
  DisplacementCurve curve;
  double step_error = 0.0;      ///< estimated relative error of the step
  long windows = 0;             ///< of the propagator, or steps of the map
  bool used_generator = false;  ///< the slow end came from the Krylov space of the generator
};

/// All planes together, in one batch on the device of `backend`; their starts are all stationary, or none of them is.
std::vector<FlowResult> propagate_correlations(Backend& backend, const std::vector<ScaledPlane>& planes,
                                               const std::vector<FlowStart>& starts, const FlowOptions& options);

}  // namespace underdamp
