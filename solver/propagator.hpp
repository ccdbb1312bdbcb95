#pragma once
#include <memory>

#include "kernels/backend.hpp"
#include "solver/window.hpp"

namespace underdamp {

/// The linear operator Φ_T of one plane: the density after a time T, without limiter. Langevin: equal extrapolated windows;
/// SGD: map steps.
class Propagator {
 public:
  /// T = windows · length, each window extrapolated from `levels` levels. Under "sgd" `length` is η and levels play no part.
  Propagator(Backend& backend, const PhaseMesh& mesh, const Tables& tables, double length, int windows, int levels);

  double time() const { return length_ * windows_; }
  double window_length() const { return length_; }
  int levels() const { return levels_; }
  long steps() const { return steps_; }  ///< Strang or map steps taken so far

  /// field = Φ_T field.
  void apply(Field& field);

  /// Estimated L1 error of one window that starts from `field` (docs/method.md, eq. 25), 0 for the map.
  double window_error(const Field& field);

 private:
  void cross(const Field& field);

  Backend& backend_;
  const PhaseMesh& mesh_;
  const Tables& tables_;
  double length_;
  int windows_;
  int levels_;
  long steps_ = 0;
  LevelFields fields_;
  std::unique_ptr<Field> unused_error_;
  std::unique_ptr<Window> window_;
  std::unique_ptr<VelocityPlan> map_velocity_;
  std::unique_ptr<DriftPlan> map_drift_;
};

}  // namespace underdamp
