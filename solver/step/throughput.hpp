#pragma once
#include <cstddef>
#include <functional>

#include "kernels/contract/backend.hpp"

/// How fast the sweeps of a device are, next to a copy of the same field (docs/method.md, section 14).
namespace underdamp {

/// Seconds of one call each, the best of several rounds; a sweep reads and writes the field once, a step twice.
struct Throughput {
  FieldShape shape;
  Precision precision = Precision::float64;
  double taps = 0.0;  ///< multiply-adds per cell of the convolution
  double copy = 0.0;  ///< the field copied within the device
  double drift = 0.0;
  double velocity = 0.0;
  double step = 0.0;  ///< X(τ) V(τ), the Strang step inside a window

  double cells() const { return static_cast<double>(shape.cells()); }
  std::size_t field_bytes() const { return shape.cells() * bytes_of(precision); }
  /// Bytes per second of a call that reads and writes the field `passes` times.
  double bandwidth(double seconds, int passes = 1) const {
    return 2.0 * passes * static_cast<double>(field_bytes()) / seconds;
  }
  /// Share of the speed of a copy that `passes` passes reach.
  double share(double seconds, int passes = 1) const { return passes * copy / seconds; }
};

struct ThroughputOptions {
  double step = 1.0 / 40;  ///< τ of the reference problem OU-1, in its unit of time
  double seconds = 0.5;    ///< to spend on each of the four figures
  Positivity positivity = Positivity::limit;
};

/// Times the stationary state of OU-1 (k h = 20, γ = 1, D = 1) on planes of ±7 standard deviations.
Throughput measure_throughput(Backend& backend, const FieldShape& shape, const ThroughputOptions& options);

/// Bytes that cross between host and device in a window whose plans exist, as the integrator counts windows; on a host
/// they are copied within its memory.
struct WindowTraffic {
  double uploaded = 0.0;
  double downloaded = 0.0;
};
/// Of OU-1 to a tolerance of 1e-6. Takes the memory of an evolution. The observer of the backend is lost.
WindowTraffic measure_window_traffic(Backend& backend, const FieldShape& shape);

/// Seconds of one call of `work`, which is queued as often as takes a fifth of `seconds`; the best round counts.
double best_seconds(Backend& backend, double seconds, const std::function<void()>& work);

/// Memory that it takes, in bytes: the field, its copy and what a sweep writes into.
std::size_t throughput_memory(const FieldShape& shape, Precision precision);

}  // namespace underdamp
