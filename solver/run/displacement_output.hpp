#pragma once
#include <filesystem>

#include "solver/displacement/displacement.hpp"
#include "solver/displacement/displacement_ensemble.hpp"
#include "solver/spec/resolved_spec.hpp"

namespace underdamp {

/// Rows of a file with all modes; of more modes than fit, some are written, evenly chosen.
inline constexpr int most_displacement_rows = 200'000;

/// displacement.csv, correlation.csv (unless the start is cold) and modes.csv (docs/user-guide.md).
void write_displacement(const std::filesystem::path& folder, const Displacement& displacement);

/// displacement_ensemble.csv: what was measured, with standard errors.
void write_measured(const std::filesystem::path& folder, const Displacement& displacement,
                    const std::vector<MeasuredDisplacement>& measured);

/// What summary.json says under "displacement".
Json displacement_summary(const Displacement& displacement, double seconds);

}  // namespace underdamp
