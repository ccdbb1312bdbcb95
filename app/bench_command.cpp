#include <algorithm>
#include <memory>
#include <new>
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
    "cell-steps/s\n";

std::string table_row(const DeviceDescription& device, const Throughput& t) {
  const std::size_t bytes = t.field_bytes();
  const auto figure = [&](double seconds, int passes) {
    return fmt::format("{:8.1f} {:3.0f} %", 1e-9 * t.bandwidth(seconds, passes), 100.0 * t.share(seconds, passes));
  };
  return fmt::format("  {:<14} {:>6.1f}  {:<6} {:>5.0f} {:>11.1f}{}   {}{}{:>20.0f}\n", size_text(t.shape),
                     static_cast<double>(bytes) / (1 << 20), place_of(device, bytes), t.taps,
                     1e-9 * t.bandwidth(t.copy), figure(t.drift, 1), figure(t.velocity, 1), figure(t.step, 2),
                     1e-6 * t.cells() / t.step);
}

Json json_row(const DeviceDescription& device, const Throughput& t) {
  const std::size_t bytes = t.field_bytes();
  const auto figure = [&](double seconds, int passes) {
    return Json{{"seconds", seconds},
                {"cells_per_second", t.cells() / seconds},
                {"bytes_per_second", t.bandwidth(seconds, passes)},
                {"share_of_copy", t.share(seconds, passes)}};
  };
  return {{"planes", t.shape.planes},
          {"cells", {t.shape.theta_cells, t.shape.velocity_cells}},
          {"field_bytes", bytes},
          {"lies_in", place_of(device, bytes)},
          {"taps", t.taps},
          {"copy", figure(t.copy, 1)},
          {"drift", figure(t.drift, 1)},
          {"velocity", figure(t.velocity, 1)},
          {"step", figure(t.step, 2)}};
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
    fmt::print("{}", table_row(device, t));
    std::fflush(stdout);
    rows.push_back(json_row(device, t));
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
    devices.push_back(bench_device(*backend, arguments));
  }
  fmt::print(
      "A sweep reads and writes the field once, a step (one drift and one velocity sweep) twice: % is the share of "
      "the\n"
      "speed at which the same field is copied. taps: multiply-adds per cell of the noise kernel, which is wider, in\n"
      "cells, on finer grids; the remaps take 11 each.\n");
  if (!arguments.json.empty()) {
    write_text(
        arguments.json,
        Json{{"version", version}, {"commit", commit}, {"built", build_description}, {"devices", devices}}.dump(2) +
            "\n");
  }
  return 0;
}

}  // namespace underdamp
