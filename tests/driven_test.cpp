#include <cmath>

#include "kernels/host/host_backend.hpp"
#include "solver/run/run.hpp"
#include "solver/run/summary.hpp"
#include "solver/stationary/driven_state.hpp"
#include "test_support.hpp"
#include "validation/circle_solution.hpp"
#include "validation/exact_answers.hpp"

/// Circles around which a mean force drives (Risken, The Fokker-Planck Equation, chapter 11).
namespace underdamp {
namespace {

using testing::spec_from;

struct Pendulum {
  double friction;
  double temperature;
  double force;
  std::string text(const std::string& more = "") const {
    return "[langevin]\nfriction = " + std::to_string(friction) + "\ntemperature = " + std::to_string(temperature) +
           "\n[loss]\nkind = \"expression\"\nformula = \"-cos(x) - " + std::to_string(force) +
           "*x\"\n[grid]\ntheta = [\"-pi\", \"pi\"]\ntheta_boundary = \"periodic\"\n" + more;
  }
};

TEST(DrivenCircle, MeanVelocityOfTheTiltedWashboard) {
  // Matrix continued fractions, converged to 1e-12 (shared/cases).
  const auto backend = make_host_backend();
  for (const auto& [force, velocity] :
       {std::pair{0.5, 0.2627893376640}, {-0.5, -0.2627893376640}, {1.5, 2.9643876447}}) {
    const Simulation simulation(spec_from(Pendulum{0.5, 0.5, force}.text("[stationary]\n")), *backend);
    const StationaryState state = simulation.solve_stationary(0, [] {});
    ASSERT_TRUE(state.converged) << force;
    EXPECT_LE(state.box_error_estimate, 1e-9) << force;
    const auto driven =
        driven_state(simulation.model(), 0, simulation.mesh(), state.density, state.mean_error[1], true);
    ASSERT_TRUE(driven.has_value());
    const PowerBalance& power = driven->power;
    EXPECT_NEAR(power.mean_force, force, 1e-9);
    EXPECT_NEAR(power.mean_velocity, velocity, 2e-9);
    EXPECT_NEAR(power.mean_velocity, velocity, 2.0 * driven->mean_velocity_error + 1e-10);
    EXPECT_NEAR(driven->current, velocity / (2.0 * 3.14159265358979), 1e-9);
    EXPECT_NEAR(power.friction, power.noise + power.drive(), 1e-8);
    EXPECT_NEAR(*driven->entropy_production, force * velocity / 0.5, 1e-8);
    const Observables o = simulation.observe_density(0, state.density);
    EXPECT_NEAR(o.entropy_production, force * velocity / 0.5, 1e-6);
  }
}

TEST(DrivenCircle, TheBoxHoldsRunningAndLockedStates) {
  // Weak friction: both are there at once; strong friction; a force that nothing can hold; both senses.
  const auto backend = make_host_backend();
  for (const Pendulum& pendulum : {Pendulum{0.1, 0.1, 0.2}, {0.1, 0.3, -0.2}, {3.0, 0.5, 2.0}, {0.5, 0.2, 1.5}}) {
    const Simulation simulation(
        spec_from(pendulum.text("cells = [64, 96]\n[stationary]\nmethod = \"direct\"\nmodes = 1\n")), *backend);
    const StationaryState state = simulation.solve_stationary(0, [] {});
    EXPECT_LE(state.box_error_estimate, 1e-8) << pendulum.friction;
    const auto exact = circle_solution(simulation.model(), 0, simulation.mesh().plane(0));
    ASSERT_TRUE(exact.has_value()) << pendulum.friction;
    const double l1 = l1_error(simulation.mesh().plane(0), state.density, exact->density(simulation.mesh().plane(0)));
    EXPECT_LE(l1, 2.0 * state.total_error() + exact->density_error + 1e-8)
        << pendulum.friction << " " << pendulum.force;
  }
}

TEST(DrivenCircle, ABoxWithoutRestHoldsALevelRunningState) {
  // Nothing can rest on a slope without hollows: p is a Gaussian of v around F/γ.
  const auto backend = make_host_backend();
  const Simulation simulation(
      spec_from("[langevin]\nfriction = 1.0\ntemperature = 0.05\n[loss]\nkind = \"expression\"\nformula = "
                "\"-3*x\"\n[grid]\ntheta = [\"-pi\", \"pi\"]\ntheta_boundary = \"periodic\"\ncells = [48, "
                "96]\n[stationary]\nmodes = 0\n"),
      *backend);
  EXPECT_GT(simulation.mesh().plane(0).velocity.lower, 1.0);
  const StationaryState state = simulation.solve_stationary(0, [] {});
  ASSERT_TRUE(state.converged) << state.failure;
  const Observables o = simulation.observe_density(0, state.density);
  EXPECT_NEAR(o.mean[1], 3.0, 1e-7);
  EXPECT_NEAR(o.covariance[1][1], 0.05, 1e-7);
}

TEST(DrivenCircle, TheSummaryHasItsBalance) {
  const testing::TemporaryDirectory folder;
  const auto backend = make_host_backend();
  RunOptions options;
  options.output = folder.path() / "out";
  options.quiet = true;
  for (const double force : {0.5, 0.0}) {
    options.beginning = Beginning::restart;
    const std::string text = Pendulum{0.5, 0.5, force}.text("cells = [64, 64]\n[stationary]\nmodes = 0\n");
    const Json state = run(spec_from(text), *backend, options).summary["stationary"];
    ASSERT_EQ(state.contains("driven"), force > 0.0);
    if (!(force > 0.0)) continue;
    const Json driven = state["driven"];
    EXPECT_NEAR(driven["mean_velocity"].get<double>(), 0.26278934, 1e-6);
    EXPECT_NEAR(driven["friction_power"].get<double>(),
                driven["noise_power"].get<double>() + driven["driving_power"].get<double>(), 1e-5);
    EXPECT_NEAR(driven["entropy_production"].get<double>(), state["entropy_production"].get<double>(), 1e-4);
  }
}

TEST(DrivenCircle, TheMapHasACurrentAndAnotherBalance) {
  // E v = −E L'/(1 − β) for the map, and its running state is where that of its Langevin equation is.
  const std::string text =
      "dynamics = \"sgd\"\n[optimizer]\nlearning_rate = 0.1\nmomentum = 0.8\nbatch_size = 2\n[loss]\nkind = "
      "\"expression\"\nformula = \"-cos(x) - 2*x\"\n[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n[grid]\ntheta = "
      "[\"-pi\", \"pi\"]\ntheta_boundary = \"periodic\"\ncells = [64, 96]\n[stationary]\nmodes = 0\n";
  const testing::TemporaryDirectory folder;
  const auto backend = make_host_backend();
  RunOptions options;
  options.output = folder.path() / "out";
  options.quiet = true;
  const Json state = run(spec_from(text), *backend, options).summary["stationary"];
  EXPECT_LE(state["box_error_estimate"].get<double>(), 1e-8);
  EXPECT_NEAR(state["driven"]["mean_velocity"].get<double>(), 10.0, 1.0);
  EXPECT_TRUE(state["driven"].contains("current"));
  EXPECT_FALSE(state["driven"].contains("friction_power"));
}

TEST(DrivenCircle, PlanesOfABatchHaveTheirOwn) {
  const std::string text =
      "[langevin]\nfriction = 1.0\ntemperature = 0.5\n[loss]\nkind = \"spectrum\"\neigenvalues = [0.5, 0.2]\nformula = "
      "\"-cos(x) - h*x\"\n[grid]\ntheta = [\"-pi\", \"pi\"]\ntheta_boundary = \"periodic\"\ncells = [48, "
      "48]\n[stationary]\nmodes = 0\n";
  const testing::TemporaryDirectory folder;
  const auto backend = make_host_backend();
  RunOptions options;
  options.output = folder.path() / "out";
  options.quiet = true;
  const Json summary = run(spec_from(text), *backend, options).summary;
  const Json driven = summary["stationary"]["driven"];
  ASSERT_EQ(driven.size(), 2U);
  EXPECT_NEAR(driven[0]["mean_force"].get<double>(), 0.5, 1e-9);
  EXPECT_NEAR(PlaneSummaries(summary, {"mode_1", "mode_2"}).of(1)["stationary"]["driven"]["mean_force"].get<double>(),
              0.2, 1e-9);
}

TEST(DrivenCircle, ALevelCircleIsNotDriven) {
  const auto backend = make_host_backend();
  const Simulation simulation(spec_from(Pendulum{0.5, 0.5, 0.0}.text("[stationary]\n")), *backend);
  const StationaryState state = simulation.solve_stationary(0, [] {});
  EXPECT_FALSE(driven_state(simulation.model(), 0, simulation.mesh(), state.density, 0.0, true).has_value());
  EXPECT_NEAR(power_balance(simulation.model(), 0, simulation.mesh(), state.density).mean_velocity, 0.0, 1e-9);
}

TEST(CircleSolution, OfALevelCircleIsGibbs) {
  const Model model(spec_from(Pendulum{0.7, 0.4, 0.0}.text("[stationary]\n")));
  const double pi = 3.14159265358979323846;
  const PhasePlane plane{{-pi, pi, 64}, {-4.5, 4.5, 64}};
  const auto solution = circle_solution(model, 0, plane);
  ASSERT_TRUE(solution.has_value());
  EXPECT_NEAR(solution->mean_velocity(), 0.0, 1e-12);
  EXPECT_NEAR(solution->mean_square_velocity(), 0.4, 1e-10);
  EXPECT_LE(
      l1_error(plane, solution->density(plane), gibbs_density(model, 0, PhaseMesh({plane}, ThetaBoundary::periodic))),
      1e-9);
}

TEST(CircleSolution, KnowsContinuedFractionsAndNoiseThatVaries) {
  const double pi = 3.14159265358979323846;
  const Model tilted(spec_from(Pendulum{0.5, 0.5, 1.5}.text("[stationary]\n")));
  EXPECT_NEAR(circle_solution(tilted, 0, {{-pi, pi, 64}, {-5.0, 9.0, 64}})->mean_velocity(), 2.9643876447, 1e-9);
  // A hot side next to a slope pumps the parameter around (Büttiker, Landauer); γ E v² = E D all the same.
  const Model ratchet(
      spec_from("[langevin]\nfriction = 1.0\n[loss]\nkind = \"expression\"\nformula = \"-cos(x)\"\n[noise]\nkind = "
                "\"expression\"\nformula = \"0.5 + 0.3*sin(x)\"\n[grid]\ntheta = [\"-pi\", \"pi\"]\ntheta_boundary = "
                "\"periodic\"\n[stationary]\n"));
  const PhasePlane plane{{-pi, pi, 64}, {-8.0, 8.0, 128}};
  const auto solution = circle_solution(ratchet, 0, plane);
  ASSERT_TRUE(solution.has_value());
  EXPECT_GT(std::abs(solution->mean_velocity()), 1e-3);
  const PhaseMesh mesh({plane}, ThetaBoundary::periodic);
  const PowerBalance power = power_balance(ratchet, 0, mesh, solution->density(plane));
  EXPECT_NEAR(power.mean_velocity, solution->mean_velocity(), 1e-9);
  EXPECT_NEAR(power.friction, power.noise, 1e-8);
}

}  // namespace
}  // namespace underdamp
