#pragma once
#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/bodies/csr_product.hpp"
#include "kernels/bodies/current.hpp"
#include "kernels/bodies/drift_sweep.hpp"
#include "kernels/bodies/extrapolation.hpp"
#include "kernels/bodies/moments.hpp"
#include "kernels/bodies/particles.hpp"
#include "kernels/bodies/velocity_sweep.hpp"
#include "kernels/bodies/wall_sweep.hpp"
#include "kernels/contract/backend.hpp"
#include "kernels/tables/drift_table.hpp"
#include "kernels/tables/make_velocity_table.hpp"
#include "kernels/tables/rounding.hpp"
#include "kernels/tables/wall_stencils.hpp"
#include "meshes/error.hpp"

/// Every operation of the contract, once. A Launcher supplies memory and loops of one device:
///
///   Launcher::Real                              type of the density and of the sweeps: double or float
///   Launcher::Array<T>                          memory of the device: resize, data, size
///   begin(), begin_apart()                      first of every operation; the second of those that no recording holds
///   upload(src, n, T* dst), download(src, n, dst), copy(src, n, dst), zero(dst, n)
///   lane_choices, cascades                      lines of a bundle, the best choice first; see convolution_with
///   bundle_fits(arrays, lanes, cells, margin)   has the device the scratch for a bundle?
///   for_each_line(name, lines, body)            body(Line&, l)
///   for_each_bundle(name, bundles, lanes, cells, margin, body)  body(Bundle&, b)
///   for_each_column_group(name, rows, body)     body(Columns&), `rows` being the ColumnSource of the sweep
///   for_each_segment(name, shape, body)         body.template operator()<P>(plane, column, begin, end, lanes)
///   for_each_column(name, columns, body)        body(column)
///   for_each_value(name, count, body)           body(position)
///   MatrixHandle, prepare(csr, handle), multiply(csr, handle, x, y)   y = A x
///   drift_target(array), finish_drift(array)    where a drift sweep writes, and how that becomes the field
///   reserve_drift_target(cells)                 so that a recording meets no allocation
///   Recording, replay(recording, operations)    operations queued as one
namespace underdamp {

/// Where a drift sweep reads.
template <class Real>
struct ColumnSource {
  ThetaRows<Real> first_plane;
  FieldShape shape;

  UNDERDAMP_HD ThetaRows<Real> rows_of(int plane) const {
    ThetaRows<Real> rows = first_plane;
    rows.plane += static_cast<std::ptrdiff_t>(plane) * rows.n * rows.pitch;
    if (rows.below != nullptr) rows.below += static_cast<std::ptrdiff_t>(plane) * rows.depth * rows.pitch;
    if (rows.above != nullptr) rows.above += static_cast<std::ptrdiff_t>(plane) * rows.depth * rows.pitch;
    return rows;
  }
};

template <class Launcher>
class BackendOps final : public Backend {
 public:
  explicit BackendOps(std::unique_ptr<Launcher> launcher) : launcher_(std::move(launcher)) {}

  DeviceDescription describe() const override {
    DeviceDescription description = launcher_->describe();
    description.precision = precision_of<Real>;
    return description;
  }
  std::unique_ptr<Field> allocate(const FieldShape& shape) override;
  void upload(std::span<const double> values, Field& field) override;
  void download_planes(const Field& field, int first, int count, std::span<double> values) override;
  void copy(const Field& from, Field& to) override;
  void fill_zero(Field& field) override;
  std::unique_ptr<DriftPlan> plan_drift(const PhaseMesh& mesh, std::span<const double> duration) override;
  std::unique_ptr<VelocityPlan> plan_velocity(const PhaseMesh& mesh, const VelocityLaw& law) override;
  void drift(Field& field, const DriftPlan& plan, Positivity positivity) override;
  void velocity(const Field& from, Field& to, const VelocityPlan& plan, Positivity positivity) override;
  void drift_velocity(Field& field, const DriftPlan& drift, const VelocityPlan& velocity,
                      Positivity positivity) override;
  std::unique_ptr<Sequence> make_sequence(std::function<void()> operations) override;
  void replay(Sequence& sequence) override;
  std::vector<double> combination_norm(std::span<const Field* const> levels,
                                       std::span<const double> coefficients) override;
  void extrapolate(const PhaseMesh& mesh, std::span<Field* const> levels, std::span<const double> combination,
                   std::span<const double> difference, std::span<const double> difference_scale, Field& error,
                   Field& density, Positivity positivity) override;
  void absorb_created(Field& field, std::span<const double> factor) override;
  std::vector<LineSums> sum_lines(const PhaseMesh& mesh, const Field& field, const Dissipation& dissipation) override;
  std::vector<LineMoments> sum_moments(const PhaseMesh& mesh, const Field& field) override;
  std::vector<double> sum_columns(const PhaseMesh& mesh, const Field& field) override;
  std::vector<LineShape> line_shapes(const Field& field) override;
  std::vector<Departed> departed(const Field& field) override;
  std::vector<double> departed_parts(const Field& field) override;
  void restore_departed(std::span<const double> parts, Field& field) override;
  std::unique_ptr<GeneratorPlan> plan_generator(const PhaseMesh& mesh,
                                                const GeneratorCoefficients& coefficients) override;
  void apply_generator(const GeneratorPlan& plan, const Field& from, Field& to) override;
  CurrentArrays cell_currents(const GeneratorPlan& plan, const Field& density) override;
  std::unique_ptr<MatrixPlan> plan_matrix(const SparseMatrix& matrix) override;
  void multiply(const MatrixPlan& matrix, const Field& from, Field& to) override;
  std::unique_ptr<Ensemble> allocate_ensemble(std::size_t capacity) override;
  std::unique_ptr<ParticlePlan> plan_particles(const ParticleLaw& law, const ParticleTable& table, const Axis& theta,
                                               const ThetaWalls& walls) override;
  void sample_gaussian(Ensemble& ensemble, const ParticleRange& range, const GaussianStart& start) override;
  void sample_grid(Ensemble& ensemble, const ParticleRange& range, const PhasePlane& plane,
                   const GridStart& start) override;
  void advance_particles(Ensemble& ensemble, const ParticlePlan& plan, long first, long steps) override;
  void count_particles(const Ensemble& ensemble, const PhasePlane& plane, std::span<std::uint64_t> counts) override;
  std::vector<ParticleSums> sum_particles(const Ensemble& ensemble, double center_theta,
                                          double center_velocity) override;
  void download_particles(const Ensemble& ensemble, std::span<double> theta, std::span<double> velocity) override;
  void synchronize() override {
    launcher_->begin_apart();
    launcher_->synchronize();
  }

 private:
  using Real = typename Launcher::Real;
  template <class T>
  using Array = typename Launcher::template Array<T>;

