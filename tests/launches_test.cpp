#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "emulated_device.hpp"
#include "test_support.hpp"

/// Every launch that kernels/operations/ contains is one that the emulated GPU has carried out.
namespace underdamp {
namespace {

namespace fs = std::filesystem;

/// Names of launches in a source.
std::set<std::string> launches_in(const std::string& text) {
  static const std::regex pattern(
      "for_each_(?:line|bundle|block|column_group|column|segment|value|result)\\(\\s*\"([^\"]+)\"");
  std::set<std::string> names;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), pattern); match != std::sregex_iterator(); ++match)
    names.insert((*match)[1]);
  return names;
}

std::set<std::string> launches_of_operations() {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(fs::path(UNDERDAMP_SOURCE_FOLDER) / "kernels" / "operations")) {
    std::ifstream stream(entry.path());
    std::stringstream text;
    text << stream.rdbuf();
    names.merge(launches_in(text.str()));
  }
  return names;
}

class Tour {
 public:
  void walk(const ThetaWalls& walls) {
    const PhaseMesh mesh(std::vector<PhasePlane>{{{0.0, 2.0, 40}, {-3.0, 3.0, 24}}}, walls);
    const auto lines = static_cast<std::size_t>(mesh.shape().lines());
    const auto field = backend_->fields().allocate(mesh.shape());
    const auto other = backend_->fields().allocate(mesh.shape());
    backend_->fields().upload(testing::bumpy_density(mesh, 3), *field);
    backend_->fields().copy(*field, *other);
    sweep(mesh, *field, *other);
    reduce(mesh, *field);
    const std::vector<double> one{1.0};
    const std::vector<double> coefficients(lines, 0.5);
    const auto generator = backend_->generators().plan_generator(mesh, {one, coefficients, coefficients});
    backend_->generators().apply_generator(*generator, *field, *other);
    static_cast<void>(backend_->generators().cell_currents(*generator, *field, 0, {true, true, true, true}, 0.5));
  }

  void cross_several_parameters() {
    const PhaseBox box{{{-1.0, 1.0, 8}, {-1.0, 1.0, 9}}, {{-1.0, 1.0, 8}, {-1.0, 1.0, 8}}};
    const PhaseSpace space({box});
    const auto lines = static_cast<std::size_t>(space.shape().lines());
    const auto field = backend_->fields().allocate(space.shape());
    const BlockVelocityLaw law{{0.9}, std::vector<double>(2 * lines, 0.01), std::vector<double>(3 * lines, 0.001)};
    const std::vector<double> duration{0.02};
    const auto drift = backend_->sweeps().plan_drift(space, duration);
    const auto velocity = backend_->sweeps().plan_velocity(space, law);
    backend_->sweeps().drift_velocity(*field, *drift, *velocity, Positivity::none);
    backend_->sweeps().filter(space, *field);
    const std::array<const Field*, 1> one{field.get()};
    backend_->sweeps().combine(one, std::array{2.0}, *field);
    backend_->sweeps().clip(*field);
    static_cast<void>(backend_->fields().departed(*field));
    PhaseSumOperations& sums = backend_->phase_sums();
    const auto plan = sums.plan_block_sums(space, {{std::vector<double>(64, 1.0)}, {}, {{RowTerm(0)}}});
    static_cast<void>(sums.sum_blocks(*field, *plan));
    const auto projection = sums.plan_projection(space, {{0, 2}, {0, 63}, {1.0, 2.0}});
    static_cast<void>(sums.project_blocks(*field, *projection));
    const std::vector<std::vector<double>> weights(1, std::vector<double>(lines, 1.0));
    static_cast<void>(sums.weighted_columns(*field, weights));
  }

