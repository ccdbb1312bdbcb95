#pragma once
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "solver/particles/ensemble.hpp"
#include "solver/run/simulation.hpp"
#include "solver/spec/resolved_spec.hpp"
#include "solver/stationary/driven_state.hpp"

/// What the run prints at its end and summary.json holds: docs/user-guide.md lists every key.
namespace underdamp {

/// The stationary state of one plane.
struct StationaryResult {
  StationaryState state;
  Observables observables;
  std::optional<DrivenState> driven;  ///< on a circle around which a mean force drives
};

/// Particles of one plane at the end of the evolution, next to the density.
struct EnsembleResult {
  EnsembleOptions options;
  double seconds = 0.0;
  ParticleSample sample;
  SampleComparison comparison;
};

struct RunSummary {
  double wall_seconds = 0.0;
  std::vector<std::string> warnings;
  std::vector<StationaryResult> stationary;  ///< [plane], empty if not asked for
  std::vector<EnsembleResult> ensemble;      ///< [plane], empty if not asked for
  Json displacement;                         ///< null if not asked for, or not there yet
  std::string state = "finished";            ///< finished, interrupted or failed
  std::string spec_hash;
  Json timing = Json::object();  ///< when it ran; with `keys` added, the names of all that a clock has measured
};

/// `per_plane` names the entries that are lists with one value for each plane of a batch.
Json summary(const Simulation& simulation, const Frame& last, const RunSummary& run);

/// Lists under timing/keys what in a summary a clock has measured.
void name_clock_keys(Json& summary);

/// The entries of one plane alone, for its sub-directory.
class PlaneSummaries {
 public:
  /// `names`: of each plane; a warning about a plane begins with its name and a colon. Keeps a reference to `whole`.
  PlaneSummaries(const Json& whole, const std::vector<std::string>& names);

  Json of(int plane) const;

 private:
  static constexpr std::size_t longest_list = 64;  ///< with an entry for each plane that every plane repeats

  const Json& whole_;
  Json spec_;
  std::set<std::string> lists_;                      ///< keys that have a value for each plane
  std::vector<std::string> warnings_;                ///< about no plane, or all
  std::vector<std::vector<std::string>> of_planes_;  ///< [plane] warnings
};

}  // namespace underdamp
