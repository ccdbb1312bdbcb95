#include "solver/run/observables.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace underdamp {
namespace {

/// Cells below this share of a Gaussian's peak are left out of the entropy production.
constexpr double dissipation_floor = 1e-14;

/// `weight`: of the row in integrals along θ.
void add_line(Observables& o, const LineSums& line, double weight, double theta, double loss, int row) {
  const double mass = weight * line.mass;
  o.mass += mass;
  o.cell_sum += line.mass;
  o.mean[0] += mass * theta;
  o.mean[1] += weight * line.velocity;
  o.covariance[0][0] += mass * theta * theta;
  o.covariance[0][1] += weight * line.velocity * theta;
  o.covariance[1][1] += weight * line.velocity_squared;
  o.expected_loss += mass * loss;
  o.entropy += weight * line.entropy;
  o.entropy_production += weight * line.dissipation;
  if (row > 0 && !std::isfinite(o.minimum)) return;  // the first value that is not finite stays
  if (!std::isfinite(line.minimum) || line.minimum < o.minimum) {
    o.minimum = line.minimum;
    o.minimum_cell = {row, static_cast<int>(line.minimum_column)};
  }
}

void normalise(Observables& o, double area) {
  for (double* sum :
       {&o.mean[0], &o.mean[1], &o.covariance[0][0], &o.covariance[0][1], &o.covariance[1][1], &o.expected_loss}) {
    *sum /= o.mass;
  }
  o.covariance[0][0] -= o.mean[0] * o.mean[0];
  o.covariance[0][1] -= o.mean[0] * o.mean[1];
  o.covariance[1][1] -= o.mean[1] * o.mean[1];
  o.covariance[1][0] = o.covariance[0][1];
  o.mass *= area;
  o.cell_sum *= area;
  o.entropy *= area;
  o.entropy_production *= area;
}

}  // namespace

std::vector<Observables> observe(Backend& backend, const PhaseMesh& mesh, const Tables& tables, const Field& density) {
  double area_of_all = std::numeric_limits<double>::infinity();
  for (int p = 0; p < mesh.planes(); ++p)
    area_of_all = std::min(area_of_all, mesh.plane(p).theta.length() * mesh.plane(p).velocity.length());
  const auto lines = backend.reductions().sum_lines(
      mesh, density, {tables.friction, tables.diffusion, dissipation_floor / area_of_all});
  const auto departed = backend.fields().departed(density);
  const std::array<const Field*, 1> field{&density};
  const auto magnitude = backend.reductions().combination_norm(field, std::array{1.0});
  const auto weights = theta_weights(mesh);
  std::vector<Observables> result;
  for (int p = 0; p < mesh.planes(); ++p) {
    Observables o;
    o.minimum = std::numeric_limits<double>::infinity();
    const double area = mesh.plane(p).cell_area();
    // θ counts from the middle of the box, so that a minimum far from 0 costs no digits.
    const double reference = 0.5 * (mesh.plane(p).theta.lower + mesh.plane(p).theta.upper);
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      const auto l = static_cast<std::size_t>(p * mesh.theta_cells() + i);
      add_line(o, lines[l], weights[static_cast<std::size_t>(i)], mesh.plane(p).theta.center(i) - reference,
               tables.loss[l], i);
    }
    normalise(o, area);
    o.magnitude = magnitude[static_cast<std::size_t>(p)] * area;
    o.mean[0] += reference;
    const Departed& d = departed[static_cast<std::size_t>(p)];
    o.departed = {d.theta_min * area, d.theta_max * area, d.velocity_min * area, d.velocity_max * area,
                  d.created * area};
    result.push_back(o);
  }
  return result;
}

double factor_adding_up(const PhaseMesh& mesh, const std::vector<double>& density) {
  if (!mesh.walls().any_pressed()) return 1.0;
  const auto weights = theta_weights(mesh);
  const auto columns = static_cast<std::size_t>(mesh.velocity_cells());
  double mass = 0.0;
  double sum = 0.0;
  for (std::size_t k = 0; k < density.size(); ++k) {
    mass += weights[k / columns] * density[k];
    sum += density[k];
  }
  return mass / sum;
}

std::vector<double> adding_up(const PhaseMesh& mesh, std::vector<double> density) {
  const double factor = factor_adding_up(mesh, density);
  if (factor == 1.0) return density;
  for (double& value : density) value *= factor;
  return density;
}

std::vector<Marginals> marginals(Backend& backend, const PhaseMesh& mesh, const Field& density) {
  const auto lines = backend.reductions().sum_lines(mesh, density, {});
  const auto columns = backend.reductions().sum_columns(mesh, density);
  std::vector<Marginals> result(static_cast<std::size_t>(mesh.planes()));
  for (int p = 0; p < mesh.planes(); ++p) {
    Marginals& m = result[static_cast<std::size_t>(p)];
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      m.theta.push_back(lines[static_cast<std::size_t>(p * mesh.theta_cells() + i)].mass *
                        mesh.plane(p).velocity.width());
    }
    for (int j = 0; j < mesh.velocity_cells(); ++j) {
      m.velocity.push_back(columns[static_cast<std::size_t>(p * mesh.velocity_cells() + j)] *
                           mesh.plane(p).theta.width());
    }
    const auto sum = [](const std::vector<double>& values, double width) {
      return std::accumulate(values.begin(), values.end(), 0.0) * width;
    };
    // sum_columns() has the weights, sum_lines() has not.
    if (!mesh.walls().any_pressed()) continue;
    const double factor = sum(m.velocity, mesh.plane(p).velocity.width()) / sum(m.theta, mesh.plane(p).theta.width());
    for (double& value : m.theta) value *= factor;
  }
  return result;
}

}  // namespace underdamp
