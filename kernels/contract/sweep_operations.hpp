#pragma once
#include <functional>
#include <memory>
#include <span>

#include "kernels/contract/block_velocity_law.hpp"
#include "kernels/contract/field_operations.hpp"
#include "kernels/contract/velocity_law.hpp"
#include "meshes/phase_mesh.hpp"
#include "meshes/phase_space.hpp"

namespace underdamp {

/// Should sweeps keep the density non-negative? Signed fields (docs/method.md, section 8) need `none`.
enum class Positivity { limit, none };

/// Coefficients of a sweep of fields of one shape; made once per step size, used in every step.
class SweepPlan : public DeviceObject {
 public:
  const FieldShape shape;

 protected:
  SweepPlan(const void* maker, const FieldShape& of) : DeviceObject(maker), shape(of) {}
};
class DriftPlan : public SweepPlan {
  using SweepPlan::SweepPlan;
};
class VelocityPlan : public SweepPlan {
 public:
  /// Multiply-adds per cell of the convolution, mean over the lines; of several parameters of the contraction too.
  double taps = 0.0;

 protected:
  using SweepPlan::SweepPlan;
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

  /// X(τ) along all θ axes, and V(τ), of several parameters.
  virtual std::unique_ptr<DriftPlan> plan_drift(const PhaseSpace& space, std::span<const double> duration) = 0;
  virtual std::unique_ptr<VelocityPlan> plan_velocity(const PhaseSpace& space, const BlockVelocityLaw& law) = 0;

  /// X(τ), in place. 16 bytes per cell and θ axis, in float32 8.
  virtual void drift(Field& field, const DriftPlan& plan, Positivity positivity) = 0;
  /// V(τ), `from` and `to` may be the same. 16 bytes per cell, in float32 8.
  virtual void velocity(const Field& from, Field& to, const VelocityPlan& plan, Positivity positivity) = 0;

  /// V(τ') X(τ), in place: drift, then velocity. 32 bytes per cell of a plane, in float32 16.
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

  /// to = Σ_k weights[plane · fields + k] from_k, one to six fields of which `to` may be one; with what departed.
  virtual void combine(std::span<const Field* const> from, std::span<const double> weights, Field& to) = 0;
  /// S of the extrapolation along each θ axis of a field of several parameters, in place; what departed stays.
  virtual void filter(const PhaseSpace& space, Field& field) = 0;
  /// Sets negative values to zero and takes them from the rest of their line.
  virtual void clip(Field& field) = 0;
};

}  // namespace underdamp