  /// Cells with a margin that a pack may read beyond the last one; and what departed: through θ_min and θ_max by
  /// column, through v_min and v_max by line, and what clipping created, by line and by segment and column.
  struct DeviceField final : Field {
    DeviceField(const void* maker, const FieldShape& s) : Field(maker, s), size(s) {}
    FieldSize size;
    Array<Real> cell_memory;
    Array<double> departed_memory;

    std::size_t columns() const { return static_cast<std::size_t>(shape().columns()); }
    std::size_t lines() const { return static_cast<std::size_t>(shape().lines()); }
    Real* cells() const { return cell_memory.data(); }
    double* departed() const { return departed_memory.data(); }
    double* left_below() const { return departed(); }
    double* left_above() const { return departed() + columns(); }
    double* left_lower() const { return departed() + 2 * columns(); }
    double* left_upper() const { return departed() + 2 * columns() + lines(); }
    double* created_in_lines() const { return departed() + 2 * columns() + 2 * lines(); }
    double* created_in_segments() const { return created_in_lines() + lines(); }
    FieldView<Real> view() const { return {cells(), shape().theta_cells, shape().velocity_cells}; }
    FieldView<const Real> const_view() const { return {cells(), shape().theta_cells, shape().velocity_cells}; }
  };

  struct DeviceDriftPlan final : DriftPlan {
    DeviceDriftPlan(const void* maker, const FieldShape& s) : DriftPlan(maker), shape(s) {}
    FieldShape shape;
    Array<int> offset;
    Array<Real> weights;
    long weight_stride = 0;
    int repeats = 1;  ///< sweeps that make up the drift
    ThetaWalls walls;
    int halo_rows = 0;  ///< rows beyond mirroring walls that must be filled before the sweep; 0 if none
    mutable Array<Real> halo_below;
    mutable Array<Real> halo_above;
    DriftView<Real> view() const { return {offset.data(), weights.data(), weight_stride}; }

    // Beside walls on which a force acts; see WallView.
    WallTable wall_sizes;  ///< without its matrices
    Array<int> outgoing_rows;
    Array<double> wall_matrices;  ///< incoming, outgoing, crossing, weights, bump
    mutable Array<double> wall_rows;
    mutable Array<double> wall_work;

    bool mirrors_below() const { return walls.lower == ThetaBoundary::reflecting && !walls.lower_pressed; }
    bool mirrors_above() const { return walls.upper == ThetaBoundary::reflecting && !walls.upper_pressed; }
    int pressed_walls() const { return (walls.lower_pressed ? 1 : 0) + (walls.upper_pressed ? 1 : 0); }
    WallView wall_view(int planes) const {
      const std::ptrdiff_t sets = static_cast<std::ptrdiff_t>(planes) * wall_sizes.pairs;
      const std::ptrdiff_t matrices = sets * wall_sizes.sources * wall_sizes.stride;
      const double* const base = wall_matrices.data();
      return {wall_sizes.pairs,
              wall_sizes.sources,
              wall_sizes.incoming_rows,
              wall_sizes.stride,
              outgoing_rows.data(),
              base,
              base + matrices,
              base + 2 * matrices,
              base + 3 * matrices,
              base + 3 * matrices + wall_sizes.stride,
              walls.lower_pressed ? 0 : 1,
              pressed_walls()};
    }
  };

  struct DeviceVelocityPlan final : VelocityPlan {
    DeviceVelocityPlan(const void* maker, const FieldShape& s) : VelocityPlan(maker), shape(s) {}
    FieldShape shape;
    bool deposits = false;
    int lanes = 1;
    int bundles_per_plane = 0;
    int margin = 0;
    std::vector<std::unique_ptr<Array<int>>> ints;
    std::vector<std::unique_ptr<Array<Real>>> reals;
    std::vector<std::unique_ptr<Array<double>>> doubles;  ///< weights of deposits
    std::vector<std::unique_ptr<Array<WholeCells>>> whole_cells;
    Array<int> contraction_of_plane;
    Array<ContractionView<Real>> contractions;
    Array<DepositView> deposit_views;
    Array<int> shift;
    Array<BundleEntry> bundles;
    Array<LevelEntry> levels;
    Array<Real> weights;
    VelocityView<Real> view() const {
      return {bundles_per_plane,
              contraction_of_plane.data(),
              contractions.data(),
              deposit_views.data(),
              shift.data(),
              bundles.data(),
              levels.data(),
              weights.data(),
              margin};
    }
  };

  struct DeviceSequence final : Sequence {
    explicit DeviceSequence(const void* maker) : Sequence(maker) {}
    std::function<void()> operations;
    typename Launcher::Recording recording;
  };

  struct DeviceGeneratorPlan final : GeneratorPlan {
    DeviceGeneratorPlan(const void* maker, const FieldShape& s) : GeneratorPlan(maker), shape(s) {}
    FieldShape shape;
    Array<double> coefficients;  ///< friction, origin, widths by plane, then force and diffusion by line
    Array<double> wall_rows;     ///< incoming, outgoing, crossing
    GeneratorView view{};
  };

  struct DeviceMatrixPlan final : MatrixPlan {
    explicit DeviceMatrixPlan(const void* maker) : MatrixPlan(maker) {}
    Array<int> row_begin;
    Array<int> column;
    Array<double> value;
    typename Launcher::MatrixHandle handle;
    CsrView view() const {
      return {static_cast<int>(row_begin.size()) - 1, row_begin.data(), column.data(), value.data()};
    }
  };

  /// Particles padded to whole blocks.
  struct DeviceEnsemble final : Ensemble {
    explicit DeviceEnsemble(const void* maker) : Ensemble(maker) {}
    Array<double> theta;
    Array<double> velocity;

    void assign(const ParticleRange& range) {
      require(range.count > 0 && blocks(range) * particle_block <= theta.size(),
              "an ensemble holds from one particle to its capacity");
      range_ = range;
    }
    static std::size_t blocks(const ParticleRange& range) {
      return (range.count + particle_block - 1) / particle_block;
    }
    int blocks() const { return static_cast<int>(blocks(range())); }
    ParticleArrays view() const {
      return {theta.data(), velocity.data(), range().seed, range().plane, range().first, range().count};
    }
  };

  struct DeviceParticlePlan final : ParticlePlan {
    explicit DeviceParticlePlan(const void* maker) : ParticlePlan(maker) {}
    ParticleLaw law;
    Array<double> coefficients;
    ParticleTableView table{};
    ThetaFold fold{};
    bool closed = false;
  };

