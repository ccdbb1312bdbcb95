#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands.hpp"
#include "generated/version.hpp"
#include "meshes/error.hpp"
#include "solver/io/files.hpp"
#include "solver/step/throughput.hpp"

namespace underdamp {
namespace {

using Json = nlohmann::ordered_json;

constexpr int batch_cells = 128;  ///< the planes of a batch are that large

std::vector<FieldShape> shapes_of(const BenchArguments& arguments) {
  std::vector<FieldShape> shapes;
  for (const int cells : arguments.sizes) shapes.push_back({1, cells, cells});
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

}  // namespace

int bench_command(const BenchArguments& arguments) {
  Json devices = Json::array();
  for (const auto& backend : chosen_backends(arguments.device, arguments.precision)) {
    backend->synchronize_each(arguments.sync);
    devices.push_back(bench_device(*backend, arguments));
  }
  fmt::print(
      "A sweep reads and writes the field once, a step (one drift and one velocity sweep) twice: % is the share of "
      "the\n"
      "speed at which the same field is copied. taps: multiply-adds per cell of the noise kernel, which is wider, in\n"
      "cells, on finer grids; the remaps take 11 each. bytes/window: to the device and back in a window of an "
      "evolution.\n");
  if (!arguments.json.empty()) {
    write_text(
        arguments.json,
        Json{{"version", version}, {"commit", commit}, {"built", build_description}, {"devices", devices}}.dump(2) +
            "\n");
  }
  return 0;
}

}  // namespace underdamp
