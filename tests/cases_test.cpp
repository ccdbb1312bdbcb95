#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include "kernels/host/host_backend.hpp"
#include "meshes/error.hpp"
#include "solver/displacement/displacement.hpp"
#include "solver/model/box.hpp"
#include "solver/model/initial_state.hpp"
#include "solver/run/run.hpp"
#include "test_support.hpp"
#include "validation/displacement_answers.hpp"

/// Specs that failed in use, and what is right (closed forms; else from particles or a converged solution of another
/// kind). None may be worse than it says.
namespace underdamp {
namespace {

/// Where a value stands in summary.json, what it is, and how far off it may be.
struct Answer {
  const char* pointer;
  double value;
  double tolerance;
};

struct Case {
  const char* name;
  const char* spec;
  std::vector<Answer> answers;
  std::vector<std::string> warnings;  ///< parts of them, in order; each one must be expected
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

constexpr const char* escape_top = R"(
[langevin]
friction = 0.5
temperature = 0.08
[loss]
kind = "expression"
formula = "x^2/2 - x^3/3"
[grid]
theta = [-2.0, 1.0]
velocity = [-2.2, 2.2]
[initial]
kind = "gaussian"
mean = [0.0, 0.0]
covariance = [[0.01, 0.0], [0.0, 0.08]]
[evolve]
until = 40.0
tolerance = 1e-3
)";

constexpr const char* escape_box = R"(
[langevin]
friction = 0.5
temperature = 0.2
[loss]
kind = "expression"
formula = "x^2/2 - x^3/3"
[grid]
theta = [-3.0, 1.0]
cells = [96, 96]
[initial]
kind = "gaussian"
mean = [0.0, 0.0]
covariance = [[0.05, 0.0], [0.0, 0.2]]
[evolve]
until = 4.0
tolerance = 1e-3
)";

constexpr const char* quartic = R"(
[langevin]
friction = 0.5
temperature = 1e-4
[loss]
kind = "expression"
formula = "x^4/4"
[evolve]
until = 1.0
)";

constexpr const char* flat_mirrors = R"(
[langevin]
friction = 1.0
temperature = 0.5
[loss]
kind = "quadratic"
hessian = 0.0
[grid]
theta = [0.0, 2.0]
theta_boundary = "reflecting"
velocity = [-5.0, 5.0]
cells = [128, 96]
[initial]
kind = "gaussian"
mean = [0.8, 0.0]
covariance = [[0.01, 0.0], [0.0, 0.5]]
[evolve]
until = 60.0
)";

class Cases : public ::testing::TestWithParam<Case> {};

TEST_P(Cases, AreRight) {
  const Case& one = GetParam();
  const testing::TemporaryDirectory folder;
  const auto backend = make_host_backend();
  RunOptions options;
  options.output = folder.path() / "out";
  options.quiet = true;
  const RunResult result = run(testing::spec_from(one.spec), *backend, options);
  for (const Answer& answer : one.answers) {
    const double found = result.summary.at(Json::json_pointer(answer.pointer)).get<double>();
    EXPECT_LE(std::abs(found - answer.value), answer.tolerance) << answer.pointer << ": " << found;
  }
  const Json& warnings = result.summary.at("warnings");
  for (std::size_t k = 0; k < warnings.size(); ++k) {
    const auto text = warnings[k].get<std::string>();
    EXPECT_TRUE(k < one.warnings.size() && text.find(one.warnings[k]) != std::string::npos) << text;
  }
  EXPECT_EQ(warnings.size(), one.warnings.size());
}

INSTANTIATE_TEST_SUITE_P(
    All, Cases,
    ::testing::Values(
        // 4e5 particles at a step of 0.01 that end at the wall: 0.5366 ± 0.0008.
        Case{"EscapeOverTheTop",
             escape_top,
             {{"/mass", 0.5366, 3e-3}, {"/leak/theta_min", 0.0, 1e-6}},
             {"left for good through theta_max = 1, where the loss holds nothing"}},
        Case{"EscapeFromAnAutomaticBox",
             escape_box,
             {{"/box/velocity/1", 3.1, 2.0}, {"/leak/v_max", 0.0, 1e-8}},
             {"of the start lies outside the box", "left for good through theta_max = 1"}},
        // Gibbs: E x² = 2 √T Γ(3/4)/Γ(1/4).
        Case{"AQuarticStartsAsWideAsItsWell",
             quartic,
             {{"/derived/std_theta", 0.0822180, 1e-6}, {"/mass", 1.0, 1e-9}},
             {}},
        Case{"FlatBetweenMirrors",
             flat_mirrors,
             {{"/mean/0", 1.0, 1e-4}, {"/covariance/0/0", 1.0 / 3.0, 1e-4}, {"/covariance/1/1", 0.5, 1e-6}},
             {}}),
    [](const auto& instance) { return std::string(instance.param.name); });