  template <class Made>
  Made& own(DeviceObject& object) const {
    require(object.maker() == this, "an operation was given what another backend has made");
    return static_cast<Made&>(object);
  }
  template <class Made>
  const Made& own(const DeviceObject& object) const {
    return own<Made>(const_cast<DeviceObject&>(object));
  }
  DeviceEnsemble& device(Ensemble& ensemble) const { return own<DeviceEnsemble>(ensemble); }
  const DeviceEnsemble& device(const Ensemble& ensemble) const { return own<DeviceEnsemble>(ensemble); }
  DeviceField& device(Field& field) const { return own<DeviceField>(field); }
  const DeviceField& device(const Field& field) const { return own<DeviceField>(field); }
  /// The plan of an operation on fields of its shape.
  template <class Plan>
  const Plan& plan_for(const DeviceObject& object, const FieldShape& shape) const {
    const Plan& plan = own<Plan>(object);
    require(plan.shape == shape, "the plan of an operation is for fields of another shape");
    return plan;
  }
  static void require_same(const FieldShape& a, const FieldShape& b) {
    require(a == b, "an operation was given fields of different shapes");
  }
  static void require_size(std::size_t size, std::size_t wanted) {
    require(size == wanted, "an operation was given a list of the wrong length");
  }
  static std::size_t as_size(long count) { return static_cast<std::size_t>(count); }

  template <class T>
  void send(const std::vector<T>& from, Array<T>& to) {
    to.resize(from.size());
    launcher_->upload(from.data(), from.size(), to.data());
  }
  template <class T>
  const T* keep(const std::vector<T>& from, std::vector<std::unique_ptr<Array<T>>>& store) {
    store.push_back(std::make_unique<Array<T>>());
    send(from, *store.back());
    return store.back()->data();
  }

  static void require_levels(std::size_t levels, std::size_t coefficients) {
    require(levels >= 1 && levels <= maximum_levels, "a combination has from one to six levels");
    require_size(coefficients, levels);
  }
  void forget_departed(DeviceField& field);
  FilterRows filter_rows(const PhaseMesh& mesh);
  const double* row_weights(const PhaseMesh& mesh);
  void plan_walls(const PhaseMesh& mesh, std::span<const double> duration, DeviceDriftPlan& plan);
  void fill_reflected_halo(const DeviceField& field, const DeviceDriftPlan& plan);
  void save_wall_rows(const DeviceField& field, const DeviceDriftPlan& plan);
  template <bool limited>
  void launch_walls(DeviceField& field, const DeviceDriftPlan& plan, Real* target);
  Real* drift_elsewhere(DeviceField& field, const DriftPlan& plan, Positivity positivity);
  template <bool limited>
  void launch_drift(DeviceField& field, const DeviceDriftPlan& plan, Real* target);
  void velocity_from(const Real* from, DeviceField& to, const VelocityPlan& plan, Positivity positivity);
  template <bool limited, bool deposits>
  void launch_velocity(const Real* from, DeviceField& to, const DeviceVelocityPlan& plan);
  std::vector<double> plane_totals(const Array<double>& per_line, const FieldShape& shape);

