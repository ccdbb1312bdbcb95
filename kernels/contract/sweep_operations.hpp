#pragma once
#include <functional>
#include <memory>
#include <span>

#include "kernels/contract/field_operations.hpp"
#include "kernels/contract/velocity_law.hpp"
#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// Should sweeps keep the density non-negative? Signed fields (docs/method.md, section 8) need `none`.
enum class Positivity { limit, none };

/// Coefficients of a sweep; made once per step size, used in every step.
class DriftPlan : public DeviceObject {
  using DeviceObject::DeviceObject;
};
class VelocityPlan : public DeviceObject {
 public:
  double taps = 0.0;  ///< multiply-adds per cell of the convolution, mean over the lines

 protected:
  using DeviceObject::DeviceObject;
};
/// Sweeps that are queued together; see SweepOperations::replay.
class Sequence : public DeviceObject {
  using DeviceObject::DeviceObject;
};

/// What moves a density: drift and velocity sweeps, and what puts several levels of them together.
class SweepOperations {
 public:
  virtual ~SweepOperations() = default;

  /// `duration`: τ of each plane.
  virtual std::unique_ptr<DriftPlan> plan_drift(const PhaseMesh& mesh, std::span<const double> duration) = 0;
  virtual std::unique_ptr<VelocityPlan> plan_velocity(const PhaseMesh& mesh, const VelocityLaw& law) = 0;

  /// X(τ), in place. 16 bytes per cell, in float32 8.
  virtual void drift(Field& field, const DriftPlan& plan, Positivity positivity) = 0;
  /// V(τ), `from` and `to` may be the same. 16 bytes per cell, in float32 8.
  virtual void velocity(const Field& from, Field& to, const VelocityPlan& plan, Positivity positivity) = 0;

  /// V(τ') X(τ), in place: drift, then velocity. 32 bytes per cell, in float32 16.
  virtual void drift_velocity(Field& field, const DriftPlan& drift, const VelocityPlan& velocity,
                              Positivity positivity) = 0;

  /// Sweeps and copies of fields to be carried out again and again. Plans and fields that `operations` uses must exist
  /// and outlive the sequence. One of a GPU that holds more than velocity, drift_velocity and copy goes one by one.
  virtual std::unique_ptr<Sequence> make_sequence(std::function<void()> operations) = 0;
  /// Carries them out; on a GPU as one CUDA graph, so that small planes do not wait for launches.
  virtual void replay(Sequence& sequence) = 0;

  /// density = P_K + S(Σ a_l P_l − P_K), error += scale_plane Σ d_l P_l (kernels/bodies/extrapolation.hpp).
  /// The first level serves as scratch and is lost.
  virtual void extrapolate(const PhaseMesh& mesh, std::span<Field* const> levels, std::span<const double> combination,
                           std::span<const double> difference, std::span<const double> difference_scale, Field& error,
                           Field& density, Positivity positivity) = 0;
};

}  // namespace underdamp
