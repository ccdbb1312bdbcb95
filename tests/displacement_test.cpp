#include "solver/displacement/displacement.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numbers>

#include <fmt/format.h>

#include "hooked_backend.hpp"
#include "kernels/host/host_backend.hpp"
#include "meshes/error.hpp"
#include "solver/displacement/cold_start.hpp"
#include "solver/displacement/correlation_flow.hpp"
#include "solver/displacement/displacement_ensemble.hpp"
#include "solver/displacement/moment_sums.hpp"
#include "solver/displacement/slow_flow.hpp"
#include "solver/landscape/mode_spectrum.hpp"
#include "solver/model/box.hpp"
#include "solver/model/initial_state.hpp"
#include "solver/model/resampling.hpp"
#include "solver/particles/minibatch.hpp"
#include "solver/particles/statistics.hpp"
#include "solver/run/summary.hpp"
#include "solver/stationary/stationary.hpp"
#include "solver/step/short_waves.hpp"
#include "test_support.hpp"
#include "validation/displacement_answers.hpp"
#include "validation/verify.hpp"

/// Displacements and autocorrelations: their parts by hand, whole runs against closed forms, particles and SGD.
namespace underdamp {
namespace {

using testing::spec_from;

const std::string optimizer = "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n";
const std::string noise = "[noise]\nkind = \"hessian\"\nsigma2 = 1.0\n";

std::string list_of(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += fmt::format("{}{:.17g}", text.empty() ? "" : ", ", value);
  return "[" + text + "]";
}

/// Eigenvalues whose modes have these damping ratios under `optimizer`.
std::vector<double> eigenvalues_of(const std::vector<double>& zeta) {
  std::vector<double> rho;
  for (const double z : zeta) rho.push_back(std::pow(0.1 / z, 2) / 0.38);
  return rho;
}

Spec parabolas(const std::vector<double>& rho, const std::string& displacement, int cells) {
  return spec_from(optimizer + "[loss]\nkind = \"spectrum\"\neigenvalues = " + list_of(rho) + "\n" + noise +
                   fmt::format("[grid]\ncells = [{0}, {0}]\n", cells) + displacement);
}

Backend& host() {
  static const auto backend = make_host_backend();
  return *backend;
}

Displacement solved(const Spec& spec, Backend& backend = host()) {
  Displacement displacement(spec, backend);
  displacement.solve([](double) {});
  return displacement;
}

/// Largest errors over all times of all modes.
struct Worst {
  double displacement = 0.0;
  double of_largest = 0.0;  ///< of the displacement, relative to the largest so far: a mode may come back to its start
  double exponent = 0.0;
  double correlation = 0.0;
  double velocity = 0.0;
};
Worst errors_of(const Displacement& d) {
  Worst worst;
  const auto take = [](double& largest, double error) { largest = larger_error(error, largest); };
  for (int l = 0; l < d.modes(); ++l) {
    const DisplacementValue origin = exact_mode(d, l, 0.0);
    double largest = 0.0;
    for (const double t : d.times()) {
      const DisplacementValue value = d.mode(l, t);
      const DisplacementValue exact = exact_mode(d, l, t);
      take(worst.displacement, std::abs(value.displacement / exact.displacement - 1.0));
      largest = std::max(largest, exact.displacement);
      take(worst.of_largest, std::abs(value.displacement - exact.displacement) / largest);
      take(worst.exponent, std::abs(value.exponent - exact.exponent));
      if (d.spec().displacement->start == DisplacementStart::cold) continue;
      take(worst.correlation, std::abs(value.correlation - exact.correlation) / origin.correlation);
      take(worst.velocity,
           std::abs(value.velocity_correlation - exact.velocity_correlation) / origin.velocity_correlation);
    }
  }
  return worst;
}

// --- parts ---------------------------------------------------------------------------------------

TEST(ModeSpectrum, PowerLawByHand) {
  // ρ = 100, 10, 1; ρ^{−1/2} = 0.1, 0.31623, 1, half at the ends: 0.05, 0.31623, 0.5, sum 0.86623; 10 parameters.
  const auto modes = power_law_modes({1.5, 1.0, 100.0, 3, 10.0});
  EXPECT_FIELDS_NEAR(modes.eigenvalues, (std::vector<double>{100.0, 10.0, 1.0}), 1e-12);
  EXPECT_FIELDS_NEAR(modes.weights, (std::vector<double>{0.577215, 3.650631, 5.772154}), 1e-6);
}

TEST(ModeSpectrum, EachModeIsAPlaneWithItsOwnBox) {
  const Spec spec = spec_from(optimizer +
                              "[loss]\nkind = \"spectrum\"\neigenvalues = [4.0, 0.5]\nweights = [1.0, 3.0]\nformula = "
                              "\"h*x^2/2 + x^4/4\"\n[noise]\nkind = \"expression\"\nformula = \"h*(1 + x^2)\"\n");
  const Model model(spec);
  ASSERT_EQ(model.planes(), 2);
  EXPECT_EQ(model.plane(1).name, "mode_02");
  EXPECT_EQ(model.plane(1).weight, 3.0);
  EXPECT_NEAR(model.plane(0).curvature, 4.0, 1e-6);
  EXPECT_NEAR(model.plane(1).curvature, 0.5, 1e-6);
  EXPECT_NEAR(model.loss(1, 2.0), 0.5 * 2.0 + 4.0, 1e-12);          // h x²/2 + x⁴/4
  EXPECT_NEAR(model.step_variance(0, 1.0), 4.0 * 2.0 / 32, 1e-12);  // h (1 + x²)/S
}

TEST(ModeSpectrum, MistakesAreNamed) {
  const auto problem_of = [](const std::string& loss) -> std::string {
    try {
      Model(spec_from(optimizer + "[loss]\nkind = \"spectrum\"\n" + loss + noise));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto expect = [&](const std::string& loss, const std::string& part) {
    EXPECT_NE(problem_of(loss).find(part), std::string::npos) << loss << problem_of(loss);
  };
  expect("", "loss.eigenvalues: nothing gives the eigenvalues");
  expect("eigenvalues = [1.0]\nlaw = \"power\"\nalpha = 1.5\nmin = 0.1\nmax = 1.0\ncount = 5\n",
         "loss.eigenvalues: more than one key gives the eigenvalues");
  expect("law = \"power\"\nalpha = 1.5\nmin = 2.0\nmax = 1.0\ncount = 5\n", "loss.max: max = 1 is not above min = 2");
  expect("law = \"power\"\nalpha = 1.5\nmin = 2.0\nmax = 10.0\n", "loss.count: this key is missing");
  expect("eigenvalues = [1.0, 2.0]\nweights = [1.0]\n", "loss.weights: 1 weights for 2 eigenvalues");
  expect("eigenvalues = [1.0, -2.0]\n", "eigenvalue 2 is -2.0: nothing holds the parameter\n");
  expect("eigenvalues = [1.0, -2.0, 0.0]\n", "nothing holds the parameter; nor do 1 more that are not positive");
  expect("eigenvalues = [1.0, -2.0]\n", "write negative = \"drop\" in [loss], which leaves such eigenvalues out");
  expect("eigenvalues = [-1.0, 0.0]\nnegative = \"drop\"\n", "loss.eigenvalues: of 2 eigenvalues none is left");
  expect("eigenvalues = [1.0]\nweights = [0.0]\n", "none is left that is positive and has a weight");
  expect("eigenvalues = [1.0]\nweights = [-1.0]\n", "loss.weights: found -1.0");
  expect("eigenvalues = [1.0]\nnegative = \"drp\"\n", "did you mean \"drop\"?");
  expect("law = \"power\"\nalpha = 1.5\nmin = 1.0\nmax = 2.0\ncount = 5\nnegative = \"drop\"\n",
         "loss.negative: unknown key for this kind of loss");
  expect("eigenvalues = [1.0]\nformula = \"g*x^2\"\n", "\"g*x^2\" is not a formula");
  expect("file = \"no.csv\"\n", "there is no such file");
  EXPECT_EQ(problem_of("eigenvalues = [1.0, 2.0]\n"), "");
}

TEST(ModeSpectrum, WhatHoldsNoParameterIsDroppedOnRequest) {
  const auto read = [](const std::string& decay, const std::string& loss, const std::string& rest) {
    return spec_from(optimizer + decay + "[loss]\nkind = \"spectrum\"\n" + loss + rest);
  };
  const std::string isotropic = "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n";
  const std::string lanczos =
      "eigenvalues = [2.0, 0.0, -1e-3, 0.5, -2e-5]\nweights = [1, 10, 2, 4, 3]\nnegative = \"drop\"\n";
  const Spec spec = read("", lanczos, noise);
  EXPECT_EQ(spec.loss.eigenvalues, (std::vector<double>{2.0, 0.5}));
  EXPECT_EQ(spec.loss.weights, (std::vector<double>{1.0, 4.0}));
  ASSERT_EQ(spec.notes.size(), 1U);
  EXPECT_EQ(
      spec.notes[0],
      "loss.eigenvalues: 3 of 5 eigenvalues, from -0.001 to 0.0, are not positive and are left out, as negative = "
      "\"drop\" says: 15 of 20 parameters");
  EXPECT_EQ(Model(spec).planes(), 2);
  // Weight decay holds what has no curvature, if there is noise to move it; and so may a formula.
  EXPECT_EQ(read("weight_decay = 0.1\n", lanczos, isotropic).loss.eigenvalues, (std::vector<double>{2.0, 0.0, 0.5}));
  EXPECT_EQ(read("weight_decay = 0.1\n", lanczos, noise).loss.eigenvalues, (std::vector<double>{2.0, 0.5}));
  EXPECT_EQ(read("", lanczos + "formula = \"h*x^2/2 + x^4/4\"\n", isotropic).loss.eigenvalues,
            (std::vector<double>{2.0, 0.0, 0.5}));
  EXPECT_EQ(read("", "eigenvalues = [1.0, -1.0]\nformula = \"h*x^2/2 + x^4/4\"\n", isotropic).loss.eigenvalues.size(),
            2U);
}

TEST(ModeSpectrum, FilesMayHoldWhatStandsForNothing) {
  const testing::TemporaryDirectory folder;
  std::ofstream(folder.path() / "h.csv") << "# by Lanczos\neigenvalue,density\n3.0,1e-3\n1.0,0\n-0.1,0.5\n0.2,0\n";
  const auto read = [&](const std::string& rest) {
    return spec_from(optimizer + "[loss]\nkind = \"spectrum\"\nweight_column = \"density\"\nfile = \"" +
                     (folder.path() / "h.csv").string() + "\"\n" + rest + noise);
  };
  const Spec spec = read("negative = \"drop\"\n");
  EXPECT_EQ(spec.loss.eigenvalues, (std::vector<double>{3.0}));
  ASSERT_EQ(spec.notes.size(), 2U);
  EXPECT_EQ(spec.notes[0], "loss.file: 2 of 4 eigenvalues have weight 0 and are left out");
  EXPECT_EQ(resolved_spec(spec)["loss"]["negative"], "drop");
  try {
    read("");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("loss.file: eigenvalue 3 ("), std::string::npos) << text;
    EXPECT_NE(text.find("h.csv:5) is -0.1: nothing holds the parameter"), std::string::npos) << text;
  }
}

TEST(DisplacementCurve, PolynomialsAreExact) {
  // x⁹ − 2x³ + 1 and four derivatives at 1 and at 1.5; in terms of x − 1 the polynomial is the same one.
  const auto data = [](double x) {
    return std::array<double, 5>{std::pow(x, 9) - 2.0 * x * x * x + 1.0, 9.0 * std::pow(x, 8) - 6.0 * x * x,
                                 72.0 * std::pow(x, 7) - 12.0 * x, 504.0 * std::pow(x, 6) - 12.0,
                                 3024.0 * std::pow(x, 5)};
  };
  const auto left = data(1.0);
  const auto right = data(1.5);
  const auto value = TwoPointPolynomial(left.data(), right.data(), 5, 0.5).at(0.2);
  EXPECT_NEAR(value[0], data(1.2)[0], 1e-12);
  EXPECT_NEAR(value[1], data(1.2)[1], 1e-11);
  EXPECT_NEAR(value[2], data(1.2)[2], 1e-9);
  // x³ from values and slopes at 0 and 2.
  const std::array<double, 2> a{0.0, 0.0};
  const std::array<double, 2> b{8.0, 12.0};
  EXPECT_NEAR(TwoPointPolynomial(a.data(), b.data(), 2, 2.0).at(1.5)[0], 3.375, 1e-14);
}

TEST(LinearSpread, ShortTimesAndDerivatives) {
  const LinearSpread s{1.0, 4.0, 4.0};
  EXPECT_NEAR(s.spread(1e-5)[0] / (2.0 / 3.0 * 4.0 * 1e-15), 1.0, 1e-4);  // (2/3) D t³ (1 − 3γt/4 …)
  EXPECT_NEAR(s.covariance(1e-5)[2] / (2.0 * 4.0 * 1e-5), 1.0, 1e-4);     // 2 D t
  const double t = 0.3;
  const double step = 1e-3;
  for (std::size_t n = 0; n + 1 < 5; ++n) {
    const double slope = (8.0 * (s.spread(t + step)[n] - s.spread(t - step)[n]) -
                          (s.spread(t + 2 * step)[n] - s.spread(t - 2 * step)[n])) /
                         (12.0 * step);
    EXPECT_NEAR(s.spread(t)[n + 1], slope, 1e-8 * (1.0 + std::abs(slope))) << n;
  }
}

/// The plane of a parabola in its own units, and its stationary density.
struct Plane {
  ScaledPlane scaled;
  std::vector<double> density;
};
Plane plane_of(double zeta, int cells) {
  const Spec spec = parabolas(eigenvalues_of({zeta}), "[displacement]\nuntil = 10.0\n", cells);
  const Model model(spec);
  const Derived d = model.derived(0);
  const double x = 7.0 * d.std_theta;
  const double v = 7.0 * d.std_v;
  Plane plane{scaled_plane(model, 0, {{-x, x, cells}, {-v, v, cells}}), {}};
  const PhasePlane& box = plane.scaled.plane;
  for (int i = 0; i < cells; ++i) {
    for (int j = 0; j < cells; ++j)
      plane.density.push_back(
          gaussian_density({0.0, 0.0}, {{{1.0, 0.0}, {0.0, 1.0}}}, box.theta.center(i), box.velocity.center(j)));
  }
  return plane;
}
std::vector<double> times_position(const Plane& plane) {
  std::vector<double> field = plane.density;
  const auto columns = static_cast<std::size_t>(plane.scaled.plane.velocity.cells);
  for (std::size_t k = 0; k < field.size(); ++k)
    field[k] *= plane.scaled.plane.theta.center(static_cast<int>(k / columns));
  return field;
}

TEST(ScaledPlane, AParabolaDependsOnItsDampingRatioOnly) {
  const ScaledPlane s = plane_of(0.7, 64).scaled;
  EXPECT_NEAR(s.plane.theta.upper, 7.0, 1e-12);
  EXPECT_NEAR(s.plane.velocity.upper, 7.0, 1e-12);
  EXPECT_NEAR(s.tables.friction[0], 1.4, 1e-12);
  EXPECT_NEAR(s.tables.diffusion[5], 1.4, 1e-12);
  EXPECT_NEAR(s.tables.force[0], -s.plane.theta.center(0), 1e-12);
  EXPECT_NEAR(s.slope[9], -1.0, 1e-12);
  const ScaledPlane half = in_units(s, 1.0, 0.5);  // time in halves: rates half, velocities half, forces a quarter
  EXPECT_NEAR(half.tables.friction[0], 0.7, 1e-12);
  EXPECT_NEAR(half.plane.velocity.upper, 3.5, 1e-12);
  EXPECT_NEAR(half.tables.force[0], 0.25 * s.tables.force[0], 1e-12);
  EXPECT_NEAR(half.tables.diffusion[0], s.tables.diffusion[0] / 8.0, 1e-12);
}

TEST(MomentSums, DerivativesOfCorrelationAndSpread) {
  // E x x(t) of a parabola: 1, 0, −1, γ, 1 − γ²; Gaussian sums on the grid are exact to rounding.
  const double gamma = 1.4;
  const Plane plane = plane_of(0.5 * gamma, 96);
  const MomentSums f = moment_sums(plane.scaled, times_position(plane), 0.0);
  EXPECT_FIELDS_NEAR(f.position, (std::vector<double>{1.0, 0.0, -1.0, gamma, 1.0 - gamma * gamma}), 1e-9);
  // A stationary density spreads no further: ψ_n all vanish; E x² = E y² = 1, E U = 1/2.
  const MomentSums p = moment_sums(plane.scaled, plane.density, 0.0);
  EXPECT_FIELDS_NEAR(p.spread, (std::vector<double>(4, 0.0)), 1e-8);
  EXPECT_NEAR(p.square, 1.0, 1e-9);
  EXPECT_NEAR(p.velocity_square, 1.0, 1e-9);
  EXPECT_NEAR(p.potential, 0.5, 1e-9);
  // Seen from c = 1/2 the square is 1 + 1/4 and the derivatives of E (x − c) y do not change for a stationary density.
  EXPECT_NEAR(moment_sums(plane.scaled, plane.density, 0.5).square, 1.25, 1e-9);
}

TEST(MomentSums, FourthDerivativeOfAQuarticMode) {
  // E x φ_4 = T E xF'' + E xFF' + γ² E xF = −T (E F' + γ²) in equilibrium, by parts twice: E xF = −T, E g' T = −E gF
  // with g = xF'. F'' ≠ 0 is what parabolas do not have.
  const Spec spec =
      spec_from(optimizer + "[loss]\nkind = \"spectrum\"\neigenvalues = [1.0]\nformula = \"h*x^2/2 + 8*h*x^4\"\n" +
                noise + "[grid]\ncells = [128, 128]\n[displacement]\nuntil = 1.0\n");
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  const ScaledPlane s = scaled_plane(model, 0, mesh.plane(0));
  std::vector<double> field = gibbs_density(model, 0, mesh);
  const double mass = moment_sums(s, field, 0.0).mass;
  const auto columns = static_cast<std::size_t>(s.plane.velocity.cells);
  double slope = 0.0;
  for (std::size_t k = 0; k < field.size(); ++k) {
    slope += field[k] * s.slope[k / columns] * s.plane.cell_area() / mass;
    field[k] *= s.plane.theta.center(static_cast<int>(k / columns));
  }
  const double gamma = s.tables.friction[0];
  const double temperature = s.tables.diffusion[0] / gamma;
  EXPECT_LT(slope, -1.1);  // the quartic part counts
  const double expected = -temperature * (slope + gamma * gamma);
  EXPECT_NEAR(moment_sums(s, field, 0.0).position[4] / mass, expected, 1e-6 * std::abs(expected));
}

TEST(MomentSums, EveryTermByHand) {
  // One cell holds everything, and force and noise are any functions: Σ φ_n f and Σ ψ_n f are φ_n and ψ_n there. With
  // F = 2, F' = 3, F'' = 5, D = 7, D' = 11, γ = 1/2 at x − c = 1, y = −2 the generator's adjoint gives
  //   φ_2 = F − γy = 3,  φ_3 = F'y − γF + γ²y = −7.5,  φ_4 = y(F''y − γF') + φ_2 (F' + γ²) = 23 + 9.75 = 32.75,
  //   ψ_1 = 4 + 3,  ψ_2 = 3·(−2)·3 + 14 − 7.5 = −11.5,
  //   ψ_3 = 36 − 44 + 3·3·(2 + 2) − 21 + 15 + 32.75 = 54.75.
  Plane plane = plane_of(0.3, 32);
  ScaledPlane& s = plane.scaled;
  s.plane = {{-2.0, 2.0, 16}, {-3.75, 4.25, 16}};  // y = −2 is the centre of column 3
  s.tables.friction = {0.5};
  s.tables.force.assign(16, 2.0);
  s.slope.assign(16, 3.0);
  s.bend.assign(16, 5.0);
  s.tables.diffusion.assign(16, 7.0);
  s.gust.assign(16, 11.0);
  s.tables.loss.assign(16, 13.0);
  std::vector<double> values(256, 0.0);
  values[16 * 9 + 3] = 1.0 / s.plane.cell_area();
  const MomentSums sums = moment_sums(s, values, s.plane.theta.center(9) - 1.0);
  EXPECT_NEAR(sums.mass, 1.0, 1e-13);
  EXPECT_FIELDS_NEAR(sums.position, (std::vector<double>{1.0, -2.0, 3.0, -7.5, 32.75}), 1e-12);
  EXPECT_FIELDS_NEAR(sums.spread, (std::vector<double>{-2.0, 7.0, -11.5, 54.75}), 1e-12);
  EXPECT_NEAR(sums.square, 1.0, 1e-13);
  EXPECT_NEAR(sums.velocity_square, 4.0, 1e-12);
  EXPECT_NEAR(sums.potential, 13.0, 1e-12);
}

class DisplacementParts : public testing::DeviceTest {};

TEST_P(DisplacementParts, MomentSumsOfAFieldAreThoseOfItsValues) {
  const Plane plane = plane_of(0.3, 48);
  const PhaseMesh mesh = plane.scaled.mesh();
  const auto field = backend_->fields().allocate(mesh.shape());
  const auto values = testing::bumpy_density(mesh, 7);
  backend_->fields().upload(values, *field);
  const std::vector<double> center{0.25};
  const MomentSums device = MomentReader(*backend_, mesh, {plane.scaled}, center).read(*field)[0];
  const MomentSums direct = moment_sums(plane.scaled, values, 0.25);
  const double scale = std::abs(direct.spread[3]) + std::abs(direct.position[4]) + direct.square;
  EXPECT_FIELDS_NEAR(device.position, direct.position, 1e-12 * scale);
  EXPECT_FIELDS_NEAR(device.spread, direct.spread, 1e-12 * scale);
  EXPECT_NEAR(device.potential, direct.potential, 1e-12 * scale);
}

/// On a GPU all problems go together.
TEST_P(DisplacementParts, PlanesTogetherOrOneByOne) {
  const std::vector<Plane> planes{plane_of(0.3, 32), plane_of(1.5, 32)};
  std::vector<ScaledPlane> scaled;
  std::vector<FlowStart> starts;
  for (const Plane& plane : planes) {
    scaled.push_back(plane.scaled);
    starts.push_back({plane.density, true});
  }
  FlowOptions options;
  options.tolerance = 1e-3;
  options.until = 1.0;
  options.poll = [](double) {};
  const auto together = propagate_correlations(*backend_, scaled, starts, options);
  ASSERT_EQ(together.size(), 2U);
  for (std::size_t p = 0; p < 2; ++p) {
    const auto alone = propagate_correlations(host(), {scaled[p]}, {starts[p]}, options)[0];
    for (const double t : {0.01, 0.2, 1.0}) {
      const auto a = together[p].curve.at(t);
      const auto b = alone.curve.at(t);
      EXPECT_NEAR(a.displacement / b.displacement, 1.0, 1e-4);
      EXPECT_NEAR(a.correlation, b.correlation, 1e-4);
      EXPECT_NEAR(a.velocity_correlation, b.velocity_correlation, 1e-3);
    }
  }
  EXPECT_GT(std::abs(together[0].curve.at(1.0).displacement / together[1].curve.at(1.0).displacement - 1.0), 0.1);
}

INSTANTIATE_TEST_SUITE_P(Devices, DisplacementParts, ::testing::Values("host", "emulated", "cuda"),
                         [](const auto& instance) { return instance.param; });

TEST(ColdStart, RegriddingKeepsAGaussian) {
  const PhasePlane from{{-5.0, 5.0, 96}, {-6.0, 6.0, 96}};
  const PhasePlane to{{-8.0, 8.5, 96}, {-9.0, 8.0, 96}};
  const auto gaussian = [](const PhasePlane& plane) {
    std::vector<double> values;
    for (int i = 0; i < plane.theta.cells; ++i) {
      for (int j = 0; j < plane.velocity.cells; ++j)
        values.push_back(
            gaussian_density({0.1, -0.2}, {{{0.4, 0.2}, {0.2, 0.5}}}, plane.theta.center(i), plane.velocity.center(j)));
    }
    return values;
  };
  EXPECT_FIELDS_NEAR(resampled(gaussian(from), from, to), gaussian(to), 3e-7);
}

TEST(SlowFlow, SlowModeOfAnOverdampedParabola) {
  const double zeta = 6.0;
  const Plane plane = plane_of(zeta, 96);
  const std::function<void()> poll = [] {};
  const double slow = zeta - std::sqrt(zeta * zeta - 1.0);
  SlowFlow flow(plane.scaled, slow, poll);
  const std::vector<double> times{0.5, 5.0, 50.0, 200.0};
  const auto sums = flow.moments(times_position(plane), 0.0, times, 1e-9);
  ASSERT_TRUE(sums.has_value());
  const LinearLangevin process{1.0, 2.0 * zeta, 2.0 * zeta, 0.0};
  for (std::size_t k = 0; k < times.size(); ++k) {
    const double exact = exact_displacement(process, {}, times[k]).correlation;
    EXPECT_NEAR((*sums)[k].position[0], exact, 1e-7) << times[k];
  }
  const auto too_fast = slow_times(1000.0, 0.5);  // every window until γt = 40, then at a constant ratio
  EXPECT_EQ(too_fast.first_slow, 79U);
  EXPECT_EQ(too_fast.time[78], 79.0);
  EXPECT_EQ(too_fast.time.back(), 1000.0);
  EXPECT_LT(too_fast.time.size(), 150U);
}

TEST(SlowFlow, IsLeftOutWhereItsFactorsDoNotFit) {
  const Plane plane = plane_of(8.0, 64);
  DeviceDescription device;
  device.memory_bytes = std::size_t{1} << 30;
  EXPECT_TRUE(SlowFlow::fits(plane.scaled, device));
  device.memory_bytes = std::size_t{1} << 20;  // 64² cells: 2 · 15 · 12 + 2 · 7.75 · 6 · 8 bytes each, 4.4 MB
  EXPECT_FALSE(SlowFlow::fits(plane.scaled, device));
}

TEST(Displacement, TotalIsTheWeightedSum) {
  const Model model(
      spec_from(optimizer + "[loss]\nkind = \"spectrum\"\neigenvalues = [2.0, 0.5]\nweights = [1.0, 4.0]\n" + noise));
  const std::vector<DisplacementValue> modes{{3.0, 2.0, 0.5, 0.1}, {1.0, 1.0, 0.25, -0.2}};
  const DisplacementValue sum = weighted_sum(model, [&](int l) { return modes[static_cast<std::size_t>(l)]; });
  EXPECT_DOUBLE_EQ(sum.displacement, 7.0);
  EXPECT_DOUBLE_EQ(sum.exponent, 10.0 / 7.0);  // (3·2 + 4·1·1)/7
  EXPECT_DOUBLE_EQ(sum.correlation, 1.5);
  EXPECT_DOUBLE_EQ(sum.velocity_correlation, -0.7);
}

TEST(ExponentFit, LeastSquares) {
  // y = 0.5 x + 1, local exponents 0.4, 0.5, 0.6: root mean square deviation √(0.02/3).
  const auto fit = fit_exponent({1.0, 2.0}, {0.0, 1.0, 2.0}, {1.0, 1.5, 2.0}, {0.4, 0.5, 0.6});
  EXPECT_NEAR(fit.exponent, 0.5, 1e-14);
  EXPECT_NEAR(fit.uncertainty, std::sqrt(0.02 / 3.0), 1e-14);
  EXPECT_EQ(fit.smallest, 0.4);
  EXPECT_EQ(fit.largest, 0.6);
  EXPECT_TRUE(std::isnan(fit_exponent({1.0, 2.0}, {0.0}, {1.0}, {0.4}).exponent));
}

// --- closed forms --------------------------------------------------------------------------------

TEST(ClosedForms, AgainstTheCovarianceOfTheProcess) {
  // E|Δ|² from a start at rest is the variance that the exact Gaussian has; from a point it is that plus the way of the
  // mean.
  for (const double zeta : {0.05, 1.0, 4.0}) {
    const LinearLangevin process{2.0, 2.0 * zeta * std::numbers::sqrt2, 0.7, 0.4};
    for (const double t : {0.05, 0.7, 3.0, 40.0}) {
      const LinearStart cold{DisplacementStart::cold, {}};
      EXPECT_NEAR(
          exact_displacement(process, cold, t).displacement / process.evolve({{0.4, 0.0}, {}}, t).covariance[0][0], 1.0,
          1e-8);
      const GaussianState point{{1.0, -0.3}, {{{1e-12, 0.0}, {0.0, 1e-12}}}};
      const GaussianState end = process.evolve(point, t);
      const LinearStart initial{DisplacementStart::initial, point};
      EXPECT_NEAR(exact_displacement(process, initial, t).displacement,
                  end.covariance[0][0] + std::pow(end.mean[0] - 1.0, 2), 1e-9);
    }
  }
}

TEST(ClosedForms, ExponentsAreSlopes) {
  const LinearLangevin process{1.0, 0.6, 0.3, 0.0};
  const GaussianState start{{0.5, 0.2}, {{{0.2, 0.05}, {0.05, 0.1}}}};
  for (const auto kind : {DisplacementStart::stationary, DisplacementStart::cold, DisplacementStart::initial}) {
    const LinearStart from{kind, start};
    for (const double t : {0.01, 0.3, 2.0}) {
      const double up = exact_displacement(process, from, t * 1.001).displacement;
      const double down = exact_displacement(process, from, t / 1.001).displacement;
      EXPECT_NEAR(exact_displacement(process, from, t).exponent, std::log(up / down) / std::log(1.001 * 1.001), 2e-6);
    }
  }
}

// --- runs ----------------------------------------------------------------------------------------

class DisplacementRuns : public testing::DeviceTest {};

TEST_P(DisplacementRuns, ParabolasFromTheStationaryState) {
  // Four decades of time, ballistic to relaxed, in every mode.
  const Displacement d =
      solved(parabolas(eigenvalues_of({0.05, 0.3, 1.0, 2.0, 8.0}), "[displacement]\nuntil = 4000.0\n", 128), *backend_);
  EXPECT_GE(d.times().back() / d.times().front(), 1e4);
  const Worst worst = errors_of(d);
  EXPECT_LE(worst.displacement, 1e-6);  // 1.2e-7
  EXPECT_LE(worst.exponent, 3e-5);
  EXPECT_LE(worst.correlation, 1e-6);
  EXPECT_LE(worst.velocity, 1e-5);
  EXPECT_EQ(d.solved(), 5);
  EXPECT_GE(d.generator_problems(), 1);  // ζ = 8
  for (int l = 0; l < d.modes(); ++l) {
    EXPECT_NEAR(d.mode(l, d.times().front()).exponent, 2.0, 0.01);
    EXPECT_NEAR(d.mode(l, 4000.0).exponent, 0.0, 1e-5);
  }
  EXPECT_NEAR(d.mode(4, 8.0).exponent, 1.0, 0.15);  // diffusive between γt = 8 and the relaxation
}

TEST_P(DisplacementRuns, ParabolasFromRest) {
  const Displacement d = solved(
      parabolas(eigenvalues_of({0.1, 1.0, 6.0}), "[displacement]\nstart = \"cold\"\nuntil = 400.0\n", 128), *backend_);
  EXPECT_GE(d.times().back() / d.times().front(), 1e4);
  const Worst worst = errors_of(d);
  EXPECT_LE(worst.displacement, 2e-6);  // 4e-7
  EXPECT_LE(worst.exponent, 1e-4);
  for (int l = 0; l < d.modes(); ++l) EXPECT_NEAR(d.mode(l, d.times().front()).exponent, 3.0, 0.01);
  EXPECT_NEAR(d.mode(2, 8.0).exponent, 1.0, 0.2);
}

TEST_P(DisplacementRuns, AGaussianStartSwingsAndSpreads) {
  const Displacement d =
      solved(parabolas({1.0, 0.2},
                       "[initial]\nkind = \"gaussian\"\nmean = [0.3, 0.1]\ncovariance = [[0.01, 0.0], [0.0, "
                       "0.1]]\n[displacement]\nstart = \"initial\"\nuntil = 30.0\nfrom = 0.01\n",
                       96),
             *backend_);
  const Worst worst = errors_of(d);
  EXPECT_LE(worst.displacement, 1e-5);
  EXPECT_LE(worst.correlation, 1e-5);
  EXPECT_LE(worst.velocity, 1e-4);
}

TEST(Displacement, ManyModesLieBetweenFewProblems) {
  const Displacement d =
      solved(spec_from(optimizer +
                       "[loss]\nkind = \"spectrum\"\nlaw = \"power\"\nalpha = 1.5\nmin = 0.05\nmax = "
                       "1.0\ncount = 300\n" +
                       noise + "[grid]\ncells = [96, 96]\n[displacement]\nuntil = 100.0\npoints = 25\n"));
  EXPECT_EQ(d.problems(), 300);
  EXPECT_TRUE(d.interpolates());
  EXPECT_LT(d.solved(), 30);
  EXPECT_LE(d.interpolation_error(), 5e-7);
  const Worst worst = errors_of(d);
  EXPECT_LE(worst.displacement, 2e-6);
  EXPECT_LE(worst.correlation, 2e-6);
  EXPECT_LE(worst.velocity, 3e-5);
  const double t = 5.0;
  EXPECT_NEAR(d.total(t).displacement / exact_total(d, t).displacement, 1.0, 1e-6);
  EXPECT_NEAR(d.total(t).exponent, exact_total(d, t).exponent, 1e-4);
}

TEST(Displacement, EqualModesAreOneProblem) {
  Displacement d(parabolas({1.0, 1.0, 0.5, 1.0, 0.5}, "[displacement]\nuntil = 20.0\n", 48), host());
  EXPECT_EQ(d.problems(), 2);
}

TEST_P(DisplacementRuns, TheMapHasItsOwnClosedForms) {
  for (const char* start : {"stationary", "cold"}) {
    const Displacement d = solved(
        spec_from("dynamics = \"sgd\"\n" + optimizer + "[loss]\nkind = \"spectrum\"\neigenvalues = [4.0, 0.2]\n" +
                  noise + "[grid]\ncells = [128, 128]\n[displacement]\nsteps = 300\npoints = 30\nstart = \"" + start +
                  "\"\n"),
        *backend_);
    EXPECT_EQ(d.times().front(), 0.1);
    const Worst worst = errors_of(d);
    EXPECT_LE(worst.displacement, 1e-5) << start;
    EXPECT_LE(worst.exponent, 1e-4) << start;
    EXPECT_LE(worst.velocity, 1e-4) << start;
  }
}

TEST(Displacement, TheMapTakesNoLogarithmsOnItsWay) {
  // Its sums are taken after every step: those of the entropy would double the time.
  testing::HookedBackend backend(make_host_backend(), [](const std::string&, long, Field*) {});
  const Spec spec =
      spec_from("dynamics = \"sgd\"\n" + optimizer + "[loss]\nkind = \"spectrum\"\neigenvalues = [4.0]\n" + noise +
                "[grid]\ncells = [48, 48]\n[displacement]\nsteps = 50\n");
  const Displacement displacement = solved(spec, backend);
  EXPECT_GT(displacement.mode(0, 1.0).displacement, 0.0);
  EXPECT_EQ(backend.begun("sum lines"), 0);
}

/// Where diffusion does not reach from cell to cell in a window, extrapolation amplifies short waves by 3 in each.
TEST_P(DisplacementRuns, HardlyAnyFriction) {
  for (const char* start : {"stationary", "cold"}) {
    const Displacement d = solved(
        parabolas(eigenvalues_of({2e-4}), fmt::format("[displacement]\nuntil = 0.12\nstart = \"{}\"\n", start), 96),
        *backend_);  // 50 periods
    const Worst worst = errors_of(d);
    EXPECT_LE(worst.of_largest, d.step_error()) << start;
    EXPECT_LE(worst.of_largest, 1e-6) << start;
    EXPECT_LE(worst.displacement, 4e-6) << start;  // 1.8e-6 where it is 0.005 of what it was half a period before
    EXPECT_LE(worst.correlation, 4e-6) << start;
    EXPECT_LE(worst.velocity, 1e-5) << start;
  }
}

TEST(ShortWaves, LongOnesAreLeftAlone) {
  Spec spec = parabolas(eigenvalues_of({1e-4}), "[displacement]\nuntil = 1.0\n", 128);
  const Model model(spec);
  const ScaledPlane s = in_units(scaled_plane(model, 0, make_mesh(spec, model).plane(0)), 1.0, 0.5);
  ShortWaves waves(host(), {s});
  const auto wave = [&](double length) {
    std::vector<double> values;
    for (int i = 0; i < 128; ++i) {
      for (int j = 0; j < 128; ++j) {
        const double far = std::pow(s.plane.theta.center(i), 2) + std::pow(s.plane.velocity.center(j) / 0.5, 2);
        values.push_back(std::exp(-0.5 * far) * std::cos(2.0 * std::numbers::pi * (i + 0.3 * j) / length));
      }
    }
    return values;
  };
  const auto change = [&](double length) {
    const auto values = wave(length);
    auto field = host().fields().allocate(s.mesh().shape());
    host().fields().upload(values, *field);
    waves.remove(*field);
    std::vector<double> after(values.size());
    host().fields().download(*field, after);
    double difference = 0.0, size = 0.0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      difference += std::abs(after[k] - values[k]);
      size += std::abs(values[k]);
    }
    return difference / size;
  };
  EXPECT_LE(change(1e6), 1e-9);
  EXPECT_LE(change(16.0), 1e-7);
  EXPECT_GE(change(2.2), 0.99);
}

TEST(Displacement, ATooNarrowMapFromRestIsRefused) {
  // It went on for ever, without a look at the interrupt, and took all memory.
  const auto spec = [](double curvature, int cells) {
    return spec_from("dynamics = \"sgd\"\n" + optimizer +
                     fmt::format("[loss]\nkind = \"spectrum\"\neigenvalues = [{}]\n", curvature) + noise +
                     fmt::format("[grid]\ncells = [{0}, {0}]\n[displacement]\nsteps = 50\nstart = \"cold\"\n", cells));
  };
  const double q = 0.8;  // η h / (2 (1 + β))
  const double curvature = q * 2.0 * 1.9 / 0.1;
  try {
    Displacement(spec(curvature, 64), host());
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("grid.cells: the SGD map correlates theta and v in mode_01 so strongly"),
              std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("use at least 70 cells along both axes"), std::string::npos)
        << error.what();
  }
  const Displacement enough = solved(spec(curvature, 70));
  EXPECT_LE(errors_of(enough).displacement, 1e-3);
  EXPECT_THROW(Displacement(spec(4.0, 16), host()), Error);

