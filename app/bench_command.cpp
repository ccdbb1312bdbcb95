#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands.hpp"
#include "generated/version.hpp"
#include "meshes/error.hpp"
#include "solver/coupled/coupled_throughput.hpp"
#include "solver/io/files.hpp"
#include "solver/step/throughput.hpp"

namespace underdamp {
namespace {

using Json = nlohmann::ordered_json;

constexpr int batch_cells = 128;  ///< the planes of a batch are that large

std::vector<int> sizes_of(const BenchArguments& arguments) {
  return arguments.sizes.empty() ? bench_sizes(arguments.dimensions) : arguments.sizes;
}

std::vector<FieldShape> shapes_of(const BenchArguments& arguments) {
  std::vector<FieldShape> shapes;
  for (const int cells : sizes_of(arguments)) shapes.push_back({1, cells, cells});
  for (const int planes : arguments.batches) shapes.push_back({planes, batch_cells, batch_cells});
  return shapes;
}

/// Where a field of that size stays between two sweeps.
std::string place_of(const DeviceDescription& device, std::size_t bytes) {
  for (std::size_t level = 0; level < device.cache_bytes.size(); ++level) {
    if (bytes <= device.cache_bytes[level]) return "L" + std::to_string(level + 1);
  }
  return "memory";
}

std::string size_text(const FieldShape& shape) {
  const std::string plane = fmt::format("{}x{}", shape.theta_cells, shape.velocity_cells);
  return shape.planes == 1 ? plane : fmt::format("{} of {}", shape.planes, plane);
}

constexpr const char* heading =
    "  size              MiB  in      taps   copy GB/s   drift GB/s    velocity GB/s    step GB/s     million "
    "cell-steps/s   bytes/window\n";

/// To the device and back.
std::string traffic_text(const std::optional<WindowTraffic>& traffic) {
  return traffic ? fmt::format("{:.0f} + {:.0f}", traffic->uploaded, traffic->downloaded) : std::string("-");
}

/// Absent where a field fills so much of the memory that an evolution has no room.
std::optional<WindowTraffic> traffic_of(Backend& backend, const FieldShape& shape) {
  const DeviceDescription device = backend.describe();
  constexpr std::size_t fields = 10;
  constexpr std::size_t longest = std::size_t{1} << 22;  // cells; more would take longer than the other figures
  const std::size_t bytes = fields * shape.cells() * bytes_of(device.precision);
  if (shape.cells() > longest || (device.memory_bytes > 0 && bytes > device.memory_bytes)) return std::nullopt;
  return measure_window_traffic(backend, shape);
}

std::string table_row(const DeviceDescription& device, const Throughput& t,
                      const std::optional<WindowTraffic>& traffic) {
  const std::size_t bytes = t.field_bytes();
  const auto figure = [&](double seconds, int passes) {
    return fmt::format("{:8.1f} {:3.0f} %", 1e-9 * t.bandwidth(seconds, passes), 100.0 * t.share(seconds, passes));
  };
  return fmt::format("  {:<14} {:>6.1f}  {:<6} {:>5.0f} {:>11.1f}{}   {}{}{:>20.0f}   {:>12}\n", size_text(t.shape),
                     static_cast<double>(bytes) / (1 << 20), place_of(device, bytes), t.taps,
                     1e-9 * t.bandwidth(t.copy), figure(t.drift, 1), figure(t.velocity, 1), figure(t.step, 2),
                     1e-6 * t.cells() / t.step, traffic_text(traffic));
}

Json json_row(const DeviceDescription& device, const Throughput& t, const std::optional<WindowTraffic>& traffic) {
  const std::size_t bytes = t.field_bytes();
  const auto figure = [&](double seconds, int passes) {
    return Json{{"seconds", seconds},
                {"cells_per_second", t.cells() / seconds},
                {"bytes_per_second", t.bandwidth(seconds, passes)},
                {"share_of_copy", t.share(seconds, passes)}};
  };
  Json bytes_per_window;
  if (traffic) bytes_per_window = {{"uploaded", traffic->uploaded}, {"downloaded", traffic->downloaded}};
  return {{"planes", t.shape.planes},
          {"cells", {t.shape.theta_cells, t.shape.velocity_cells}},
          {"field_bytes", bytes},
          {"lies_in", place_of(device, bytes)},
          {"taps", t.taps},
          {"copy", figure(t.copy, 1)},
          {"drift", figure(t.drift, 1)},
          {"velocity", figure(t.velocity, 1)},
          {"step", figure(t.step, 2)},
          {"bytes_per_window", bytes_per_window}};
}

/// Measures all shapes on one device, printing as it goes.
Json bench_device(Backend& backend, const BenchArguments& arguments) {
  const DeviceDescription device = backend.describe();
  fmt::print("{}, {}\n{}", device.name, name_of(device.precision), heading);
  Json rows = Json::array();
  ThroughputOptions options;
  options.seconds = arguments.seconds;
  for (const FieldShape& shape : shapes_of(arguments)) {
    const std::size_t needed = throughput_memory(shape, device.precision);
    if (device.memory_bytes > 0 && needed > device.memory_bytes) {
      fmt::print("  {:<14} left out: it needs {} MiB and the device has {} MiB\n", size_text(shape), needed >> 20,
                 device.memory_bytes >> 20);
      continue;
    }
    const Throughput t = measure_throughput(backend, shape, options);
    const auto traffic = traffic_of(backend, shape);
    fmt::print("{}", table_row(device, t, traffic));
    std::fflush(stdout);
    rows.push_back(json_row(device, t, traffic));
  }
  return {{"device", device.name}, {"precision", name_of(device.precision)}, {"step", options.step}, {"rows", rows}};
}

// --- several parameters

std::string row_of_coupled(const DeviceDescription& device, const CoupledThroughput& c) {
  const Throughput& t = c.seconds;
  const double rate = t.cells() / t.step;
  return fmt::format(
      "  {:<6} {:<10} {:>8.1f}  {:<6} {:>9.1f} {:>9.2f} {:>9.2f} {:>12.1f} {:>10.0f} {:>9.0f} {:>6.0f} % {:>12.1f}\n",
      fmt::format("{}^{}", t.shape.axes.theta[0], 2 * c.parameters()), c.correlated ? "correlated" : "diagonal",
      static_cast<double>(t.field_bytes()) / (1 << 20), place_of(device, t.field_bytes()), 1e-9 * t.bandwidth(t.copy),
      1e9 * t.drift / t.cells(), 1e9 * t.velocity / t.cells(), 1e-6 * rate, c.bytes_of_step(), c.multiply_adds,
      100.0 * t.share(t.step, c.passes()), 1e-9 * c.multiply_adds * rate);
}

Json json_of_coupled(const DeviceDescription& device, const CoupledThroughput& c) {
  const Throughput& t = c.seconds;
  const double rate = t.cells() / t.step;
  return {{"parameters", c.parameters()},
          {"cells", t.shape.axes.theta[0]},
          {"noise", c.correlated ? "correlated" : "diagonal"},
          {"field_bytes", t.field_bytes()},
          {"lies_in", place_of(device, t.field_bytes())},
          {"seconds", {{"copy", t.copy}, {"drift", t.drift}, {"velocity", t.velocity}, {"step", t.step}}},
          {"cell_steps_per_second", rate},
          {"bytes_per_cell", c.bytes_of_step()},
          {"multiply_adds_per_cell", c.multiply_adds},
          {"share_of_copy", t.share(t.step, c.passes())},
          {"multiply_adds_per_second", c.multiply_adds * rate}};
}

/// Phase spaces of several parameters with noise along the axes and correlated, on one device.
Json bench_coupled(Backend& backend, const BenchArguments& arguments) {
  const DeviceDescription device = backend.describe();
  fmt::print(
      "{}, {}\n{}", device.name, name_of(device.precision),
      "  cells  noise           MiB  in     copy GB/s  drift ns  veloc. ns  million cell-  bytes and multiply-   "
      "of the   billion multiply-\n"
      "                                              per cell  per cell   steps/s        adds per cell-step    "
      "copy     adds/s\n");
  Json rows = Json::array();
  ThroughputOptions options;
  options.step = 0.2;
  options.seconds = arguments.seconds;
  for (const int cells : sizes_of(arguments)) {
    const double needed =
        3.0 * std::pow(cells, 2 * arguments.dimensions) * static_cast<double>(bytes_of(device.precision));
    if (device.memory_bytes > 0 && needed > static_cast<double>(device.memory_bytes)) {
      fmt::print("  {}^{} left out: it needs {:.0f} MiB and the device has {} MiB\n", cells, 2 * arguments.dimensions,
                 needed / (1 << 20), device.memory_bytes >> 20);
      continue;
    }
    for (const bool correlated : {false, true}) {
      const CoupledThroughput c = measure_coupled_throughput(backend, arguments.dimensions, cells, correlated, options);
      fmt::print("{}", row_of_coupled(device, c));
      std::fflush(stdout);
      rows.push_back(json_of_coupled(device, c));
    }
  }
  return {{"device", device.name}, {"precision", name_of(device.precision)}, {"step", options.step}, {"rows", rows}};
}

std::vector<std::unique_ptr<Backend>> chosen_backends(DeviceChoice choice, Precision precision) {
  std::vector<std::unique_ptr<Backend>> backends;
  if (choice != DeviceChoice::automatic) {
    backends.push_back(make_backend(choice, precision).backend);
    return backends;
  }
  backends.push_back(make_backend(DeviceChoice::host, precision).backend);
  auto best = make_backend(DeviceChoice::automatic, precision).backend;
  if (best->describe().kind == DeviceKind::cuda) backends.push_back(std::move(best));
  return backends;
}

void explain(int dimensions) {
  if (dimensions > 1) {
    fmt::print(
        "A step is a drift along each theta axis and one velocity sweep, each of which reads and writes the field "
        "once.\n"
        "of the copy: share of the speed at which the same field is copied; multiply-adds: drifts, contractions and "
        "kernels.\n");
    return;
  }
  fmt::print(
      "A sweep reads and writes the field once, a step (one drift and one velocity sweep) twice: % is the share of "
      "the\n"
      "speed at which the same field is copied. taps: multiply-adds per cell of the noise kernel, which is wider, in\n"
      "cells, on finer grids; the remaps take 11 each. bytes/window: to the device and back in a window of an "
      "evolution.\n");
}

}  // namespace

std::vector<int> bench_sizes(int dimensions) {
  if (dimensions == 2) return {16, 24, 32, 40, 48};
  if (dimensions == 3) return {8, 12, 16};
  return {64, 128, 256, 512, 1024, 2048, 4096, 8192};
}

int bench_command(const BenchArguments& arguments) {
  Json devices = Json::array();
  for (const auto& backend : chosen_backends(arguments.device, arguments.precision)) {
    backend->synchronize_each(arguments.sync);
    devices.push_back(arguments.dimensions > 1 ? bench_coupled(*backend, arguments)
                                               : bench_device(*backend, arguments));
  }
  explain(arguments.dimensions);
  if (!arguments.json.empty()) {
    write_text(
        arguments.json,
        Json{{"version", version}, {"commit", commit}, {"built", build_description}, {"devices", devices}}.dump(2) +
            "\n");
  }
  return 0;
}

}  // namespace underdamp
