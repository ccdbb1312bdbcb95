#include "solver/particles/ensemble.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/host/host_backend.hpp"
#include "meshes/error.hpp"
#include "solver/spec/spec_reader.hpp"
#include "test_support.hpp"

/// Particles against evolved densities. Every comparison is judged at `default_false_alarm` = 1e-6; seeds are fixed, so
/// that a comparison that passes once passes always.
namespace underdamp {
namespace {

const std::string source = UNDERDAMP_SOURCE_FOLDER;

/// Density and particles of one plane at the end of a spec, both by Strang steps of the same length (or by the SGD
/// map).
class Case {
 public:
  Case(Spec spec, int plane, double particles) : p_(plane), backend_(make_host_backend()) {
    // A symmetric velocity box, so that a density can be reversed cell by cell.
    const PlaneBox box = choose_box(spec, Model(spec), plane);
    const double widest = std::max(std::abs(box.velocity.lower), std::abs(box.velocity.upper));
    spec.grid.velocity = Interval{-widest, widest};
    simulation_ = std::make_unique<Simulation>(spec, *backend_);
    options_ = ensemble_options(spec, model(), mesh(), p_);
    options_.particles = static_cast<std::uint64_t>(particles);
  }

  const Model& model() const { return simulation_->model(); }
  const PhaseMesh& mesh() const { return simulation_->mesh(); }
  const PhasePlane& plane() const { return mesh().plane(p_); }
  EnsembleOptions& options() { return options_; }

  template <class Change>
  std::vector<double> density(Change&& change) const {
    Tables tables = simulation_->tables().only(p_);
    change(tables);
    const Spec& spec = simulation_->spec();
    IntegratorOptions options;
    options.step = spec.evolve->step;
    options.tolerance = spec.evolve->tolerance;
    Integrator integrator(*backend_, mesh().only(p_), tables, options);
    integrator.start(initial_density(spec, model(), mesh(), p_));
    integrator.advance(spec.evolve->until, [](double) {});
    std::vector<double> values(integrator.density().shape().cells());
    backend_->fields().download(integrator.density(), values);
    return values;
  }
  std::vector<double> density() const {
    return density([](Tables&) {});
  }

  ParticleSample sample() const {
    const std::vector<double> times{simulation_->spec().evolve->until};
    const ParticleStart start = particle_start(simulation_->spec(), model(), mesh(), p_);
    return run_ensemble(*backend_, model(), mesh(), p_, start, options_, times, [](double) {}).front();
  }

  SampleComparison compared(const std::vector<double>& density, const ParticleSample& sample) const {
    return compare(plane(), mesh().walls(), density, sample);
  }