  const Spec coarse = spec(curvature, 32);
  const Model model(coarse);
  FlowOptions options;
  options.until = 50.0;
  int polls = 0;
  options.poll = [&](double) { ++polls; };
  EXPECT_THROW(propagate_cold_start(host(), model, 0, make_mesh(coarse, model).plane(0), options), Error);
  EXPECT_GT(polls, 10);
}

TEST(Displacement, AFitNeedsTwoTimesOfTheMap) {
  const auto spec = [](const std::string& window) {
    return spec_from("dynamics = \"sgd\"\n" + optimizer + "[loss]\nkind = \"spectrum\"\neigenvalues = [4.0]\n" + noise +
                     "[grid]\ncells = [48, 48]\n[displacement]\nsteps = 50\npoints = 10\nfit = " + window + "\n");
  };
  try {
    Displacement(spec("[0.11, 0.19]"), host());
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("displacement.fit: [0.11, 0.19] holds none of the times"),
              std::string::npos)
        << error.what();
  }
  EXPECT_THROW(Displacement(spec("[0.1, 0.15]"), host()), Error);
  EXPECT_TRUE(std::isfinite(solved(spec("[0.1, 0.2]")).fit()->exponent));
}

INSTANTIATE_TEST_SUITE_P(Devices, DisplacementRuns, ::testing::Values("host", "cuda"),
                         [](const auto& instance) { return instance.param; });

