#include "solver/model/initial_state.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "kernels/contract/backend.hpp"
#include "meshes/cell_index.hpp"
#include "solver/io/diagnostics.hpp"
#include "solver/io/vtk_file.hpp"
#include "solver/landscape/function.hpp"

namespace underdamp {
namespace {

/// Spline along v, then along θ; zero outside the lattice, never negative.
std::vector<double> interpolated(const GridDensity& grid, const PhasePlane& plane) {
  const std::size_t rows = grid.theta.size();
  const std::size_t columns = grid.velocity.size();
  const auto inside = [](const std::vector<double>& lattice, double x) {
    const double half = 0.5 * (lattice[1] - lattice[0]);
    return x >= lattice.front() - half && x <= lattice.back() + half;
  };
  const CellIndex cell(plane);
  const std::size_t n = cell.columns();
  std::vector<double> along_velocity(rows * n, 0.0);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto first = grid.values.begin() + static_cast<std::ptrdiff_t>(i * columns);
    const auto spline = make_spline(grid.velocity, {first, first + static_cast<std::ptrdiff_t>(columns)}, "row");
    for (std::size_t j = 0; j < n; ++j) {
      const double v = plane.velocity.center(static_cast<int>(j));
      if (inside(grid.velocity, v)) along_velocity[cell(i, j)] = spline->value(v);
    }
  }
  std::vector<double> density(cell.cells(), 0.0);
  std::vector<double> column(rows);
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < rows; ++i) column[i] = along_velocity[cell(i, j)];
    const auto spline = make_spline(grid.theta, column, "column");
    for (int i = 0; i < plane.theta.cells; ++i) {
      const double theta = plane.theta.center(i);
      if (inside(grid.theta, theta)) density[cell(i, j)] = std::max(0.0, spline->value(theta));
    }
  }
  return density;
}

bool same_lattice(const std::vector<double>& lattice, const Axis& axis) {
  return static_cast<int>(lattice.size()) == axis.cells &&
         std::abs(lattice.front() - axis.center(0)) < 1e-6 * axis.width() &&
         std::abs(lattice.back() - axis.center(axis.cells - 1)) < 1e-6 * axis.width();
}

Moments moments_of(const GridDensity& grid) {
  double mass = 0.0;
  Vector2 first{};
  Matrix2 second{};
  for (std::size_t i = 0; i < grid.theta.size(); ++i) {
    for (std::size_t j = 0; j < grid.velocity.size(); ++j) {
      const double p = grid.values[i * grid.velocity.size() + j];
      const Vector2 z{grid.theta[i], grid.velocity[j]};
      mass += p;
      for (std::size_t a = 0; a < 2; ++a) {
        first[a] += p * z[a];
        for (std::size_t b = 0; b < 2; ++b) second[a][b] += p * z[a] * z[b];
      }
    }
  }
  Moments moments;
  for (std::size_t a = 0; a < 2; ++a) moments.mean[a] = first[a] / mass;
  for (std::size_t a = 0; a < 2; ++a) {
    for (std::size_t b = 0; b < 2; ++b)
      moments.covariance[a][b] = second[a][b] / mass - moments.mean[a] * moments.mean[b];
  }
  return moments;
}

Moments stationary_moments(const Model& model, int p) {
  return {{model.plane(p).minimum, 0.0}, model.stationary_covariance(p)};
}

struct PhaseRange {
  Interval theta;
  Interval velocity;
};

/// Range of a uniform start: as given, else three stationary standard deviations, as far as the box allows.
PhaseRange uniform_range(const Spec& spec, const Model& model, int p) {
  const auto range = [](double center, double variance, const std::optional<Interval>& limits) {
    const double reach = 3.0 * std::sqrt(variance);
    Interval result{center - reach, center + reach};
    if (limits && limits->lower < result.upper && limits->upper > result.lower) {
      result = {std::max(result.lower, limits->lower), std::min(result.upper, limits->upper)};
    }
    return result;
  };
  const Matrix2 covariance = model.stationary_covariance(p);
  const auto theta_limits = spec.grid.theta ? spec.grid.theta : model.domain(p);
  return {spec.initial.theta.value_or(range(model.plane(p).minimum, covariance[0][0], theta_limits)),
          spec.initial.velocity.value_or(range(0.0, covariance[1][1], spec.grid.velocity))};
}