  void follow_particles() {
    const PhasePlane plane{{-1.0, 1.0, 16}, {-1.0, 1.0, 16}};
    const std::vector<double> values(5, 1.0);
    const auto ensemble = backend_->particles().allocate_ensemble(100);
    const ParticleRange range{1, 0, 0, 100};
    const auto plan = backend_->particles().plan_particles(
        splitting_law(1.0, 0.1), make_particle_table(-1.0, 1.0, values, values), plane.theta, ThetaBoundary::open);
    std::vector<double> cumulative;
    for (int c = 1; c <= 256; ++c) cumulative.push_back(c / 256.0);
    const std::vector<double> flat(256, 0.0);
    backend_->particles().sample_grid(*ensemble, range, plane, {cumulative, flat, flat});
    backend_->particles().sample_gaussian(*ensemble, range, {});
    backend_->particles().advance_particles(*ensemble, *plan, 0, 2);
    std::vector<std::uint64_t> counts(257, 0);
    backend_->particles().count_particles(*ensemble, plane, counts);
    static_cast<void>(backend_->particles().sum_particles(*ensemble, 0.0, 0.0));
  }

 private:
  void sweep(const PhaseMesh& mesh, Field& field, Field& other) {
    const auto lines = static_cast<std::size_t>(mesh.shape().lines());
    const std::vector<double> duration{0.02};
    const VelocityLaw law{{0.9}, std::vector<double>(lines, 0.01), std::vector<double>(lines, 0.1)};
    const auto drift = backend_->sweeps().plan_drift(mesh, duration);
    const auto velocity = backend_->sweeps().plan_velocity(mesh, law);
    backend_->sweeps().drift(field, *drift, Positivity::limit);
    backend_->sweeps().velocity(field, other, *velocity, Positivity::limit);
    const auto error = backend_->fields().allocate(mesh.shape());
    const std::array<Field*, 2> levels{&field, &other};
    const std::array<double, 2> combination{-1.0, 2.0};
    const std::array<double, 2> difference{-1.0, 1.0};
    const std::array<double, 1> scale{1.0};
    const auto density = backend_->fields().allocate(mesh.shape());
    backend_->sweeps().extrapolate(mesh, levels, combination, difference, scale, *error, *density, Positivity::limit);
    backend_->fields().absorb_created(*density, scale);
    backend_->fields().copy(*density, field);
  }

  void reduce(const PhaseMesh& mesh, const Field& field) {
    ReductionOperations& reductions = backend_->reductions();
    const std::array<const Field*, 1> one{&field};
    static_cast<void>(reductions.combination_norm(one, std::array{1.0}));
    static_cast<void>(reductions.line_moments(mesh, field));
    static_cast<void>(reductions.sum_columns(mesh, field));
    static_cast<void>(reductions.sum_planes(mesh, field));
    const auto plan = reductions.plan_row_sums(mesh, {{}, {{RowTerm(0)}}});
    static_cast<void>(reductions.sum_rows(field, *plan));
    static_cast<void>(reductions.sum_shapes(field, *plan));
    const std::vector<std::array<double, 3>> factors(static_cast<std::size_t>(mesh.shape().lines()));
    const auto moments = reductions.plan_moments(mesh, {{factors}});
    static_cast<void>(reductions.sum_moments(field, *moments));
    static_cast<void>(backend_->fields().departed(field));
  }

  std::unique_ptr<Backend> backend_ = testing::make_emulated_backend();
};

TEST(Launches, AllAreCarriedOutByTheEmulatedDevice) {
  const auto named = launches_of_operations();
  ASSERT_GE(named.size(), 25U);
  EXPECT_TRUE(testing::emulated_launches().empty());
  Tour tour;
  ThetaWalls pressed = ThetaBoundary::reflecting;
  pressed.lower_pressed = pressed.upper_pressed = true;
  for (const ThetaWalls& walls : {ThetaWalls(ThetaBoundary::reflecting), pressed}) tour.walk(walls);
  tour.cross_several_parameters();
  tour.follow_particles();
  for (const std::string& name : named) EXPECT_EQ(testing::emulated_launches().count(name), 1U) << name;
}

TEST(Launches, AreFoundInASource) {
  EXPECT_EQ(launches_in("launcher_->for_each_line(\n   \"a b\", n, body); l.for_each_value(\"c\", 1, body)"
                        "l.for_each_result(\"d\", 1, body)"),
            (std::set<std::string>{"a b", "c", "d"}));
}

}  // namespace
}  // namespace underdamp
