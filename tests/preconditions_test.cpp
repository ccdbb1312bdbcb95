#include <array>
#include <limits>

#include "meshes/error.hpp"
#include "test_support.hpp"

/// What operations need of their arguments is looked at in every build, and what does not fit is refused before any
/// memory is touched.
namespace underdamp {
namespace {

using testing::bumpy_density;

PhaseMesh mesh_of(int planes, int theta_cells, int velocity_cells) {
  return PhaseMesh(std::vector<PhasePlane>(static_cast<std::size_t>(planes),
                                           PhasePlane{{-1.0, 1.0, theta_cells}, {-2.0, 2.0, velocity_cells}}));
}

VelocityLaw law_of(const PhaseMesh& mesh) {
  const auto lines = static_cast<std::size_t>(mesh.shape().lines());
  return {std::vector<double>(static_cast<std::size_t>(mesh.planes()), 0.9), std::vector<double>(lines, 0.01),
          std::vector<double>(lines, 0.1)};
}

class Preconditions : public testing::DeviceTest {
 protected:
  void SetUp() override {
    testing::DeviceTest::SetUp();
    if (!backend_) return;
    field_ = made(mesh_);
    other_ = made(mesh_);
    narrow_ = made(narrow_mesh_);
    stranger_ = testing::make_device(GetParam());
    foreign_ = stranger_->fields().allocate(mesh_.shape());
    velocity_ = backend_->sweeps().plan_velocity(mesh_, law_of(mesh_));
    drift_ = backend_->sweeps().plan_drift(mesh_, duration_);
    narrow_velocity_ = backend_->sweeps().plan_velocity(narrow_mesh_, law_of(narrow_mesh_));
    narrow_drift_ = backend_->sweeps().plan_drift(narrow_mesh_, duration_);
  }

  std::unique_ptr<Field> made(const PhaseMesh& mesh) const {
    auto field = backend_->fields().allocate(mesh.shape());
    backend_->fields().upload(bumpy_density(mesh, 1), *field);
    return field;
  }

