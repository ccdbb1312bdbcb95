#include "solver/spec/start_file.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include <fmt/format.h>

#include "solver/io/csv.hpp"
#include "solver/io/diagnostics.hpp"
#include "solver/io/files.hpp"

namespace underdamp {
namespace {

std::vector<double> distinct(std::vector<double> values, const std::string& file, const std::string& column) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (values.size() < 4) {
    refuse(file, "", "column \"" + column + "\" has fewer than four different values",
           "give a density on a rectangular lattice of at least 4 × 4 points");
  }
  const double step = (values.back() - values.front()) / static_cast<double>(values.size() - 1);
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (!(std::abs(values[k] - values.front() - static_cast<double>(k) * step) < 1e-4 * step)) {
      refuse(file, "", fmt::format("column \"{}\" is not evenly spaced near {}", column, values[k]),
             "give a density on an evenly spaced lattice");
    }
  }
  return values;
}

GridDensity read_csv_density(const std::string& file) {
  const CsvTable table = CsvTable::read(file);
  const auto columns = table.numbers({"theta", "v", "density"});
  GridDensity grid{distinct(columns[0], file, "theta"), distinct(columns[1], file, "v"), {}};
  const std::size_t points = grid.theta.size() * grid.velocity.size();
  if (points != table.rows()) {
    refuse(file, "",
           fmt::format("{} rows do not make a {} × {} lattice", table.rows(), grid.theta.size(), grid.velocity.size()),
           "give every lattice point once");
  }
  grid.values.assign(points, -1.0);
  const auto index = [](const std::vector<double>& lattice, double x) {
    return static_cast<std::size_t>(std::lower_bound(lattice.begin(), lattice.end(), x) - lattice.begin());
  };
  Diagnostics problems(10);
  for (std::size_t k = 0; k < points; ++k) {
    const double density = columns[2][k];
    double& value =
        grid.values[index(grid.theta, columns[0][k]) * grid.velocity.size() + index(grid.velocity, columns[1][k])];
    if (density < 0.0) problems.add(table.place(k), "", fmt::format("the density is {}", density), "use a density ≥ 0");
    if (value >= 0.0) problems.add(table.place(k), "", "this lattice point was given before", "give it once");
    value = std::max(density, 0.0);
  }
  problems.throw_if_any();
  return grid;
}

}  // namespace

GridDensity read_grid_density(const std::string& file) {
  require_file(file);
  GridDensity grid =
      std::filesystem::path(file).extension() == ".vti" ? read_vti_density(file) : read_csv_density(file);
  const double sum = std::accumulate(grid.values.begin(), grid.values.end(), 0.0);
  if (!std::isfinite(sum) || !(sum > 0.0)) {
    refuse(file, "", fmt::format("the densities add up to {}", sum), "give a density that is positive somewhere");
  }
  return grid;
}

}  // namespace underdamp