/// A stationary state: what it is, and what it says of its own error.
struct StationaryAnswer {
  const char* value;
  const char* error;  ///< of that; empty: none is stated
  double right;
  double tolerance;
};

struct StationaryCase {
  const char* name;
  std::string spec;
  std::vector<StationaryAnswer> answers;
};

void PrintTo(const StationaryCase& one, std::ostream* out) {
  *out << one.name;
}

class StationaryCases : public ::testing::TestWithParam<StationaryCase> {};

TEST_P(StationaryCases, AreRightAndSayHowRight) {
  const testing::TemporaryDirectory folder;
  const auto backend = make_host_backend();
  RunOptions options;
  options.output = folder.path() / "out";
  options.quiet = true;
  const RunResult result = run(testing::spec_from(GetParam().spec), *backend, options);
  const auto number = [&](const char* pointer) {
    return result.summary.at("stationary").at(Json::json_pointer(pointer)).get<double>();
  };
  EXPECT_TRUE(result.summary.at("stationary").at("converged").get<bool>());
  for (const StationaryAnswer& answer : GetParam().answers) {
    const double wrong = std::abs(number(answer.value) - answer.right);
    EXPECT_LE(wrong, answer.tolerance) << answer.value << ": " << number(answer.value);
    const double stated = *answer.error != '\0' ? number(answer.error) : answer.tolerance;
    EXPECT_LE(wrong, 2.0 * stated + 1e-12) << answer.value;
  }
}

std::string stationary_case(double friction, double temperature, const char* loss, const char* rest) {
  return "[langevin]\nfriction = " + std::to_string(friction) + "\ntemperature = " + std::to_string(temperature) +
         "\n[loss]\nkind = \"expression\"\nformula = \"" + loss + "\"\n" + rest;
}

constexpr const char* circle = R"(
[grid]
theta = ["-pi", "pi"]
theta_boundary = "periodic"
[stationary]
)";

