#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/contract/device_object.hpp"
#include "kernels/contract/particle_law.hpp"
#include "meshes/phase_mesh.hpp"

namespace underdamp {

class ParticlePlan : public DeviceObject {
  using DeviceObject::DeviceObject;
};

/// θ and v of some particles of one plane. What they are, sampling decides.
class Ensemble : public DeviceObject {
 public:
  const ParticleRange& range() const { return range_; }

 protected:
  using DeviceObject::DeviceObject;
  ParticleRange range_;
};

/// Ensembles of particles.
class ParticleOperations {
 public:
  virtual ~ParticleOperations() = default;

  /// Memory for up to `capacity` particles, 16 bytes each. Throws Error (device) if the device has not enough.
  virtual std::unique_ptr<Ensemble> allocate_ensemble(std::size_t capacity) = 0;
  /// `table` holds what the law calls F and D. `theta` and `walls`: the axis whose walls particles meet; open ones
  /// are passed through.
  virtual std::unique_ptr<ParticlePlan> plan_particles(const ParticleLaw& law, const ParticleTable& table,
                                                       const Axis& theta, const ThetaWalls& walls) = 0;
  /// The ensemble becomes the particles of `range` at their start. Not more than its capacity.
  virtual void sample_gaussian(Ensemble& ensemble, const ParticleRange& range, const GaussianStart& start) = 0;
  virtual void sample_grid(Ensemble& ensemble, const ParticleRange& range, const PhasePlane& plane,
                           const GridStart& start) = 0;
  /// Steps first … first + steps − 1 of every particle; the number of a step is part of the address of its random
  /// numbers.
  virtual void advance_particles(Ensemble& ensemble, const ParticlePlan& plan, long first, long steps) = 0;
  /// Adds the particles in each cell of a plane to counts[cell], those outside or not finite to counts[cells].
  virtual void count_particles(const Ensemble& ensemble, const PhasePlane& plane, std::span<std::uint64_t> counts) = 0;
  /// Of each block of `particle_block` particles, in order.
  virtual std::vector<ParticleSums> sum_particles(const Ensemble& ensemble, double center_theta,
                                                  double center_velocity) = 0;
  virtual void download_particles(const Ensemble& ensemble, std::span<double> theta, std::span<double> velocity) = 0;
};

}  // namespace underdamp
