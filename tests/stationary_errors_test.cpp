#include <algorithm>
#include <cmath>

#include "kernels/host/host_backend.hpp"
#include "meshes/error.hpp"
#include "solver/model/box.hpp"
#include "solver/model/wells.hpp"
#include "solver/stationary/grid_study.hpp"
#include "test_support.hpp"
#include "validation/exact_answers.hpp"

/// What a stationary state says of its own error, against exact answers.
namespace underdamp {
namespace {

using testing::spec_from;
using Complex = std::complex<double>;

struct Solved {
  std::unique_ptr<Simulation> simulation;
  StationaryState state;
  const PhaseMesh& mesh() const { return simulation->mesh(); }
  const Model& model() const { return simulation->model(); }
  /// L1 from the Gibbs density.
  double distance() const { return l1_error(mesh().plane(0), state.density, gibbs_density(model(), 0, mesh())); }
};

std::string langevin(double friction, double temperature, const std::string& loss) {
  return "[langevin]\nfriction = " + std::to_string(friction) + "\ntemperature = " + std::to_string(temperature) +
         "\n[loss]\nkind = \"expression\"\nformula = \"" + loss + "\"\n";
}

Solved solve(const std::string& text, int cells, const std::string& stationary = "", const std::string& grid = "") {
  static const auto backend = make_host_backend();
  const std::string n = std::to_string(cells);
  Solved solved;
  solved.simulation = std::make_unique<Simulation>(
      spec_from(text + "[grid]\ncells = [" + n + ", " + n + "]\n" + grid + "[stationary]\n" + stationary), *backend);
  solved.state = solved.simulation->solve_stationary(0, [] {});
  return solved;
}

/// Not NaN, at least half the truth and at most thirty times it; below `floor` rounding decides.
::testing::AssertionResult is_honest(double stated, double truth, double floor = 1e-10) {
  if (stated >= 0.5 * truth - floor && stated <= 30.0 * truth + floor) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "stated " << stated << ", true " << truth;
}

TEST(ExtrapolatedError, ByHand) {
  // Errors h⁴ and h² on grids of spacing 1, 4/3 and 2.
  const std::vector<double> spacing{1.0, 4.0 / 3.0, 2.0};
  for (const double order : {2.0, 4.0}) {
    const auto error = [&](std::size_t k) { return std::pow(spacing[k], order); };
    EXPECT_NEAR(extrapolated_error({error(1) - error(0), error(2) - error(1)}, spacing, 12.0), 1.0, 1e-9) << order;
  }
  // Two grids: first order.
  EXPECT_NEAR(extrapolated_error({0.1}, {1.0, 4.0 / 3.0}, 12.0), 0.3, 1e-12);
  // A difference that vanishes by chance says nothing: the other one at half as much again as the highest order,
  // 0.1/(2³ − (4/3)³).
  EXPECT_NEAR(extrapolated_error({0.0, 0.1}, spacing, 2.0), 0.1 / (8.0 - 64.0 / 27.0), 1e-9);
  EXPECT_TRUE(std::isnan(extrapolated_error({std::nan(""), 0.1}, spacing, 2.0)));
}

TEST(StationaryErrors, OfTheOscillatorAreHonest) {
  for (const double zeta : {1e-3, 0.02, 0.3, 1.0, 10.0}) {
    const Solved s = solve(
        "[langevin]\nfriction = " + std::to_string(2.0 * zeta) + "\ntemperature = 1.0\n[loss]\nkind = \"quadratic\"\n",
        96);
    ASSERT_TRUE(s.state.converged) << zeta << s.state.failure;
    EXPECT_TRUE(is_honest(s.state.total_error(), s.distance())) << zeta;
    ASSERT_GE(s.state.spectrum.size(), 2U) << zeta;
    const Complex exact = -zeta + std::sqrt(Complex(zeta * zeta - 1.0, 0.0));
    const SpectralLine& first = s.state.spectrum[0];
    EXPECT_LE(std::abs(first.eigenvalue - exact), 2.0 * first.error + 1e-12) << zeta;
    EXPECT_LE(first.error, 1e-4 * std::abs(exact)) << zeta;
    // Moments: E θ² = E v² = 1.
    const auto& c = s.state.covariance_error;
    EXPECT_GE(c[0][0], 0.0);
    EXPECT_LE(c[0][0], 1e-3);
  }
}

TEST(StationaryErrors, OfAGridThatIsTooCoarseFail) {
  const Solved s = solve(langevin(0.6, 1.0, "30*(x^2-1)^2"), 24);
  EXPECT_GE(s.distance(), 0.02);
  EXPECT_GE(s.state.total_error(), 0.5 * s.distance());
  EXPECT_FALSE(s.state.converged);
}

TEST(StationaryErrors, RefinementTakesTheErrorOfTheMatrix) {
  const std::string well = langevin(0.02, 1.0, "0.5*x^2");
  const Solved refined = solve(well, 96);
  const Solved matrix = solve(well, 96, "method = \"direct\"\n");
  ASSERT_EQ(refined.state.method, "direct");
  EXPECT_TRUE(refined.state.plan.has_value());
  EXPECT_FALSE(matrix.state.plan.has_value());
  EXPECT_LE(refined.distance(), 0.01 * matrix.distance());
  EXPECT_TRUE(is_honest(refined.state.total_error(), refined.distance()));
  EXPECT_TRUE(is_honest(matrix.state.total_error(), matrix.distance()));
}

TEST(StationaryErrors, OfKinksAreHonest) {
  for (const char* loss : {"abs(x)", "max(x,-3*x)", "abs(x-0.3)+0.5*x^2"}) {
    const Solved s = solve(langevin(0.5, 0.5, loss), 96);
    EXPECT_GE(s.distance(), 1e-5) << loss;  // the second power of the cells
    EXPECT_TRUE(is_honest(s.state.total_error(), s.distance())) << loss;
  }
}

TEST(StationaryErrors, OfNarrowBoxesAreHonest) {
  for (const char* wall : {"4", "5"}) {
    const std::string ends = std::string("[-") + wall + ", " + wall + "]\n";
    const Solved s = solve(langevin(0.6, 1.0, "0.5*x^2"), 64, "", "theta = " + ends + "velocity = " + ends);
    EXPECT_TRUE(is_honest(s.state.total_error(), s.distance())) << wall;
    const Complex exact(-0.3, std::sqrt(0.91));
    const SpectralLine& first = s.state.spectrum.at(0);
    EXPECT_LE(std::abs(first.eigenvalue - exact), 2.0 * first.error) << wall;
  }
}

TEST(StationaryErrors, BetweenWallsOfAllMethodsAreHonest) {
  // exp(−x/T) exp(−v²/2T): E x = T, in a box of sixteen T.
  const std::string slope = langevin(1.0, 0.5, "x");
  const std::string grid = "theta = [0.0, 8.0]\ntheta_boundary = \"reflecting\"\n";
  for (const char* method : {"auto", "direct", "arnoldi", "evolve"}) {
    const Solved s = solve(slope, 64, std::string("modes = 2\nmethod = \"") + method + "\"\n", grid);
    EXPECT_TRUE(is_honest(s.state.total_error(), s.distance())) << method;
    EXPECT_LE(s.distance(), 1e-3) << method;
  }
}

TEST(StationaryErrors, BetweenWallsFallWithTheFourthPowerOfTheCells) {
  const std::string slope = langevin(1.0, 0.5, "x");
  const std::string grid = "theta = [0.0, 8.0]\ntheta_boundary = \"reflecting\"\n";
  const double coarse = solve(slope, 48, "modes = 0\n", grid).distance();
  const double fine = solve(slope, 96, "modes = 0\n", grid).distance();
  EXPECT_LE(fine, coarse / 16.0);
}

TEST(StationaryErrors, OpenWallsHaveNoStationaryState) {
  for (const char* method : {"direct", "arnoldi"}) {
    const Solved s = solve(langevin(1.0, 0.5, "0.5*x^2-x^3/3"), 64, std::string("method = \"") + method + "\"\n",
                           "theta = [-2.0, 2.0]\nvelocity = [-4.0, 4.0]\n");
    EXPECT_FALSE(s.state.converged) << method;
    EXPECT_FALSE(s.state.failure.empty()) << method;
  }
}

TEST(StationaryErrors, OneOpenWallLeaksThroughItself) {
  // A slope towards the mirror: the open wall is too far to matter. The other way round all leaves.
  const std::string grid = "theta = [0.0, 12.0]\nvelocity = [-5.0, 5.0]\ntheta_boundary = [\"reflecting\", \"open\"]\n";
  const Solved down = solve(langevin(1.0, 0.5, "x"), 64, "modes = 2\n", grid);
  EXPECT_TRUE(down.state.converged) << down.state.failure;
  EXPECT_TRUE(is_honest(down.state.total_error(), down.distance()));
  EXPECT_THROW(solve(langevin(1.0, 0.5, "-x"), 64, "modes = 2\n", grid), Error);
}

TEST(Metastable, SharesOfConstantNoiseAreThoseOfGibbs) {
  // Barriers of 15, 20 and 30 T: the rates of crossing are far below rounding in the last.
  for (const double barrier : {15.0, 20.0, 30.0}) {
    const Solved s = solve(langevin(1.0, 1.0, std::to_string(barrier) + "*(x^2-1)^2+0.5*x"), 96, "modes = 3\n");
    ASSERT_TRUE(s.state.converged) << barrier << s.state.failure;
    EXPECT_LE(s.distance(), 2.0 * s.state.total_error()) << barrier;
    EXPECT_LE(s.state.total_error(), 1e-2) << barrier;
    ASSERT_EQ(s.state.wells.size(), 2U) << barrier;
    // e¹, but for the width of the wells.
    const double ratio = s.state.well_shares[0] / s.state.well_shares[1];
    EXPECT_NEAR(ratio, std::exp(1.0), 0.05) << barrier;
    EXPECT_NEAR(ratio / (s.state.wells[0].weight / s.state.wells[1].weight), 1.0, 1e-4) << barrier;
    for (const SpectralLine& line : s.state.spectrum) EXPECT_LT(line.eigenvalue.real(), 0.0) << barrier;
  }
}

TEST(Metastable, SharesOfOtherNoiseAreSaidToBeUnknown) {
  const Solved s = solve(
      "[langevin]\nfriction = 1.0\n[loss]\nkind = \"expression\"\nformula = \"45*(x^2-1)^2\"\n"
      "[noise]\nkind = \"expression\"\nformula = \"2*(1+0.1*x)\"\n",
      96, "modes = 2\n", "theta = [-1.8, 1.8]\nvelocity = [-8.0, 8.0]\n");
  EXPECT_FALSE(s.state.converged);
  ASSERT_EQ(s.state.quasi_stationary.size(), 2U) << s.state.failure;
  // Each is a density, in its own well.
  for (std::size_t k = 0; k < 2; ++k) {
    const auto shares = well_shares(s.mesh(), s.state.wells, s.state.quasi_stationary[k]);
    EXPECT_NEAR(shares[k], 1.0, 1e-3);
  }
}

TEST(Wells, ByHand) {
  // 4 (x² − 1)² + x/2 between −2 and 2, T = 1: bottoms near ∓1, 4 T below the top, 1 T apart.
  const Model model(spec_from(langevin(1.0, 1.0, "4*(x^2-1)^2+0.5*x") + "[grid]\ncells = [32, 32]\n[stationary]\n"));
  const QuasiPotential q = quasi_potential(model, 0, {-2.0, 2.0}, false);
  const auto wells = wells_of(q, 2.0);
  ASSERT_EQ(wells.size(), 2U);
  EXPECT_NEAR(wells[0].bottom, -1.0, 0.03);
  EXPECT_NEAR(wells[1].bottom, 1.0, 0.03);
  EXPECT_NEAR(wells[0].upper, wells[1].lower, 1e-12);
  EXPECT_NEAR(wells[0].weight / wells[1].weight, std::exp(1.0), 0.2);
  EXPECT_NEAR(wells[1].barrier, 3.5, 0.05);
  // Barriers below the least join what they separate.
  EXPECT_EQ(wells_of(q, 5.0).size(), 1U);
}

TEST(Wells, BeyondTheBox) {
  const Model model(spec_from(langevin(1.0, 1.0, "60*(x^2-1)^2+3*x") + "[grid]\ncells = [32, 32]\n[stationary]\n"));
  const auto left = wells_beyond(model, 0, {0.2, 2.0}, -1.0, {}, 1e-9);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_NEAR(left[0].bottom, -1.0, 0.02);
  EXPECT_NEAR(left[0].weight / std::exp(6.0), 1.0, 0.15);
  EXPECT_TRUE(wells_beyond(model, 0, {0.2, 2.0}, 1.0, {}, 1e-9).empty());
  EXPECT_TRUE(wells_beyond(model, 0, {0.2, 2.0}, -1.0, Interval{0.0, 3.0}, 1e-9).empty());
  EXPECT_TRUE(wells_beyond(model, 0, {-2.0, 0.2}, 1.0, {}, 0.01).empty());  // e^{−6}
  EXPECT_FALSE(left[0].is_bottomless);
  // And the box that is chosen holds both.
  const PhaseMesh mesh =
      make_mesh(spec_from(langevin(1.0, 1.0, "60*(x^2-1)^2+3*x") + "[grid]\ncells = [32, 32]\n[stationary]\n"), model);
  EXPECT_LE(mesh.plane(0).theta.lower, -1.2);
  EXPECT_GE(mesh.plane(0).theta.upper, 1.2);
}

TEST(Wells, ALossThatFallsWithoutEndIsNoWell) {
  const Spec spec =
      spec_from(langevin(0.2, 0.1, "x^2/2-x^3/6") + "[grid]\ntheta = [-2.5, 2.2]\ncells = [96, 96]\n[stationary]\n");
  const Model model(spec);
  const auto right = wells_beyond(model, 0, {-2.5, 2.2}, 1.0, {}, 1e-9);
  ASSERT_EQ(right.size(), 1U);
  EXPECT_TRUE(right[0].is_bottomless);
  EXPECT_GT(right[0].bottom, 100.0);
  EXPECT_TRUE(wells_beyond(model, 0, {-2.5, 2.2}, -1.0, {}, 1e-9).empty());
  const auto warnings = resolution_warnings(spec, model, make_mesh(spec, model), 0);
  EXPECT_TRUE(std::any_of(warnings.begin(), warnings.end(), [](const std::string& warning) {
    return warning.find("falls without end") != std::string::npos;
  }));
}

}  // namespace
}  // namespace underdamp
