#pragma once
#include <functional>
#include <span>
#include <vector>

#include "solver/particles/ensemble_options.hpp"
#include "solver/particles/particle_start.hpp"
#include "solver/particles/statistics.hpp"

/// Particles that are followed one by one (docs/method.md, section 15).
namespace underdamp {

/// How far particles have come from where they were at time 0.
struct TravelSample {
  Estimate displacement;  ///< E (θ(t) − θ(0))²
  Estimate velocity;      ///< E v(0) v(t)
};

/// An ensemble from `start`: after `settle` steps (of options.step, or of the map) time 0 begins.
std::vector<TravelSample> run_travel(Backend& backend, const Model& model, const PhaseMesh& mesh, int p,
                                     const ParticleStart& start, const EnsembleOptions& options, long settle,
                                     std::span<const double> times, const std::function<void(double)>& poll);

}  // namespace underdamp