/// On a circle the start wraps: shifts of θ that bring its images to where it is, out to eight standard deviations.
std::vector<double> turns_of(const PhaseMesh& mesh, int p, const Moments& start) {
  if (!mesh.walls().is_periodic()) return {0.0};
  const Axis& circle = mesh.plane(p).theta;
  const double reach = 8.0 * std::sqrt(start.covariance[0][0]);
  const double first = std::floor((start.mean[0] - reach - circle.upper) / circle.length());
  const double last = std::ceil((start.mean[0] + reach - circle.lower) / circle.length());
  std::vector<double> turns;
  for (double turn = first; turn <= last; turn += 1.0) turns.push_back(turn * circle.length());
  return turns;
}

/// Share of a cell of the lattice around x that lies outside an axis.
double cell_outside(const std::vector<double>& lattice, double x, const Axis& axis) {
  const double width = (lattice.back() - lattice.front()) / static_cast<double>(lattice.size() - 1);
  const double inside = std::min(x + 0.5 * width, axis.upper) - std::max(x - 0.5 * width, axis.lower);
  return std::clamp(1.0 - inside / width, 0.0, 1.0);
}

double share_outside(const GridDensity& grid, const PhasePlane& plane) {
  double outside = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < grid.theta.size(); ++i) {
    const double beyond = cell_outside(grid.theta, grid.theta[i], plane.theta);
    for (std::size_t j = 0; j < grid.velocity.size(); ++j) {
      const double value = grid.values[i * grid.velocity.size() + j];
      const double within = (1.0 - beyond) * (1.0 - cell_outside(grid.velocity, grid.velocity[j], plane.velocity));
      all += value;
      outside += value * (1.0 - within);
    }
  }
  return outside / all;
}

double share_outside(const Axis& axis, double mean, double variance) {
  const double scale = 1.0 / std::sqrt(2.0 * variance);
  return 0.5 * std::erfc((mean - axis.lower) * scale) + 0.5 * std::erfc((axis.upper - mean) * scale);
}

double share_outside(const Axis& axis, const Interval& range) {
  const double inside = std::min(range.upper, axis.upper) - std::max(range.lower, axis.lower);
  return std::clamp(1.0 - inside / (range.upper - range.lower), 0.0, 1.0);
}

/// The key that says most about the start.
std::string start_key(const Spec& spec) {
  for (const char* key : {"initial.mean", "initial.theta", "initial.velocity", "initial.file", "initial.kind"}) {
    if (spec.where.count(key) > 0) return key;
  }
  return "grid.theta";
}

[[noreturn]] void refuse_start(const Spec& spec, const Model& model, const PhasePlane& plane, int p, double share) {
  const Moments start = initial_moments(spec, model, p);
  const double deviation_theta = std::sqrt(start.covariance[0][0]);
  const double deviation_v = std::sqrt(start.covariance[1][1]);
  const bool is_inside = start.mean[0] > plane.theta.lower && start.mean[0] < plane.theta.upper &&
                         start.mean[1] > plane.velocity.lower && start.mean[1] < plane.velocity.upper;
  const std::string widths = fmt::format("standard deviations {:.3g} and {:.3g}", deviation_theta, deviation_v);
  if (is_inside && (deviation_theta < plane.theta.width() || deviation_v < plane.velocity.width())) {
    refuse(spec, start_key(spec),
           fmt::format("the start slips between the cells: {}, cells of {:.3g} × {:.3g}", widths, plane.theta.width(),
                       plane.velocity.width()),
           "use a wider start, more cells, or a smaller box");
  }
  refuse(spec, start_key(spec),
         fmt::format("only {:.3g} of the start lies in the box theta [{:.4g}, {:.4g}], v [{:.4g}, {:.4g}]: its mean is "
                     "({:.4g}, {:.4g}), {}",
                     share, plane.theta.lower, plane.theta.upper, plane.velocity.lower, plane.velocity.upper,
                     start.mean[0], start.mean[1], widths),
         model.domain(p) ? "move or narrow the start, or extend the table"
                         : "move or narrow the start, or widen grid.theta and grid.velocity");
}

}  // namespace

