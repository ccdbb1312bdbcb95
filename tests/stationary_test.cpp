#include <algorithm>
#include <cmath>

#include "kernels/host/host_backend.hpp"
#include "meshes/error.hpp"
#include "solver/run/cell_fields.hpp"
#include "solver/step/window.hpp"
#include "test_support.hpp"
#include "validation/exact_answers.hpp"

/// Stationary densities, spectra and currents against exact answers and against each other.
namespace underdamp {
namespace {

using testing::spec_from;
using Complex = std::complex<double>;

std::string scaled(double zeta) {
  return "[langevin]\nfriction = " + std::to_string(2.0 * zeta) + "\ntemperature = 1.0\n[loss]\nkind = \"quadratic\"\n";
}
const std::string double_well =
    "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\nkind = \"expression\"\n"
    "formula = \"(x^2-1)^2/4\"\n[noise]\nkind = \"isotropic\"\nsigma2 = 2.0\n";
const std::string state_dependent =
    "[langevin]\nfriction = 0.6\n[loss]\nkind = \"quadratic\"\n[noise]\nkind = \"expression\"\nformula = "
    "\"0.6*(1+0.6*sin(x))\"\n";

struct Solved {
  std::unique_ptr<Simulation> simulation;
  StationaryState state;
  const PhaseMesh& mesh() const { return simulation->mesh(); }
  double area() const { return mesh().plane(0).cell_area(); }
};

Solved solve(const std::string& text, int cells, const std::string& stationary = "") {
  static const auto backend = make_host_backend();
  const std::string grid = "[grid]\ncells = [" + std::to_string(cells) + ", " + std::to_string(cells) + "]\n";
  Solved solved;
  solved.simulation = std::make_unique<Simulation>(spec_from(text + grid + "[stationary]\n" + stationary), *backend);
  solved.state = solved.simulation->solve_stationary(0, [] {});
  return solved;
}

TEST(Stationary, QuadraticDensityAndFirstEigenpair) {
  for (const double zeta : {0.05, 0.3, 0.9, 1.0, 2.0}) {
    const Solved s = solve(scaled(zeta), 128);
    ASSERT_TRUE(s.state.converged) << zeta;
    EXPECT_EQ(s.state.method, "arnoldi");
    const auto exact = linear_langevin(s.simulation->model(), 0).stationary();
    EXPECT_LE(l1_error(s.mesh().plane(0), s.state.density, exact), 5e-9) << zeta;
    // ω = 1: λ = −ζ ± √(ζ² − 1)
    const Complex root = std::sqrt(Complex(zeta * zeta - 1.0, 0.0));
    const Complex first = -zeta + root;
    ASSERT_EQ(s.state.spectrum.size(), 6U);
    EXPECT_LE(std::abs(s.state.spectrum[0].eigenvalue - first) / std::abs(first), 1e-8) << zeta;
    EXPECT_FALSE(s.state.spectrum[0].aliased);
    EXPECT_LE(s.state.residual, 1e-9);
  }
}

TEST(Stationary, AWrongFrictionIsNoticed) {
  // The temperature of friction 0.6 with the noise of friction 0.612: 2 % too much.
  const Solved s = solve(
      "[langevin]\nfriction = 0.6\n[loss]\nkind = \"quadratic\"\n[noise]\nkind = \"isotropic\"\nsigma2 = 0.612\n", 96);
  const Solved right = solve(scaled(0.3), 96);
  EXPECT_GE(l1_error(s.mesh().plane(0), s.state.density, linear_langevin(right.simulation->model(), 0).stationary()),
            1e-2);
}

TEST(Stationary, HarmonicsOfTheFirstPair) {
  // λ = n₁ λ₁ + n₂ λ₂; slowest decay first, conjugates together.
  const Solved s = solve(scaled(0.3), 128);
  const Complex one(-0.3, std::sqrt(0.91));
  const std::array<Complex, 6> exact{one, std::conj(one), 2.0 * one.real(), 2.0 * one, 2.0 * std::conj(one), 3.0 * one};
  for (std::size_t k = 0; k < 3; ++k) {
    double nearest = 1.0;
    for (const Complex& e : exact) nearest = std::min(nearest, std::abs(s.state.spectrum[k].eigenvalue - e));
    EXPECT_LE(nearest, 1e-6);
  }
  for (std::size_t k = 1; k < 6; ++k) {
    EXPECT_LE(s.state.spectrum[k].eigenvalue.real(), s.state.spectrum[k - 1].eigenvalue.real() + 1e-6);
  }
}

TEST(Stationary, DoubleWellIsGibbsAndCrossesSlowly) {
  const Solved s = solve(double_well, 128);
  ASSERT_TRUE(s.state.converged);
  EXPECT_LE(l1_error(s.mesh().plane(0), s.state.density, gibbs_density(s.simulation->model(), 0, s.mesh())), 1e-6);
  // The rate of crossing, twice that of leaving one well: Kramers' formula with its turnover correction is good to 20
  // %.
  const Derived d = s.simulation->model().derived(0);
  const double barrier = d.k * 0.25;
  const double top = std::sqrt(d.k);  // |U''(0)| = k
  const double kramers = 2.0 * (std::sqrt(0.25 * d.gamma * d.gamma + top * top) - 0.5 * d.gamma) / top * d.omega /
                         (2.0 * 3.14159265358979) * std::exp(-barrier / d.temperature);
  const SpectralLine slowest = s.state.spectrum[0];
  EXPECT_EQ(slowest.eigenvalue.imag(), 0.0);
  EXPECT_NEAR(-slowest.eigenvalue.real() / kramers, 1.0, 0.25);
  EXPECT_STREQ(kind_of(slowest, d.relaxation_time), "metastable");
  // No other slow mode: the next is the oscillation in a well.
  EXPECT_LE(s.state.spectrum[1].eigenvalue.real(), -0.3 * d.gamma);
  const Solved fine = solve(double_well, 192, "modes = 1\n");
  EXPECT_NEAR(slowest.eigenvalue.real() / fine.state.spectrum[0].eigenvalue.real(), 1.0, 1e-4);
}

TEST(Stationary, MethodsAgreeOnStateDependentNoise) {
  const Solved arnoldi = solve(state_dependent, 96, "method = \"arnoldi\"\n");
  const Solved direct = solve(state_dependent, 96, "method = \"direct\"\n");
  const Solved evolved = solve(state_dependent, 96, "method = \"evolve\"\n");
  ASSERT_TRUE(arnoldi.state.converged && direct.state.converged && evolved.state.converged);
  EXPECT_LE(l1_error(arnoldi.mesh().plane(0), arnoldi.state.density, direct.state.density), 1e-4);
  EXPECT_LE(l1_error(arnoldi.mesh().plane(0), arnoldi.state.density, evolved.state.density), 1e-6);
  // Not a Gibbs state: a check that it is one fails.
  EXPECT_GE(l1_error(arnoldi.mesh().plane(0), arnoldi.state.density,
                     gibbs_density(arnoldi.simulation->model(), 0, arnoldi.mesh())),
            1e-2);
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_NEAR(std::abs(direct.state.spectrum[k].eigenvalue - arnoldi.state.spectrum[k].eigenvalue), 0.0, 1e-5);
  }
}

TEST(Stationary, DivergenceOfTheDirectSolutionVanishes) {
  const Solved s = solve(state_dependent, 96, "method = \"direct\"\n");
  const auto backend = make_host_backend();
  const Tables& t = s.simulation->tables();
  const auto plan = backend->generators().plan_generator(s.mesh(), {t.friction, t.force, t.diffusion});
  const auto from = backend->fields().allocate(s.mesh().shape());
  const auto to = backend->fields().allocate(s.mesh().shape());
  backend->fields().upload(s.state.density, *from);
  backend->generators().apply_generator(*plan, *from, *to);
  std::vector<double> divergence(s.mesh().shape().cells());
  backend->fields().download(*to, divergence);
  const auto currents = backend->generators().cell_currents(*plan, *from, 0, {.theta = true}, 1.0);
  double left = 0.0;
  double scale = 0.0;
  for (std::size_t k = 0; k < divergence.size(); ++k) {
    left += std::abs(divergence[k]);
    scale += std::abs(currents.theta[k]) / s.mesh().plane(0).theta.width();
  }
  EXPECT_LE(left, 1e-10 * scale);
}

TEST(Stationary, SgdMapAgainstItsRecursion) {
  const Solved s = solve(
      "dynamics = \"sgd\"\n[optimizer]\nlearning_rate = 0.3\nmomentum = 0.8\nbatch_size = 8\n[loss]\nkind = "
      "\"quadratic\"\n"
      "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n",
      128);
  ASSERT_TRUE(s.state.converged);
  const auto exact = linear_sgd(s.simulation->model(), 0).stationary();
  EXPECT_LE(l1_error(s.mesh().plane(0), s.state.density, exact), 1e-7);
  // z ← M z, M = [[1 − ηh, ηβ], [−h, β]]: trace 1.5, determinant β; λ = ln(eigenvalue)/η.
  const Complex mu(0.75, std::sqrt(0.8 - 0.5625));
  EXPECT_LE(std::abs(s.state.spectrum[0].eigenvalue - std::log(mu) / 0.3), 1e-7);
}

TEST(Stationary, CurrentOfTheAlignedQuadraticIsARotation) {
  const Solved s = solve(scaled(0.3), 128);
  const auto backend = make_host_backend();
  const std::vector<OutputField> wanted{OutputField::current, OutputField::stream_function, OutputField::modified_loss};
  const CellFields fields({s.state.density, currents_of(*backend, s.mesh().only(0), s.simulation->tables().only(0),
                                                        s.state.density, current_parts(wanted))},
                          s.mesh().plane(0), s.simulation->model().derived(0).kappa, wanted);
  const auto& arrays = fields.arrays();
  ASSERT_EQ(arrays.size(), 5U);
  ASSERT_EQ(arrays[1].components.size(), 3U);
  EXPECT_TRUE(arrays[1].components[2].empty());
  EXPECT_EQ(arrays[1].name, "current");
  EXPECT_EQ(arrays[4].name, "mask");
  double error = 0.0;
  double scale = 0.0;
  double stream = 0.0;
  double loss = 0.0;
  double masked = 0.0;
  std::size_t k = 0;
  const double normalisation = std::log(2.0 * 3.14159265358979323846);
  for (int i = 0; i < s.mesh().theta_cells(); ++i) {
    for (int j = 0; j < s.mesh().velocity_cells(); ++j, ++k) {
      const double x = s.mesh().plane(0).theta.center(i);
      const double v = s.mesh().plane(0).velocity.center(j);
      const double energy = 0.5 * (x * x + v * v);
      const double p = std::exp(-energy - normalisation);
      error += std::abs(arrays[1].components[0][k] - v * p) + std::abs(arrays[1].components[1][k] + x * p);
      scale += std::abs(v * p) + std::abs(x * p);
      ASSERT_TRUE(std::isfinite(arrays[2].components[0][k]));
      stream = std::max(stream, std::abs(arrays[2].components[0][k] + p));  // ψ = −T p
      ASSERT_TRUE(std::isfinite(arrays[3].components[0][k]));
      if (energy < 16.0) loss = std::max(loss, std::abs(arrays[3].components[0][k] - energy - normalisation));
      masked += 1.0 - arrays[4].components[0][k];
      if (energy < 20.0) {
        ASSERT_EQ(arrays[4].components[0][k], 1.0) << energy;
      }
    }
  }
  EXPECT_LE(error, 1e-5 * scale);
  EXPECT_LE(stream, 1e-8);
  EXPECT_LE(loss, 1e-3);
  EXPECT_GT(masked, 0.0);  // in the corners
  const Observables o = s.simulation->observe_density(0, s.state.density);
  EXPECT_LE(o.entropy_production, 1e-8 * s.simulation->model().gamma());
}

TEST(Stationary, EntropyProductionAgainstAnIndependentQuadrature) {
  const Solved s = solve(state_dependent, 128);
  const Tables& t = s.simulation->tables();
  const int n = s.mesh().velocity_cells();
  const double h = s.mesh().plane(0).velocity.width();
  double production = 0.0;
  for (int i = 0; i < s.mesh().theta_cells(); ++i) {
    for (int j = 2; j + 2 < n; ++j) {
      const double* p = s.state.density.data() + static_cast<std::ptrdiff_t>(i) * n + j;
      if (!(p[-2] > 1e-9) || !(p[2] > 1e-9)) continue;
      // p (γ v + D ∂_v ln p)²/D, with fourth-order differences of the logarithm
      const double slope = (8.0 * (std::log(p[1]) - std::log(p[-1])) - (std::log(p[2]) - std::log(p[-2]))) / (12.0 * h);
      const double d = t.diffusion[static_cast<std::size_t>(i)];
      const double force = t.friction[0] * s.mesh().plane(0).velocity.center(j) + d * slope;
      production += p[0] * force * force / d * s.area();
    }
  }
  const Observables o = s.simulation->observe_density(0, s.state.density);
  EXPECT_GT(o.entropy_production, 1e-3);
  EXPECT_NEAR(o.entropy_production / production, 1.0, 1e-4);
}

TEST(Window, LongestByHand) {
  // 1/γ = 2; between reflecting walls 0.4 of the way from wall to wall at the fastest v: 0.4 · 2/4.
  const PhasePlane plane{{-1.0, 1.0, 32}, {-4.0, 4.0, 32}};
  Tables tables;
  tables.friction = {0.5};
  EXPECT_DOUBLE_EQ(longest_window(PhaseMesh({plane}, ThetaBoundary::open), tables), 2.0);
  EXPECT_DOUBLE_EQ(longest_window(PhaseMesh({plane}, ThetaBoundary::reflecting), tables), 0.2);
}

TEST(Spectrum, JordanBlocksAreAveraged) {
  // −1 ± 1e-5 with parallel vectors is a block of two, split by a perturbation of 1e-10; −1.001 is a mode of its own.
  Eigen::VectorXcd vector = Eigen::VectorXcd::Ones(8);
  Eigen::VectorXcd other = vector;
  other[0] = -3.0;
  const auto modes = slow_modes(
      {{{-1.00001, 0.0, false}, vector}, {{-1.001, 0.0, false}, other}, {{-0.99999, 0.0, false}, vector}}, 3);
  ASSERT_EQ(modes.size(), 3U);
  EXPECT_NEAR(modes[0].line.eigenvalue.real(), -1.0, 1e-12);
  EXPECT_NEAR(modes[1].line.eigenvalue.real(), -1.0, 1e-12);
  EXPECT_EQ(modes[2].line.eigenvalue.real(), -1.001);
  // The same eigenvalues with different vectors are two.
  const auto two = slow_modes({{{-1.00001, 0.0, false}, vector}, {{-0.99999, 0.0, false}, other}}, 3);
  EXPECT_EQ(two[0].line.eigenvalue.real(), -0.99999);
}

TEST(StreamFunction, OfAKnownCurrent) {
  // J = −ψ' with ψ = exp(−x²/2) on 60 cells of width 0.2: eighth order.
  constexpr int cells = 60;
  constexpr double width = 0.2;
  std::vector<double> current;
  for (int j = 0; j < cells; ++j) {
    const double x = (j + 0.5 - cells / 2) * width;
    current.push_back(-x * std::exp(-0.5 * x * x));
  }
  const auto stream = stream_function(current, 1, width, cells);
  for (int j = 0; j < cells; ++j) {
    const double x = (j + 0.5 - cells / 2) * width;
    EXPECT_NEAR(stream[static_cast<std::size_t>(j)], std::exp(-0.5 * x * x), 1e-6);
  }
}

}  // namespace
}  // namespace underdamp
