#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/io/state.hpp"
#include "solver/model/model.hpp"
#include "solver/particles/ensemble_options.hpp"
#include "solver/particles/particle_start.hpp"
#include "solver/particles/statistics.hpp"

/// Particles that follow the process of a model (docs/method.md, section 11): the independent check of an evolved
/// density.
namespace underdamp {

/// The particles that have been all the way. Every random number belongs to the number of its particle and step, so
/// that the others can follow at any time.
struct EnsembleProgress {
  std::uint64_t particles = 0;
  std::vector<std::vector<std::uint64_t>> counts;  ///< [time][cell, the last for outside]
  std::vector<std::vector<ParticleSums>> sums;     ///< [time], of every block in order

  void save(StateWriter& to, const std::string& prefix) const;
  void restore(const StateReader& from, const std::string& prefix);
};

/// Runs the ensemble of plane p from `start` through increasing `times` > 0 (for `sgd` rounded to whole steps) and
/// samples it at each of them. `poll` is called with the fraction done; what it throws ends the run. With `progress` it
/// goes on from there, and keeps it up to date.
std::vector<ParticleSample> run_ensemble(Backend& backend, const Model& model, const PhaseMesh& mesh, int p,
                                         const ParticleStart& start, const EnsembleOptions& options,
                                         std::span<const double> times, const std::function<void(double)>& poll,
                                         EnsembleProgress* progress = nullptr);

}  // namespace underdamp
