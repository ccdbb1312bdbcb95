#include "solver/ensemble.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/host/host_backend.hpp"
#include "meshes/error.hpp"
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
    backend_->download(integrator.density(), values);
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
    return compare(plane(), mesh().boundary(), density, sample);
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

}  // namespace
}  // namespace underdamp
