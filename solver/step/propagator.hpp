#pragma once
#include <memory>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/step/window.hpp"

namespace underdamp {

/// The linear operator Φ_T of one plane: the density after a time T, without limiter. Langevin: equal extrapolated
/// windows; SGD: map steps.
class Propagator {
 public:
  /// T = windows · length, each window extrapolated from `levels` levels. Under "sgd" `length` is η and levels play no
  /// part.
  Propagator(Backend& backend, const PhaseMesh& mesh, const Tables& tables, double length, int windows, int levels);

  double time() const { return length_ * windows_; }
  int windows() const { return windows_; }
  double window_length() const { return length_; }
  int levels() const { return levels_; }
  long steps() const { return steps_; }  ///< Strang or map steps taken so far

  /// field = Φ_T field.
  void apply(Field& field);

  /// defect = estimated error of one window that starts from `field` (docs/method.md, eq. 25), 0 for the map.
  void window_defect(const Field& field, Field& defect);
  /// Its L1 norm.
  double window_error(const Field& field);
  /// The same for each plane of a batch.
  std::vector<double> window_errors(const Field& field);

 private:
  void cross(const Field& field);
  /// How much smaller the error is than the difference of the last two columns, and that difference's norm.
  struct Column {
    double share;
    double norm;
  };
  std::vector<Column> last_columns();  ///< [plane]

  Backend& backend_;
  const PhaseMesh& mesh_;
  const Tables& tables_;
  double length_;
  int windows_;
  int levels_;
  long steps_ = 0;
  LevelFields fields_;
  std::unique_ptr<Field> discarded_;  ///< what an extrapolation gives besides: the error in apply(), else the density
  std::unique_ptr<Window> window_;
  std::unique_ptr<VelocityPlan> map_velocity_;
  std::unique_ptr<DriftPlan> map_drift_;
};

}  // namespace underdamp
