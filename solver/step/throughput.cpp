#include "solver/step/throughput.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "solver/step/integrator.hpp"

namespace underdamp {
namespace {

constexpr double stiffness = 20.0;  // k h
constexpr double friction = 1.0;
constexpr double diffusion = 1.0;

PhaseMesh reference_mesh(const FieldShape& shape) {
  const double theta = 7.0 / std::sqrt(stiffness);
  const PhasePlane plane{{-theta, theta, shape.theta_cells}, {-7.0, 7.0, shape.velocity_cells}};
  return PhaseMesh(std::vector<PhasePlane>(static_cast<std::size_t>(shape.planes), plane));
}

VelocityLaw reference_law(const PhaseMesh& mesh, double duration) {
  VelocityLaw law;
  const double contraction = std::exp(-friction * duration);
  law.contraction.assign(static_cast<std::size_t>(mesh.planes()), contraction);
  for (int p = 0; p < mesh.planes(); ++p) {
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      law.kick.push_back(-stiffness * mesh.plane(p).theta.center(i) * (1.0 - contraction) / friction);
      law.variance.push_back(diffusion / friction * (1.0 - contraction * contraction));
    }
  }
  return law;
}

Tables reference_tables(const PhaseMesh& mesh) {
  Tables tables;
  const auto planes = static_cast<std::size_t>(mesh.planes());
  tables.friction.assign(planes, friction);
  tables.relaxation_time.assign(planes, 2.0 / friction);
  tables.rate.assign(planes, std::sqrt(stiffness));
  tables.minimum.assign(planes, 0.0);
  tables.std_theta.assign(planes, std::sqrt(diffusion / (friction * stiffness)));
  tables.std_v.assign(planes, std::sqrt(diffusion / friction));
  tables.kinks.assign(planes, 0.0);
  for (int p = 0; p < mesh.planes(); ++p) {
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      const double theta = mesh.plane(p).theta.center(i);
      tables.force.push_back(-stiffness * theta);
      tables.diffusion.push_back(diffusion);
      tables.loss.push_back(0.5 * stiffness * theta * theta);
    }
  }
  return tables;
}

std::vector<double> stationary_density(const PhaseMesh& mesh) {
  std::vector<double> density;
  density.reserve(mesh.shape().cells());
  for (int p = 0; p < mesh.planes(); ++p) {
    const PhasePlane& plane = mesh.plane(p);
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      const double theta = plane.theta.center(i);
      for (int j = 0; j < mesh.velocity_cells(); ++j) {
        const double v = plane.velocity.center(j);
        density.push_back(std::exp(-0.5 * (stiffness * theta * theta + v * v)));
      }
    }
  }
  return density;
}

}  // namespace

double best_seconds(Backend& backend, double seconds, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const auto round = [&](long calls) {
    backend.synchronize();
    const auto begin = Clock::now();
    for (long c = 0; c < calls; ++c) work();
    backend.synchronize();
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  constexpr int rounds = 5;
  round(1);  // plans, spare memory and clocks settle
  const double once = round(1);
  const long calls = std::max(1L, std::lround(std::min(seconds / rounds / std::max(once, 1e-7), 1e6)));
  double best = std::numeric_limits<double>::infinity();
  for (int r = 0; r < rounds; ++r) best = std::min(best, round(calls) / static_cast<double>(calls));
  return best;
}

Throughput measure_throughput(Backend& backend, const FieldShape& shape, const ThroughputOptions& options) {
  const PhaseMesh mesh = reference_mesh(shape);
  const auto field = backend.fields().allocate(shape);
  const auto other = backend.fields().allocate(shape);
  const auto law = reference_law(mesh, options.step);
  const auto velocity = backend.sweeps().plan_velocity(mesh, law);
  const std::vector<double> forth(static_cast<std::size_t>(shape.planes), options.step);
  const std::vector<double> back(static_cast<std::size_t>(shape.planes), -options.step);
  const auto drift = backend.sweeps().plan_drift(mesh, forth);
  const auto drift_back = backend.sweeps().plan_drift(mesh, back);
  backend.fields().upload(stationary_density(mesh), *field);

  Throughput result;
  result.shape = shape;
  result.precision = backend.describe().precision;
  result.taps = velocity->taps;
  result.copy = best_seconds(backend, options.seconds, [&] { backend.fields().copy(*field, *other); });
  const auto step = backend.sweeps().make_sequence(
      [&] { backend.sweeps().drift_velocity(*field, *drift, *velocity, options.positivity); });
  result.step = best_seconds(backend, options.seconds, [&] { backend.sweeps().replay(*step); });
  result.velocity = best_seconds(backend, options.seconds,
                                 [&] { backend.sweeps().velocity(*field, *field, *velocity, options.positivity); });
  // Forth and back, so that the density stays where it is.
  result.drift = 0.5 * best_seconds(backend, options.seconds, [&] {
                   backend.sweeps().drift(*field, *drift, options.positivity);
                   backend.sweeps().drift(*field, *drift_back, options.positivity);
                 });
  return result;
}

WindowTraffic measure_window_traffic(Backend& backend, const FieldShape& shape) {
  const PhaseMesh mesh = reference_mesh(shape);
  Integrator integrator(backend, mesh, reference_tables(mesh), {});
  integrator.start(stationary_density(mesh));
  const auto ignore = [](double) {};
  constexpr double settled = 4.0;
  integrator.advance(settled, ignore);
  const long before = integrator.statistics().windows;
  WindowTraffic traffic;
  backend.observe([&](const DeviceEvent& event) {
    if (event.kind == DeviceEvent::Kind::uploaded) traffic.uploaded += static_cast<double>(event.bytes);
    if (event.kind == DeviceEvent::Kind::downloaded) traffic.downloaded += static_cast<double>(event.bytes);
  });
  integrator.advance(2.0 * settled, ignore);
  backend.observe({});
  const auto windows = static_cast<double>(std::max(1L, integrator.statistics().windows - before));
  return {traffic.uploaded / windows, traffic.downloaded / windows};
}

std::size_t throughput_memory(const FieldShape& shape, Precision precision) {
  return 3 * shape.cells() * bytes_of(precision);
}

}  // namespace underdamp
