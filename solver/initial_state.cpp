#include "solver/initial_state.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/box.hpp"
#include "solver/csv.hpp"
#include "solver/function.hpp"
#include "solver/vtk_writer.hpp"

namespace underdamp {
namespace {

std::vector<double> distinct(std::vector<double> values, const std::string& file, const std::string& column) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (values.size() < 4) {
    throw Error(ExitCode::bad_input, "column \"" + column + "\" has fewer than four different values", file,
                "give a density on a rectangular lattice of at least 4 × 4 points");
  }
  const double step = (values.back() - values.front()) / static_cast<double>(values.size() - 1);
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (!(std::abs(values[k] - values.front() - static_cast<double>(k) * step) < 1e-4 * step)) {
      throw Error(ExitCode::bad_input, fmt::format("column \"{}\" is not evenly spaced near {}", column, values[k]),
                  file, "give a density on an evenly spaced lattice");
    }
  }
  return values;
}

GridDensity read_csv_density(const std::string& file) {
  const CsvTable table = CsvTable::read(file);
  const std::vector<double> theta = table.numbers("theta");
  const std::vector<double> velocity = table.numbers("v");
  const std::vector<double> density = table.numbers("density");
  GridDensity grid{distinct(theta, file, "theta"), distinct(velocity, file, "v"), {}};
  const std::size_t points = grid.theta.size() * grid.velocity.size();
  if (points != theta.size()) {
    throw Error(
        ExitCode::bad_input,
        fmt::format("{} rows do not make a {} × {} lattice", theta.size(), grid.theta.size(), grid.velocity.size()),
        file, "give every lattice point once");
  }
  grid.values.assign(points, -1.0);
  for (std::size_t k = 0; k < points; ++k) {
    const auto i =
        static_cast<std::size_t>(std::lower_bound(grid.theta.begin(), grid.theta.end(), theta[k]) - grid.theta.begin());
    const auto j = static_cast<std::size_t>(std::lower_bound(grid.velocity.begin(), grid.velocity.end(), velocity[k]) -
                                            grid.velocity.begin());
    if (density[k] < 0.0) {
      throw Error(ExitCode::bad_input,
                  fmt::format("the density is {} at theta = {}, v = {}", density[k], theta[k], velocity[k]), file,
                  "a density is nowhere negative");
    }
    grid.values[i * grid.velocity.size() + j] = density[k];
  }
  if (*std::min_element(grid.values.begin(), grid.values.end()) < 0.0) {
    throw Error(ExitCode::bad_input, "a lattice point is missing and another occurs twice", file,
                "give every lattice point once");
  }
  return grid;
}

/// Spline along v, then along θ; zero outside the lattice, never negative.
std::vector<double> interpolated(const GridDensity& grid, const PhasePlane& plane) {
  const std::size_t rows = grid.theta.size();
  const std::size_t columns = grid.velocity.size();
  const auto inside = [](const std::vector<double>& lattice, double x) {
    const double half = 0.5 * (lattice[1] - lattice[0]);
    return x >= lattice.front() - half && x <= lattice.back() + half;
  };
  const auto n = static_cast<std::size_t>(plane.velocity.cells);
  std::vector<double> along_velocity(rows * n, 0.0);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto first = grid.values.begin() + static_cast<std::ptrdiff_t>(i * columns);
    const auto spline = make_spline(grid.velocity, {first, first + static_cast<std::ptrdiff_t>(columns)}, "row");
    for (std::size_t j = 0; j < n; ++j) {
      const double v = plane.velocity.center(static_cast<int>(j));
      if (inside(grid.velocity, v)) along_velocity[i * n + j] = spline->value(v);
    }
  }
  std::vector<double> density(static_cast<std::size_t>(plane.theta.cells) * n, 0.0);
  std::vector<double> column(rows);
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < rows; ++i) column[i] = along_velocity[i * n + j];
    const auto spline = make_spline(grid.theta, column, "column");
    for (int i = 0; i < plane.theta.cells; ++i) {
      const double theta = plane.theta.center(i);
      if (inside(grid.theta, theta)) density[static_cast<std::size_t>(i) * n + j] = std::max(0.0, spline->value(theta));
    }
  }
  return density;
}

bool same_lattice(const std::vector<double>& lattice, const Axis& axis) {
  return static_cast<int>(lattice.size()) == axis.cells &&
         std::abs(lattice.front() - axis.center(0)) < 1e-6 * axis.width() &&
         std::abs(lattice.back() - axis.center(axis.cells - 1)) < 1e-6 * axis.width();
}

