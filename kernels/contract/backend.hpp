#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/contract/generator_matrix.hpp"
#include "kernels/contract/line_sums.hpp"
#include "kernels/contract/particle_law.hpp"
#include "kernels/contract/theta_walls.hpp"
#include "kernels/contract/velocity_law.hpp"
#include "meshes/field_size.hpp"
#include "meshes/phase_mesh.hpp"
#include "meshes/precision.hpp"

/// The contract between solver and devices: whole-field operations, each queued in order on one device.
/// Of kernels/ solver/ includes this header, velocity_law.hpp for the law that it passes, and random.hpp.
namespace underdamp {

enum class DeviceKind { host, cuda };

struct DeviceDescription {
  DeviceKind kind = DeviceKind::host;
  std::string name;                          ///< for example "host: Kokkos Serial, 1 thread" or "cuda: NVIDIA H200"
  int concurrency = 1;                       ///< threads, or multiprocessors
  std::size_t memory_bytes = 0;              ///< memory of the device, 0 if not known
  std::vector<std::size_t> cache_bytes{};    ///< of level 1, 2, …; empty if not known
  Precision precision = Precision::float64;  ///< of fields and sweeps
};

/// Should sweeps keep the density non-negative? Signed fields (docs/method.md, section 8) need `none`.
enum class Positivity { limit, none };

/// What lies in the memory of one device. Only the backend that made it may touch it.
class DeviceObject {
 public:
  virtual ~DeviceObject() = default;
  const void* maker() const { return maker_; }

 protected:
  explicit DeviceObject(const void* maker) : maker_(maker) {}

 private:
  const void* maker_;
};

/// Density of every cell of a batch of planes in the precision of the backend, with the mass that left through each
/// wall.
class Field : public DeviceObject {
 public:
  const FieldShape& shape() const { return shape_; }

 protected:
  Field(const void* maker, const FieldShape& shape) : DeviceObject(maker), shape_(shape) {}

 private:
  FieldShape shape_;
};

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
/// Sweeps that are queued together; see Backend::replay.
class Sequence : public DeviceObject {
  using DeviceObject::DeviceObject;
};
class GeneratorPlan : public DeviceObject {
  using DeviceObject::DeviceObject;
};
class MatrixPlan : public DeviceObject {
  using DeviceObject::DeviceObject;
};
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

/// Σ p over the cells that left through each wall of one plane, and what clipping created; times cell area:
/// probability.
struct Departed {
  double theta_min = 0.0;
  double theta_max = 0.0;
  double velocity_min = 0.0;
  double velocity_max = 0.0;
  double created = 0.0;

  double total() const { return theta_min + theta_max + velocity_min + velocity_max; }
};

/// Coefficients of the entropy production in line sums: per plane and line.
struct Dissipation {
  std::span<const double> friction;   ///< [plane] γ, 1/time
  std::span<const double> diffusion;  ///< [line] D, velocity²/time
  double floor = 0.0;                 ///< density below which a cell is left out
};

/// Coefficients of the generator: J_v = force·p − friction·v p − diffusion ∂_v p.
struct GeneratorCoefficients {
  std::span<const double> friction;   ///< [plane] γ, 1/time
  std::span<const double> force;      ///< [line] −k L'_λ, velocity/time
  std::span<const double> diffusion;  ///< [line] D, velocity²/time
};

/// Current at the cell centres, one number per cell in the order of FieldView (docs/method.md, eq. 39).
struct CurrentArrays {
  std::vector<double> theta;         ///< J_θ = v p, all of it reversible
  std::vector<double> reversible;    ///< J_v,rev = f p
  std::vector<double> irreversible;  ///< J_v,irr = −γ v p − D ∂_v p
};

/// What an operation needs of its arguments, above all that shapes and sizes fit to each other and that this backend
/// made them, it looks at every time: Error (bad_input) if not.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual DeviceDescription describe() const = 0;

  /// Throws Error (device) if the device has not enough memory, with the sizes.
  virtual std::unique_ptr<Field> allocate(const FieldShape& shape) = 0;
  /// `values`: shape.cells() numbers in the order of FieldView. Resets the departed mass.
  virtual void upload(std::span<const double> values, Field& field) = 0;
  void download(const Field& field, std::span<double> values) {
    download_planes(field, 0, field.shape().planes, values);
  }
  /// Planes first … first + count − 1 of it alone.
  virtual void download_planes(const Field& field, int first, int count, std::span<double> values) = 0;
  /// With all that has departed and that clipping has created.
  virtual void copy(const Field& from, Field& to) = 0;
  virtual void fill_zero(Field& field) = 0;

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

  /// Σ_cells |Σ_l c_l P_l| of each plane (without the cell area).
  virtual std::vector<double> combination_norm(std::span<const Field* const> levels,
                                               std::span<const double> coefficients) = 0;
  /// density = P_K + S(Σ a_l P_l − P_K), error += scale_plane Σ d_l P_l (kernels/bodies/extrapolation.hpp).
  /// The first level serves as scratch and is lost.
  virtual void extrapolate(const PhaseMesh& mesh, std::span<Field* const> levels, std::span<const double> combination,
                           std::span<const double> difference, std::span<const double> difference_scale, Field& error,
                           Field& density, Positivity positivity) = 0;

  /// Multiplies each plane by a factor and forgets what clipping created.
  virtual void absorb_created(Field& field, std::span<const double> factor) = 0;

  virtual std::vector<LineSums> sum_lines(const PhaseMesh& mesh, const Field& field,
                                          const Dissipation& dissipation) = 0;
  /// What sum_lines() gives of mass, velocity and velocity_squared, bit for bit, without the rest.
  virtual std::vector<LineMoments> sum_moments(const PhaseMesh& mesh, const Field& field) = 0;
  /// Σ_i w_i p of each column, w those of theta_weights().
  virtual std::vector<double> sum_columns(const PhaseMesh& mesh, const Field& field) = 0;
  /// [line]
  virtual std::vector<LineShape> line_shapes(const Field& field) = 0;
  virtual std::vector<Departed> departed(const Field& field) = 0;
  /// What departed() adds up, number by number: with download() the whole state of a field.
  virtual std::vector<double> departed_parts(const Field& field) = 0;
  /// Puts them back, after upload(). Throws Error (bad_input) if their number is not that of such a field.
  virtual void restore_departed(std::span<const double> parts, Field& field) = 0;

  virtual std::unique_ptr<GeneratorPlan> plan_generator(const PhaseMesh& mesh,
                                                        const GeneratorCoefficients& coefficients) = 0;
  /// to = L_h from = −∇_h·J_h(from).
  virtual void apply_generator(const GeneratorPlan& plan, const Field& from, Field& to) = 0;
  virtual CurrentArrays cell_currents(const GeneratorPlan& plan, const Field& density) = 0;
  /// A sparse matrix whose size is the number of cells of the fields it is to multiply (cuSPARSE on a GPU). In float32
  /// it throws Error (bad_input).
  virtual std::unique_ptr<MatrixPlan> plan_matrix(const SparseMatrix& matrix) = 0;
  virtual void multiply(const MatrixPlan& matrix, const Field& from, Field& to) = 0;

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

  /// Waits until all queued operations are done; throws Error (device) if one failed.
  virtual void synchronize() = 0;
};

}  // namespace underdamp