 private:
  int p_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Simulation> simulation_;
  EnsembleOptions options_;
};

std::vector<double> reversed(const Case& one, std::vector<double> density) {
  const auto columns = one.plane().velocity.cells;
  for (auto row = density.begin(); row != density.end(); row += columns) std::reverse(row, row + columns);
  return density;
}

/// Prints what a failure should say.
std::string text(const SampleComparison& c) {
  return "p " + std::to_string(c.p_value) + ", G " + std::to_string(c.g.statistic) + " on " +
         std::to_string(c.g.degrees) + ", L1 " + std::to_string(c.l1.value) + " expected " +
         std::to_string(c.l1.expected) + ", z " + std::to_string(c.z[0]) + " " + std::to_string(c.z[1]) + " " +
         std::to_string(c.z[2]) + " " + std::to_string(c.z[3]) + " " + std::to_string(c.z[4]);
}

/// Right density: not rejected. Friction or noise off by 2 %, velocities reversed: rejected.
void expect_right_and_not_wrong(const Case& one) {
  const ParticleSample sample = one.sample();
  const auto right = one.density();
  const SampleComparison agreement = one.compared(right, sample);
  EXPECT_GE(agreement.p_value, default_false_alarm) << text(agreement);
  EXPECT_LE(agreement.l1.value, agreement.l1.expected + 5.3 * agreement.l1.deviation) << text(agreement);
  const auto rejected = [&](const char* what, const std::vector<double>& density) {
    const SampleComparison c = one.compared(density, sample);
    EXPECT_LT(c.p_value, default_false_alarm) << what << ": " << text(c);
  };
  rejected("friction", one.density([](Tables& t) { t.friction[0] *= 1.02; }));
  rejected("noise", one.density([](Tables& t) {
    for (double& d : t.diffusion) d *= 1.02;
  }));
  rejected("velocity", reversed(one, right));
}

Spec fixed(const std::string& file, double until, double step, int cells) {
  Spec spec = read_spec(source + file);
  spec.evolve->until = until;
  spec.evolve->steps.reset();
  spec.evolve->step = step;
  spec.grid.cells = {cells, cells};
  return spec;
}

TEST(Ensemble, OscillatorAgrees) {
  expect_right_and_not_wrong(Case(fixed("/examples/oscillator.toml", 2.0, 0.1, 128), 0, 1e6));
}

TEST(Ensemble, DoubleWellAgrees) {
  expect_right_and_not_wrong(Case(fixed("/validation/cases/double-well.toml", 5.0, 0.1, 128), 0, 1e6));
}

TEST(Ensemble, DigitsSliceAgrees) {
  expect_right_and_not_wrong(Case(fixed("/examples/digits-slice.toml", 2.0, 0.05, 160), 0, 1e6));
}

TEST(Ensemble, DiabetesModesAgree) {
  for (const int mode : {1, 4, 10}) {
    Spec spec = fixed("/examples/diabetes.toml", 2.0, 0.05, 96);
    spec.loss.modes = {mode};
    spec.initial.mean = {{0.0, 0.0}};
    SCOPED_TRACE(mode);
    expect_right_and_not_wrong(Case(spec, 0, 1e6));
  }
}

// Other starts, walls and integrators.

void expect_agreement(const Case& one) {
  const ParticleSample sample = one.sample();
  const SampleComparison c = one.compared(one.density(), sample);
  EXPECT_GE(c.p_value, default_false_alarm) << text(c);
}

TEST(Ensemble, PeriodicAndReflectingWalls) {
  Spec spec = fixed("/validation/cases/pendulum.toml", 3.0, 0.1, 96);
  for (const ThetaBoundary boundary : {ThetaBoundary::periodic, ThetaBoundary::reflecting}) {
    spec.grid.walls = boundary;
    expect_agreement(Case(spec, 0, 3e5));
    const Case one(spec, 0, 3e5);
    const SampleComparison wrong = one.compared(reversed(one, one.density()), one.sample());
    EXPECT_LT(wrong.p_value, default_false_alarm);
  }
}

TEST(Ensemble, TheMapAgreesWithItsDensity) {
  // dynamics = "sgd": particles by the map agree; with 2 % more noise, or with Langevin particles, they do not.
  Spec spec = read_spec(source + "/examples/sgd-vs-langevin.toml");
  spec.evolve->steps = 20;
  spec.evolve->until = 20.0;
  spec.grid.cells = {128, 128};
  Case one(spec, 0, 1e6);
  EXPECT_EQ(one.options().integrator, EnsembleIntegrator::sgd);
  const ParticleSample sample = one.sample();
  const auto density = one.density();
  const SampleComparison c = one.compared(density, sample);
  EXPECT_GE(c.p_value, default_false_alarm) << text(c);
  const auto wrong = one.density([](Tables& t) {
    for (double& variance : t.step_variance) variance *= 1.02;
  });
  EXPECT_LT(one.compared(wrong, sample).p_value, default_false_alarm);
  one.options().integrator = EnsembleIntegrator::splitting;
  one.options().step = 0.2;
  EXPECT_LT(one.compared(density, one.sample()).p_value, default_false_alarm);
}

TEST(Ensemble, DefaultStepIsShortEnough) {
  // Particles at the step of their own choice against a density without error in time; a step five times as long is
  // seen.
  Spec spec = read_spec(source + "/examples/oscillator.toml");
  spec.evolve->until = 3.0;
  spec.grid.cells = {128, 128};
  Case one(spec, 0, 3e5);
  one.options().step = default_step(one.model(), one.mesh(), 0, EnsembleIntegrator::splitting, 3e5);
  const auto density = one.density();
  const SampleComparison short_enough = one.compared(density, one.sample());
  EXPECT_GE(short_enough.p_value, 1e-3) << text(short_enough);
  one.options().step *= 8.0;
  EXPECT_LT(one.compared(density, one.sample()).p_value, default_false_alarm);
}

TEST(Ensemble, DefaultStepSeesParticlesThatAWallThrowsBack) {
  // No curvature anywhere: the time between two bounces, 2 v/F, is all there is.
  const Spec spec = testing::spec_from(
      "[langevin]\nfriction = 0.3\ntemperature = 0.5\n[loss]\nkind = \"expression\"\nformula = \"x\"\n"
      "[grid]\ntheta = [0.0, 12.0]\nvelocity = [-5.0, 5.0]\ntheta_boundary = \"reflecting\"\ncells = [240, 96]\n"
      "[initial]\nkind = \"gaussian\"\nmean = [1.5, 0.0]\ncovariance = [[0.04, 0.0], [0.0, 0.5]]\n"
      "[evolve]\nuntil = 6.0\n");
  Case one(spec, 0, 1e5);
  one.options().step = default_step(one.model(), one.mesh(), 0, EnsembleIntegrator::splitting, 1e5);
  EXPECT_LE(one.options().step, 0.3 * std::sqrt(0.5));  // 2 before
  const SampleComparison c = one.compared(one.density(), one.sample());
  EXPECT_GE(c.p_value, 1e-3) << text(c);
}

TEST(Ensemble, EulerMaruyamaAgreesAtShortSteps) {
  Spec spec = read_spec(source + "/validation/cases/scaled-oscillator.toml");
  spec.evolve->until = 1.0;
  spec.grid.cells = {96, 96};
  Case one(spec, 0, 1e5);
  one.options().integrator = EnsembleIntegrator::euler;
  one.options().step = default_step(one.model(), one.mesh(), 0, EnsembleIntegrator::euler, 1e5);
  const auto density = one.density();
  const SampleComparison c = one.compared(density, one.sample());
  EXPECT_GE(c.p_value, default_false_alarm) << text(c);
  one.options().step = 0.05;
  EXPECT_LT(one.compared(density, one.sample()).p_value, default_false_alarm);
}

TEST(Ensemble, UniformStart) {
  Spec spec = fixed("/validation/cases/anharmonic.toml", 2.0, 0.1, 128);
  spec.initial = {};
  spec.initial.kind = InitialKind::uniform;
  spec.initial.theta = Interval{-0.5, 1.0};
  spec.initial.velocity = Interval{-1.0, 0.5};
  spec.grid.theta = Interval{-4.0, 3.5};
  spec.grid.velocity = Interval{-6.0, 6.0};
  expect_agreement(Case(spec, 0, 3e5));
}

TEST(Ensemble, StartFromAGriddedDensity) {
  // Four cells per standard deviation, four million particles: drawn with cell averages and slopes they cannot be told
  // from the Gaussian. Drawn flat within cells of weight P h_θ h_v they are h²/12, half a per cent, too wide.
  const auto backend = make_host_backend();
  Spec spec = read_spec(source + "/validation/cases/scaled-oscillator.toml");
  spec.initial.mean = {{0.3, 0.0}};
  spec.initial.covariance = {{{{1.0, 0.0}, {0.0, 1.0}}}};
  spec.grid.cells = {56, 56};
  spec.grid.theta = Interval{-6.7, 7.3};
  spec.grid.velocity = Interval{-7.0, 7.0};
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  const auto density = initial_density(spec, model, mesh, 0);
  const auto compared = [&](const ParticleStart& start) {
    auto ensemble = backend->particles().allocate_ensemble(4'000'000);
    backend->particles().sample_grid(*ensemble, {3, 0, 0, 4'000'000}, mesh.plane(0), *start.grid);
    ParticleSample sample;
    sample.counts.assign(density.size() + 1, 0);
    backend->particles().count_particles(*ensemble, mesh.plane(0), sample.counts);
    sample.moments = particle_moments(backend->particles().sum_particles(*ensemble, 0.0, 0.0), 0.0, 0.0, 4e6);
    return compare(mesh.plane(0), ThetaBoundary::open, density, sample);
  };
  const SampleComparison right = compared(particle_start(mesh.plane(0), ThetaBoundary::open, density));
  EXPECT_GE(right.p_value, default_false_alarm) << text(right);
  GridStart flat;
  double sum = 0.0;
  for (const double p : density) flat.cumulative.push_back(sum += p * mesh.plane(0).cell_area());
  flat.slope_theta.assign(density.size(), 0.0);
  flat.slope_velocity.assign(density.size(), 0.0);
  const SampleComparison crude = compared({std::nullopt, flat});
  EXPECT_LT(crude.p_value, default_false_alarm) << text(crude);
  EXPECT_NEAR(crude.z[2], 0.25 * 0.25 / 12.0 * std::sqrt(4e6 / 2.0), 5.0);
}

TEST(Ensemble, StartsFollowTheSpec) {
  Spec spec = read_spec(source + "/validation/cases/scaled-oscillator.toml");
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  // Covariance [[0.5, 0.1], [0.1, 0.6]]: factor √0.5, 0.1/√0.5, √(0.6 − 0.02).
  const GaussianStart gaussian = *particle_start(spec, model, mesh, 0).gaussian;
  EXPECT_EQ(gaussian.mean[0], 1.5);
  EXPECT_NEAR(gaussian.factor[0], std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(gaussian.factor[1], 0.1 / std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(gaussian.factor[2], std::sqrt(0.58), 1e-15);
  spec.initial = {};
  const GaussianStart stationary = *particle_start(spec, model, mesh, 0).gaussian;
  EXPECT_EQ(stationary.mean[0], 0.0);
  EXPECT_NEAR(stationary.factor[2], 1.0, 1e-12);
}

// Reproducibility.

TEST(Ensemble, ADegenerateStartIsALine) {
  // θ and v are one number: rounding may leave a variance across of less than 0.
  Spec spec = testing::spec_from(
      "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\nkind = \"quadratic\"\n[noise]\nkind "
      "= "
      "\"isotropic\"\nsigma2 = 1.0\n[grid]\ncells = [64, 64]\n[initial]\nkind = \"gaussian\"\nmean = [0.1, 0.0]\n"
      "[evolve]\nuntil = 1\n");
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  for (int k = 1; k <= 100; ++k) {
    const double a = 0.01 * k;
    const double b = 0.3 + 0.007 * k;
    spec.initial.covariance = {{{{a * a, a * b}, {a * b, b * b}}}};
    const GaussianStart start = *particle_start(spec, model, mesh, 0).gaussian;
    EXPECT_NEAR(start.factor[0], a, 1e-15);
    EXPECT_NEAR(start.factor[1], b, 1e-14);
    EXPECT_LE(start.factor[2], 1e-7) << k;  // and NaN fails
  }
  const GaussianStart point = gaussian_start({0.2, 0.3}, {});
  EXPECT_EQ(point.factor[0] + point.factor[1] + point.factor[2], 0.0);
}

TEST(Ensemble, TheSameBitsForEveryChunk) {
  Case one(fixed("/validation/cases/double-well.toml", 1.0, 0.1, 64), 0, 5000);
  one.options().particles = 5000;
  const ParticleSample whole = one.sample();
  for (const std::uint64_t chunk : {1, 512, 1000, 4096, 100'000}) {
    one.options().chunk = chunk;
    const ParticleSample part = one.sample();
    EXPECT_EQ(part.counts, whole.counts) << chunk;
    EXPECT_EQ(part.moments.mean, whole.moments.mean) << chunk;
    EXPECT_EQ(part.moments.covariance, whole.moments.covariance) << chunk;
    EXPECT_EQ(part.moments.covariance_error, whole.moments.covariance_error) << chunk;
  }
  one.options().seed = 2;
  EXPECT_NE(one.sample().counts, whole.counts);
}

TEST(Ensemble, StopsOnTheWayChangeNothing) {
  // Sampling at half time as well: the same steps, the same numbers.
  const auto backend = make_host_backend();
  Spec spec = fixed("/validation/cases/double-well.toml", 1.0, 0.1, 64);
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  const ParticleStart start = particle_start(spec, model, mesh, 0);
  EnsembleOptions options = ensemble_options(spec, model, mesh, 0);
  options.particles = 3000;
  EXPECT_EQ(options.step, 0.1);
  const auto at = [&](const std::vector<double>& times) {
    return run_ensemble(*backend, model, mesh, 0, start, options, times, [](double) {});
  };
  const auto both = at({0.5, 1.0});
  EXPECT_EQ(both[1].counts, at({1.0})[0].counts);
  EXPECT_EQ(both[0].counts, at({0.5})[0].counts);
  EXPECT_NE(both[0].counts, both[1].counts);
}

TEST(Ensemble, ADeviceIsADevice) {
  // The emulated GPU counts the same particles into the same cells, but for those that rounding moves over an edge.
  const auto host = make_host_backend();
  const auto device = testing::make_device("emulated");
  const Spec spec = fixed("/validation/cases/double-well.toml", 1.0, 0.1, 64);
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  EnsembleOptions options = ensemble_options(spec, model, mesh, 0);
  options.particles = 3000;
  const auto on = [&](Backend& backend) {
    const std::vector<double> times{1.0};
    return run_ensemble(backend, model, mesh, 0, particle_start(spec, model, mesh, 0), options, times,
                        [](double) {})[0];
  };
  const ParticleSample here = on(*host);
  const ParticleSample there = on(*device);
  std::uint64_t moved = 0;
  for (std::size_t c = 0; c < here.counts.size(); ++c)
    moved += here.counts[c] > there.counts[c] ? here.counts[c] - there.counts[c] : 0;
  EXPECT_LE(moved, 1U);
  EXPECT_NEAR(here.moments.covariance[0], there.moments.covariance[0], 1e-12);
}

TEST(Ensemble, RefusesWhatItCannotDo) {
  const auto backend = make_host_backend();
  const Spec spec = fixed("/validation/cases/double-well.toml", 1.0, 0.1, 64);
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  const ParticleStart start = particle_start(spec, model, mesh, 0);
  EnsembleOptions options = ensemble_options(spec, model, mesh, 0);
  const auto run = [&](const std::vector<double>& times) {
    static_cast<void>(run_ensemble(*backend, model, mesh, 0, start, options, times, [](double) {}));
  };
  EXPECT_THROW(run({1.0, 0.5}), Error);
  EXPECT_THROW(run({0.0}), Error);
  options.step = 0.0;
  EXPECT_THROW(run({1.0}), Error);
  options.step = 1e-12;
  EXPECT_THROW(run({1.0}), Error);
  EXPECT_THROW(static_cast<void>(particle_start(mesh.plane(0), ThetaBoundary::open, std::vector<double>(64 * 64, 0.0))),
               Error);
  options.step = 0.1;
  options.particles = 100'000;
  struct Stop {};
  const std::vector<double> times{1.0};
  EXPECT_THROW(run_ensemble(*backend, model, mesh, 0, start, options, times, [](double) { throw Stop{}; }), Stop);
}

}  // namespace
}  // namespace underdamp