  std::unique_ptr<Launcher> launcher_;
  Array<double> line_values_;
  Array<double> line_values_2_;
  Array<unsigned long long> counts_;
  Array<ParticleSums> particle_sums_;
  Array<double> plane_values_;
  Array<double> row_weights_;
  Array<LineSums> line_sums_;
  Array<LineMoments> line_moments_;
  Array<LineShape> line_shapes_;
};

template <class Launcher>
std::unique_ptr<Field> BackendOps<Launcher>::allocate(const FieldShape& shape) {
  launcher_->begin_apart();
  require(shape.planes > 0 && shape.theta_cells > 0 && shape.velocity_cells > 0, "a field needs cells");
  auto field = std::make_unique<DeviceField>(this, shape);
  field->cell_memory.resize(field->size.cells);
  field->departed_memory.resize(field->size.departed);
  launcher_->reserve_drift_target(field->size.cells);
  fill_zero(*field);
  return field;
}

template <class Launcher>
void BackendOps<Launcher>::upload(std::span<const double> values, Field& field) {
  launcher_->begin_apart();
  require_size(values.size(), field.shape().cells());
  if constexpr (std::is_same_v<Real, double>) {
    launcher_->upload(values.data(), field.shape().cells(), device(field).cells());
  } else {
    const std::vector<Real> all(values.begin(), values.end());
    launcher_->upload(all.data(), field.shape().cells(), device(field).cells());
  }
  forget_departed(device(field));
}

template <class Launcher>
void BackendOps<Launcher>::forget_departed(DeviceField& field) {
  launcher_->zero(field.departed(), field.size.departed);
}

template <class Launcher>
void BackendOps<Launcher>::download_planes(const Field& field, int first, int count, std::span<double> values) {
  launcher_->begin_apart();
  const DeviceField& f = device(field);
  const FieldShape& shape = f.shape();
  require(first >= 0 && count >= 0 && count <= shape.planes - first, "a field has no such planes");
  const std::size_t of_plane = shape.cells() / static_cast<std::size_t>(shape.planes);
  require_size(values.size(), static_cast<std::size_t>(count) * of_plane);
  const Real* const from = f.cells() + static_cast<std::size_t>(first) * of_plane;
  if constexpr (std::is_same_v<Real, double>) {
    launcher_->download(from, values.size(), values.data());
  } else {
    std::vector<Real> all(values.size());
    launcher_->download(from, all.size(), all.data());
    std::copy(all.begin(), all.end(), values.begin());
  }
}

template <class Launcher>
void BackendOps<Launcher>::copy(const Field& from, Field& to) {
  launcher_->begin();
  const DeviceField& source = device(from);
  DeviceField& target = device(to);
  require_same(source.shape(), target.shape());
  if (&source == &target) return;
  launcher_->copy(source.cells(), source.size.cells, target.cells());
  launcher_->copy(source.departed(), source.size.departed, target.departed());
}

template <class Launcher>
void BackendOps<Launcher>::fill_zero(Field& field) {
  launcher_->begin();
  launcher_->zero(device(field).cells(), device(field).size.cells);
  forget_departed(device(field));
}

template <class Launcher>
std::unique_ptr<DriftPlan> BackendOps<Launcher>::plan_drift(const PhaseMesh& mesh, std::span<const double> duration) {
  launcher_->begin_apart();
  require_size(duration.size(), static_cast<std::size_t>(mesh.planes()));
  auto plan = std::make_unique<DeviceDriftPlan>(this, mesh.shape());
  plan->walls = mesh.walls();
  plan->repeats = drift_repeats(mesh, duration);
  constexpr int most_repeats = 64;
  if (plan->repeats > most_repeats) {
    throw Error(ExitCode::bad_input, "one step carries the density many times across the box between reflecting walls",
                "grid.theta", "use a smaller step, or a smaller velocity box");
  }
  std::vector<double> part(duration.begin(), duration.end());
  for (double& tau : part) tau /= plan->repeats;
  const DriftTable table = make_drift_table(mesh, part);
  send(table.offset, plan->offset);
  send(rounded_stencils<Real>(table), plan->weights);
  plan->weight_stride = table.weight_stride;
  if (plan->mirrors_below() || plan->mirrors_above()) {
    plan->halo_rows = table.reach;
    const std::size_t halo = static_cast<std::size_t>(mesh.planes()) * static_cast<std::size_t>(table.reach) *
                                 static_cast<std::size_t>(mesh.velocity_cells()) +
                             FieldSize::margin;
    plan->halo_below.resize(halo);
    plan->halo_above.resize(halo);
  }
  if (mesh.walls().any_pressed()) plan_walls(mesh, part, *plan);
  return plan;
}

template <class Launcher>
void BackendOps<Launcher>::plan_walls(const PhaseMesh& mesh, std::span<const double> duration, DeviceDriftPlan& plan) {
  WallTable table = make_wall_table(mesh, duration);
  std::vector<double> matrices;
  for (std::vector<double>* part : {&table.incoming, &table.outgoing, &table.crossing, &table.weights, &table.bump}) {
    matrices.insert(matrices.end(), part->begin(), part->end());
    *part = {};
  }
  send(table.outgoing_rows, plan.outgoing_rows);
  send(matrices, plan.wall_matrices);
  plan.wall_sizes = std::move(table);
  const auto places = static_cast<std::size_t>(mesh.planes()) * static_cast<std::size_t>(plan.pressed_walls());
  plan.wall_rows.resize(places * static_cast<std::size_t>(mesh.velocity_cells()) *
                        static_cast<std::size_t>(plan.wall_sizes.sources));
  plan.wall_work.resize(2 * places * static_cast<std::size_t>(plan.wall_sizes.pairs) *
                        static_cast<std::size_t>(plan.wall_sizes.stride));
}

template <class Launcher>
std::unique_ptr<VelocityPlan> BackendOps<Launcher>::plan_velocity(const PhaseMesh& mesh, const VelocityLaw& law) {
  launcher_->begin_apart();
  require_size(law.contraction.size(), static_cast<std::size_t>(mesh.planes()));
  require_size(law.kick.size(), as_size(mesh.shape().lines()));
  require_size(law.variance.size(), as_size(mesh.shape().lines()));
  VelocityTable table;
  for (const int lanes : Launcher::lane_choices) {
    table = make_velocity_table(mesh, law, lanes, Launcher::cascades);
    if (launcher_->bundle_fits(VelocitySweep<Real, true, false>::scratch_arrays, lanes, mesh.velocity_cells(),
                               table.margin))
      break;
  }
  auto plan = std::make_unique<DeviceVelocityPlan>(this, mesh.shape());
  plan->lanes = table.lanes;
  plan->deposits = table.deposits;
  plan->bundles_per_plane = table.bundles_per_plane;
  plan->margin = table.margin;
  plan->taps = table.taps();
  send(table.contraction_of_plane, plan->contraction_of_plane);
  std::vector<ContractionView<Real>> contractions;
  for (const ContractionTable& c : table.contractions) {
    contractions.push_back({keep(c.base, plan->ints), keep(rounded<Real>(c.fraction), plan->reals),
                            keep(rounded_stencils<Real>(c), plan->reals), keep(c.whole_cells, plan->whole_cells),
                            static_cast<int>(c.whole_cells.size())});
  }
  send(contractions, plan->contractions);
  std::vector<DepositView> deposits;
  for (const DepositTable& d : table.deposit_tables) {
    deposits.push_back({keep(d.row_begin, plan->ints), keep(d.source, plan->ints), keep(d.weights, plan->doubles),
                        d.first_target, d.last_target});
  }
  send(deposits, plan->deposit_views);
  send(table.shift, plan->shift);
  send(table.bundles, plan->bundles);
  send(table.levels, plan->levels);
  send(rounded_stencils<Real>(table), plan->weights);
  return plan;
}

/// Halo rows of a reflecting wall: row −1 − m of column j is row m of the column of −v_j.
template <class Real>
struct ReflectRows {
  const Real* field;
  Real* below;
  Real* above;
  int theta_cells;
  int velocity_cells;
  int depth;

