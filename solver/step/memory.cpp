#include "solver/step/memory.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "kernels/contract/backend.hpp"
#include "meshes/error.hpp"
#include "meshes/field_size.hpp"
#include "solver/io/checkpoint.hpp"
#include "solver/step/window.hpp"

namespace underdamp {
namespace {

/// Entries in a row of the generator, and what the matrix takes for each.
constexpr double row_entries = 2 * (generator_theta_reach + generator_velocity_reach) + 1;
constexpr double entry_bytes = sizeof(double) + sizeof(int);

/// Entries per cell of one triangular factor after nested dissection, 31/4 log₂ n (A. George, SIAM J. Numer. Anal. 10,
/// 1973, five-point stencil; ours is wider), and no more than a band has.
double factor_entries(const FieldShape& plane) {
  const double shorter = std::min(plane.theta_cells, plane.velocity_cells);
  return std::min(shorter, 7.75 * std::log2(shorter));
}

constexpr double mebibyte = 1 << 20;

[[noreturn]] void refuse_size(const std::string& what, double bytes, const DeviceDescription& device,
                              const std::string& place, const std::string& remedy) {
  throw Error(ExitCode::device,
              fmt::format("{} {:.0f} MiB, {} has {} MiB", what, std::ceil(bytes / mebibyte), device.name,
                          device.memory_bytes >> 20),
              place, remedy);
}

/// Fields of all planes of `shape` together; on a GPU with the one that drifts write to.
std::size_t bytes_of_fields(const FieldShape& shape, int fields, const DeviceDescription& device) {
  const FieldSize size(shape);
  const std::size_t spare = device.kind == DeviceKind::cuda ? size.cells * bytes_of(device.precision) : 0;
  return static_cast<std::size_t>(fields) * size.bytes(device.precision) + spare;
}

void require_fields(const Spec& spec, const FieldShape& shape, std::size_t bytes, const DeviceDescription& device,
                    const std::string& remedy) {
  if (device.memory_bytes == 0 || bytes <= device.memory_bytes) return;
  refuse_size(fmt::format("{} plane{} of {} × {} cells and what their steps need take up to", shape.planes,
                          shape.planes == 1 ? "" : "s", shape.theta_cells, shape.velocity_cells),
              static_cast<double>(bytes), device, spec.place("grid.cells"), remedy);
}

void require_densities(const Spec& spec, const FieldShape& shape, const DeviceDescription& device) {
  const bool has_windows = spec.evolve && spec.dynamics == Dynamics::langevin && !spec.evolve->step;
  require_fields(spec, shape, evolution_bytes(spec, shape, device), device,
                 has_windows
                     ? "use fewer cells or planes, evolve.step, which takes two fields of each, or another device"
                     : "use fewer cells or planes, or another device");
}

void require_ensemble(const Spec& spec, const FieldShape& plane, const DeviceDescription& device) {
  const double bytes = ensemble_bytes(*spec.ensemble, plane);
  if (host_holds(bytes, device)) return;
  refuse_size(fmt::format("ensemble.particles: the sums over {} particles take", spec.ensemble->particles), bytes,
              device, spec.place("ensemble.particles"), "use fewer particles");
}

/// The generator as a matrix has indices of 32 bits.
constexpr double most_entries = std::numeric_limits<int>::max();

void require_generator(const Spec& spec, const FieldShape& plane, const DeviceDescription& device,
                       const std::string& key) {
  const double entries = row_entries * static_cast<double>(plane.cells());
  if (entries > most_entries) {
    throw Error(ExitCode::bad_input,
                fmt::format("{}: the generator of {} × {} cells has {:.0f} entries, the limit is {:.0f}", key,
                            plane.theta_cells, plane.velocity_cells, entries, most_entries),
                spec.place(key), "use fewer cells");
  }
  if (!host_holds(entries * entry_bytes, device))
    refuse_size(key + ": the generator needs at least", entries * entry_bytes, device, spec.place(key),
                "use fewer cells");
}

void require_stationary(const Spec& spec, const FieldShape& plane, const DeviceDescription& device) {
  StationaryMethod method = spec.stationary->method;
  if (method == StationaryMethod::automatic)
    method = krylov_is_small(*spec.stationary, plane) ? StationaryMethod::arnoldi : StationaryMethod::evolve;
  if (method == StationaryMethod::direct) require_generator(spec, plane, device, "stationary.method");
  const double bytes = stationary_bytes(method, *spec.stationary, plane);
  if (host_holds(bytes, device)) return;
  refuse_size(
      fmt::format("stationary.method: \"{}\" needs for {} × {} cells at least",
                  method == StationaryMethod::direct ? "direct" : "arnoldi", plane.theta_cells, plane.velocity_cells),
      bytes, device, spec.place("stationary.method"),
      "use fewer cells, or method = \"evolve\", which needs the least memory");
}

}  // namespace

double stationary_bytes(StationaryMethod method, const StationarySpec& options, const FieldShape& plane) {
  const auto cells = static_cast<double>(plane.cells());
  switch (method) {
    case StationaryMethod::arnoldi:
      return sizeof(double) * cells * std::max(2.0 * (options.modes + 1) + 8.0, 24.0);
    case StationaryMethod::direct:  // by rows, in the order of elimination, L and U
      return cells * (2.0 * row_entries * entry_bytes + 2.0 * factor_entries(plane) * sizeof(double));
    default:
      return 2.0 * sizeof(double) * cells;
  }
}

bool krylov_is_small(const StationarySpec& options, const FieldShape& plane) {
  constexpr double most_bytes = 8.0e9;
  return stationary_bytes(StationaryMethod::arnoldi, options, plane) <= most_bytes;
}

bool host_holds(double bytes, const DeviceDescription& device) {
  const bool is_known = device.kind == DeviceKind::host && device.memory_bytes > 0;
  return !is_known || bytes <= static_cast<double>(device.memory_bytes);
}

bool generator_fits(const FieldShape& plane, const DeviceDescription& device) {
  return row_entries * static_cast<double>(plane.cells()) <= most_entries &&
         host_holds(stationary_bytes(StationaryMethod::direct, {}, plane), device);
}

std::size_t evolution_bytes(const Spec& spec, const FieldShape& shape, const DeviceDescription& device) {
  const bool is_langevin = spec.evolve && spec.dynamics == Dynamics::langevin;
  const int of_each = is_langevin ? 2 : 1;  // the density, and its error or its copy
  const int levels = is_langevin && !spec.evolve->step ? most_levels : 0;
  if (device.kind == DeviceKind::cuda) return bytes_of_fields(shape, of_each + levels, device);
  const FieldShape plane{1, shape.theta_cells, shape.velocity_cells};
  return bytes_of_fields(plane, of_each * shape.planes + levels, device);  // planes take turns with the levels
}

std::size_t displacement_bytes(const Spec& spec, const FieldShape& shape, const DeviceDescription& device) {
  // What is propagated and its copy of a window ago; the levels of a window, and what an extrapolation gives besides.
  const int propagated = spec.displacement->start == DisplacementStart::initial ? 3 : 1;
  return bytes_of_fields(shape, propagated + 1 + (spec.dynamics == Dynamics::langevin ? most_levels + 1 : 0), device);
}

double ensemble_bytes(const EnsembleSpec& options, const FieldShape& plane) {
  const double blocks = std::ceil(static_cast<double>(options.particles) / static_cast<double>(particle_block));
  const double copies = has_checkpoints() ? 2.0 : 1.0;  // a checkpoint lists them
  return copies * (blocks * sizeof(ParticleSums) + static_cast<double>(plane.cells() + 1) * sizeof(std::uint64_t));
}

void require_displacement_memory(const Spec& spec, const FieldShape& shape, const DeviceDescription& device) {
  require_fields(spec, shape, displacement_bytes(spec, shape, device), device,
                 "use fewer cells or planes, or another device");
}

void require_memory(const Spec& spec, const FieldShape& shape, const DeviceDescription& device) {
  require_densities(spec, shape, device);
  FieldShape plane = shape;
  plane.planes = 1;  // one after the other
  if (spec.stationary) require_stationary(spec, plane, device);
  if (spec.output.has(OutputField::generator)) require_generator(spec, plane, device, "output.fields");
  if (spec.evolve && spec.ensemble) require_ensemble(spec, plane, device);
}

}  // namespace underdamp
