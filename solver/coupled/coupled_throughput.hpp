#pragma once
#include "solver/step/throughput.hpp"

/// How fast the sweeps of several parameters are (docs/method.md, section 16), as throughput.hpp has it for planes.
namespace underdamp {

struct CoupledThroughput {
  Throughput seconds;  ///< of the copy, all drifts together, a velocity sweep, and a Strang step inside a window
  bool correlated = false;
  double multiply_adds = 0.0;  ///< per cell of a step: drifts, contractions, kernels

  int parameters() const { return seconds.shape.axes.parameters; }
  /// A drift along each θ axis and a velocity sweep read and write the field once each.
  int passes() const { return parameters() + 1; }
  double bytes_of_step() const { return 2.0 * passes() * static_cast<double>(bytes_of(seconds.precision)); }
};

/// Times the stationary state of d oscillators, k h = 1, γ = 1, D of variance 1 and, if correlated, correlation ½, with
/// `cells` along every axis of boxes of ±6 deviations.
CoupledThroughput measure_coupled_throughput(Backend& backend, int parameters, int cells, bool correlated,
                                             const ThroughputOptions& options);

}  // namespace underdamp