TEST(Displacement, StepLengthAndEnergy) {
  // E|δ|² = η² σ² tr H/(S (1 − β²)), weights included; E (L − L*) = (1 + β)/(4η) E|δ|².
  const Displacement d =
      solved(spec_from(optimizer + "[loss]\nkind = \"spectrum\"\neigenvalues = [2.0, 0.5]\nweights = [1.0, 4.0]\n" +
                       noise + "[grid]\ncells = [96, 96]\n[displacement]\nuntil = 1.0\n"));
  const auto energy = d.step_energy();
  ASSERT_TRUE(energy.has_value());
  EXPECT_NEAR(energy->step_length / (0.01 * 4.0 / (32.0 * 0.19)), 1.0, 1e-8);
  EXPECT_NEAR(energy->excess_loss / energy->predicted, 1.0, 1e-8);
}

TEST(Displacement, PowerLawOfTheSpectrumIsThatOfTheWay) {
  // Overdamped modes, α = 1.5: exponent α − 1 = 0.5 between the relaxation times of the ends.
  const Displacement d = solved(spec_from(
      optimizer + "[loss]\nkind = \"spectrum\"\nlaw = \"power\"\nalpha = 1.5\nmin = 1e-6\nmax = 4.0\ncount = 400\n" +
      noise +
      "[grid]\ncells = [80, 80]\n[displacement]\nuntil = 1e4\nfrom = 1.0\npoints = 9\ntolerance = 1e-4\nfit = [30.0, "
      "300.0]\n"));
  const auto fit = d.fit();
  ASSERT_TRUE(fit.has_value());
  EXPECT_NEAR(fit->exponent, 0.5, 0.01);
  EXPECT_LE(fit->uncertainty, 0.01);
}

