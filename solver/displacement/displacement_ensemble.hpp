#pragma once
#include <functional>
#include <string>
#include <vector>

#include "solver/displacement/displacement.hpp"
#include "solver/particles/travel.hpp"

namespace underdamp {

/// A displacement that was measured, not computed from a density.
struct MeasuredDisplacement {
  std::string source;  ///< "langevin", "sgd", "minibatch" or "epochs"
  std::vector<double> times;
  std::vector<int> modes;                           ///< planes that were followed
  std::vector<std::vector<Estimate>> displacement;  ///< [mode of `modes`][time]
  std::vector<std::vector<Estimate>> velocity;      ///< the same: E v(0) v(t); empty for minibatches
  std::vector<Estimate> total;  ///< [time] sum over all planes with their weights; empty if some were left out
  std::uint64_t samples = 0;    ///< particles of each mode, or runs
};

/// How a displacement is measured.
struct MeasureOptions {
  int most_modes = 24;  ///< of a longer spectrum some are followed, from the first to the last
  int times = 9;        ///< at most, equally spaced in ln t
  /// Steps of all particles together, unless the spec has an [ensemble] that says how many particles: times end before.
  double particle_steps = 3e8;
  std::function<void(const std::string& what, double share)> poll = [](const std::string&, double) {};
};

/// Particles of the process of the displacement itself: Langevin, or the map if the dynamics are.
MeasuredDisplacement measure_particles(const Displacement& displacement, Backend& backend,
                                       const MeasureOptions& options);
/// Minibatch SGD on the rows of a dataset, in all parameters (docs/method.md, section 13).
MeasuredDisplacement measure_minibatch(const Displacement& displacement, BatchSampling sampling,
                                       const MeasureOptions& options);
/// Everything that applies to a spec: Langevin particles, the SGD recursion, minibatch SGD with replacement.
std::vector<MeasuredDisplacement> measure_displacement(const Displacement& displacement, Backend& backend,
                                                       const MeasureOptions& options);

/// The same spec for the map of SGD, at the same times in whole steps.
Spec sgd_spec(const Spec& spec);

}  // namespace underdamp
