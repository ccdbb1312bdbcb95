#pragma once
#include <functional>
#include <memory>
#include <string>

#include "kernels/contract/backend.hpp"
#include "kernels/host/host_array.hpp"

namespace underdamp::testing {

/// Passes every operation on to another backend and tells about it: faults are injected here.
class HookedBackend final : public Backend {
 public:
  /// `name` of the operation, how often it was called before, and the field that it has changed (or null). Called after
  /// the operation; what it throws is what the operation throws.
  using Hook = std::function<void(const std::string& name, long count, Field* field)>;

  HookedBackend(std::unique_ptr<Backend> inner, Hook hook) : inner_(std::move(inner)), hook_(std::move(hook)) {}

  Backend& inner() { return *inner_; }
  long calls() const { return calls_; }
  /// Memory of the host that was taken when fields were allocated.
  std::size_t field_bytes() const { return field_bytes_; }
  /// Plans of sweeps that were made.
  long plans() const { return plans_; }
  /// How often sum_lines() was called.
  long line_sums() const { return line_sums_; }
  /// Values of fields that were downloaded.
  std::size_t downloaded() const { return downloaded_; }

  DeviceDescription describe() const override { return inner_->describe(); }
  std::unique_ptr<Field> allocate(const FieldShape& shape) override {
    const std::size_t before = host_memory_use().bytes;
    auto field = inner_->allocate(shape);
    field_bytes_ += host_memory_use().bytes - before;
    tell("allocate", field.get());
    return field;
  }
  void upload(std::span<const double> values, Field& field) override {
    inner_->upload(values, field);
    tell("upload", &field);
  }
  void download_planes(const Field& field, int first, int count, std::span<double> values) override {
    inner_->download_planes(field, first, count, values);
    downloaded_ += values.size();
    tell("download", nullptr);
  }
  void copy(const Field& from, Field& to) override {
    inner_->copy(from, to);
    tell("copy", &to);
  }
  void fill_zero(Field& field) override { inner_->fill_zero(field); }
  std::unique_ptr<DriftPlan> plan_drift(const PhaseMesh& mesh, std::span<const double> duration) override {
    ++plans_;
    return inner_->plan_drift(mesh, duration);
  }
  std::unique_ptr<VelocityPlan> plan_velocity(const PhaseMesh& mesh, const VelocityLaw& law) override {
    ++plans_;
    return inner_->plan_velocity(mesh, law);
  }
  void drift(Field& field, const DriftPlan& plan, Positivity positivity) override {
    inner_->drift(field, plan, positivity);
    tell("drift", &field);
  }
  void velocity(const Field& from, Field& to, const VelocityPlan& plan, Positivity positivity) override {
    inner_->velocity(from, to, plan, positivity);
    tell("velocity", &to);
  }
  void drift_velocity(Field& field, const DriftPlan& drift, const VelocityPlan& velocity,
                      Positivity positivity) override {
    inner_->drift_velocity(field, drift, velocity, positivity);
    tell("drift_velocity", &field);
  }
  /// What is in it comes by here each time.
  std::unique_ptr<Sequence> make_sequence(std::function<void()> operations) override {
    return inner_->make_sequence(std::move(operations));
  }
  void replay(Sequence& sequence) override { inner_->replay(sequence); }
  std::vector<double> combination_norm(std::span<const Field* const> levels,
                                       std::span<const double> coefficients) override {
    auto norm = inner_->combination_norm(levels, coefficients);
    tell("combination_norm", nullptr);
    return norm;
  }
  void extrapolate(const PhaseMesh& mesh, std::span<Field* const> levels, std::span<const double> combination,
                   std::span<const double> difference, std::span<const double> difference_scale, Field& error,
                   Field& density, Positivity positivity) override {
    inner_->extrapolate(mesh, levels, combination, difference, difference_scale, error, density, positivity);
    tell("extrapolate", &density);
  }
  void absorb_created(Field& field, std::span<const double> factor) override { inner_->absorb_created(field, factor); }
  std::vector<LineSums> sum_lines(const PhaseMesh& mesh, const Field& field, const Dissipation& dissipation) override {
    ++line_sums_;
    return inner_->sum_lines(mesh, field, dissipation);
  }
  std::vector<LineMoments> sum_moments(const PhaseMesh& mesh, const Field& field) override {
    return inner_->sum_moments(mesh, field);
  }
  std::vector<double> sum_columns(const PhaseMesh& mesh, const Field& field) override {
    return inner_->sum_columns(mesh, field);
  }
  std::vector<LineShape> line_shapes(const Field& field) override { return inner_->line_shapes(field); }
  std::vector<Departed> departed(const Field& field) override { return inner_->departed(field); }
  std::vector<double> departed_parts(const Field& field) override { return inner_->departed_parts(field); }
  void restore_departed(std::span<const double> parts, Field& field) override {
    inner_->restore_departed(parts, field);
  }
  std::unique_ptr<GeneratorPlan> plan_generator(const PhaseMesh& mesh,
                                                const GeneratorCoefficients& coefficients) override {
    return inner_->plan_generator(mesh, coefficients);
  }
  void apply_generator(const GeneratorPlan& plan, const Field& from, Field& to) override {
    inner_->apply_generator(plan, from, to);
  }
  CurrentArrays cell_currents(const GeneratorPlan& plan, const Field& density) override {
    return inner_->cell_currents(plan, density);
  }
  std::unique_ptr<MatrixPlan> plan_matrix(const SparseMatrix& matrix) override { return inner_->plan_matrix(matrix); }
  void multiply(const MatrixPlan& matrix, const Field& from, Field& to) override { inner_->multiply(matrix, from, to); }
  std::unique_ptr<Ensemble> allocate_ensemble(std::size_t capacity) override {
    return inner_->allocate_ensemble(capacity);
  }
  std::unique_ptr<ParticlePlan> plan_particles(const ParticleLaw& law, const ParticleTable& table, const Axis& theta,
                                               const ThetaWalls& walls) override {
    return inner_->plan_particles(law, table, theta, walls);
  }
  void sample_gaussian(Ensemble& ensemble, const ParticleRange& range, const GaussianStart& start) override {
    inner_->sample_gaussian(ensemble, range, start);
  }
  void sample_grid(Ensemble& ensemble, const ParticleRange& range, const PhasePlane& plane,
                   const GridStart& start) override {
    inner_->sample_grid(ensemble, range, plane, start);
  }
  void advance_particles(Ensemble& ensemble, const ParticlePlan& plan, long first, long steps) override {
    inner_->advance_particles(ensemble, plan, first, steps);
    tell("advance_particles", nullptr);
  }
  void count_particles(const Ensemble& ensemble, const PhasePlane& plane, std::span<std::uint64_t> counts) override {
    inner_->count_particles(ensemble, plane, counts);
  }
  std::vector<ParticleSums> sum_particles(const Ensemble& ensemble, double center_theta,
                                          double center_velocity) override {
    return inner_->sum_particles(ensemble, center_theta, center_velocity);
  }
  void download_particles(const Ensemble& ensemble, std::span<double> theta, std::span<double> velocity) override {
    inner_->download_particles(ensemble, theta, velocity);
  }
  void synchronize() override { inner_->synchronize(); }

 private:
  void tell(const std::string& name, Field* field) { hook_(name, calls_++, field); }

  std::unique_ptr<Backend> inner_;
  Hook hook_;
  long calls_ = 0;
  std::size_t field_bytes_ = 0;
  long plans_ = 0;
  long line_sums_ = 0;
  std::size_t downloaded_ = 0;
};

/// Changes one cell of a field and leaves everything else, what has departed included, as it is.
template <class Change>
void change_cell(Backend& backend, Field& field, std::size_t cell, const Change& change) {
  std::vector<double> values(field.shape().cells());
  backend.download(field, values);
  const auto parts = backend.departed_parts(field);
  values[cell] = change(values[cell]);
  backend.upload(values, field);
  backend.restore_departed(parts, field);
}

}  // namespace underdamp::testing