// --- against particles and SGD -------------------------------------------------------------------

const std::string double_well =
    optimizer +
    "[loss]\nkind = \"expression\"\nformula = \"(x^2 - 1)^2/4\"\n[noise]\nkind = "
    "\"isotropic\"\nsigma2 = 4.0\n[grid]\ncells = [96, 96]\n[ensemble]\nparticles = 40000\n";

/// Least p-value of all times against particles, times their number; `stretch`: how much faster the particles' friction
/// is.
double p_value_of(const Displacement& d, const Displacement& particles) {
  const auto measured = measure_particles(particles, host(), {});
  double least = 1.0;
  for (std::size_t k = 0; k < measured.times.size(); ++k) {
    const Estimate& e = measured.displacement[0][k];
    const double p = normal_p_value((e.value - d.mode(0, measured.times[k]).displacement) / e.error);
    least = std::isnan(p) ? p : std::min(least, p);
  }
  return least * static_cast<double>(measured.times.size());
}

TEST(Displacement, DoubleWellAgainstParticles) {
  // False alarms: 1e-6 each. Other friction by 5 % is another process, and seen.
  for (const char* start : {"stationary", "cold"}) {
    const std::string text = double_well + "[displacement]\nuntil = 30.0\nfrom = 0.05\nstart = \"" + start + "\"\n";
    const Displacement d = solved(spec_from(text));
    EXPECT_GE(p_value_of(d, d), 1e-6) << start;
    std::string other = text;
    other.replace(other.find("momentum = 0.9"), 14, "momentum = 0.88");
    EXPECT_LT(p_value_of(d, Displacement(spec_from(other), host())), 1e-12) << start;
  }
}

