#include "solver/coupled/coupled_box.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

/// log10 L1 = −3.2 − 3.6 (cells − 1.3): a decade for each 0.28 cells.
constexpr double decades_at_least = 3.2;
constexpr double least_cells = 1.3;
constexpr double decades_per_cell = 3.6;
/// L1 = 20 erfc(n/√2): a box of ±n deviations loses so much in all axes and on the way.
constexpr double wall_factor = 20.0;
/// What walls take is missing at the ends: in the covariance it counts more than in L1.
constexpr double wall_weight = 10.0;
/// Of the tolerance, for the grid and for the walls.
constexpr double grid_share = 0.5;
constexpr double wall_share = 0.4;

struct Extent {
  double lower = std::numeric_limits<double>::infinity();
  double upper = -std::numeric_limits<double>::infinity();
};

/// Of axis i, ± n deviations at all times.
Extent extent_of(const std::vector<PhaseSpread>& way, Eigen::Index i, double deviations) {
  Extent extent;
  for (const PhaseSpread& met : way) {
    extent.lower = std::min(extent.lower, met.lower(i, deviations));
    extent.upper = std::max(extent.upper, met.upper(i, deviations));
  }
  return extent;
}

/// The narrowest conditional deviation of each axis on the way.
PhaseVector narrowest_on(const std::vector<PhaseSpread>& way) {
  PhaseVector narrowest = way.front().narrowest;
  for (const PhaseSpread& met : way) narrowest = narrowest.cwiseMin(met.narrowest);
  return narrowest;
}

class BoxChoice {
 public:
  BoxChoice(const std::vector<PhaseSpread>& way, const CoupledBoxOptions& options)
      : way_(way), options_(options), d_(way.front().narrowest.size() / 2), narrowest_(narrowest_on(way)) {}

  CoupledBox choose() const {
    CoupledBox result;
    if (options_.cells) {
      result.deviations = best_deviations();
      result.box = box_of(result.deviations, *options_.cells);
      result.reason = fmt::format("±{:.2f} deviations, where grid and walls together leave least", result.deviations);
    } else {
      result.deviations = deviations_for(wall_share * options_.tolerance, options_.friction_times);
      result.box = box_of(result.deviations, cells_for(result.deviations));
      result.reason =
          fmt::format("±{:.2f} deviations and cells for a tolerance of {:g}", result.deviations, options_.tolerance);
    }
    result.cells_per_deviation = cells_per_deviation(result.box);
    require_cells(result);
    return result;
  }

 private:
  const std::optional<Interval>& given(Eigen::Index i) const {
    static const std::optional<Interval> none;
    const auto& sides = i < d_ ? options_.theta : options_.velocity;
    const auto axis = static_cast<std::size_t>(i < d_ ? i : i - d_);
    return axis < sides.size() ? sides[axis] : none;
  }

  Axis axis_of(Eigen::Index i, double deviations, int cells) const {
    if (const auto& side = given(i)) return {side->lower, side->upper, cells};
    const Extent extent = extent_of(way_, i, deviations);
    return {extent.lower, extent.upper, cells};
  }

  PhaseBox box_of(double deviations, const std::vector<int>& cells) const {
    PhaseBox box;
    for (Eigen::Index i = 0; i < 2 * d_; ++i) {
      auto& axes = i < d_ ? box.theta : box.velocity;
      axes.push_back(axis_of(i, deviations, cells[static_cast<std::size_t>(i)]));
    }
    return box;
  }

  double cells_per_deviation(const PhaseBox& box) const {
    double least = std::numeric_limits<double>::infinity();
    for (Eigen::Index i = 0; i < 2 * d_; ++i) {
      const Axis& axis =
          i < d_ ? box.theta[static_cast<std::size_t>(i)] : box.velocity[static_cast<std::size_t>(i - d_)];
      least = std::min(least, narrowest_[i] / axis.width());
    }
    return least;
  }

  /// So that grid and walls together leave least.
  double best_deviations() const {
    double best = 4.0;
    double least = std::numeric_limits<double>::infinity();
    for (double n = 4.0; n <= 8.0; n += 0.05) {
      const double error = grid_error_at(cells_per_deviation(box_of(n, *options_.cells))) +
                           wall_weight * wall_error_at(n, options_.friction_times);
      if (error < least) {
        least = error;
        best = n;
      }
    }
    return best;
  }

  /// Cells of each axis; of the fastest one whole vector registers.
  std::vector<int> cells_for(double deviations) const {
    constexpr int lanes = 8;
    constexpr int fewest = 12;
    const double wanted = cells_per_deviation_for(grid_share * options_.tolerance);
    std::vector<int> cells;
    for (Eigen::Index i = 0; i < 2 * d_; ++i) {
      const Axis axis = axis_of(i, deviations, 1);
      const double count = std::ceil(axis.length() / narrowest_[i] * wanted - 1e-9);
      require_possible(count);
      int n = std::max(fewest, static_cast<int>(count));
      if (i + 1 == 2 * d_) n = (n + lanes - 1) / lanes * lanes;
      cells.push_back(n);
    }
    return cells;
  }

  void require_possible(double count) const {
    constexpr double most = 1024.0;
    if (count <= most) return;
    throw Error(ExitCode::bad_input,
                std::isfinite(count)
                    ? fmt::format("the density gets so narrow that an axis would need {:.0f} cells", count)
                    : std::string("the density gets as narrow as a sheet: no grid resolves it"),
                "grid.cells", "use other axes, more noise in the narrow direction, or a looser tolerance");
  }

  void require_cells(const CoupledBox& result) const {
    if (result.cells_per_deviation >= fewest_cells_of_coupled) return;
    std::string wanted;
    for (Eigen::Index i = 0; i < 2 * d_; ++i) {
      const double count = axis_of(i, result.deviations, 1).length() / narrowest_[i] * enough_cells_of_coupled;
      wanted += fmt::format("{}{:.0f}", i > 0 ? ", " : "", std::ceil(count));
    }
    throw Error(
        ExitCode::bad_input,
        fmt::format("the density gets {:.2g} cells wide across its narrowest direction: no digit would be right",
                    result.cells_per_deviation),
        "grid.cells",
        fmt::format("it would take about [{}] cells; use other axes, or more noise in the narrow direction", wanted));
  }

  const std::vector<PhaseSpread>& way_;
  const CoupledBoxOptions& options_;
  Eigen::Index d_;
  PhaseVector narrowest_;
};

}  // namespace

double grid_error_at(double cells_per_deviation) {
  return std::pow(10.0, -decades_at_least - decades_per_cell * (cells_per_deviation - least_cells));
}
double wall_error_at(double deviations, double friction_times) {
  return wall_factor * std::max(1.0, friction_times / 4.0) * std::erfc(deviations / std::sqrt(2.0));
}
double cells_per_deviation_for(double error) {
  return least_cells + (-std::log10(error) - decades_at_least) / decades_per_cell;
}
double deviations_for(double error, double friction_times) {
  double n = 3.0;
  while (n < 12.0 && wall_error_at(n, friction_times) > error) n += 0.01;
  return n;
}

CoupledBox choose_box(const std::vector<PhaseSpread>& way, const CoupledBoxOptions& options) {
  require(!way.empty(), "a box is chosen from what it must hold");
  const auto axes = static_cast<std::size_t>(way.front().narrowest.size());
  if (options.cells) require(options.cells->size() == axes, "each axis has its cells");
  return BoxChoice(way, options).choose();
}

}  // namespace underdamp
