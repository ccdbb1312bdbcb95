#include "solver/step/integrator.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"

// What a density is like on its way: its shape and what grid and rounding leave in it, its mass, and whether it is
// finite.

namespace underdamp {
namespace {

/// Part of the grid's error of one step by which runs that differ in their steps differ: this times Σ|Δ¹² p|. Fitted on
/// OU-1; it is what a window need not fall below, and a part of the error of the step. The error of the grid is in
/// GridError.
constexpr double roughness_constant = 1e-7;

/// The reported error of the step is this many times the norm of the error field. Measured on quadratic cases the norm
/// is 0.6 to 2.3 times the true error, on double wells and quartic potentials 0.3 to 1.2 times, on tables down to 0.18
/// times (docs/method.md, section 5).
constexpr double time_error_safety = 5.0;

/// L1 error that the rounding of one sweep leaves, in units of the roundoff. Measured: docs/method.md, section 5.
constexpr double rounding_constant = 0.5;

/// Mass that the rounding of a step may take or give, in units of the roundoff: three times the most that was measured
/// (docs/reliability.md). In float32 sums over a line are double, and what rounds are single cells.
constexpr double mass_rounding(Precision precision) {
  return precision == Precision::float64 ? 20.0 : 2.0;
}

/// Below this roughness the rounding of float32 hides the density's own: an extrapolated window leaves about 1e-6 of
/// noise in a cell, and Δ¹² multiplies noise by √(24!/12!²) = 1644.
constexpr double float32_roughness = 3e-3;

/// Sums that make a DensityShape: roughness, mass, Σ x, Σ x², Σ xy, Σ y, Σ y², Σ D, Σ force', x and y in cells from the
/// middle of the plane.
constexpr std::size_t shape_sums = 9;

RowSumLaw shape_law(const PhaseMesh& mesh, const Tables& tables) {
  const bool map = tables.dynamics == Dynamics::sgd;
  const std::vector<double>& force = map ? tables.kick : tables.force;
  const auto rows = static_cast<std::size_t>(mesh.theta_cells());
  std::vector<double> at;
  std::vector<double> at_squared;
  std::vector<double> slope;
  for (std::size_t l = 0; l < force.size(); ++l) {
    const std::size_t i = l % rows;
    at.push_back(static_cast<double>(i) - 0.5 * static_cast<double>(rows - 1));
    at_squared.push_back(at.back() * at.back());
    const std::size_t below = i > 0 ? l - 1 : l;
    const std::size_t above = i + 1 < rows ? l + 1 : l;
    slope.push_back((force[above] - force[below]) / static_cast<double>(above - below));
  }
  RowSumLaw law{{at, at_squared, map ? tables.step_variance : tables.diffusion, slope}, {}};
  constexpr int mass = 2;
  constexpr int first = 3;
  law.sums = {{RowTerm(0), RowTerm(1)}};  // along θ and along v
  for (const RowTerm& term : {RowTerm(mass), RowTerm(mass, 0), RowTerm(mass, 1), RowTerm(first, 0), RowTerm(first),
                              RowTerm(4), RowTerm(mass, 2), RowTerm(mass, 3)}) {
    law.sums.push_back({term});
  }
  return law;
}

}  // namespace

void Integrator::measure_shape() {
  if (!shape_plan_) shape_plan_ = backend_.reductions().plan_row_sums(mesh_, shape_law(mesh_, tables_));
  const auto sums = backend_.reductions().sum_shapes(*density_, *shape_plan_);
  for (std::size_t p = 0; p < shape_.size(); ++p) {
    const PhasePlane& plane = mesh_.plane(static_cast<int>(p));
    const double* const s = sums.data() + shape_sums * p;
    const double rough = s[0];
    const double mass = s[1];
    roughness_[p] = roughness_constant * rough * plane.cell_area();
    if (!(mass > 0.0)) continue;
    const double x = s[2] / mass;
    const double y = s[5] / mass;
    const double width = plane.velocity.width();
    const double covariance = s[4] / mass - x * y;
    shape_[p] = {{{{s[3] / mass - x * x, covariance}, {covariance, s[6] / mass - y * y}}},
                 y + 0.5 * (plane.velocity.lower + plane.velocity.upper) / width,
                 -s[8] / (mass * width),
                 s[7] / (mass * width * width),
                 rough / mass};
    if (precision_ == Precision::float32 && shape_[p].roughness < float32_roughness) {
      shape_[p].roughness = gaussian_roughness(shape_[p].covariance);
    }
  }
}

/// L1 error of the rounding of one sweep.
double Integrator::sweep_rounding() const {
  return rounding_constant * unit_roundoff(precision_);
}

/// Rounding errors of sweeps are independent of each other; what they leave relaxes like everything else.
void Integrator::add_rounding(double duration, double sweeps) {
  for (std::size_t p = 0; p < rounding_.size(); ++p) {
    rounding_[p] = rounding_[p] * std::exp(-2.0 * duration / tables_.relaxation_time[p]) +
                   sweeps * sweep_rounding() * sweep_rounding();
  }
}

double lost_of(const Departed& departed, const Escape& escape) {
  return departed.total() - (escape.lower ? departed.theta[0].lower : 0.0) -
         (escape.upper ? departed.theta[0].upper : 0.0);
}

/// Clipping may create a little mass in tails that hold none; scaling takes it back. Also looks at what has left the
/// box.
void Integrator::absorb_created(Field& field) {
  const auto departed = backend_.fields().departed(field);
  std::vector<double> factor;
  bool any = false;
  for (std::size_t p = 0; p < departed.size(); ++p) {
    const double mass = initial_mass_[p] - departed[p].total();
    factor.push_back(mass / (mass + departed[p].created));
    any = any || std::abs(departed[p].created) > 1e-16 * mass;  // an extrapolated count may be negative
    lost_ = std::max(lost_, lost(departed[p], p) / initial_mass_[p]);
    if (std::abs(departed[p].created) > options_.largest_loss * initial_mass_[p]) {
      throw Error(ExitCode::numerical,
                  fmt::format("values below 0 held {:.2e} of the probability of plane {} at t = {:.6g}",
                              departed[p].created / initial_mass_[p], p + 1, time_),
                  {}, "use a smaller step or a smaller tolerance; please report the spec");
    }
  }
  if (any) backend_.fields().absorb_created(field, factor);
  if (lost_ > options_.largest_loss) {
    throw Error(ExitCode::numerical,
                fmt::format("{:.2e} of the probability left the box until t = {:.6g}", lost_, time_), {},
                "enlarge the box (grid.theta, grid.velocity)");
  }
}

/// Rounding changes the mass by up to 1e-15 per step (float32: 2e-8), often in the same direction. Scaling takes that
/// back; what is more than rounding stays, for all to see. What was taken back is added up: health.hpp compares it with
/// what rounding explains.
void Integrator::restore_mass() {
  const double most_rounding = precision_ == Precision::float64 ? 1e-12 : 1e-4;
  restored_ = statistics_.strang_steps;
  const auto masses = backend_.reductions().sum_planes(mesh_, *density_);
  const auto departed = backend_.fields().departed(*density_);
  std::vector<double> factor;
  bool any = false;
  for (std::size_t p = 0; p < departed.size(); ++p) {
    const double mass = masses[p];
    require_finite(mass);
    const double ratio = (initial_mass_[p] - departed[p].total()) / mass;
    factor.push_back(std::abs(ratio - 1.0) < most_rounding ? ratio : 1.0);
    restored_mass_[p] += (factor.back() - 1.0) * mass / initial_mass_[p];
    any = any || factor.back() != 1.0;
  }
  if (any) backend_.fields().absorb_created(*density_, factor);
}

double Integrator::explained_by_rounding() const {
  return mass_rounding(precision_) * unit_roundoff(precision_) * static_cast<double>(statistics_.strang_steps);
}

/// Looks for the cell in the density, then in its copy, or in the levels of the window that made it.
void Integrator::require_finite(double value) {
  if (std::isfinite(value)) return;
  const std::string remedy = "use a smaller step or a smaller tolerance; please report the spec";
  const std::string when = fmt::format("the density is not finite at t = {:.6g}", time_);
  const auto plan = backend_.reductions().plan_row_sums(mesh_, {{}, {{RowTerm(0)}}});
  const auto look_into = [&](const Field& field, const std::string& what) {
    const auto smallest = backend_.reductions().sum_rows(field, *plan).smallest;
    for (std::size_t p = 0; p < smallest.size(); ++p) {
      if (std::isfinite(smallest[p].value)) continue;
      const std::array<int, 2> cell{smallest[p].row, smallest[p].column};
      throw Error(ExitCode::numerical, what, place_text(mesh_, static_cast<int>(p), cell), remedy);
    }
  };
  look_into(*density_, when);
  const std::string after = fmt::format("the step after t = {:.6g} gives values that are not finite", time_);
  if (copy_) look_into(*copy_, after);
  for (const Field* level : levels_->first_const(levels_->count())) look_into(*level, after);
  throw Error(ExitCode::numerical, when, {}, remedy);
}

std::vector<ErrorEstimate> Integrator::errors() const {
  auto result = errors_;
  for (std::size_t p = 0; p < result.size(); ++p) {
    result[p].space = grid_error_[p].norm(shape_[p]);
    result[p].rounding = std::sqrt(rounding_[p]);
  }
  if (error_ && statistics_.windows > 0 && !options_.step) {
    const std::array<const Field*, 1> field{error_.get()};
    const std::array<double, 1> one{1.0};
    const auto norm = backend_.reductions().combination_norm(field, one);
    for (std::size_t p = 0; p < result.size(); ++p) {
      result[p].time = time_error_safety * norm[p] * mesh_.plane(static_cast<int>(p)).cell_area();
    }
  }
  // Two runs that differ in their steps also differ by part of what the grid and the walls take. The map has no error
  // in time: what has left its box counts with the grid.
  const auto departed = backend_.fields().departed(*density_);
  for (std::size_t p = 0; p < result.size(); ++p) {
    const double missing = std::abs(lost(departed[p], p)) * mesh_.plane(static_cast<int>(p)).cell_area();
    if (tables_.dynamics == Dynamics::langevin) {
      result[p].step = result[p].time;
      result[p].time += 0.5 * interference_[p] + missing;
    } else {
      result[p].space += missing;
    }
  }
  return result;
}

}  // namespace underdamp