TEST(Displacement, MinibatchSgdHasAnExactDisplacement) {
  // Minibatch SGD with replacement on the diabetes data; false alarm 1e-6.
  const std::string data = std::string(UNDERDAMP_SOURCE_FOLDER) + "/examples/diabetes.csv";
  const Spec spec = spec_from(
      "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\nkind = "
      "\"dataset\"\nfile = \"" +
      data + "\"\ntarget = \"progression\"\nmodes = [1, 4]\n[displacement]\nsteps = 100\n");
  const Model model(spec);
  MinibatchOptions options = minibatch_options(spec, model);
  options.runs = 400;
  options.settle = 400;
  const std::vector<long> steps{1, 5, 60};
  const MinibatchTravel travel = run_minibatch_travel(model, options, false, steps, [](double) {});
  const Eigen::MatrixXd covariance = minibatch_covariance(model);
  for (int p = 0; p < 2; ++p) {
    const Eigen::Index l = model.plane(p).mode - 1;
    for (std::size_t k = 0; k < steps.size(); ++k) {
      const double exact = minibatch_displacement(model.plane(p).curvature, 0.1, 0.9, covariance(l, l), steps[k]);
      const Estimate& e = travel.modes[static_cast<std::size_t>(p)][k];
      EXPECT_GE(normal_p_value((e.value - exact) / e.error), 1e-6 / 6.0) << p << " " << steps[k];
      EXPECT_LT(e.error, 0.1 * exact);
    }
  }
}