InitialMoments moments_of(const GridDensity& grid) {
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
  InitialMoments moments;
  for (std::size_t a = 0; a < 2; ++a) moments.mean[a] = first[a] / mass;
  for (std::size_t a = 0; a < 2; ++a) {
    for (std::size_t b = 0; b < 2; ++b)
      moments.covariance[a][b] = second[a][b] / mass - moments.mean[a] * moments.mean[b];
  }
  return moments;
}

InitialMoments stationary_moments(const Model& model, int p) {
  return {{model.plane(p).minimum, 0.0}, model.stationary_covariance(p)};
}

}  // namespace

double gaussian_density(const Vector2& mean, const Matrix2& covariance, double theta, double v) {
  constexpr double two_pi = 6.283185307179586476925;
  const double determinant = covariance[0][0] * covariance[1][1] - covariance[0][1] * covariance[1][0];
  const double x = theta - mean[0];
  const double y = v - mean[1];
  const double form =
      (covariance[1][1] * x * x - 2.0 * covariance[0][1] * x * y + covariance[0][0] * y * y) / determinant;
  return std::exp(-0.5 * form) / (two_pi * std::sqrt(determinant));
}

GridDensity read_grid_density(const std::string& file) {
  if (file.size() > 4 && file.compare(file.size() - 4, 4, ".vti") == 0) return read_vti_density(file);
  return read_csv_density(file);
}

InitialMoments initial_moments(const Spec& spec, const Model& model, int p) {
  const InitialSpec& initial = spec.initial;
  switch (initial.kind) {
    case InitialKind::gaussian:
      return {initial.mean.value_or(Vector2{model.plane(p).minimum, 0.0}),
              initial.covariance.value_or(model.stationary_covariance(p))};
    case InitialKind::stationary:
      return stationary_moments(model, p);
    case InitialKind::file:
      return moments_of(read_grid_density(initial.file));
    case InitialKind::uniform:
      break;
  }
  const auto range = [](const std::optional<Interval>& own, const std::optional<Interval>& box, double center,
                        double deviation) {
    if (own) return *own;
    return box.value_or(Interval{center - box_deviations * deviation, center + box_deviations * deviation});
  };
  const Derived d = model.derived(p);
  const Interval theta = range(initial.theta, spec.grid.theta, model.plane(p).minimum, d.std_theta);
  const Interval v = range(initial.velocity, spec.grid.velocity, 0.0, d.std_v);
  const auto variance = [](const Interval& i) { return (i.upper - i.lower) * (i.upper - i.lower) / 12.0; };
  return {{0.5 * (theta.lower + theta.upper), 0.5 * (v.lower + v.upper)},
          {{{variance(theta), 0.0}, {0.0, variance(v)}}}};
}

std::vector<double> initial_density(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  const PhasePlane& plane = mesh.plane(p);
  const auto n = static_cast<std::size_t>(mesh.velocity_cells());
  std::vector<double> density(static_cast<std::size_t>(mesh.theta_cells()) * n, 0.0);
  const auto fill = [&](const auto& value) {
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      for (int j = 0; j < mesh.velocity_cells(); ++j) {
        density[static_cast<std::size_t>(i) * n + static_cast<std::size_t>(j)] =
            value(plane.theta.center(i), plane.velocity.center(j));
      }
    }
  };
  const InitialSpec& initial = spec.initial;
  if (initial.kind == InitialKind::file) {
    const GridDensity grid = read_grid_density(initial.file);
    density = same_lattice(grid.theta, plane.theta) && same_lattice(grid.velocity, plane.velocity)
                  ? grid.values
                  : interpolated(grid, plane);
  } else if (initial.kind == InitialKind::uniform) {
    const Interval theta = initial.theta.value_or(Interval{plane.theta.lower, plane.theta.upper});
    const Interval v = initial.velocity.value_or(Interval{plane.velocity.lower, plane.velocity.upper});
    fill([&](double x, double y) {
      return x > theta.lower && x < theta.upper && y > v.lower && y < v.upper ? 1.0 : 0.0;
    });
  } else {
    const InitialMoments moments = initial_moments(spec, model, p);
    fill([&](double x, double y) { return gaussian_density(moments.mean, moments.covariance, x, y); });
  }
  double mass = 0.0;
  for (const double value : density) mass += value * plane.cell_area();
  const double least = initial.kind == InitialKind::gaussian || initial.kind == InitialKind::stationary ? 0.5 : 0.0;
  if (!std::isfinite(mass) || !(mass > least)) {
    throw Error(ExitCode::bad_input, fmt::format("only {:.3g} of the start lies in the box, on its cells", mass),
                spec.place("initial"),
                "check initial against grid.theta and grid.velocity; a start narrower than a cell needs more cells");
  }
  for (double& value : density) value /= mass;
  return density;
}

}  // namespace underdamp