  /// That `operation` is refused as bad input, with a message that contains `text`.
  template <class Operation>
  void expect_refused(const char* text, const Operation& operation) const {
    const auto before = values_of(*field_);
    try {
      operation();
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
    EXPECT_FIELDS_NEAR(values_of(*field_), before, 0.0);
  }

  std::vector<double> values_of(const Field& field) const {
    std::vector<double> values(field.shape().cells());
    backend_->fields().download(field, values);
    return values;
  }

  static constexpr const char* shapes = "fields of different shapes";
  static constexpr const char* length = "a list of the wrong length";
  static constexpr const char* plans = "the plan of an operation is for fields of another shape";
  static constexpr const char* makers = "what another backend has made";

  PhaseMesh mesh_ = mesh_of(2, 20, 24);
  PhaseMesh narrow_mesh_ = mesh_of(2, 20, 16);
  std::vector<double> duration_{0.1, 0.1};
  std::unique_ptr<Backend> stranger_;
  std::unique_ptr<Field> field_, other_, narrow_, foreign_;
  std::unique_ptr<VelocityPlan> velocity_, narrow_velocity_;
  std::unique_ptr<DriftPlan> drift_, narrow_drift_;
};

TEST_P(Preconditions, Transfers) {
  std::vector<double> values(mesh_.shape().cells());
  const std::span<double> all(values);
  expect_refused(length, [&] { backend_->fields().upload(all.first(values.size() - 1), *field_); });
  expect_refused(length, [&] { backend_->fields().download(*field_, all.first(values.size() - 1)); });
  expect_refused(length, [&] { backend_->fields().download(*narrow_, all); });
  const std::size_t plane = values.size() / 2;
  EXPECT_NO_THROW(backend_->fields().download_planes(*field_, 1, 1, all.first(plane)));
  expect_refused(length, [&] { backend_->fields().download_planes(*field_, 0, 1, all); });
  expect_refused("no such planes", [&] { backend_->fields().download_planes(*field_, 2, 1, all.first(plane)); });
  expect_refused("no such planes", [&] { backend_->fields().download_planes(*field_, -1, 1, all.first(plane)); });
  expect_refused("no such planes",
                 [&] { backend_->fields().download_planes(*field_, 1, std::numeric_limits<int>::max(), all); });
  expect_refused(shapes, [&] { backend_->fields().copy(*narrow_, *field_); });
  expect_refused(shapes, [&] { backend_->fields().copy(*field_, *narrow_); });
  expect_refused("does not fit", [&] { backend_->fields().restore_departed(all.first(7), *field_); });
  expect_refused("a field needs cells", [&] { static_cast<void>(backend_->fields().allocate({1, 0, 20})); });
}

TEST_P(Preconditions, Sweeps) {
  const Positivity limit = Positivity::limit;
  expect_refused(plans, [&] { backend_->sweeps().drift(*field_, *narrow_drift_, limit); });
  expect_refused(plans, [&] { backend_->sweeps().velocity(*field_, *field_, *narrow_velocity_, limit); });
  expect_refused(plans, [&] { backend_->sweeps().drift_velocity(*field_, *narrow_drift_, *velocity_, limit); });
  expect_refused(plans, [&] { backend_->sweeps().drift_velocity(*field_, *drift_, *narrow_velocity_, limit); });
  expect_refused(shapes, [&] { backend_->sweeps().velocity(*narrow_, *field_, *velocity_, limit); });
  EXPECT_NO_THROW(backend_->sweeps().velocity(*field_, *other_, *velocity_, limit));
  const std::vector<double> one{0.1};
  expect_refused(length, [&] { static_cast<void>(backend_->sweeps().plan_drift(mesh_, one)); });
  for (const auto member : {&VelocityLaw::contraction, &VelocityLaw::kick, &VelocityLaw::variance}) {
    VelocityLaw law = law_of(mesh_);
    (law.*member).pop_back();
    expect_refused(length, [&] { static_cast<void>(backend_->sweeps().plan_velocity(mesh_, law)); });
  }
  expect_refused("needs operations", [&] { static_cast<void>(backend_->sweeps().make_sequence({})); });
}

TEST_P(Preconditions, Combinations) {
  std::vector<const Field*> levels(7, other_.get());
  std::vector<Field*> written(7, other_.get());
  const std::vector<double> seven(7, 1.0);
  const std::span<const double> numbers(seven);
  const auto norm = [&](std::size_t count, std::size_t coefficients) {
    static_cast<void>(
        backend_->reductions().combination_norm(std::span(levels).first(count), numbers.first(coefficients)));
  };
  EXPECT_NO_THROW(norm(6, 6));
  expect_refused("from one to six levels", [&] { norm(7, 7); });
  expect_refused("from one to six levels", [&] { norm(0, 0); });
  expect_refused(length, [&] { norm(2, 3); });
  levels[1] = narrow_.get();
  expect_refused(shapes, [&] { norm(2, 2); });

  const auto error = made(mesh_);
  const auto extrapolate = [&](std::size_t count, std::size_t a, std::size_t d, std::size_t scale, Field& to,
                               Field& difference) {
    backend_->sweeps().extrapolate(mesh_, std::span(written).first(count), numbers.first(a), numbers.first(d),
                                   numbers.first(scale), difference, to, Positivity::limit);
  };
  expect_refused("from one to six levels", [&] { extrapolate(7, 7, 7, 2, *field_, *error); });
  expect_refused("from one to six levels", [&] { extrapolate(0, 0, 0, 2, *field_, *error); });
  expect_refused(length, [&] { extrapolate(2, 1, 2, 2, *field_, *error); });
  expect_refused(length, [&] { extrapolate(2, 2, 3, 2, *field_, *error); });
  expect_refused(length, [&] { extrapolate(2, 2, 2, 1, *field_, *error); });
  expect_refused(shapes, [&] { extrapolate(2, 2, 2, 2, *narrow_, *error); });
  expect_refused(shapes, [&] { extrapolate(2, 2, 2, 2, *field_, *narrow_); });
  written[1] = narrow_.get();
  expect_refused(shapes, [&] { extrapolate(2, 2, 2, 2, *field_, *error); });
}

TEST_P(Preconditions, Sums) {
  const std::vector<double> two(2, 1.0);
  const std::vector<double> lines(40, 1.0);
  expect_refused(length, [&] { backend_->fields().absorb_created(*field_, std::span(two).first(1)); });
  const auto sum = [&](const PhaseMesh& mesh, std::span<const double> friction, std::span<const double> diffusion) {
    const auto plan = backend_->reductions().plan_row_sums(mesh, {{}, {{RowTerm(0)}}}, {friction, diffusion, 0.0});
    static_cast<void>(backend_->reductions().sum_rows(*field_, *plan));
  };
  EXPECT_NO_THROW(sum(mesh_, two, lines));
  EXPECT_NO_THROW(sum(mesh_, {}, {}));
  expect_refused(plans, [&] { sum(narrow_mesh_, {}, {}); });
  expect_refused(length, [&] { sum(mesh_, std::span(two).first(1), lines); });
  expect_refused(length, [&] { sum(mesh_, {}, lines); });
  expect_refused(length, [&] { sum(mesh_, two, std::span(lines).first(39)); });
  expect_refused(shapes, [&] { static_cast<void>(backend_->reductions().line_moments(narrow_mesh_, *field_)); });
  const auto moments = [&](const PhaseMesh& mesh, std::size_t count) {
    const std::vector<std::array<double, 3>> factors(count);
    const auto plan = backend_->reductions().plan_moments(mesh, {{factors}});
    static_cast<void>(backend_->reductions().sum_moments(*field_, *plan));
  };
  EXPECT_NO_THROW(moments(mesh_, 40));
  expect_refused(plans, [&] { moments(narrow_mesh_, 40); });
  expect_refused(length, [&] { moments(mesh_, 39); });
  expect_refused("a law of moments needs a sum",
                 [&] { static_cast<void>(backend_->reductions().plan_moments(mesh_, {})); });
}

TEST_P(Preconditions, Generators) {
  const std::vector<double> two(2, 1.0);
  const std::vector<double> lines(40, 1.0);
  const auto plan = [&](std::span<const double> friction, std::span<const double> force,
                        std::span<const double> diffusion) {
    return backend_->generators().plan_generator(mesh_, {friction, force, diffusion});
  };
  expect_refused(length, [&] { static_cast<void>(plan(lines, lines, lines)); });
  expect_refused(length, [&] { static_cast<void>(plan(two, two, lines)); });
  expect_refused(length, [&] { static_cast<void>(plan(two, lines, {})); });
  const auto generator = plan(two, lines, lines);
  EXPECT_NO_THROW(backend_->generators().apply_generator(*generator, *field_, *other_));
  expect_refused("where it reads", [&] { backend_->generators().apply_generator(*generator, *field_, *field_); });
  expect_refused(shapes, [&] { backend_->generators().apply_generator(*generator, *field_, *narrow_); });
  const auto narrow = made(narrow_mesh_);
  expect_refused(plans, [&] { backend_->generators().apply_generator(*generator, *narrow_, *narrow); });
  const auto currents = [&](const Field& density, int plane) {
    static_cast<void>(backend_->generators().cell_currents(*generator, density, plane, {.theta = true}, 1.0));
  };
  EXPECT_NO_THROW(currents(*field_, 1));
  expect_refused(plans, [&] { currents(*narrow_, 0); });
  for (const int plane : {-1, 2}) expect_refused("of a plane that there is not", [&] { currents(*field_, plane); });
}

TEST_P(Preconditions, Matrices) {
  SparseMatrix identity;
  for (int k = 0; k <= 960; ++k) identity.row_begin.push_back(k);
  for (int k = 0; k < 960; ++k) identity.column.push_back(k);
  identity.value.assign(960, 1.0);
  SparseMatrix broken = identity;
  broken.value.pop_back();
  expect_refused(length, [&] { static_cast<void>(backend_->generators().plan_matrix(broken)); });
  expect_refused("the end of its last row", [&] { static_cast<void>(backend_->generators().plan_matrix({})); });
  const auto plan = backend_->generators().plan_matrix(identity);
  EXPECT_NO_THROW(backend_->generators().multiply(*plan, *field_, *other_));
  expect_refused("fields of as many cells", [&] { backend_->generators().multiply(*plan, *field_, *narrow_); });
  expect_refused("fields of as many cells", [&] { backend_->generators().multiply(*plan, *narrow_, *field_); });
  expect_refused("where it reads", [&] { backend_->generators().multiply(*plan, *field_, *field_); });
}

TEST_P(Preconditions, Particles) {
  const auto ensemble = backend_->particles().allocate_ensemble(600);
  const PhasePlane& plane = mesh_.plane(0);
  backend_->particles().sample_gaussian(*ensemble, {1, 0, 0, 600}, {});
  expect_refused("to its capacity", [&] { backend_->particles().sample_gaussian(*ensemble, {1, 0, 0, 1025}, {}); });
  const GridStart start{std::vector<double>(480, 1.0), std::vector<double>(480, 0.0), std::vector<double>(480, 0.0)};
  EXPECT_NO_THROW(backend_->particles().sample_grid(*ensemble, {1, 0, 0, 600}, plane, start));
  for (const auto member : {&GridStart::cumulative, &GridStart::slope_theta, &GridStart::slope_velocity}) {
    GridStart shorter = start;
    (shorter.*member).pop_back();
    expect_refused(length, [&] { backend_->particles().sample_grid(*ensemble, {1, 0, 0, 600}, plane, shorter); });
  }
  std::vector<std::uint64_t> counts(480);
  expect_refused(length, [&] { backend_->particles().count_particles(*ensemble, plane, counts); });
  std::vector<double> values(600);
  expect_refused(length,
                 [&] { backend_->particles().download_particles(*ensemble, std::span(values).first(599), values); });
  expect_refused(length,
                 [&] { backend_->particles().download_particles(*ensemble, values, std::span(values).first(599)); });
  ParticleTable table = make_particle_table(-1.0, 1.0, std::vector<double>(5, 0.0), std::vector<double>(5, 1.0));
  table.coefficients.pop_back();
  expect_refused(length, [&] {
    static_cast<void>(
        backend_->particles().plan_particles(splitting_law(1.0, 0.1), table, plane.theta, ThetaBoundary::open));
  });
}

TEST_P(Preconditions, WhatAnotherBackendHasMade) {
  const Positivity limit = Positivity::limit;
  std::vector<double> values(mesh_.shape().cells());
  expect_refused(makers, [&] { backend_->fields().upload(values, *foreign_); });
  expect_refused(makers, [&] { backend_->fields().download(*foreign_, values); });
  expect_refused(makers, [&] { backend_->fields().copy(*foreign_, *field_); });
  expect_refused(makers, [&] { backend_->fields().copy(*field_, *foreign_); });
  expect_refused(makers, [&] { backend_->fields().fill_zero(*foreign_); });
  expect_refused(makers, [&] { backend_->sweeps().drift(*foreign_, *drift_, limit); });
  expect_refused(makers, [&] { backend_->sweeps().velocity(*foreign_, *field_, *velocity_, limit); });
  expect_refused(makers, [&] { static_cast<void>(backend_->fields().departed_parts(*foreign_)); });
  expect_refused(makers, [&] { static_cast<void>(backend_->reductions().sum_columns(mesh_, *foreign_)); });
  const auto row_sums = backend_->reductions().plan_row_sums(mesh_, {{}, {{RowTerm(0)}}});
  expect_refused("a row sum names no such factor", [&] {
    static_cast<void>(backend_->reductions().plan_row_sums(mesh_, {{}, {{RowTerm(0, 0)}}}));
  });
  expect_refused("a line has no such quantity", [&] {
    static_cast<void>(backend_->reductions().plan_row_sums(mesh_, {{}, {{RowTerm(5)}}}));
  });
  expect_refused("a row sum needs a term", [&] {
    static_cast<void>(backend_->reductions().plan_row_sums(mesh_, {{}, {{}}}));
  });
  const auto strange_sums = stranger_->reductions().plan_row_sums(mesh_, {{}, {{RowTerm(0)}}});
  expect_refused(makers, [&] { static_cast<void>(backend_->reductions().sum_rows(*foreign_, *row_sums)); });
  const MomentLaw law{{std::vector<std::array<double, 3>>(40)}};
  const auto moments = backend_->reductions().plan_moments(mesh_, law);
  const auto strange_moments = stranger_->reductions().plan_moments(mesh_, law);
  expect_refused(makers, [&] { static_cast<void>(backend_->reductions().sum_moments(*foreign_, *moments)); });
  expect_refused(makers, [&] { static_cast<void>(backend_->reductions().sum_moments(*field_, *strange_moments)); });
  expect_refused(makers, [&] { static_cast<void>(backend_->reductions().sum_shapes(*foreign_, *row_sums)); });
  expect_refused(makers, [&] { static_cast<void>(backend_->reductions().sum_shapes(*field_, *strange_sums)); });
  expect_refused(makers, [&] { static_cast<void>(backend_->reductions().sum_planes(mesh_, *foreign_)); });
  const std::array<const Field*, 1> one{foreign_.get()};
  const std::array<double, 1> unit{1.0};
  expect_refused(makers, [&] { static_cast<void>(backend_->reductions().combination_norm(one, unit)); });
  const auto drift = stranger_->sweeps().plan_drift(mesh_, duration_);
  const auto velocity = stranger_->sweeps().plan_velocity(mesh_, law_of(mesh_));
  expect_refused(makers, [&] { backend_->sweeps().drift(*field_, *drift, limit); });
  expect_refused(makers, [&] { backend_->sweeps().velocity(*field_, *field_, *velocity, limit); });
  const auto sequence = stranger_->sweeps().make_sequence([] {});
  expect_refused(makers, [&] { backend_->sweeps().replay(*sequence); });
  const auto ensemble = stranger_->particles().allocate_ensemble(10);
  expect_refused(makers, [&] { backend_->particles().sample_gaussian(*ensemble, {1, 0, 0, 10}, {}); });
}

INSTANTIATE_TEST_SUITE_P(Devices, Preconditions, ::testing::Values("host", "emulated", "cuda"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace underdamp