Moments initial_moments(const Spec& spec, const Model& model, int p) {
  const InitialSpec& initial = spec.initial;
  switch (initial.kind) {
    case InitialKind::gaussian:
      return {initial.mean.value_or(Vector2{model.plane(p).minimum, 0.0}),
              initial.covariance.value_or(model.stationary_covariance(p))};
    case InitialKind::stationary:
      return stationary_moments(model, p);
    case InitialKind::file:
      return moments_of(*initial.density);
    case InitialKind::uniform:
      break;
  }
  const PhaseRange range = uniform_range(spec, model, p);
  const auto variance = [](const Interval& i) { return (i.upper - i.lower) * (i.upper - i.lower) / 12.0; };
  return {{0.5 * (range.theta.lower + range.theta.upper), 0.5 * (range.velocity.lower + range.velocity.upper)},
          {{{variance(range.theta), 0.0}, {0.0, variance(range.velocity)}}}};
}

double start_share_outside(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  const PhasePlane& plane = mesh.plane(p);
  const bool wraps = mesh.walls().is_periodic();
  if (spec.initial.kind == InitialKind::file) return share_outside(*spec.initial.density, plane);
  if (spec.initial.kind == InitialKind::uniform) {
    const PhaseRange range = uniform_range(spec, model, p);
    return share_outside(plane.theta, range.theta) + share_outside(plane.velocity, range.velocity);
  }
  const Moments start = initial_moments(spec, model, p);
  return (wraps ? 0.0 : share_outside(plane.theta, start.mean[0], start.covariance[0][0])) +
         share_outside(plane.velocity, start.mean[1], start.covariance[1][1]);
}

std::vector<double> initial_density(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  const PhasePlane& plane = mesh.plane(p);
  const CellIndex cell(plane);
  std::vector<double> density(cell.cells(), 0.0);
  const auto fill = [&](const auto& value) {
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      for (int j = 0; j < mesh.velocity_cells(); ++j) {
        density[cell(i, j)] = value(plane.theta.center(i), plane.velocity.center(j));
      }
    }
  };
  const InitialSpec& initial = spec.initial;
  if (initial.kind == InitialKind::file) {
    const GridDensity& grid = *initial.density;
    density = same_lattice(grid.theta, plane.theta) && same_lattice(grid.velocity, plane.velocity)
                  ? grid.values
                  : interpolated(grid, plane);
  } else if (initial.kind == InitialKind::uniform) {
    const PhaseRange range = uniform_range(spec, model, p);
    fill([&](double x, double y) {
      return x > range.theta.lower && x < range.theta.upper && y > range.velocity.lower && y < range.velocity.upper
                 ? 1.0
                 : 0.0;
    });
  } else {
    const Moments moments = initial_moments(spec, model, p);
    const auto turns = turns_of(mesh, p, moments);
    fill([&](double x, double y) {
      double sum = 0.0;
      for (const double turn : turns) sum += gaussian_density(moments.mean, moments.covariance, x + turn, y);
      return sum;
    });
  }
  const auto weights = theta_weights(mesh);
  double mass = 0.0;
  for (std::size_t k = 0; k < density.size(); ++k) mass += weights[cell.row(k)] * density[k] * plane.cell_area();
  const double least = initial.kind == InitialKind::gaussian || initial.kind == InitialKind::stationary ? 0.5 : 0.0;
  if (!std::isfinite(mass) || !(mass > least)) refuse_start(spec, model, plane, p, mass);
  for (double& value : density) value /= mass;
  return density;
}

}  // namespace underdamp
