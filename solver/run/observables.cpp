#include "solver/run/observables.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "meshes/cell_index.hpp"

namespace underdamp {
namespace {

/// Cells below this share of a Gaussian's peak are left out of the entropy production.
constexpr double dissipation_floor = 1e-14;

/// θ counts from the middle of the box, so that a minimum far from 0 costs no digits.
double middle(const Axis& theta) {
  return 0.5 * (theta.lower + theta.upper);
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

Observer::Observer(Backend& backend, const PhaseMesh& mesh, const Tables& tables) : backend_(backend), mesh_(mesh) {
  const auto weights = theta_weights(mesh);
  RowSumLaw law;
  law.factors.resize(3);
  for (int p = 0; p < mesh.planes(); ++p) {
    const Axis& theta = mesh.plane(p).theta;
    law.factors[0].insert(law.factors[0].end(), weights.begin(), weights.end());
    for (int i = 0; i < mesh.theta_cells(); ++i) law.factors[1].push_back(theta.center(i) - middle(theta));
  }
  law.factors[2] = tables.loss;
  constexpr int weight = 0;
  constexpr int at = 1;
  constexpr int loss = 2;
  constexpr int mass = 0;
  constexpr int velocity = 1;
  constexpr int velocity_squared = 2;
  constexpr int entropy = 3;
  constexpr int dissipation = 4;
  for (const RowTerm& term :
       {RowTerm(mass, weight), RowTerm(mass), RowTerm(mass, weight, at), RowTerm(velocity, weight),
        RowTerm(mass, weight, at, at), RowTerm(velocity, weight, at), RowTerm(velocity_squared, weight),
        RowTerm(mass, weight, loss), RowTerm(entropy, weight), RowTerm(dissipation, weight)}) {
    law.sums.push_back({term});
  }
  double area_of_all = std::numeric_limits<double>::infinity();
  for (int p = 0; p < mesh.planes(); ++p)
    area_of_all = std::min(area_of_all, mesh.plane(p).theta.length() * mesh.plane(p).velocity.length());
  plan_ = backend.reductions().plan_row_sums(mesh, law,
                                             {tables.friction, tables.diffusion, dissipation_floor / area_of_all});
}

std::vector<Observables> Observer::observe(const Field& density) const {
  const auto [sums, smallest] = backend_.reductions().sum_rows(density, *plan_);
  const auto departed = backend_.fields().departed(density);
  const std::array<const Field*, 1> field{&density};
  const auto magnitude = backend_.reductions().combination_norm(field, std::array{1.0});
  std::vector<Observables> result;
  for (std::size_t p = 0; p < departed.size(); ++p) {
    const PhasePlane& plane = mesh_.plane(static_cast<int>(p));
    const double area = plane.cell_area();
    const double* const s = sums.data() + 10 * p;
    Observables o;
    o.mass = s[0];
    o.cell_sum = s[1];
    o.mean = {s[2], s[3]};
    o.covariance = {{{s[4], s[5]}, {s[5], s[6]}}};
    o.expected_loss = s[7];
    o.entropy = s[8];
    o.entropy_production = s[9];
    o.minimum = smallest[p].value;
    o.minimum_cell = {smallest[p].row, smallest[p].column};
    normalise(o, area);
    o.magnitude = magnitude[p] * area;
    o.mean[0] += middle(plane.theta);
    o.departed = departed[p].times(area);
    result.push_back(o);
  }
  return result;
}

std::vector<Observables> observe(Backend& backend, const PhaseMesh& mesh, const Tables& tables, const Field& density) {
  return Observer(backend, mesh, tables).observe(density);
}

double factor_adding_up(const PhaseMesh& mesh, const std::vector<double>& density) {
  if (!mesh.walls().any_pressed()) return 1.0;
  const auto weights = theta_weights(mesh);
  const CellIndex cell(mesh);
  double mass = 0.0;
  double sum = 0.0;
  for (std::size_t k = 0; k < density.size(); ++k) {
    mass += weights[cell.row(k)] * density[k];
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
  const auto lines = backend.reductions().line_moments(mesh, density);
  const auto columns = backend.reductions().sum_columns(mesh, density);
  const CellIndex cell(mesh);
  std::vector<Marginals> result(static_cast<std::size_t>(mesh.planes()));
  for (int p = 0; p < mesh.planes(); ++p) {
    Marginals& m = result[static_cast<std::size_t>(p)];
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      m.theta.push_back(lines[cell.line(p, i)].mass * mesh.plane(p).velocity.width());
    }
    for (int j = 0; j < mesh.velocity_cells(); ++j) {
      m.velocity.push_back(columns[cell.columns() * static_cast<std::size_t>(p) + static_cast<std::size_t>(j)] *
                           mesh.plane(p).theta.width());
    }
    const auto sum = [](const std::vector<double>& values, double width) {
      return std::accumulate(values.begin(), values.end(), 0.0) * width;
    };
    // sum_columns() has the weights, line_moments() has not.
    if (!mesh.walls().any_pressed()) continue;
    const double factor = sum(m.velocity, mesh.plane(p).velocity.width()) / sum(m.theta, mesh.plane(p).theta.width());
    for (double& value : m.theta) value *= factor;
  }
  return result;
}

}  // namespace underdamp
