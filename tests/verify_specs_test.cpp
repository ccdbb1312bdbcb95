#include <cctype>

#include <fmt/format.h>

#include "kernels/host/host_backend.hpp"
#include "test_support.hpp"
#include "validation/verify.hpp"
#include "validation/verify_stationary.hpp"

/// `verify` held against specs whose results are right, and against specs whose results are wrong: no false alarm, no
/// false pass. The grids are small; how wrong the wrong ones are is in docs/validation.md.
namespace underdamp {
namespace {

using testing::spec_from;
using Range = std::pair<const char*, const char*>;

std::string langevin(double friction, double temperature) {
  return fmt::format("[langevin]\nfriction = {}\ntemperature = {}\n", friction, temperature);
}
/// With a diffusion that depends on x.
std::string uneven(double friction, const char* diffusion) {
  return fmt::format("[langevin]\nfriction = {}\n[noise]\nkind = \"expression\"\nformula = \"{}\"\n", friction,
                     diffusion);
}
std::string map_of(double learning_rate, double momentum, double batch_size) {
  return fmt::format("dynamics = \"sgd\"\n[optimizer]\nlearning_rate = {}\nmomentum = {}\nbatch_size = {}\n",
                     learning_rate, momentum, batch_size);
}
const std::string isotropic = "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n";
const std::string parabola = "[loss]\nkind = \"quadratic\"\n";
std::string loss(const char* formula) {
  return fmt::format("[loss]\nkind = \"expression\"\nformula = \"{}\"\n", formula);
}
std::string grid(int theta, int velocity) {
  return fmt::format("[grid]\ncells = [{}, {}]\n", theta, velocity);
}
std::string theta(const Range& range, const char* boundary = "\"open\"") {
  return fmt::format("theta = [{}, {}]\ntheta_boundary = {}\n", range.first, range.second, boundary);
}
std::string velocity(const Range& range) {
  return fmt::format("velocity = [{}, {}]\n", range.first, range.second);
}
const std::string circle = theta({"\"-pi\"", "\"pi\""}, "\"periodic\"");
const char* const mirrors = "\"reflecting\"";
const char* const mirror_below = "[\"reflecting\", \"open\"]";
const char* const mirror_above = "[\"open\", \"reflecting\"]";
const std::string stationary = "[stationary]\nmodes = 2\n";
const std::string density_alone = "[stationary]\nmodes = 0\n";
std::string start(double mean, double variance, double velocity_variance) {
  return fmt::format("[initial]\nkind = \"gaussian\"\nmean = [{}, 0.0]\ncovariance = [[{}, 0.0], [0.0, {}]]\n", mean,
                     variance, velocity_variance);
}
std::string evolve(const char* how) {
  return fmt::format("[evolve]\n{}\n[ensemble]\nparticles = 20000\n{}", how, density_alone);
}
const std::string wide_start = start(1.0, 0.5, 1.0);
const char* const wells = "(x^2-1)^2/4";

struct Case {
  const char* name;
  std::string text;
};
void PrintTo(const Case& c, std::ostream* stream) {
  *stream << c.name;
}
std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

std::vector<Check> checks_of(const std::string& text) {
  static const auto backend = make_host_backend();
  return verify(spec_from(text), *backend, {});
}

// --- right ---------------------------------------------------------------------------------------------------------

class RightSpec : public ::testing::TestWithParam<Case> {};

TEST_P(RightSpec, Passes) {
  const auto checks = checks_of(GetParam().text);
  EXPECT_GE(checks.size(), 3U);
  for (const Check& check : checks) {
    EXPECT_FALSE(check.fails()) << check.quantity << ": computed " << check.computed << ", reference "
                                << check.reference << ", error " << check.error << ", tolerance " << check.tolerance
                                << ". " << check.note;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Line, RightSpec,
    ::testing::Values(
        Case{"oscillator", langevin(0.5, 1) + parabola + grid(64, 64) + stationary},
        Case{"strong friction", langevin(6, 1) + parabola + grid(64, 64) + stationary},
        Case{"weak friction", langevin(0.1, 1) + parabola + grid(64, 64) + stationary},
        Case{"critical", langevin(2, 1) + parabola + grid(64, 64) + stationary},
        Case{"far minimum", langevin(1, 0.3) + "[loss]\nkind = \"quadratic\"\nhessian = 2.0\nminimum = 50.0\n" +
                                grid(64, 64) + stationary},
        Case{"optimizer with decay",
             "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\nweight_decay = 0.1\n" + parabola +
                 isotropic + grid(64, 64) + stationary},
        Case{"noise on one side", uneven(1, "1+0.3*sin(x)") + parabola + grid(64, 64) + stationary},
        Case{"noise rises", uneven(1, "0.5*(1+0.05*x^2)") + parabola + grid(96, 96) + stationary},
        Case{"double well", langevin(1, 0.5) + loss(wells) + grid(64, 64) + stationary},
        Case{"unequal wells", langevin(1, 0.1) + loss("(x^2-1)^2/4+0.05*x") + grid(96, 96) + stationary},
        Case{"high barrier", langevin(1, 0.025) + loss(wells) + grid(160, 96) + density_alone},
        Case{"quartic", langevin(1, 0.5) + loss("x^4/4") + grid(64, 64) + stationary},
        Case{"quartic, tilted", langevin(0.7, 0.5) + loss("x^4/4-x") + grid(64, 64) + stationary},
        Case{"Toda", langevin(1, 0.5) + loss("exp(x)-x") + grid(96, 96) + stationary},
        Case{"triple well", langevin(1, 0.3) + loss("x^2*(x^2-1)^2+x^2/10") + grid(96, 96) + stationary},
        Case{"log cosh", langevin(1, 0.5) + loss("ln(cosh(x))") + grid(96, 96) + stationary},
        Case{"rippled bowl", langevin(1, 0.2) + loss("x^2/2+0.05*cos(6*x)") + grid(128, 64) + stationary},
        Case{"polynomial wells", std::string("[langevin]\nfriction = 0.4\ntemperature = 0.2\n[loss]\nkind = "
                                             "\"polynomial\"\ncoefficients = [0, 0.05, -0.5, 0, 0.25]\n") +
                                     grid(96, 96) + stationary},
        Case{"slight kink", langevin(1, 0.5) + loss("x^2/2+0.01*abs(x)") + grid(128, 64) + density_alone}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Walls, RightSpec,
    ::testing::Values(
        Case{"between mirrors, pressed",
             langevin(1, 0.5) + parabola + grid(40, 40) + theta({"-1", "1.5"}, mirrors) + stationary},
        Case{"slope on a mirror",
             langevin(1, 0.5) + loss("x") + grid(64, 40) + theta({"0", "10"}, mirrors) + stationary},
        Case{"level between mirrors",
             langevin(1, 0.5) + loss("0*x") + grid(64, 64) + theta({"-1", "1"}, mirrors) + stationary},
        Case{"half an oscillator",
             langevin(1, 1) + parabola + grid(192, 48) + theta({"0", "8"}, mirror_below) + stationary},
        Case{"half, pressed", langevin(1, 1) + "[loss]\nkind = \"quadratic\"\nminimum = 0.5\n" + grid(64, 64) +
                                  theta({"0", "8"}, mirror_below) + stationary},
        Case{"given box",
             langevin(1, 1) + parabola + grid(64, 64) + theta({"-8", "8"}) + velocity({"-8", "8"}) + stationary},
        Case{"wells between mirrors",
             langevin(1, 0.2) + loss(wells) + grid(48, 48) + theta({"-2.5", "2.5"}, mirrors) + stationary},
        Case{"pendulum", langevin(0.5, 0.5) + loss("-cos(x)") + grid(64, 64) + circle + stationary},
        Case{"level circle", langevin(0.5, 0.5) + loss("0*x") + grid(64, 64) + circle + stationary},
        Case{"tilted, locked", langevin(0.5, 0.5) + loss("-cos(x)-0.5*x") + grid(64, 64) + circle + stationary},
        Case{"tilted, running", langevin(0.5, 0.5) + loss("-cos(x)-1.5*x") + grid(64, 96) + circle + stationary},
        Case{"tilted down", langevin(1, 0.5) + loss("-cos(x)+0.7*x") + grid(64, 64) + circle + stationary},
        Case{"tilted, strong friction", langevin(4, 0.5) + loss("-cos(x)-0.5*x") + grid(64, 64) + circle + stationary},
        Case{"tilted, uneven noise",
             uneven(1, "0.5+0.2*sin(x)") + loss("-cos(x)-0.5*x") + grid(64, 64) + circle + stationary},
        Case{"ratchet of noise", uneven(1, "0.5+0.3*sin(x)") + loss("-cos(x)") + grid(64, 64) + circle + stationary},
        Case{"two wells on a circle", langevin(1, 0.3) + loss("-cos(2*x)-0.2*x") + grid(64, 64) + circle + stationary},
        Case{"tilted level", langevin(1, 0.5) + loss("-0.8*x") + grid(64, 64) + circle + stationary}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Map, RightSpec,
    ::testing::Values(
        Case{"map", map_of(0.1, 0.9, 8) + parabola + isotropic + grid(64, 64) + stationary},
        Case{"map, large steps", map_of(0.8, 0.8, 8) + parabola + isotropic + grid(96, 96) + stationary},
        Case{"map without momentum", map_of(0.3, 0, 8) + parabola + isotropic + grid(96, 96) + stationary},
        Case{"map in two wells", map_of(0.2, 0.8, 8) + loss(wells) + isotropic + grid(96, 96) + stationary},
        Case{"map, noise rises", map_of(0.1, 0.9, 8) + parabola +
                                     "[noise]\nkind = \"expression\"\nformula = \"1+0.2*x^2\"\n" + grid(64, 64) +
                                     stationary},
        Case{"map on a tilted circle",
             map_of(0.2, 0.8, 2) + loss("-cos(x)-0.5*x") + isotropic + grid(64, 64) + circle + stationary},
        Case{"map on a circle",
             map_of(0.2, 0.8, 2) + loss("-cos(x)") + isotropic + grid(64, 64) + circle + stationary}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Evolved, RightSpec,
    ::testing::Values(Case{"evolved", langevin(0.5, 1) + parabola + grid(64, 64) + wide_start + evolve("until = 3.0")},
                      Case{"evolved, fixed step", langevin(0.5, 1) + parabola + grid(64, 64) + wide_start +
                                                      evolve("until = 2.0\nstep = 0.01")},
                      Case{"evolved by the map", map_of(0.1, 0.9, 8) + parabola + isotropic + grid(64, 64) +
                                                     start(0.2, 0.03, 0.3) + evolve("steps = 40")},
                      Case{"evolved in wells", langevin(1, 0.5) + loss(wells) + grid(64, 64) + start(0.5, 0.3, 0.5) +
                                                   evolve("until = 2.0")},
                      Case{"evolved on a circle", langevin(0.5, 0.5) + loss("-cos(x)-0.5*x") + grid(64, 64) + circle +
                                                      start(0.0, 0.2, 0.5) + evolve("until = 2.0")},
                      Case{"evolved between mirrors", langevin(1, 0.5) + parabola + grid(40, 40) +
                                                          theta({"-1.5", "1.5"}, mirrors) + start(0.0, 0.04, 0.5) +
                                                          evolve("until = 2.0")}),
    name_of);

// --- wrong ---------------------------------------------------------------------------------------------------------

class WrongSpec : public ::testing::TestWithParam<Case> {};

TEST_P(WrongSpec, Fails) {
  EXPECT_FALSE(all_passed(checks_of(GetParam().text)));
}

INSTANTIATE_TEST_SUITE_P(
    CoarseGrid, WrongSpec,
    ::testing::Values(
        Case{"rippled, coarse", langevin(1, 0.2) + loss("x^2/2+0.5*cos(8*x)") + grid(40, 40) + stationary},
        Case{"oscillator, coarse", langevin(0.5, 1) + parabola + grid(18, 18) + stationary},
        Case{"weak friction, coarse", langevin(0.1, 1) + parabola + grid(20, 20) + stationary},
        Case{"wells, coarse", langevin(1, 0.1) + loss(wells) + grid(20, 20) + stationary},
        Case{"quartic, coarse", langevin(1, 0.5) + loss("x^4/4") + grid(16, 16) + stationary},
        Case{"few cells of v", langevin(0.5, 1) + parabola + grid(64, 18) + stationary},
        Case{"few cells of theta", langevin(0.5, 1) + parabola + grid(18, 64) + stationary},
        Case{"Toda, coarse", langevin(1, 0.5) + loss("exp(x)-x") + grid(24, 24) + stationary},
        Case{"triple well, coarse", langevin(1, 0.1) + loss("x^2*(x^2-1)^2+x^2/10") + grid(24, 24) + stationary},
        Case{"fast ripple", langevin(1, 0.2) + loss("x^2/2+0.1*cos(25*x)") + grid(48, 48) + stationary},
        Case{"noise, coarse", uneven(1, "1+0.8*sin(3*x)") + parabola + grid(20, 20) + stationary},
        Case{"pendulum, coarse", langevin(0.5, 0.1) + loss("-cos(x)") + grid(16, 16) + circle + stationary},
        Case{"tilted, coarse", langevin(0.5, 0.5) + loss("-cos(x)-0.5*x") + grid(16, 18) + circle + stationary},
        Case{"running, coarse", langevin(0.5, 0.1) + loss("-cos(x)-1.5*x") + grid(24, 32) + circle + stationary},
        Case{"fast ripple on a circle",
             langevin(0.5, 0.5) + loss("-cos(x)-0.5*cos(12*x)-0.5*x") + grid(24, 48) + circle + stationary},
        Case{"ratchet, coarse",
             uneven(1, "0.5+0.45*sin(3*x)") + loss("-cos(3*x)") + grid(18, 24) + circle + stationary},
        Case{"map, coarse", map_of(0.1, 0.9, 8) + parabola + isotropic + grid(18, 18) + stationary},
        Case{"map, large steps, coarse", map_of(0.8, 0.8, 8) + parabola + isotropic + grid(24, 24) + stationary},
        Case{"map in wells, coarse", map_of(0.2, 0.8, 16) + loss(wells) + isotropic + grid(20, 20) + stationary},
        Case{"kink, coarse", langevin(1, 0.5) + loss("abs(x)") + grid(20, 20) + stationary},
        Case{"two slopes, coarse", langevin(1, 0.1) + loss("max(x, -3*x)") + grid(20, 20) + stationary},
        Case{"pressed, coarse", langevin(1, 0.2) + loss("x") + grid(18, 18) + theta({"0", "6"}, mirrors) + stationary},
        Case{"mirrors, coarse",
             langevin(1, 0.05) + parabola + grid(18, 18) + theta({"-1", "1.5"}, mirrors) + stationary}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    ShortBox, WrongSpec,
    ::testing::Values(
        Case{"theta cut", langevin(1, 1) + parabola + grid(64, 64) + theta({"-2", "2"}) + stationary},
        Case{"theta cut on one side", langevin(1, 1) + parabola + grid(64, 64) + theta({"-2.2", "7"}) + stationary},
        Case{"v cut", langevin(1, 1) + parabola + grid(64, 64) + velocity({"-2.2", "2.2"}) + stationary},
        Case{"v cut on one side", langevin(1, 1) + parabola + grid(64, 64) + velocity({"-7", "2.5"}) + stationary},
        Case{"wells cut", langevin(1, 0.5) + loss(wells) + grid(64, 64) + theta({"-1.6", "3"}) + stationary},
        Case{"a well left out", langevin(1, 0.01) + loss(wells) + grid(64, 64) + theta({"0.1", "1.8"}) + stationary},
        Case{"the deeper well left out",
             langevin(1, 0.01) + loss("(x^2-1)^2/4+0.02*x") + grid(64, 64) + theta({"0.1", "1.8"}) + stationary},
        Case{"a far well left out",
             langevin(1, 0.05) + loss("x^2*(x-6)^2/36") + grid(64, 64) + theta({"-2", "2.5"}) + stationary},
        Case{"running, v cut",
             langevin(0.5, 0.5) + loss("-cos(x)-1.5*x") + grid(64, 64) + circle + velocity({"-4", "4"}) + stationary},
        Case{"running, v cut above",
             langevin(0.5, 0.5) + loss("-cos(x)-1.5*x") + grid(64, 64) + circle + velocity({"-4", "5"}) + stationary},
        Case{"locked, v cut", langevin(0.5, 0.5) + loss("-cos(x)-0.5*x") + grid(64, 64) + circle +
                                  velocity({"-1.8", "2.5"}) + stationary},
        Case{"pendulum, v cut",
             langevin(0.5, 0.5) + loss("-cos(x)") + grid(64, 64) + circle + velocity({"-1.6", "1.6"}) + stationary},
        Case{"map, theta cut",
             map_of(0.1, 0.9, 8) + parabola + isotropic + grid(64, 64) + theta({"-0.4", "0.4"}) + stationary},
        Case{"slope, cut", langevin(1, 0.5) + loss("x") + grid(64, 64) + theta({"0", "2"}, mirror_below) + stationary}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    NoState, WrongSpec,
    ::testing::Values(
        Case{"a slope to the open", langevin(1, 0.5) + loss("x") + grid(64, 64) + theta({"0", "8"}, mirror_above) +
                                        velocity({"-5", "5"}) + stationary},
        Case{"over the top", langevin(0.5, 0.1) + loss("x^2/2-x^3/3") + grid(64, 64) + theta({"-1.5", "1.3"}) +
                                 velocity({"-2.5", "2.5"}) + stationary},
        Case{"level, open", langevin(1, 0.5) + loss("0.001*x^2") + grid(64, 64) + theta({"-1", "1"}) + stationary},
        Case{"wells that noise decides on", uneven(1, "0.01*(1+0.5*x^2)") + loss(wells) + grid(64, 64) + stationary},
        Case{"unequal wells that noise decides on",
             uneven(0.3, "0.004*(1+0.3*sin(x))") + loss("(x^2-1)^2/4+0.01*x") + grid(64, 64) + stationary}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Evolved, WrongSpec,
    ::testing::Values(
        Case{"evolved, coarse", langevin(0.5, 1) + parabola + grid(18, 18) + wide_start + evolve("until = 3.0")},
        Case{"evolved, narrow start",
             langevin(0.5, 1) + parabola + grid(48, 48) + start(1.0, 0.01, 0.01) + evolve("until = 0.5")},
        Case{"evolved, long step",
             langevin(0.5, 1) + parabola + grid(64, 64) + wide_start + evolve("until = 3.0\nstep = 1.0")},
        Case{"evolved, loose",
             langevin(0.5, 1) + parabola + grid(64, 64) + wide_start + evolve("until = 6.0\ntolerance = 0.1")},
        Case{"evolved, cut", langevin(0.5, 1) + parabola + grid(64, 64) + theta({"-2.5", "2.5"}) +
                                 velocity({"-2.5", "2.5"}) + start(1.0, 0.2, 0.2) + evolve("until = 3.0")},
        Case{"evolved by the map, coarse",
             map_of(0.1, 0.9, 8) + parabola + isotropic + grid(18, 18) + start(0.2, 0.03, 0.3) + evolve("steps = 40")},
        Case{"evolved in wells, coarse",
             langevin(1, 0.05) + loss(wells) + grid(20, 36) + start(0.5, 0.1, 0.1) + evolve("until = 2.0")}),
    name_of);

// --- a solver that is wrong ----------------------------------------------------------------------------------------

/// Right states, made wrong by a little that they do not report.
struct Tampered {
  std::shared_ptr<Simulation> simulation;
  StationaryState state;

  explicit Tampered(const std::string& text) {
    static const auto backend = make_host_backend();
    simulation = std::make_shared<Simulation>(spec_from(text), *backend, 1.0);
    state = simulation->solve_stationary(0, [] {});
  }
  bool passes() const { return all_passed(verify_stationary(*simulation, 0, state)); }

  /// Adds so much of p·shape(x, y), x and y in standard deviations of the linearised state.
  template <class Shape>
  Tampered& add(double amount, const Shape& shape) {
    const PhasePlane& plane = simulation->mesh().plane(0);
    const Derived d = simulation->model().derived(0);
    double mass = 0.0;
    std::size_t k = 0;
    for (int i = 0; i < plane.theta.cells; ++i) {
      for (int j = 0; j < plane.velocity.cells; ++j, ++k) {
        const double x = (plane.theta.center(i) - simulation->model().plane(0).minimum) / d.std_theta;
        state.density[k] *= 1.0 + amount * shape(x, plane.velocity.center(j) / d.std_v);
        mass += state.density[k] * plane.cell_area();
      }
    }
    for (double& value : state.density) value /= mass;
    return *this;
  }
};

class WrongSolver : public ::testing::TestWithParam<Case> {};

TEST_P(WrongSolver, IsNoticed) {
  const Tampered right(GetParam().text);
  ASSERT_TRUE(right.passes());
  const auto is_noticed = [&](const auto& shape) {
    Tampered wrong = right;
    return !wrong.add(1e-3, shape).passes();
  };
  EXPECT_TRUE(is_noticed([](double x, double) { return std::sin(x); })) << "shifted";
  EXPECT_TRUE(is_noticed([](double x, double) { return std::cos(x); })) << "narrower";
  EXPECT_TRUE(is_noticed([](double, double y) { return std::sin(y); })) << "moving";
  EXPECT_TRUE(is_noticed([](double, double y) { return std::cos(y); })) << "colder";
  EXPECT_TRUE(is_noticed([](double x, double y) { return std::sin(x) * std::sin(y); })) << "turned";
}

INSTANTIATE_TEST_SUITE_P(
    States, WrongSolver,
    ::testing::Values(
        Case{"oscillator", langevin(0.5, 1) + parabola + grid(64, 64) + stationary},
        Case{"wells", langevin(1, 0.5) + loss(wells) + grid(64, 64) + density_alone},
        Case{"uneven noise", uneven(1, "1+0.3*sin(x)") + parabola + grid(64, 64) + density_alone},
        Case{"pendulum", langevin(0.5, 0.5) + loss("-cos(x)") + grid(64, 64) + circle + density_alone},
        Case{"driven", langevin(0.5, 0.5) + loss("-cos(x)-0.5*x") + grid(64, 64) + circle + density_alone},
        Case{"map", map_of(0.1, 0.9, 8) + parabola + isotropic + grid(64, 64) + density_alone},
        Case{"map in wells", map_of(0.2, 0.8, 8) + loss(wells) + isotropic + grid(96, 96) + density_alone}),
    name_of);

TEST(WrongSolver, ErrorsThatAreNotReportedAreNoticed) {
  Tampered coarse(langevin(0.5, 1) + parabola + grid(24, 24) + stationary);
  coarse.state.error_estimate = coarse.state.space_error_estimate = coarse.state.box_error_estimate = 1e-9;
  EXPECT_FALSE(coarse.passes());
  Tampered unknown(langevin(0.5, 1) + parabola + grid(64, 64) + stationary);
  unknown.state.space_error_estimate = std::nan("");
  EXPECT_FALSE(unknown.passes());
}

TEST(WrongSolver, AWrongEigenvalueIsNoticed) {
  for (const std::size_t line : {0, 1}) {
    Tampered wrong(langevin(3, 1) + parabola + grid(64, 64) + stationary);
    ASSERT_TRUE(wrong.passes());
    wrong.state.spectrum[line].eigenvalue *= 1.0001;
    EXPECT_FALSE(wrong.passes()) << line;
  }
}

TEST(WrongSolver, OneThatSaysItDidNotConvergeIsJudgedByThatAlone) {
  Tampered wrong(langevin(0.5, 1) + parabola + grid(64, 64) + stationary);
  wrong.state.converged = false;
  wrong.state.failure = "because";
  const auto checks = verify_stationary(*wrong.simulation, 0, wrong.state);
  ASSERT_EQ(checks.size(), 1U);
  EXPECT_TRUE(checks[0].fails());
  EXPECT_NE(checks[0].note.find("because"), std::string::npos);
}

}  // namespace
}  // namespace underdamp
