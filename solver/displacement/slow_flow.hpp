#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "solver/displacement/moment_sums.hpp"
#include "solver/stationary/factored_generator.hpp"

/// Fields that change slowly compared with the windows of a propagator (docs/method.md, section 15): e^{tL_h} f in the
/// Krylov space of (σ − L_h)⁻¹, which holds the slow modes of f after a few solutions with one LU factorisation.
namespace underdamp {

/// A field that changes by less than this in the longest window is slow, and the generator takes over if so many
/// windows are left to do.
inline constexpr double slow_change = 0.06;
inline constexpr double many_windows = 150.0;

/// Times at which a slow end is sampled: every window as long as something fast may be left, then at a constant ratio.
struct SlowTimes {
  std::vector<double> time;
  std::size_t first_slow = 0;  ///< from this one on only slow changes are left
};
/// In windows, up to `rest`; `friction` γ of the plane.
SlowTimes slow_times(double rest, double friction);

class SlowFlow {
 public:
  /// False if the matrix and its factors would not fit into the memory of the host: then windows have to do.
  static bool fits(const ScaledPlane& plane, const DeviceDescription& device);

  /// `rate`: about how fast the fields change, 1/time. Keeps references to `plane` and `poll`.
  SlowFlow(const ScaledPlane& plane, double rate, const std::function<void()>& poll);

  /// Moments of e^{tL_h} `field` at `times`. Absent if the space has not converged after `most` solutions: two larger
  /// spaces in a row must agree within `tolerance` of the first moments at all times.
  std::optional<std::vector<MomentSums>> moments(const std::vector<double>& field, double center,
                                                 const std::vector<double>& times, double tolerance);
  /// The field itself at the last time of the last call.
  const std::vector<double>& last_field() const { return last_field_; }

 private:
  const ScaledPlane& plane_;
  double shift_;
  OrderedGenerator generator_;
  ShiftedInverse inverse_;
  std::vector<double> last_field_;
};

}  // namespace underdamp
