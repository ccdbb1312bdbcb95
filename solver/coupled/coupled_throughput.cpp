#include "solver/coupled/coupled_throughput.hpp"

#include <array>
#include <cmath>

#include "solver/coupled/coupled_tables.hpp"

namespace underdamp {
namespace {

constexpr double reach = 6.0;  // deviations

CoupledTables reference_tables(const PhaseSpace& space, bool correlated) {
  const int d = space.parameters();
  CoupledTables tables;
  tables.parameters = d;
  tables.friction = 1.0;
  for (long line = 0; line < space.shape().theta_cells; ++line) {
    const ParameterVector theta = theta_center(space, 0, line);
    for (int i = 0; i < d; ++i) {
      tables.force.push_back(-theta[i]);
      for (int j = i; j < d; ++j) tables.diffusion.push_back(i == j ? 1.0 : correlated ? 0.5 : 0.0);
    }
  }
  return tables;
}

/// A product of Gaussians; what the noise makes of it does not matter for the speed.
std::vector<double> density_on(const PhaseSpace& space) {
  const int d = space.parameters();
  std::vector<double> of_velocity;
  for (long j = 0; j < space.shape().velocity_cells; ++j) {
    const auto at = axis_positions(space.shape().axes.velocity, d, j);
    double square = 0.0;
    for (int k = 0; k < d; ++k) {
      const auto axis = static_cast<std::size_t>(k);
      square += std::pow(space.problem(0).velocity[axis].center(at[axis]), 2);
    }
    of_velocity.push_back(std::exp(-0.5 * square));
  }
  std::vector<double> density;
  density.reserve(space.shape().cells());
  for (long line = 0; line < space.shape().theta_cells; ++line) {
    const double of_theta = std::exp(-0.5 * theta_center(space, 0, line).squaredNorm());
    for (const double p : of_velocity) density.push_back(of_theta * p);
  }
  return density;
}

}  // namespace

CoupledThroughput measure_coupled_throughput(Backend& backend, int parameters, int cells, bool correlated,
                                             const ThroughputOptions& options) {
  const std::vector<Axis> axes(static_cast<std::size_t>(parameters), Axis{-reach, reach, cells});
  const PhaseSpace space({{axes, axes}});
  SweepOperations& sweeps = backend.sweeps();
  const auto field = backend.fields().allocate(space.shape());
  const auto other = backend.fields().allocate(space.shape());
  const CoupledTables tables = reference_tables(space, correlated);
  const auto velocity = sweeps.plan_velocity(space, tables.velocity_law(options.step, false));
  const auto drift = sweeps.plan_drift(space, std::array{options.step});
  const auto drift_back = sweeps.plan_drift(space, std::array{-options.step});
  backend.fields().upload(density_on(space), *field);

  CoupledThroughput result;
  result.correlated = correlated;
  constexpr double of_drift = 20.0;  // Q fluxes and their difference
  result.multiply_adds = of_drift * parameters + velocity->taps;
  Throughput& t = result.seconds;
  t.shape = space.shape();
  t.precision = backend.describe().precision;
  t.taps = velocity->taps;
  t.copy = best_seconds(backend, options.seconds, [&] { backend.fields().copy(*field, *other); });
  t.step = best_seconds(backend, options.seconds,
                        [&] { sweeps.drift_velocity(*field, *drift, *velocity, Positivity::none); });
  t.velocity =
      best_seconds(backend, options.seconds, [&] { sweeps.velocity(*field, *field, *velocity, Positivity::none); });
  t.drift = 0.5 * best_seconds(backend, options.seconds, [&] {
              sweeps.drift(*field, *drift, Positivity::none);
              sweeps.drift(*field, *drift_back, Positivity::none);
            });
  return result;
}

}  // namespace underdamp
