#pragma once
#include <vector>

#include "solver/io/state.hpp"
#include "solver/run/summary.hpp"

namespace underdamp {

/// What a run has finished besides the evolution, plane by plane, as far as the summary needs it; the files of these
/// parts are written. A new kind of part is added here, with its save and restore.
struct FinishedParts {
  std::vector<StationaryResult> stationary;
  std::vector<EnsembleResult> ensemble;
  Json displacement;  ///< its entry in the summary; null: not done

  void save(StateWriter& to) const;
  void restore(const StateReader& from);
};

}  // namespace underdamp