// --- verify --------------------------------------------------------------------------------------

TEST(VerifyDisplacement, JudgesASpectrum) {
  const auto checks =
      verify(spec_from(optimizer + "[loss]\nkind = \"spectrum\"\neigenvalues = [1.0, 0.1]\n" + noise +
                       "[grid]\ncells = [96, 96]\n[ensemble]\nparticles = 20000\n[displacement]\nuntil = "
                       "20.0\npoints = 20\n"),
             host(), {});
  EXPECT_TRUE(all_passed(checks));
  for (const char* quantity :
       {"displacement, closed form", "local exponent, closed form", "correlation of v, closed form",
        "total displacement, closed form", "modes against Langevin particles",
        "total displacement against Langevin particles", "SGD map: displacement, closed form",
        "total displacement against the SGD recursion", "step length and energy of all modes"}) {
    EXPECT_TRUE(std::any_of(checks.begin(), checks.end(), [&](const Check& c) {
      return c.quantity == quantity && c.verdict == Verdict::passed;
    })) << quantity;
  }
}

TEST(VerifyDisplacement, ParticlesAtRestAreFollowedFromTheirFirstSteps) {
  // E|Δ|² ∝ t³ at the first time: a particle that came there in one step would be off by a quarter. False alarm 1e-6.
  const auto checks =
      verify(spec_from(optimizer + "[loss]\nkind = \"spectrum\"\neigenvalues = [0.05, 0.01]\n" + noise +
                       "[grid]\ncells = [96, 96]\n[ensemble]\nparticles = 20000\n[displacement]\nstart = "
                       "\"cold\"\nuntil = 10.0\npoints = 20\n"),
             host(), {});
  EXPECT_TRUE(all_passed(checks));
}

TEST(VerifyDisplacement, ACoarseGridFails) {
  const auto checks = verify(spec_from(optimizer + "[loss]\nkind = \"spectrum\"\neigenvalues = [1.0]\n" + noise +
                                       "[grid]\ncells = [96, 96]\ntheta = [-0.25, 0.25]\n[ensemble]\nparticles = "
                                       "20000\n[displacement]\nuntil = 20.0\npoints = 20\ntolerance = 1e-2\n"),
                             host(), {});
  EXPECT_FALSE(all_passed(checks));
}

}  // namespace
}  // namespace underdamp