INSTANTIATE_TEST_SUITE_P(
    All, StationaryCases,
    ::testing::Values(
        // Wells of 25 T: nothing crosses in 1e10 times.
        StationaryCase{"WellsThatNothingCrosses",
                       stationary_case(1.0, 1.0, "25*(x^2-1)^2", "[stationary]\nmodes = 2\n"),
                       {{"/mean/0", "/mean_error/0", 0.0, 1e-6}, {"/wells/0/probability", "", 0.5, 1e-6}}},
        // exp(−x/T): E x = Std x = T.
        StationaryCase{"ASlopeBetweenMirrors",
                       stationary_case(0.3, 0.5, "x",
                                       "[grid]\ntheta = [0.0, 12.0]\ntheta_boundary = \"reflecting\"\n"
                                       "cells = [128, 64]\n[stationary]\nmodes = 0\n"),
                       {{"/mean/0", "/mean_error/0", 0.5, 1e-5},
                        {"/mean/1", "/mean_error/1", 0.0, 1e-8},
                        {"/covariance/0/0", "/covariance_error/0/0", 0.25, 1e-5},
                        {"/covariance/1/1", "/covariance_error/1/1", 0.5, 1e-6}}},
        // exp(−2|x|): E x² = 0.5.
        StationaryCase{"AKinkedLoss",
                       stationary_case(0.5, 0.5, "abs(x)", "[stationary]\nmodes = 0\n"),
                       {{"/covariance/0/0", "/covariance_error/0/0", 0.5, 2e-3},
                        {"/covariance/1/1", "/covariance_error/1/1", 0.5, 2e-3}}},
        // Hermite functions times Fourier series, converged to 1e-10.
        StationaryCase{"ATiltedWashboard",
                       stationary_case(0.5, 0.5, "-cos(x)-0.5*x", circle),
                       {{"/mean/1", "/mean_error/1", 0.2627893377, 1e-8}}},
        StationaryCase{"ARunningState",
                       stationary_case(0.5, 0.5, "-cos(x)-1.5*x", circle),
                       {{"/mean/1", "/mean_error/1", 2.9643876447, 1e-8}}},
        // λ = −γ/2 ± i √(1 − γ²/4)
        StationaryCase{"HardlyAnyDamping",
                       "[langevin]\nfriction = 1e-4\ntemperature = 0.1\n[loss]\nkind = \"quadratic\"\n[stationary]\n",
                       {{"/eigenvalues/0/0", "/eigenvalue_errors/0", -5e-5, 1e-7},
                        {"/eigenvalues/0/1", "/eigenvalue_errors/0", 1.0, 1e-7},
                        {"/covariance/1/1", "/covariance_error/1/1", 0.1, 1e-7}}}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(Cases, AGridThatResolvesNothingIsRefused) {
  const testing::TemporaryDirectory folder;
  const auto backend = make_host_backend();
  RunOptions options;
  options.output = folder.path() / "out";
  options.quiet = true;
  const Spec spec =
      testing::spec_from(stationary_case(1.0, 0.2, "x^2/2+0.5*cos(8*x)", "[grid]\ncells = [40, 40]\n[stationary]\n"));
  EXPECT_THROW(run(spec, *backend, options), Error);
}

TEST(Cases, ARestartFromItsOwnPictureLosesNothing) {
  const testing::TemporaryDirectory folder;
  const auto backend = make_host_backend();
  const std::string model =
      "[langevin]\nfriction = 1.0\ntemperature = 0.1\n[loss]\nkind = \"expression\"\nformula = \"(x^2 - 1)^2/4\"\n";
  const std::string evolve = "[evolve]\nuntil = 0.5\n[output]\nprecision = \"float64\"\n";
  RunOptions options;
  options.quiet = true;
  options.output = folder.path() / "first";
  const std::string box = "[grid]\nvelocity = [-2.5, 2.5]\ncells = [96, 96]\ntheta = ";
  run(testing::spec_from(model + box + "[-2.2, 2.2]\n" + evolve), *backend, options);
  const std::string file =
      "[initial]\nkind = \"file\"\nfile = \"" + (folder.path() / "first/density_0001.vti").string() + "\"\n";
  options.output = folder.path() / "second";
  const RunResult same = run(testing::spec_from(model + box + "[-2.2, 2.2]\n" + file + evolve), *backend, options);
  EXPECT_EQ(same.summary.at("warnings").size(), 0U) << same.summary.at("warnings");
}

/// A Gaussian as a file, half of which lies beyond θ = 0, or beyond the end of a circle.
TEST(Cases, WhatOfAFileLiesOutsideIsSaid) {
  const testing::TemporaryDirectory folder;
  const auto file = folder.path() / "start.csv";
  std::ofstream stream(file);
  stream << "theta,v,density\n";
  for (int i = -40; i <= 40; ++i) {
    for (int j = -40; j <= 40; ++j)
      stream << 0.1 * i << "," << 0.1 * j << "," << std::exp(-3.0 * 0.01 * (i * i + j * j)) << "\n";
  }
  stream.close();
  for (const std::string walls : {"open", "periodic"}) {
    const Spec spec = testing::spec_from(
        "[langevin]\nfriction = 1.0\ntemperature = 0.5\n[loss]\nkind = \"expression\"\nformula = \"-cos(2*pi*x/4)\"\n"
        "[grid]\ntheta = [-4.0, 0.0]\nvelocity = [-7.0, 7.0]\ntheta_boundary = \"" +
        walls + "\"\n[initial]\nkind = \"file\"\nfile = \"" + file.string() + "\"\n[evolve]\nuntil = 1.0\n");
    const Model model(spec);
    EXPECT_NEAR(start_share_outside(spec, model, make_mesh(spec, model), 0), 0.5, 1e-4) << walls;
  }
}

TEST(Cases, StartsWrapAroundACircle) {
  // The minimum, and the start with it, is the seam of the circle: only half of it was taken to lie in the box.
  const Spec spec = testing::spec_from(
      "[langevin]\nfriction = 0.5\ntemperature = 0.5\n[loss]\nkind = \"expression\"\nformula = \"cos(x)\"\n[grid]\n"
      "theta = [\"-pi\", \"pi\"]\ntheta_boundary = \"periodic\"\ncells = [64, 64]\n[evolve]\nuntil = 1.0\n");
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  EXPECT_LE(start_share_outside(spec, model, mesh, 0), 1e-8);
  const auto density = initial_density(spec, model, mesh, 0);
  const auto near_seam = [&](std::size_t row) { return density[row * 64 + 31]; };
  EXPECT_GT(near_seam(0), 100.0 * near_seam(32));
  for (std::size_t row = 0; row < 32; ++row) EXPECT_NEAR(near_seam(row) / near_seam(63 - row), 1.0, 1e-5) << row;
}

TEST(Cases, AStiffModeHasItsDisplacement) {
  // ζ = 0.0011: "not finite" before. Four hundred periods of it, long enough to blow up.
  const auto backend = make_host_backend();
  Displacement d(testing::spec_from("[optimizer]\nlearning_rate = 0.01\nmomentum = 0.9\nbatch_size = 64\n[loss]\n"
                                    "kind = \"spectrum\"\neigenvalues = [2e5]\n"
                                    "[noise]\nkind = \"hessian\"\nsigma2 = 1.0\n"
                                    "[grid]\ncells = [96, 96]\n[displacement]\nuntil = 0.5\n"),
                 *backend);
  d.solve([](double) {});
  for (const double t : d.times())
    EXPECT_NEAR(d.mode(0, t).displacement / exact_mode(d, 0, t).displacement, 1.0, 3e-6) << t;
}

}  // namespace
}  // namespace underdamp