  UNDERDAMP_HD void operator()(int column) const {
    const int plane = column / velocity_cells;
    const int j = column % velocity_cells;
    const int mirrored = velocity_cells - 1 - j;
    const Real* p = field + static_cast<std::ptrdiff_t>(plane) * theta_cells * velocity_cells + mirrored;
    const std::ptrdiff_t origin = static_cast<std::ptrdiff_t>(plane) * depth * velocity_cells + j;
    for (int m = 0; m < depth; ++m) {
      below[origin + static_cast<std::ptrdiff_t>(depth - 1 - m) * velocity_cells] =
          p[static_cast<std::ptrdiff_t>(m) * velocity_cells];
      above[origin + static_cast<std::ptrdiff_t>(m) * velocity_cells] =
          p[static_cast<std::ptrdiff_t>(theta_cells - 1 - m) * velocity_cells];
    }
  }
};

template <class Launcher>
void BackendOps<Launcher>::fill_reflected_halo(const DeviceField& field, const DeviceDriftPlan& plan) {
  const FieldShape& shape = field.shape();
  launcher_->for_each_column("reflect rows", shape.columns(),
                             ReflectRows<Real>{field.cells(), plan.halo_below.data(), plan.halo_above.data(),
                                               shape.theta_cells, shape.velocity_cells, plan.halo_rows});
}

template <class Launcher>
void BackendOps<Launcher>::save_wall_rows(const DeviceField& field, const DeviceDriftPlan& plan) {
  const FieldShape& shape = field.shape();
  launcher_->for_each_column("save rows at walls", shape.columns(),
                             SaveWallRows<Real>{plan.wall_view(shape.planes), field.cells(), plan.wall_rows.data(),
                                                shape.theta_cells, shape.velocity_cells});
}

template <class Launcher>
template <bool limited>
void BackendOps<Launcher>::launch_walls(DeviceField& field, const DeviceDriftPlan& plan, Real* target) {
  const FieldShape& shape = field.shape();
  const WallView walls = plan.wall_view(shape.planes);
  launcher_->for_each_line(
      "rows at walls", shape.planes * walls.walls * walls.pairs,
      WallSweep<Real, limited>{walls, plan.view(), plan.wall_rows.data(), plan.wall_work.data(), target,
                               shape.theta_cells, shape.velocity_cells, field.left_below(), field.left_above()});
}

/// One sweep of X(τ).
template <class Launcher>
template <bool limited>
void BackendOps<Launcher>::launch_drift(DeviceField& field, const DeviceDriftPlan& plan, Real* target) {
  const FieldShape& shape = field.shape();
  const bool pressed = plan.pressed_walls() > 0;
  if (plan.halo_rows > 0) fill_reflected_halo(field, plan);
  if (pressed) save_wall_rows(field, plan);
  const ColumnSource<Real> source{{field.cells(), plan.mirrors_below() ? plan.halo_below.data() : nullptr,
                                   plan.mirrors_above() ? plan.halo_above.data() : nullptr, plan.halo_rows,
                                   shape.theta_cells, shape.velocity_cells, plan.walls.is_periodic()},
                                  shape};
  const auto counted = [](ThetaBoundary wall, double* left) { return wall == ThetaBoundary::open ? left : nullptr; };
  launcher_->for_each_column_group(
      "drift", source,
      DriftSweep<Real, limited>{plan.view(), target, counted(plan.walls.lower, field.left_below()),
                                counted(plan.walls.upper, field.left_above())});
  if (pressed) launch_walls<limited>(field, plan, target);
}

/// X(τ) into where the launcher wants it.
template <class Launcher>
auto BackendOps<Launcher>::drift_elsewhere(DeviceField& field, const DriftPlan& plan, Positivity positivity) -> Real* {
  const auto& p = plan_for<DeviceDriftPlan>(plan, field.shape());
  const auto sweep = [&] {
    Real* const target = launcher_->drift_target(field.cell_memory);
    if (positivity == Positivity::limit) {
      launch_drift<true>(field, p, target);
    } else {
      launch_drift<false>(field, p, target);
    }
    return target;
  };
  for (int part = 1; part < p.repeats; ++part) {
    sweep();
    launcher_->finish_drift(field.cell_memory);
  }
  return sweep();
}

template <class Launcher>
void BackendOps<Launcher>::drift(Field& field, const DriftPlan& plan, Positivity positivity) {
  launcher_->begin();
  drift_elsewhere(device(field), plan, positivity);
  launcher_->finish_drift(device(field).cell_memory);
}

template <class Launcher>
void BackendOps<Launcher>::drift_velocity(Field& field, const DriftPlan& drift, const VelocityPlan& velocity,
                                          Positivity positivity) {
  launcher_->begin();
  static_cast<void>(plan_for<DeviceVelocityPlan>(velocity, field.shape()));  // before the drift has begun
  velocity_from(drift_elsewhere(device(field), drift, positivity), device(field), velocity, positivity);
}

template <class Launcher>
template <bool limited, bool deposits>
void BackendOps<Launcher>::launch_velocity(const Real* from, DeviceField& to, const DeviceVelocityPlan& plan) {
  const FieldShape& shape = to.shape();
  const long bundles = static_cast<long>(shape.planes) * plan.bundles_per_plane;
  launcher_->for_each_bundle("velocity", bundles, plan.lanes, shape.velocity_cells, plan.margin,
                             VelocitySweep<Real, limited, deposits>{plan.view(),
                                                                    {from, shape.theta_cells, shape.velocity_cells},
                                                                    to.view(),
                                                                    to.left_lower(),
                                                                    to.left_upper(),
                                                                    to.created_in_lines()});
}

template <class Launcher>
void BackendOps<Launcher>::velocity_from(const Real* from, DeviceField& to, const VelocityPlan& plan,
                                         Positivity positivity) {
  const auto& p = plan_for<DeviceVelocityPlan>(plan, to.shape());
  if (positivity == Positivity::limit) {
    p.deposits ? launch_velocity<true, true>(from, to, p) : launch_velocity<true, false>(from, to, p);
  } else {
    p.deposits ? launch_velocity<false, true>(from, to, p) : launch_velocity<false, false>(from, to, p);
  }
}

template <class Launcher>
void BackendOps<Launcher>::velocity(const Field& from, Field& to, const VelocityPlan& plan, Positivity positivity) {
  launcher_->begin();
  const DeviceField& source = device(from);
  DeviceField& target = device(to);
  require_same(source.shape(), target.shape());
  static_cast<void>(plan_for<DeviceVelocityPlan>(plan, target.shape()));
  if (&source != &target) launcher_->copy(source.departed(), source.size.departed, target.departed());
  velocity_from(source.cells(), target, plan, positivity);
}

template <class Launcher>
std::unique_ptr<Sequence> BackendOps<Launcher>::make_sequence(std::function<void()> operations) {
  require(static_cast<bool>(operations), "a sequence needs operations");
  auto sequence = std::make_unique<DeviceSequence>(this);
  sequence->operations = std::move(operations);
  return sequence;
}

template <class Launcher>
void BackendOps<Launcher>::replay(Sequence& sequence) {
  launcher_->begin();
  auto& s = own<DeviceSequence>(sequence);
  launcher_->replay(s.recording, s.operations);
}

/// Sums per plane in the order of the lines, so that they repeat bit for bit.
template <class Launcher>
std::vector<double> BackendOps<Launcher>::plane_totals(const Array<double>& per_line, const FieldShape& shape) {
  std::vector<double> values(as_size(shape.lines()));
  launcher_->download(per_line.data(), values.size(), values.data());
  std::vector<double> total(static_cast<std::size_t>(shape.planes), 0.0);
  for (std::size_t l = 0; l < values.size(); ++l) total[l / static_cast<std::size_t>(shape.theta_cells)] += values[l];
  return total;
}

template <class Launcher>
std::vector<double> BackendOps<Launcher>::combination_norm(std::span<const Field* const> levels,
                                                           std::span<const double> coefficients) {
  launcher_->begin_apart();
  require_levels(levels.size(), coefficients.size());
  const FieldShape& shape = levels.front()->shape();
  line_values_.resize(as_size(shape.lines()));
  CombinationNorm<Real> body{{{}, static_cast<int>(levels.size())}, {}, shape.velocity_cells, line_values_.data()};
  for (std::size_t k = 0; k < levels.size(); ++k) {
    require_same(levels[k]->shape(), shape);
    body.levels.level[k] = device(*levels[k]).cells();
    body.coefficients.value[k] = coefficients[k];
  }
  launcher_->for_each_line("combination norm", shape.lines(), body);
  return plane_totals(line_values_, shape);
}

template <class Launcher>
void BackendOps<Launcher>::extrapolate(const PhaseMesh& mesh, std::span<Field* const> levels,
                                       std::span<const double> combination, std::span<const double> difference,
                                       std::span<const double> difference_scale, Field& error, Field& density,
                                       Positivity positivity) {
  launcher_->begin_apart();
  const FieldShape& shape = density.shape();
  DeviceField& target = device(density);
  require_levels(levels.size(), combination.size());
  require_levels(levels.size(), difference.size());
  require_size(difference_scale.size(), static_cast<std::size_t>(shape.planes));
  require_same(mesh.shape(), shape);
  require_same(error.shape(), shape);
  for (const Field* const level : levels) require_same(level->shape(), shape);
  send(std::vector<double>(difference_scale.begin(), difference_scale.end()), plane_values_);
  CombineLevels<Real> combine{{{}, static_cast<int>(levels.size())},
                              {},
                              {},
                              plane_values_.data(),
                              device(error).cells(),
                              device(*levels.front()).cells(),
                              shape.theta_cells,
                              shape.velocity_cells};
  for (std::size_t k = 0; k < levels.size(); ++k) {
    combine.levels.level[k] = device(*levels[k]).cells();
    combine.combination.value[k] = combination[k];
    combine.difference.value[k] = difference[k];
  }
  // What departed is a field like any other: it is combined with the same coefficients, without filter or limiter.
  CombineValues departed{{{}, combine.levels.count}, combine.combination, target.departed()};
  for (std::size_t k = 0; k < levels.size(); ++k) departed.levels.level[k] = device(*levels[k]).departed();
  launcher_->for_each_value("combine departed", target.size.departed, departed);
  launcher_->for_each_line("combine levels", shape.lines(), combine);
  const FilterRows rows = filter_rows(mesh);
  const Real* finest = device(*levels.back()).cells();
  const Real* correction = device(*levels.front()).cells();
  if (positivity == Positivity::limit) {
    launcher_->for_each_segment(
        "filter", shape,
        FilterAndClip<Real, true>{finest, correction, target.cells(), target.created_in_segments(), shape.theta_cells,
                                  shape.velocity_cells, shape.columns(), rows});
  } else {
    launcher_->for_each_segment(
        "filter", shape,
        FilterAndClip<Real, false>{finest, correction, target.cells(), target.created_in_segments(), shape.theta_cells,
                                   shape.velocity_cells, shape.columns(), rows});
  }
}

template <class Launcher>
FilterRows BackendOps<Launcher>::filter_rows(const PhaseMesh& mesh) {
  const ThetaWalls& walls = mesh.walls();
  if (!walls.any_pressed()) return {walls.is_periodic(), 0, 0, nullptr};
  const int rows = unfiltered_wall_rows(mesh);
  return {false, walls.lower_pressed ? rows : 0, walls.upper_pressed ? rows : 0, row_weights(mesh)};
}

/// Quadrature weights of the rows of a plane on the device; null where all are 1.
template <class Launcher>
const double* BackendOps<Launcher>::row_weights(const PhaseMesh& mesh) {
  if (!mesh.walls().any_pressed()) return nullptr;
  send(theta_weights(mesh), row_weights_);
  return row_weights_.data();
}

template <class Launcher>
void BackendOps<Launcher>::absorb_created(Field& field, std::span<const double> factor) {
  launcher_->begin_apart();
  DeviceField& f = device(field);
  const FieldShape& shape = f.shape();
  require_size(factor.size(), static_cast<std::size_t>(shape.planes));
  send(std::vector<double>(factor.begin(), factor.end()), plane_values_);
  launcher_->for_each_line("absorb created", shape.lines(), ScaleLines<Real>{f.view(), plane_values_.data()});
  launcher_->zero(f.created_in_lines(), f.size.created);
}

template <class Launcher>
std::vector<LineSums> BackendOps<Launcher>::sum_lines(const PhaseMesh& mesh, const Field& field,
                                                      const Dissipation& dissipation) {
  launcher_->begin_apart();
  const DeviceField& f = device(field);
  const FieldShape& shape = f.shape();
  const auto planes = static_cast<std::size_t>(shape.planes);
  require_same(mesh.shape(), shape);
  const bool dissipates = !dissipation.diffusion.empty();
  if (dissipates) require_size(dissipation.diffusion.size(), as_size(shape.lines()));
  if (dissipates || !dissipation.friction.empty()) require_size(dissipation.friction.size(), planes);
  // [origin, width, friction] per plane, then D per line.
  std::vector<double> coefficients(3 * planes, 0.0);
  for (std::size_t p = 0; p < planes; ++p) {
    coefficients[p] = mesh.plane(static_cast<int>(p)).velocity.center(0);
    coefficients[planes + p] = mesh.plane(static_cast<int>(p)).velocity.width();
    if (!dissipation.friction.empty()) coefficients[2 * planes + p] = dissipation.friction[p];
  }
  coefficients.insert(coefficients.end(), dissipation.diffusion.begin(), dissipation.diffusion.end());
  send(coefficients, plane_values_);
  line_sums_.resize(as_size(shape.lines()));
  const double* base = plane_values_.data();
  launcher_->for_each_line(
      "sum lines", shape.lines(),
      SumLines<Real>{f.const_view(),
                     base,
                     base + planes,
                     {base + 2 * planes, dissipates ? base + 3 * planes : nullptr, dissipation.floor},
                     line_sums_.data()});
  std::vector<LineSums> sums(as_size(shape.lines()));
  launcher_->download(line_sums_.data(), sums.size(), sums.data());
  return sums;
}

template <class Launcher>
std::vector<LineMoments> BackendOps<Launcher>::sum_moments(const PhaseMesh& mesh, const Field& field) {
  launcher_->begin_apart();
  const DeviceField& f = device(field);
  const FieldShape& shape = f.shape();
  require_same(mesh.shape(), shape);
  std::vector<double> coefficients;  // [origin, width] per plane
  for (int p = 0; p < shape.planes; ++p) coefficients.push_back(mesh.plane(p).velocity.center(0));
  for (int p = 0; p < shape.planes; ++p) coefficients.push_back(mesh.plane(p).velocity.width());
  send(coefficients, plane_values_);
  line_moments_.resize(as_size(shape.lines()));
  launcher_->for_each_line("sum moments", shape.lines(),
                           SumMoments<Real>{f.const_view(), plane_values_.data(), plane_values_.data() + shape.planes,
                                            line_moments_.data()});
  std::vector<LineMoments> moments(as_size(shape.lines()));
  launcher_->download(line_moments_.data(), moments.size(), moments.data());
  return moments;
}

template <class Launcher>
std::vector<double> BackendOps<Launcher>::sum_columns(const PhaseMesh& mesh, const Field& field) {
  launcher_->begin_apart();
  const FieldShape& shape = field.shape();
  require_same(mesh.shape(), shape);
  line_values_.resize(as_size(shape.columns()));
  launcher_->for_each_column("sum columns", shape.columns(),
                             SumColumns<Real>{device(field).cells(), row_weights(mesh), shape.theta_cells,
                                              shape.velocity_cells, line_values_.data()});
  std::vector<double> sums(as_size(shape.columns()));
  launcher_->download(line_values_.data(), sums.size(), sums.data());
  return sums;
}

template <class Launcher>
std::vector<LineShape> BackendOps<Launcher>::line_shapes(const Field& field) {
  launcher_->begin_apart();
  const FieldShape& shape = field.shape();
  line_shapes_.resize(as_size(shape.lines()));
  std::vector<double> from_middle(static_cast<std::size_t>(shape.velocity_cells));
  for (std::size_t j = 0; j < from_middle.size(); ++j)
    from_middle[j] = static_cast<double>(j) - 0.5 * static_cast<double>(from_middle.size() - 1);
  send(from_middle, plane_values_);
  launcher_->for_each_line("line shapes", shape.lines(),
                           Roughness<Real>{device(field).const_view(), plane_values_.data(), line_shapes_.data()});
  std::vector<LineShape> shapes(as_size(shape.lines()));
  launcher_->download(line_shapes_.data(), shapes.size(), shapes.data());
  return shapes;
}

template <class Launcher>
std::vector<double> BackendOps<Launcher>::departed_parts(const Field& field) {
  launcher_->begin_apart();
  const DeviceField& f = device(field);
  std::vector<double> parts(f.size.departed);
  launcher_->download(f.departed(), parts.size(), parts.data());
  return parts;
}

template <class Launcher>
void BackendOps<Launcher>::restore_departed(std::span<const double> parts, Field& field) {
  launcher_->begin_apart();
  DeviceField& f = device(field);
  require(parts.size() == f.size.departed, "what departed from a field does not fit to its shape");
  launcher_->upload(parts.data(), parts.size(), f.departed());
}

template <class Launcher>
std::vector<Departed> BackendOps<Launcher>::departed(const Field& field) {
  const DeviceField& f = device(field);
  const FieldShape& shape = f.shape();
  const std::vector<double> values = departed_parts(field);
  const std::span<const double> in_segments = std::span(values).subspan(f.size.departed - f.size.segments);
  std::vector<Departed> result(static_cast<std::size_t>(shape.planes));
  const std::size_t columns = f.columns();
  const std::size_t lines = f.lines();
  for (std::size_t c = 0; c < columns; ++c) {
    Departed& plane = result[c / static_cast<std::size_t>(shape.velocity_cells)];
    plane.theta_min += values[c];
    plane.theta_max += values[columns + c];
    for (std::size_t s = c; s < in_segments.size(); s += columns) plane.created += in_segments[s];
  }
  for (std::size_t l = 0; l < lines; ++l) {
    Departed& plane = result[l / static_cast<std::size_t>(shape.theta_cells)];
    plane.velocity_min += values[2 * columns + l];
    plane.velocity_max += values[2 * columns + lines + l];
    plane.created += values[2 * columns + 2 * lines + l];
  }
  return result;
}

template <class Launcher>
std::unique_ptr<GeneratorPlan> BackendOps<Launcher>::plan_generator(const PhaseMesh& mesh,
                                                                    const GeneratorCoefficients& coefficients) {
  launcher_->begin_apart();
  const std::size_t lines = as_size(mesh.shape().lines());
  require_size(coefficients.friction.size(), static_cast<std::size_t>(mesh.planes()));
  require_size(coefficients.force.size(), lines);
  require_size(coefficients.diffusion.size(), lines);
  require(lines <= std::numeric_limits<int>::max(), "the generator counts its lines by int");
  auto plan = std::make_unique<DeviceGeneratorPlan>(this, mesh.shape());
  std::vector<double> values(coefficients.friction.begin(), coefficients.friction.end());
  for (int p = 0; p < mesh.planes(); ++p) values.push_back(mesh.plane(p).velocity.center(0));
  for (int p = 0; p < mesh.planes(); ++p) values.push_back(mesh.plane(p).velocity.width());
  for (int p = 0; p < mesh.planes(); ++p) values.push_back(mesh.plane(p).theta.width());
  values.insert(values.end(), coefficients.force.begin(), coefficients.force.end());
  values.insert(values.end(), coefficients.diffusion.begin(), coefficients.diffusion.end());
  send(values, plan->coefficients);
  const WallRows rows = wall_generator(mesh);
  std::vector<double> matrices = rows.incoming;
  matrices.insert(matrices.end(), rows.outgoing.begin(), rows.outgoing.end());
  matrices.insert(matrices.end(), rows.crossing.begin(), rows.crossing.end());
  send(matrices, plan->wall_rows);
  const double* const wall = plan->wall_rows.data();
  const std::size_t size = rows.incoming.size();
  const double* const base = plan->coefficients.data();
  const int planes = mesh.planes();
  plan->view = {base,
                base + 4 * planes,
                base + 4 * planes + mesh.shape().lines(),
                base + planes,
                base + 2 * planes,
                base + 3 * planes,
                mesh.theta_cells(),
                mesh.velocity_cells(),
                mesh.walls(),
                {rows.incoming_rows, rows.sources, wall, wall + size, wall + 2 * size}};
  return plan;
}

template <class Launcher>
void BackendOps<Launcher>::apply_generator(const GeneratorPlan& plan, const Field& from, Field& to) {
  launcher_->begin_apart();
  require_same(from.shape(), to.shape());
  require(&from != &to, "the generator cannot write where it reads");
  launcher_->for_each_line("generator", from.shape().lines(),
                           ApplyGenerator<Real>{plan_for<DeviceGeneratorPlan>(plan, from.shape()).view,
                                                device(from).cells(), device(to).cells()});
}

template <class Launcher>
CurrentArrays BackendOps<Launcher>::cell_currents(const GeneratorPlan& plan, const Field& density) {
  launcher_->begin_apart();
  const std::size_t cells = density.shape().cells();
  line_values_.resize(3 * cells);
  double* const memory = line_values_.data();
  launcher_->for_each_line("cell currents", density.shape().lines(),
                           CellCurrents<Real>{plan_for<DeviceGeneratorPlan>(plan, density.shape()).view,
                                              device(density).cells(), memory, memory + cells, memory + 2 * cells});
  CurrentArrays result{std::vector<double>(cells), std::vector<double>(cells), std::vector<double>(cells)};
  launcher_->download(memory, cells, result.theta.data());
  launcher_->download(memory + cells, cells, result.reversible.data());
  launcher_->download(memory + 2 * cells, cells, result.irreversible.data());
  return result;
}

template <class Launcher>
std::unique_ptr<MatrixPlan> BackendOps<Launcher>::plan_matrix(const SparseMatrix& matrix) {
  launcher_->begin_apart();
  require(!matrix.row_begin.empty(), "a sparse matrix needs the end of its last row");
  const auto entries = static_cast<std::size_t>(matrix.row_begin.back());
  require_size(matrix.column.size(), entries);
  require_size(matrix.value.size(), entries);
  auto plan = std::make_unique<DeviceMatrixPlan>(this);
  send(matrix.row_begin, plan->row_begin);
  send(matrix.column, plan->column);
  send(matrix.value, plan->value);
  launcher_->prepare(plan->view(), plan->handle);
  return plan;
}

template <class Launcher>
void BackendOps<Launcher>::multiply(const MatrixPlan& matrix, const Field& from, Field& to) {
  launcher_->begin_apart();
  if constexpr (std::is_same_v<Real, double>) {
    const auto& plan = own<DeviceMatrixPlan>(matrix);
    const auto rows = static_cast<std::size_t>(plan.view().rows);
    require(from.shape().cells() == rows && to.shape().cells() == rows, "a matrix multiplies fields of as many cells");
    require(&from != &to, "a matrix cannot write where it reads");
    launcher_->multiply(plan.view(), plan.handle, device(from).cells(), device(to).cells());
  } else {
    throw Error(ExitCode::bad_input, "sparse matrices multiply fields of double precision only", "evolve.precision",
                "use precision = \"float64\"");
  }
}

template <class Launcher>
std::unique_ptr<Ensemble> BackendOps<Launcher>::allocate_ensemble(std::size_t capacity) {
  launcher_->begin_apart();
  auto ensemble = std::make_unique<DeviceEnsemble>(this);
  const std::size_t padded = (capacity + particle_block - 1) / particle_block * particle_block;
  ensemble->theta.resize(padded);
  ensemble->velocity.resize(padded);
  return ensemble;
}

template <class Launcher>
std::unique_ptr<ParticlePlan> BackendOps<Launcher>::plan_particles(const ParticleLaw& law, const ParticleTable& table,
                                                                   const Axis& theta, const ThetaWalls& walls) {
  launcher_->begin_apart();
  const auto rows = static_cast<std::size_t>(table.intervals) + 2;
  require_size(table.coefficients.size(), rows * static_cast<std::size_t>(ParticleTable::row));
  auto plan = std::make_unique<DeviceParticlePlan>(this);
  plan->law = law;
  send(table.coefficients, plan->coefficients);
  plan->table = {plan->coefficients.data(), table.lower, 1.0 / table.width, table.intervals + 0.5};
  plan->closed = walls.any_closed();
  plan->fold = theta_fold(theta, walls);
  return plan;
}

template <class Launcher>
void BackendOps<Launcher>::sample_gaussian(Ensemble& ensemble, const ParticleRange& range, const GaussianStart& start) {
  launcher_->begin_apart();
  DeviceEnsemble& e = device(ensemble);
  e.assign(range);
  launcher_->for_each_line("sample Gaussian", e.blocks(), SampleGaussian{e.view(), start});
}

template <class Launcher>
void BackendOps<Launcher>::sample_grid(Ensemble& ensemble, const ParticleRange& range, const PhasePlane& plane,
                                       const GridStart& start) {
  launcher_->begin_apart();
  DeviceEnsemble& e = device(ensemble);
  const std::size_t cells = FieldShape{1, plane.theta.cells, plane.velocity.cells}.cells();
  require_size(start.cumulative.size(), cells);
  require_size(start.slope_theta.size(), cells);
  require_size(start.slope_velocity.size(), cells);
  e.assign(range);
  std::vector<double> values = start.cumulative;
  values.insert(values.end(), start.slope_theta.begin(), start.slope_theta.end());
  values.insert(values.end(), start.slope_velocity.begin(), start.slope_velocity.end());
  send(values, line_values_);
  const double* const base = line_values_.data();
  launcher_->for_each_line("sample grid", e.blocks(),
                           SampleGrid{e.view(), plane, base, base + cells, base + 2 * cells});
}

template <class Launcher>
void BackendOps<Launcher>::advance_particles(Ensemble& ensemble, const ParticlePlan& plan, long first, long steps) {
  launcher_->begin_apart();
  const DeviceEnsemble& e = device(ensemble);
  const auto& p = own<DeviceParticlePlan>(plan);
  if (steps <= 0) return;
  // Where nothing is left to do at the end of the last step, its time point is left out.
  const Kick& closing = p.law.closing;
  const bool closes = closing.contraction != 1.0 || closing.force != 0.0 || closing.noise != 0.0;
  const long last = first + steps;
  const auto advance = [&](const auto& body) { launcher_->for_each_line("advance particles", e.blocks(), body); };
  if (p.closed) {
    advance(AdvanceParticles<true>{e.view(), p.table, p.law, p.fold, first, last, closes});
  } else {
    advance(AdvanceParticles<false>{e.view(), p.table, p.law, p.fold, first, last, closes});
  }
}

template <class Launcher>
void BackendOps<Launcher>::count_particles(const Ensemble& ensemble, const PhasePlane& plane,
                                           std::span<std::uint64_t> counts) {
  launcher_->begin_apart();
  const DeviceEnsemble& e = device(ensemble);
  require_size(counts.size(), FieldShape{1, plane.theta.cells, plane.velocity.cells}.cells() + 1);
  std::vector<unsigned long long> values(counts.size(), 0);
  send(values, counts_);
  launcher_->for_each_line("count particles", e.blocks(), CountParticles{e.view(), plane, counts_.data()});
  launcher_->download(counts_.data(), values.size(), values.data());
  for (std::size_t c = 0; c < values.size(); ++c) counts[c] += values[c];
}

template <class Launcher>
std::vector<ParticleSums> BackendOps<Launcher>::sum_particles(const Ensemble& ensemble, double center_theta,
                                                              double center_velocity) {
  launcher_->begin_apart();
  const DeviceEnsemble& e = device(ensemble);
  std::vector<ParticleSums> sums(static_cast<std::size_t>(e.blocks()));
  particle_sums_.resize(sums.size());
  launcher_->for_each_line("sum particles", e.blocks(),
                           SumParticles{e.view(), center_theta, center_velocity, particle_sums_.data()});
  launcher_->download(particle_sums_.data(), sums.size(), sums.data());
  return sums;
}

template <class Launcher>
void BackendOps<Launcher>::download_particles(const Ensemble& ensemble, std::span<double> theta,
                                              std::span<double> velocity) {
  launcher_->begin_apart();
  const DeviceEnsemble& e = device(ensemble);
  require_size(theta.size(), e.range().count);
  require_size(velocity.size(), e.range().count);
  launcher_->download(e.theta.data(), e.range().count, theta.data());
  launcher_->download(e.velocity.data(), e.range().count, velocity.data());
}

}  // namespace underdamp
