#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>

#include "hooked_backend.hpp"
#include "meshes/error.hpp"
#include "process.hpp"
#include "result_files.hpp"
#include "solver/io/background_writer.hpp"
#include "solver/io/progress.hpp"
#include "solver/io/vtk_file.hpp"
#include "solver/landscape/dataset.hpp"
#include "solver/landscape/function.hpp"
#include "solver/model/box.hpp"
#include "solver/model/model.hpp"
#include "solver/run/simulation.hpp"
#include "test_support.hpp"
#include "validation/exact_answers.hpp"

namespace underdamp {
namespace {

using testing::contains;
using testing::spec_from;

const std::string optimizer = "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n";

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(Function, PolynomialByHand) {  // 1 − 2x + 3x³ at x = 2: 21, derivative −2 + 9x² = 34, second 18x = 36
  const auto f = make_polynomial({1.0, -2.0, 0.0, 3.0});
  EXPECT_DOUBLE_EQ(f->value(2.0), 21.0);
  EXPECT_DOUBLE_EQ(f->derivative(2.0), 34.0);
  EXPECT_DOUBLE_EQ(f->second_derivative(2.0), 36.0);
}

TEST(Function, ExpressionDerivatives) {
  const auto f = make_expression("sin(3*x) + x^2");
  f->set_length(0.3);
  EXPECT_NEAR(f->value(0.7), std::sin(2.1) + 0.49, 1e-15);
  EXPECT_NEAR(f->derivative(0.7), 3.0 * std::cos(2.1) + 1.4, 1e-11);
  EXPECT_NEAR(f->second_derivative(0.7), -9.0 * std::sin(2.1) + 2.0, 1e-8);
}

TEST(Function, BadExpressionsNameTheCharacter) {
  EXPECT_CONTAINS(error_of([] { make_expression("x^2-1)^2"); }),
                  "\"x^2-1)^2\" is not a formula: Unexpected parenthesis \")\" at position 5 (at character 6)");
  EXPECT_CONTAINS(error_of([] { make_expression("x = 2"); }), "assigns to a variable (at character 3)");
  EXPECT_CONTAINS(error_of([] { make_expression("x, 2"); }), "several values");
  EXPECT_CONTAINS(error_of([] { make_expression(""); }), "is not a formula");
  EXPECT_NO_THROW(make_expression("(x<=1) ? x^2 : 2*x-1"));
}

TEST(Function, UnknownNamesSuggestTheNearest) {
  EXPECT_CONTAINS(error_of([] { make_expression("y + 1"); }), "write x for the parameter");
  EXPECT_CONTAINS(error_of([] { make_expression("x + sqr(x)"); }), "did you mean sqrt?");
  EXPECT_CONTAINS(error_of([] { make_expression("tnah(x)"); }), "did you mean tanh?");
  EXPECT_FALSE(contains(error_of([] { make_expression("x^2+"); }), "did you mean"));
}

TEST(Function, SplineIsExactForCubics) {
  std::vector<double> x{-1.0, -0.4, 0.1, 0.5, 1.3, 2.0};
  std::vector<double> y;
  const auto cubic = [](double t) { return 1.0 - t + 0.5 * t * t + 2.0 * t * t * t; };
  for (const double t : x) y.push_back(cubic(t));
  const auto spline = make_spline(x, y, "s");
  for (const double t : {-0.9, 0.0, 0.77, 1.9}) {
    EXPECT_NEAR(spline->value(t), cubic(t), 1e-13);
    EXPECT_NEAR(spline->derivative(t), -1.0 + t + 6.0 * t * t, 1e-12);
    EXPECT_NEAR(spline->second_derivative(t), 1.0 + 12.0 * t, 1e-11);
  }
  EXPECT_EQ(spline->domain()->upper, 2.0);
  EXPECT_NEAR(spline->value(3.0), cubic(2.0) + 25.0, 1e-11);  // straight on beyond the end, slope −1 + 2 + 24
}

TEST(Model, DerivedQuantitiesByHand) {
  // OU-1: η = 2/19, β = 0.9, S = 1, h = 2, σ² = 0.19: k = 10, γ = 1, D = 1, ω² = 20, κ = 0.19.
  const Model model(
      spec_from("[optimizer]\nlearning_rate = 0.10526315789473684\nmomentum = 0.9\nbatch_size = 1\n"
                "[loss]\nkind = \"quadratic\"\nhessian = 2.0\n[noise]\nkind = \"isotropic\"\nsigma2 = 0.19\n"));
  const Derived d = model.derived(0);
  EXPECT_NEAR(d.k, 10.0, 1e-12);
  EXPECT_NEAR(d.gamma, 1.0, 1e-12);
  EXPECT_NEAR(model.diffusion(0, 0.3), 1.0, 1e-12);
  EXPECT_NEAR(d.omega, std::sqrt(20.0), 1e-12);
  EXPECT_NEAR(d.zeta, 1.0 / (2.0 * std::sqrt(20.0)), 1e-13);
  EXPECT_NEAR(d.std_v, 1.0, 1e-12);
  EXPECT_NEAR(d.std_theta, std::sqrt(0.05), 1e-13);
  EXPECT_NEAR(d.kappa, 0.19, 1e-13);
  EXPECT_NEAR(d.relaxation_time, 2.0, 1e-12);
  EXPECT_NEAR(model.force(0, 0.5), -10.0, 1e-12);
}

TEST(Model, OverdampedRelaxationTime) {  // ω = 1, γ = 5: slow rate 5/2 − √(25/4 − 1)
  const Model model(spec_from("[langevin]\nfriction = 5.0\ntemperature = 2.0\n[loss]\nkind = \"quadratic\"\n"));
  const Derived d = model.derived(0);
  EXPECT_NEAR(1.0 / d.relaxation_time, 2.5 - std::sqrt(5.25), 1e-12);
  EXPECT_NEAR(d.kappa, 0.5, 1e-15);
  EXPECT_NEAR(d.std_theta, std::sqrt(2.0), 1e-12);
}

TEST(Model, WeightDecayMovesTheMinimum) {  // h = 1, m = 2, λ = 1: minimum 1, curvature 2
  const Model model(spec_from(optimizer + "weight_decay = 1.0\n[loss]\nkind = \"quadratic\"\nminimum = 2.0\n"
                                          "[noise]\nkind = \"hessian\"\nsigma2 = 1.0\n"));
  EXPECT_DOUBLE_EQ(model.plane(0).minimum, 1.0);
  EXPECT_DOUBLE_EQ(model.plane(0).curvature, 2.0);
  EXPECT_NEAR(model.gradient(0, 1.0), 0.0, 1e-15);
}

TEST(Model, StationaryCovarianceOfTheMapIsItsFixedPoint) {
  const Model model(spec_from("dynamics = \"sgd\"\n" + optimizer +
                              "[loss]\nkind = \"quadratic\"\nhessian = 3.0\n"
                              "[noise]\nkind = \"isotropic\"\nsigma2 = 2.0\n"));
  const Matrix2 exact = linear_sgd(model, 0).stationary().covariance;
  EXPECT_LT(covariance_error(model.stationary_covariance(0), exact), 1e-13);
}

TEST(Model, FindsTheLowestOfSeveralMinima) {
  const Model model(spec_from(optimizer + "[loss]\nkind = \"expression\"\nformula = \"(x^2-1)^2 + 0.2*x\"\n"
                                          "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n"));
  EXPECT_NEAR(model.plane(0).minimum, -1.024, 1e-3);
  EXPECT_NEAR(model.gradient(0, model.plane(0).minimum), 0.0, 1e-6);
}

TEST(Model, RefusesWhatHasNoMinimumOrNoNoise) {
  const std::string noise = "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n";
  EXPECT_CONTAINS(
      error_of([&] { Model(spec_from(optimizer + "[loss]\nkind = \"expression\"\nformula = \"x^3\"\n" + noise)); }),
      "has no minimum");
  EXPECT_CONTAINS(error_of([&] {
                    Model(spec_from(optimizer + "[loss]\nkind = \"expression\"\nformula = \"sqrt(x)+x^2\"\n" + noise));
                  }),
                  "not finite");
  EXPECT_CONTAINS(
      error_of([&] {
        Model(
            spec_from(optimizer + "[loss]\nkind = \"quadratic\"\n[noise]\nkind = \"expression\"\nformula = \"x^2\"\n"));
      }),
      "the noise is 0.0 at the minimum");
}

/// A spec with a formula as loss and constant noise; `more` goes behind.
std::string formula_spec(const std::string& formula, const std::string& more = {}) {
  return optimizer + "[loss]\nkind = \"expression\"\nformula = \"" + formula +
         "\"\n[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n" + more;
}
std::string model_error(const std::string& spec) {
  return error_of([&] { Model(spec_from(spec)); });
}

TEST(Model, ErrorsNamePlaceAndKey) {
  EXPECT_CONTAINS(model_error(formula_spec("x^3")), "test.toml:7:11: loss.formula: the formula \"x^3\" has no minimum");
  EXPECT_CONTAINS(model_error(formula_spec("0*x + 3")),
                  "test.toml:7:11: loss.formula: the formula \"0*x + 3\" is the same");
  EXPECT_CONTAINS(model_error(formula_spec("x^2/0*0")), "is not finite anywhere between");
  EXPECT_CONTAINS(model_error(formula_spec("x^2 + 1/x")), "falls without bound towards x = -");
  EXPECT_CONTAINS(model_error(formula_spec("-x", "[grid]\ntheta = [0, 5]\n")), "nothing else confines");
  EXPECT_CONTAINS(model_error(optimizer + "[loss]\nkind = \"polynomial\"\ncoefficients = [0, 0, -1]\n"
                                          "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n"),
                  "test.toml:7:16: loss.coefficients: the polynomial has no minimum");
  EXPECT_CONTAINS(
      model_error(optimizer + "[loss]\nkind = \"quadratic\"\n[noise]\nkind = \"expression\"\nformula = \"x\"\n"),
      "test.toml:9:11: noise.formula: the noise is 0.0 at the minimum 0, not positive");
}

TEST(Model, ScalesThatOverflowAreRefused) {
  const auto with = [](const std::string& noise, const std::string& loss = "") {
    return optimizer + "[loss]\nkind = \"quadratic\"\n" + loss + "[noise]\nkind = \"isotropic\"\nsigma2 = " + noise +
           "\n";
  };
  EXPECT_CONTAINS(model_error(with("1e308")), "noise.sigma2: the standard deviation of v would be 4.06e+153");
  EXPECT_CONTAINS(model_error(with("1e-300")), "noise.sigma2: the standard deviation of v would be 4.06e-151");
  EXPECT_CONTAINS(model_error(with("1.0", "hessian = 1e-300\n")),
                  "loss.hessian: the standard deviation of theta would be");
  EXPECT_CONTAINS(model_error(with("1.0", "minimum = 1e30\n")), "numbers cannot resolve it at the minimum 1e+30");
}

TEST(Model, AMinimumIsFoundWhereTheFormulaIsDefined) {  // x − ln x is not defined for x < 0, where the search begins
  EXPECT_NEAR(Model(spec_from(formula_spec("x - ln(x)"))).plane(0).minimum, 1.0, 1e-7);
}

TEST(Model, AFlatMinimumCountsWithItsThermalWidth) {
  // L = x⁴ under exp(−k x⁴/T): Var x = Γ(3/4)/Γ(1/4) · √(T/k).
  const Model model(spec_from(formula_spec("x^4")));
  const Derived d = model.derived(0);
  const double variance = std::tgamma(0.75) / std::tgamma(0.25) * std::sqrt(d.temperature / d.k);
  EXPECT_TRUE(model.plane(0).is_thermal);
  EXPECT_NEAR(d.std_theta * d.std_theta, variance, 1e-9 * variance);
  // A steep potential against a reflecting wall, exp(−k x/T): E x² = 2 (T/k)².
  const Model wall(
      spec_from("[langevin]\nfriction = 1.0\ntemperature = 0.5\n[loss]\nkind = \"expression\"\nformula = "
                "\"x\"\n[grid]\ntheta = [0, 20]\ntheta_boundary = \"reflecting\"\n"));
  EXPECT_NEAR(wall.derived(0).std_theta, std::sqrt(0.5), 1e-4);
  EXPECT_FALSE(Model(spec_from(formula_spec("x^4 + 0.1*x^2"))).plane(0).is_thermal);
  EXPECT_CONTAINS(
      model_error(optimizer + "[loss]\nkind = \"expression\"\nformula = \"x^4\"\n[noise]\nkind = \"hessian\"\n"
                              "sigma2 = 1.0\n"),
      "noise.sigma2: the curvature of the loss at its minimum x = ");
}

std::string langevin_formula(const std::string& formula, const std::string& grid = "") {
  return "[langevin]\nfriction = 1.0\ntemperature = 0.5\n[loss]\nkind = \"expression\"\nformula = \"" + formula +
         "\"\n[grid]\n" + grid + "\n";
}

TEST(Model, AKinkedMinimumCountsWithItsThermalWidth) {  // exp(−|x|/T): E x² = 2 T²
  const Model kink(spec_from(langevin_formula("abs(x)")));
  EXPECT_TRUE(kink.plane(0).is_thermal);
  EXPECT_NEAR(kink.plane(0).minimum, 0.0, 1e-7);
  EXPECT_NEAR(kink.derived(0).std_theta, std::sqrt(0.5), 1e-4);
  // exp(−|x|/T − x²/2T), T = 1/2: E x² = 1 + T − √(2T/π) e^{−1/2T}/erfc(1/√2T) = 0.1805.
  const Model both(spec_from(langevin_formula("abs(x) + 0.5*x^2")));
  const double t = 0.5;
  const double square =
      1.0 + t - std::sqrt(2.0 * t / std::numbers::pi) * std::exp(-0.5 / t) / std::erfc(1.0 / std::sqrt(2.0 * t));
  EXPECT_NEAR(both.derived(0).std_theta, std::sqrt(square), 1e-4);
}

TEST(Model, TheWidthIsThatOfOneWell) {  // between barriers of 64 T: not the distance of the wells
  const Model wells(spec_from(langevin_formula("8*(x^4 - 2*x^2)/0.25")));
  EXPECT_FALSE(wells.plane(0).is_thermal);
  EXPECT_NEAR(wells.plane(0).curvature, 256.0, 1e-3);
}

TEST(Model, TheMinimumIsThatInsideTheGivenRange) {  // x² − x³ falls without bound beyond 2/3
  const Model well(spec_from(langevin_formula("x^2 - x^3", "theta = [-2, 0.66]\ntheta_boundary = \"open\"")));
  EXPECT_NEAR(well.plane(0).minimum, 0.0, 1e-7);
}

TEST(Model, ATiltOnACircleIsAMeanForce) {
  const std::string circle = "theta = [0, 6.283185307179586]\ntheta_boundary = \"periodic\"";
  const Model washboard(spec_from(langevin_formula("-cos(x) - 0.3*x", circle)));
  EXPECT_TRUE(washboard.is_driven(0));
  EXPECT_NEAR(washboard.mean_force(0), 0.3, 1e-14);
  EXPECT_NEAR(washboard.plane(0).minimum, std::asin(0.3), 1e-7);
  // Beyond the critical tilt there is no minimum: that of the periodic part.
  const Model running(spec_from(langevin_formula("-cos(x) - 3*x", circle)));
  EXPECT_NEAR(running.mean_force(0), 3.0, 1e-13);
  EXPECT_NEAR(std::cos(running.plane(0).minimum), 1.0, 1e-12);
  const Model untilted(spec_from(langevin_formula("-cos(x)", circle)));
  EXPECT_FALSE(untilted.is_driven(0));
  EXPECT_EQ(untilted.mean_force(0), 0.0);
  // Between walls a slope is no tilt.
  EXPECT_FALSE(Model(spec_from(langevin_formula("x", "theta = [0, 9]\ntheta_boundary = \"reflecting\""))).is_driven(0));
}

TEST(Model, ClosedWallsConfineWhatIsFlat) {  // uniform on [0, 6]: variance 3
  const std::string range = "theta = [0, 6]\ntheta_boundary = ";
  for (const char* wall : {"\"reflecting\"", "\"periodic\""}) {
    const Model flat(spec_from(langevin_formula("0*x", range + wall)));
    EXPECT_TRUE(flat.plane(0).is_thermal);
    EXPECT_NEAR(flat.derived(0).std_theta, std::sqrt(3.0), 1e-3);
  }
  const std::string open = range + "\"open\"";
  EXPECT_CONTAINS(model_error(langevin_formula("0*x", open)), "nothing holds the parameter");
}

TEST(Model, AnUnstableMapIsRefused) {  // β = 0.9: η h < 3.8
  const auto map = [](double learning_rate) {
    return "dynamics = \"sgd\"\n[optimizer]\nlearning_rate = " + std::to_string(learning_rate) +
           "\nmomentum = 0.9\nbatch_size = 32\n[loss]\nkind = \"quadratic\"\nhessian = 2.0\n[noise]\nkind = "
           "\"isotropic\"\nsigma2 = 1.0\n";
  };
  EXPECT_NO_THROW(Model(spec_from(map(1.89))));
  const std::string text = model_error(map(1.9));
  EXPECT_CONTAINS(text, "test.toml:3:17: optimizer.learning_rate: the SGD map diverges");
  EXPECT_CONTAINS(text, "their product 3.8 is not below 2 (1 + momentum) = 3.8");
  EXPECT_CONTAINS(text, "use a learning rate below 1.9");
}

TEST(Model, NoiseTablesMustReachTheMinimum) {
  const testing::TemporaryDirectory folder;
  std::ofstream(folder.path() / "n.csv") << "theta,noise\n1,1\n2,1\n3,1\n4,1\n";
  EXPECT_CONTAINS(model_error(optimizer + "[loss]\nkind = \"quadratic\"\n[noise]\nkind = \"table\"\nfile = \"" +
                              (folder.path() / "n.csv").string() + "\"\n"),
                  "noise.file: the minimum of the loss, x = 0, is not inside the range [1, 4]");
}

// --- dataset -------------------------------------------------------------------------------------

Dataset dataset_of(const LossSpec& loss) {
  return Dataset(
      std::make_shared<RegressionData>(regression_data(CsvTable::read(loss.file), loss.target, loss.standardize)), 0.0);
}

/// Two features, orthogonal after standardising: H = I.
const std::string small_data = "x1,x2,y\n1,1,3\n-1,1,1\n1,-1,1\n-1,-1,-1\n";

LossSpec dataset_spec(const std::filesystem::path& file, bool standardize) {
  LossSpec loss;
  loss.kind = LossKind::dataset;
  loss.file = file.string();
  loss.target = "y";
  loss.standardize = standardize;
  return loss;
}

TEST(Dataset, RegressionByHand) {
  // Without standardising: y = 1 + x1 + x2 with no intercept: θ* = (1, 1), residual 1 everywhere, H = I,
  // gradients −x_n, so Σ = I (the mean gradient is 0).
  const testing::TemporaryDirectory folder;
  std::ofstream(folder.path() / "d.csv") << small_data;
  const Dataset data = dataset_of(dataset_spec(folder.path() / "d.csv", false));
  ASSERT_EQ(data.modes().size(), 2U);
  for (const HessianMode& mode : data.modes()) {
    EXPECT_NEAR(mode.eigenvalue, 1.0, 1e-14);
    EXPECT_NEAR(mode.noise, 1.0, 1e-14);
  }
  const auto& u = data.eigenvectors();
  EXPECT_NEAR(u(0, 0) * data.modes()[0].minimum + u(0, 1) * data.modes()[1].minimum, 1.0, 1e-14);
}

TEST(Dataset, StandardisedColumnsGiveACorrelationMatrix) {
  // x2 = x1 + noise: correlation c gives eigenvalues 1 ± c.
  const testing::TemporaryDirectory folder;
  std::ofstream(folder.path() / "d.csv") << "a,b,y\n1,2,1\n2,1,2\n3,4,3\n4,3,5\n";
  const Dataset data = dataset_of(dataset_spec(folder.path() / "d.csv", true));
  EXPECT_NEAR(data.modes()[0].eigenvalue, 1.6, 1e-13);  // c = 0.6 for (1,2,3,4) and (2,1,4,3)
  EXPECT_NEAR(data.modes()[1].eigenvalue, 0.4, 1e-13);
  EXPECT_NEAR(data.target().mean(), 0.0, 1e-14);
  EXPECT_NEAR(data.target().squaredNorm() / 4.0, 1.0, 1e-13);
}

TEST(Dataset, ErrorsNameFileAndColumn) {
  const testing::TemporaryDirectory folder;
  const auto file = folder.path() / "d.csv";
  std::ofstream(file) << "a,b,y\n1,5,1\n2,5,2\n3,5,4\n";
  EXPECT_CONTAINS(error_of([&] { dataset_of(dataset_spec(file, true)); }), "column \"b\" is constant");
  std::ofstream(file) << "a,b,y\n1,,1\n2,,2\n";
  EXPECT_CONTAINS(error_of([&] { dataset_of(dataset_spec(file, true)); }), "column \"b\": an empty cell");
  std::ofstream(file) << "y\n1\n2\n";
  EXPECT_CONTAINS(error_of([&] { dataset_of(dataset_spec(file, true)); }), "no column besides the target");
  std::ofstream(file) << "a,z\n1,2\n2,1\n";
  EXPECT_CONTAINS(error_of([&] { dataset_of(dataset_spec(file, true)); }), "there is no column \"y\"");
}

TEST(Dataset, SingularHessianIsRefusedUnlessDecayHolds) {
  const testing::TemporaryDirectory folder;
  std::ofstream(folder.path() / "d.csv") << "a,b,y\n1,2,1\n2,4,2\n3,6,5\n4,8,3\n";  // b = 2a
  const std::string data =
      "[loss]\nkind = \"dataset\"\ntarget = \"y\"\nfile = \"" + (folder.path() / "d.csv").string() + "\"\n";
  EXPECT_CONTAINS(error_of([&] { Model(spec_from(optimizer + data)); }),
                  "the Hessian is singular, mode 2 has eigenvalue 0");
  EXPECT_NO_THROW(Model(spec_from(optimizer + data + "modes = [1]\n")));
  EXPECT_CONTAINS(error_of([&] { Model(spec_from(optimizer + data + "modes = [3]\n")); }), "there is no mode 3");
  EXPECT_CONTAINS(error_of([&] { Model(spec_from(optimizer + "weight_decay = 0.1\n" + data)); }),
                  "not positive");  // no noise there
}

// --- box and start -------------------------------------------------------------------------------

TEST(Box, QuadraticBoxIsSevenDeviationsOfTheExactGaussian) {
  const Spec spec = spec_from(
      "[langevin]\nfriction = 0.6\ntemperature = 1.0\n[loss]\nkind = \"quadratic\"\n"
      "[initial]\nkind = \"gaussian\"\nmean = [2.0, 0.0]\ncovariance = [[0.09, 0.0], [0.0, 0.09]]\n"
      "[evolve]\nuntil = 4.0\n");
  const Model model(spec);
  const PlaneBox box = choose_box(spec, model, 0);
  double upper = 0.0;
  double lower = 0.0;
  for (int s = 0; s <= 4000; ++s) {
    const auto state = linear_langevin(model, 0).evolve({{2.0, 0.0}, {{{0.09, 0.0}, {0.0, 0.09}}}}, s * 1e-3);
    upper = std::max(upper, state.mean[0] + 7.0 * std::sqrt(state.covariance[0][0]));
    lower = std::min(lower, state.mean[0] - 7.0 * std::sqrt(state.covariance[0][0]));
  }
  EXPECT_NEAR(box.theta.upper, upper, 0.01);
  EXPECT_NEAR(box.theta.lower, lower, 0.01);
}

TEST(Box, DoubleWellBoxHoldsTheGibbsState) {
  const Spec spec = spec_from(
      "[langevin]\nfriction = 1.0\ntemperature = 0.2\n[loss]\nkind = \"polynomial\"\n"
      "coefficients = [0.0, 0.0, -0.5, 0.0, 0.25]\n[initial]\nkind = \"gaussian\"\nmean = [1.0, 0.0]\n"
      "covariance = [[0.0025, 0.0], [0.0, 0.01]]\n[evolve]\nuntil = 1.0\n");
  const Model model(spec);
  const PlaneBox box = choose_box(spec, model, 0);
  // exp(−U/T) at the wall is e^{−24.5} of the peak: (θ² − 1)²/4 = 4.9 at θ = √(1 + √19.6) = 2.3293.
  EXPECT_NEAR(box.theta.upper, 2.3293, 0.03);
  EXPECT_NEAR(box.theta.lower, -2.3293, 0.03);
  EXPECT_NEAR(box.velocity.upper, std::sqrt(2.0 * 4.9), 0.03);
}

TEST(Box, AFormulaGetsTheBoxOfTheSameQuadratic) {
  // A start far outside the stationary state: its path, not the landscape around the minimum, sets the box.
  const std::string rest =
      "[initial]\nkind = \"gaussian\"\nmean = [9.0, 0.0]\ncovariance = [[4.0, 0.0], [0.0, 0.5]]\n[evolve]\nuntil = "
      "1.0\n";
  const std::string head = "[langevin]\nfriction = 0.6\ntemperature = 1.0\n[loss]\n";
  const Spec quadratic = spec_from(head + "kind = \"quadratic\"\n" + rest);
  const Spec formula = spec_from(head + "kind = \"expression\"\nformula = \"x^2/2\"\n" + rest);
  const PlaneBox a = choose_box(quadratic, Model(quadratic), 0);
  const PlaneBox b = choose_box(formula, Model(formula), 0);
  EXPECT_GE(b.theta.upper, 9.0 + 7.0 * 2.0);
  EXPECT_NEAR(a.theta.upper, b.theta.upper, 0.01);
  EXPECT_LE(b.theta.lower, a.theta.lower + 0.01);
  EXPECT_LE(b.velocity.lower, a.velocity.lower + 0.01);
}

TEST(Box, AnAngleNeedsNoConfinement) {
  const Spec spec = spec_from(
      "[langevin]\nfriction = 0.3\ntemperature = 0.3\n[loss]\nkind = \"expression\"\nformula = \"1-cos(x)\"\n"
      "[grid]\ntheta = [-3.14159265358979, 3.14159265358979]\ntheta_boundary = \"periodic\"\n[evolve]\nuntil = 1.0\n");
  const PlaneBox box = choose_box(spec, Model(spec), 0);
  EXPECT_GE(box.velocity.upper, 7.0 * std::sqrt(0.3) - 1e-9);
  EXPECT_LE(box.velocity.upper, 20.0 * std::sqrt(0.3));
}

TEST(Box, OverABarrierTheVelocityIsThermal) {
  // U = 1 − cos θ rises to 2, but the energy of a rotator is not bounded by that: the box holds ±7 √T.
  const Spec spec = spec_from(
      "[langevin]\nfriction = 0.4\ntemperature = 0.5\n[loss]\nkind = \"expression\"\nformula = \"1-cos(x)\"\n"
      "[grid]\ntheta = [-3.14159265358979, 3.14159265358979]\ntheta_boundary = \"periodic\"\n[stationary]\n");
  const PlaneBox box = choose_box(spec, Model(spec), 0);
  EXPECT_GE(box.velocity.upper, 0.99 * 7.0 * std::sqrt(0.5));
  EXPECT_LE(box.velocity.upper, 1.3 * 7.0 * std::sqrt(0.5));
}

TEST(Box, StaysInsideATable) {
  const testing::TemporaryDirectory folder;
  std::ofstream file(folder.path() / "t.csv");
  file << "theta,loss,noise\n";
  for (int k = -20; k <= 20; ++k) file << 0.05 * k << "," << 0.00125 * k * k << ",1.0\n";
  file.close();
  const std::string name = (folder.path() / "t.csv").string();
  const std::string text =
      "[langevin]\nfriction = 1.0\ntemperature = 1.0\n[loss]\nkind = \"table\"\nfile = \"" + name + "\"\n";
  const Spec spec = spec_from(text);
  const PlaneBox box = choose_box(spec, Model(spec), 0);
  EXPECT_EQ(box.theta.upper, 1.0);
  EXPECT_CONTAINS(box.reason, "cut to the range [-1, 1] of the table");
  const Spec outside = spec_from(text + "[grid]\ntheta = [-2.0, 0.5]\nvelocity = [-5, 5]\n");
  EXPECT_CONTAINS(error_of([&] { choose_box(outside, Model(outside), 0); }), "leaves the range [-1, 1]");
}

TEST(Resolution, SeesTheNarrowDirectionOfACorrelation) {
  const PhasePlane plane{{0.0, 10.0, 100}, {0.0, 40.0, 200}};  // cells of 0.1 and 0.2
  // Deviations of ten cells, correlated by 0.99: across the diagonal 10 √(1 − 0.99) = 1 cell.
  const Resolution tilted = resolution(plane, {{{1.0, 0.99 * 2.0}, {0.99 * 2.0, 4.0}}});
  EXPECT_NEAR(tilted.theta, 10.0, 1e-12);
  EXPECT_NEAR(tilted.velocity, 10.0, 1e-12);
  EXPECT_NEAR(tilted.narrowest, 1.0, 1e-9);
  EXPECT_NEAR(resolution(plane, {{{1.0, 0.0}, {0.0, 1.0}}}).narrowest, 5.0, 1e-12);
  const Spec spec = spec_from(
      "dynamics = \"sgd\"\n[optimizer]\nlearning_rate = 0.9\nmomentum = 0.9\nbatch_size = 32\n[loss]\n"
      "kind = \"quadratic\"\nhessian = 4.0\n[noise]\nkind = \"hessian\"\nsigma2 = 1.0\n"
      "[grid]\ncells = [96, 96]\n[evolve]\nsteps = 10\n");
  const Model model(spec);
  const auto warnings = resolution_warnings(spec, model, make_mesh(spec, model), 0);
  ASSERT_FALSE(warnings.empty());
  EXPECT_CONTAINS(warnings[0], "across its narrow direction");
  EXPECT_CONTAINS(warnings[0], "correlated by 0.97");
}

TEST(InitialState, GaussianIsSampledAtCentresAndNormalised) {
  const Spec spec = spec_from(
      "[langevin]\nfriction = 1.0\ntemperature = 1.0\n[loss]\nkind = \"quadratic\"\n"
      "[grid]\ncells = [64, 48]\ntheta = [-7, 7]\nvelocity = [-8, 8]\n"
      "[initial]\nkind = \"gaussian\"\nmean = [0.3, -0.2]\ncovariance = [[0.5, 0.1], [0.1, 0.6]]\n");
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  const auto density = initial_density(spec, model, mesh, 0);
  EXPECT_NEAR(density[30 * 48 + 20],
              gaussian_density({0.3, -0.2}, {{{0.5, 0.1}, {0.1, 0.6}}}, mesh.plane(0).theta.center(30),
                               mesh.plane(0).velocity.center(20)),
              1e-12);
  double mass = 0.0;
  for (const double p : density) mass += p * mesh.plane(0).cell_area();
  EXPECT_NEAR(mass, 1.0, 1e-13);
}

TEST(InitialState, GaussianDensityByHand) {  // at the mean: 1/(2π √det), det = 0.5·0.6 − 0.01
  EXPECT_NEAR(gaussian_density({0, 0}, {{{0.5, 0.1}, {0.1, 0.6}}}, 0, 0), 1.0 / (6.283185307179586 * std::sqrt(0.29)),
              1e-15);
}

TEST(InitialState, UniformAndFile) {
  const testing::TemporaryDirectory folder;
  const std::string base =
      "[langevin]\nfriction = 1.0\ntemperature = 1.0\n[loss]\nkind = \"quadratic\"\n"
      "[grid]\ncells = [32, 32]\ntheta = [-4, 4]\nvelocity = [-4, 4]\n";
  const Spec uniform = spec_from(base + "[initial]\nkind = \"uniform\"\ntheta = [-1, 1]\nvelocity = [0, 2]\n");
  const Model model(uniform);
  const PhaseMesh mesh = make_mesh(uniform, model);
  const auto density = initial_density(uniform, model, mesh, 0);
  EXPECT_NEAR(density[16 * 32 + 20], 0.25, 1e-13);
  EXPECT_EQ(density[2 * 32 + 20], 0.0);
  // A smooth density written as CSV on another lattice comes back by interpolation.
  std::ofstream file(folder.path() / "p.csv");
  file.precision(17);
  file << "theta,v,density\n";
  for (int i = 0; i <= 80; ++i) {
    for (int j = 0; j <= 80; ++j) {
      const double x = -4.0 + 0.1 * i;
      const double v = -4.0 + 0.1 * j;
      file << x << "," << v << "," << gaussian_density({0.1, 0.2}, {{{0.5, 0.0}, {0.0, 0.5}}}, x, v) << "\n";
    }
  }
  file.close();
  const Spec from_file =
      spec_from(base + "[initial]\nkind = \"file\"\nfile = \"" + (folder.path() / "p.csv").string() + "\"\n");
  const auto read = initial_density(from_file, model, mesh, 0);
  EXPECT_NEAR(read[18 * 32 + 17],
              gaussian_density({0.1, 0.2}, {{{0.5, 0.0}, {0.0, 0.5}}}, mesh.plane(0).theta.center(18),
                               mesh.plane(0).velocity.center(17)),
              1e-5);
  EXPECT_NEAR(initial_moments(from_file, model, 0).mean[1], 0.2, 1e-6);
}

TEST(InitialState, UniformDefaultsToThreeDeviationsInsideTheBox) {
  const std::string base =
      "[langevin]\nfriction = 1.0\ntemperature = 1.0\n[loss]\nkind = \"quadratic\"\n[initial]\nkind = \"uniform\"\n"
      "[evolve]\nuntil = 5.0\n";
  const Spec free = spec_from(base);
  const Model model(free);
  EXPECT_NEAR(initial_moments(free, model, 0).covariance[0][0], 3.0, 1e-12);  // (2·3)²/12
  const PlaneBox box = choose_box(free, model, 0);
  EXPECT_GT(box.theta.upper, 7.0);  // the noise alone takes it to seven deviations
  EXPECT_LT(box.theta.upper, 12.0);
  const PhaseMesh mesh = make_mesh(free, model);
  EXPECT_EQ(initial_density(free, model, mesh, 0)[0], 0.0);  // nothing at the walls
  const Spec cut = spec_from(base + "[grid]\ntheta = [-1, 9]\n");
  EXPECT_NEAR(initial_moments(cut, Model(cut), 0).mean[0], 1.0, 1e-12);  // [−1, 3]
}

TEST(InitialState, TooNarrowForTheCellsIsSaid) {
  const Spec spec = spec_from(
      "[langevin]\nfriction = 1.0\ntemperature = 1.0\n[loss]\nkind = \"quadratic\"\n[grid]\ntheta = [-7, 7]\n"
      "velocity = [-7, 7]\n[initial]\nkind = \"gaussian\"\ncovariance = [[1e-12, 0], [0, 1e-12]]\n");
  const Model model(spec);
  EXPECT_CONTAINS(error_of([&] { initial_density(spec, model, make_mesh(spec, model), 0); }),
                  "the start slips between the cells: standard deviations 1e-06 and 1e-06");
}

TEST(Box, AMapThatThrowsTheStartAwayIsRefused) {
  const auto box_error = [](const std::string& formula, const std::string& start) {
    const Spec spec = spec_from("dynamics = \"sgd\"\n" + formula_spec(formula, start + "[evolve]\nsteps = 50\n"));
    return error_of([&] { choose_box(spec, Model(spec), 0); });
  };
  const std::string far = "[initial]\nkind = \"gaussian\"\nmean = [20, 0]\n";
  EXPECT_CONTAINS(box_error("x^2/2 + x^4", far),
                  "test.toml:3:17: optimizer.learning_rate: the SGD map throws the start");
  EXPECT_CONTAINS(box_error("x^2/2 + x^6", far), "optimizer.learning_rate: the SGD map throws the start");
}

TEST(Box, BadValuesOnTheWayNameTheirKey) {
  const auto box_error = [](const std::string& loss, const std::string& noise) {
    const Spec spec = spec_from(optimizer + "[loss]\nkind = \"expression\"\nformula = \"" + loss +
                                "\"\n[noise]\nkind = \"expression\"\nformula = \"" + noise + "\"\n");
    return error_of([&] { choose_box(spec, Model(spec), 0); });
  };
  EXPECT_CONTAINS(box_error("x^2", "1-100*x^2"), "test.toml:10:11: noise.formula: the formula \"1-100*x^2\" is -");
  EXPECT_CONTAINS(box_error("x^2", "sqrt(x+0.1)"), "is nan at x = -0.1");
  EXPECT_CONTAINS(box_error("x^2 + 0*sqrt(0.1-x)", "1"), "test.toml:7:11: loss.formula: the formula");
  EXPECT_CONTAINS(box_error("x^2/(1+x^2)", "1000"), "grid.theta: nothing confines the parameter beyond");
}

const std::string batch =
    "[langevin]\nfriction = 0.5\ntemperature = 0.5\n[evolve]\nuntil = 1\n[loss]\nkind = \"spectrum\"\nlaw = \"power\"\n"
    "alpha = 0.5\nmin = 0.1\nmax = 2\ncount = 40\nformula = ";

TEST(Box, PlanesOfABatchHaveTheirOwnWhateverThreadChoosesThem) {
  const Spec spec = spec_from(batch + "\"h*x^2/2 + x^4/4\"\n");
  const Model model(spec);
  double last = -1.0;
  std::vector<std::string> reasons;
  const PhaseMesh mesh = make_mesh(spec, model, &reasons, [&](double share) {
    EXPECT_GE(share, last);
    EXPECT_LE(share, 1.0);
    last = share;
  });
  EXPECT_GT(last, 0.0);
  ASSERT_EQ(mesh.planes(), 40);
  ASSERT_EQ(reasons.size(), 40U);
  for (int p = 0; p < mesh.planes(); ++p) {
    const PlaneBox box = choose_box(spec, model, p);
    EXPECT_EQ(mesh.plane(p).theta.lower, box.theta.lower) << p;
    EXPECT_EQ(mesh.plane(p).velocity.upper, box.velocity.upper) << p;
  }
  EXPECT_LT(mesh.plane(0).theta.width(), mesh.plane(39).theta.width());
  struct Stop {};
  EXPECT_THROW(make_mesh(spec, model, nullptr, [](double) { throw Stop{}; }), Stop);
}

TEST(Box, OfSeveralBadPlanesTheFirstIsNamed) {
  // −h/(1 + h x²) is too shallow for T = 1/2; how far the search goes before it says so depends on h.
  const Spec spec = spec_from(batch + "\"-h/(1+h*x^2)\"\n");
  const Model model(spec);
  const std::string first = error_of([&] { choose_box(spec, model, 0); });
  EXPECT_CONTAINS(first, "nothing confines the parameter beyond");
  ASSERT_NE(first, error_of([&] { choose_box(spec, model, 39); }));
  for (int turn = 0; turn < 5; ++turn) EXPECT_EQ(error_of([&] { make_mesh(spec, model); }), first);
}

TEST(InitialState, OutsideTheBoxIsRefused) {
  const Spec spec = spec_from(
      "[langevin]\nfriction = 1.0\ntemperature = 1.0\n[loss]\nkind = \"quadratic\"\n"
      "[grid]\ntheta = [-1, 1]\nvelocity = [-5, 5]\n"
      "[initial]\nkind = \"gaussian\"\nmean = [1, 0]\ncovariance = [[9, 0], [0, 0.1]]\n");
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  EXPECT_CONTAINS(error_of([&] { initial_density(spec, model, mesh, 0); }),
                  "test.toml:11:8: initial.mean: only 0.248 of the start lies in the box theta [-1, 1], v [-5, 5]");
}

TEST(Tables, CoarseVelocityGridIsRefused) {
  const Spec spec = spec_from(
      "[langevin]\nfriction = 1.0\ntemperature = 0.01\n[loss]\nkind = \"quadratic\"\n"
      "[grid]\ncells = [64, 16]\ntheta = [-1, 1]\nvelocity = [-5, 5]\n");
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  EXPECT_CONTAINS(error_of([&] { tabulate(spec, model, mesh); }), "the velocity grid is too coarse");
}

TEST(Tables, NonFiniteLossNamesThePlace) {
  const Spec spec =
      spec_from(optimizer +
                "[loss]\nkind = \"expression\"\nformula = \"x^2 + 0*log(x+1)\"\n"
                "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n[grid]\ntheta = [-2, 2]\nvelocity = [-2, 2]\n");
  EXPECT_CONTAINS(error_of([&] {
                    const Model model(spec);
                    tabulate(spec, model, make_mesh(spec, model));
                  }),
                  "x = -1.9");
}

TEST(Tables, OnePlaneOfABatch) {
  const Spec spec = spec_from(
      optimizer +
      "[loss]\nkind = \"spectrum\"\neigenvalues = [1.0, 2.0, 3.0]\n[noise]\nkind = \"hessian\"\nsigma2 = 1.0\n"
      "[grid]\ncells = [32, 32]\n[evolve]\nuntil = 1\n");
  const Model model(spec);
  const PhaseMesh mesh = make_mesh(spec, model);
  const Tables all = tabulate(spec, model, mesh);
  for (int p = 0; p < 3; ++p) {
    for (const Tables& one : {all.only(p), tabulate_plane(spec, model, mesh, p)}) {
      EXPECT_EQ(one.dynamics, all.dynamics);
      EXPECT_EQ(one.learning_rate, all.learning_rate);
      EXPECT_EQ(one.momentum, all.momentum);
      const auto part = [&](std::vector<double> Tables::*member, std::size_t length) {
        const auto first = (all.*member).begin() + static_cast<std::ptrdiff_t>(length) * p;
        EXPECT_EQ(one.*member, std::vector<double>(first, first + static_cast<std::ptrdiff_t>(length)));
      };
      for (const auto member : {&Tables::friction, &Tables::relaxation_time, &Tables::rate, &Tables::minimum,
                                &Tables::std_theta, &Tables::std_v})
        part(member, 1);
      for (const auto member :
           {&Tables::force, &Tables::diffusion, &Tables::loss, &Tables::kick, &Tables::step_variance})
        part(member, 32);
    }
  }
}

TEST(Simulation, ADensityIsDownloadedAlone) {
  // On a GPU all planes are one field.
  const Spec spec = spec_from(
      optimizer +
      "[loss]\nkind = \"spectrum\"\neigenvalues = [1.0, 2.0, 3.0]\n[noise]\nkind = \"hessian\"\nsigma2 = 1.0\n"
      "[grid]\ncells = [32, 40]\n[evolve]\nuntil = 1\n");
  testing::HookedBackend backend(testing::make_device("emulated"), [](const std::string&, long, Field*) {});
  Simulation simulation(spec, backend);
  simulation.start();
  const Model model(spec);
  for (int p = 0; p < 3; ++p) {
    const std::size_t before = backend.downloaded();
    const auto density = simulation.density(p);
    EXPECT_EQ(backend.downloaded() - before, 32U * 40U * sizeof(double));
    EXPECT_EQ(density, initial_density(spec, model, simulation.mesh(), p));
  }
}

// --- files ---------------------------------------------------------------------------------------

TEST(Vtk, PicturesComeBack) {
  if (!has_vtk()) GTEST_SKIP() << "built without VTK";
  const testing::TemporaryDirectory folder;
  const PhasePlane plane{{-1.0, 2.0, 16}, {-3.0, 3.5, 17}};
  std::vector<double> values;
  for (int k = 0; k < 272; ++k) values.push_back(0.25 * k);
  write_vti(folder.path() / "d.vti", plane, {{"density", {values}}}, true);
  const GridDensity grid = read_vti_density((folder.path() / "d.vti").string());
  EXPECT_EQ(grid.values, values);
  const std::string text = testing::text_of(folder.path() / "d.vti");
  EXPECT_CONTAINS(text, "compressor=\"vtkLZ4DataCompressor\"");
  EXPECT_CONTAINS(text, "<AppendedData encoding=\"raw\">");
  EXPECT_NEAR(grid.theta[3], plane.theta.center(3), 1e-14);
  EXPECT_NEAR(grid.velocity[16], plane.velocity.center(16), 1e-14);
}

TEST(Vtk, PicturesOfEarlierVersionsComeBack) {
  if (!has_vtk()) GTEST_SKIP() << "built without VTK";
  const testing::TemporaryDirectory folder;
  std::ofstream(folder.path() / "old.vti") << R"(<?xml version="1.0"?>
<VTKFile type="ImageData" version="0.1" byte_order="LittleEndian" header_type="UInt32"
         compressor="vtkZLibDataCompressor">
  <ImageData WholeExtent="0 4 0 4 0 0" Origin="-1 -2 0" Spacing="0.5 1 1">
    <Piece Extent="0 4 0 4 0 0">
      <CellData Scalars="density">
        <DataArray type="Float32" Name="density" format="binary">
          AQAAAACAAABAAAAAMgAAAA==eJxjYACBBnsg4QBEQNwAxAuA+AAQPwBiBkcGBgEgVgBiAyB2AOIAIE4A4gJHABPOCQg=
        </DataArray>
      </CellData>
    </Piece>
  </ImageData>
</VTKFile>
)";
  const GridDensity grid = read_vti_density((folder.path() / "old.vti").string());
  std::vector<double> expected;  // 0, 1, 2 … in the file, θ fastest there
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) expected.push_back(4 * j + i);
  }
  EXPECT_EQ(grid.values, expected);
}

// --- what is written behind the solver -----------------------------------------------------------

TEST(BackgroundWriter, WritesInOrder) {
  std::vector<int> written;
  BackgroundWriter writer(1000);
  for (int k = 0; k < 100; ++k) {
    writer.add(1, [&written, k] { written.push_back(k); });
  }
  writer.flush();
  ASSERT_EQ(written.size(), 100U);
  EXPECT_TRUE(std::is_sorted(written.begin(), written.end()));
  {
    BackgroundWriter another(1000);
    another.add(1, [&written] {
      testing::sleep_seconds(0.02);
      written.push_back(100);
    });
  }
  EXPECT_EQ(written.back(), 100) << "what waits at the end is written";
}

TEST(BackgroundWriter, WhatWaitsIsBounded) {
  std::atomic<int> waiting{0};
  int most = 0;
  BackgroundWriter writer(250);
  for (int k = 0; k < 20; ++k) {
    writer.add(100, [&waiting] {
      testing::sleep_seconds(0.002);
      --waiting;
    });
    most = std::max(most, ++waiting);
  }
  writer.flush();
  EXPECT_GE(most, 2) << "nothing was written behind";
  EXPECT_LE(most, 2);
  bool is_written = false;
  writer.add(1000, [&is_written] { is_written = true; });  // more than all, but alone
  writer.flush();
  EXPECT_TRUE(is_written);
}

TEST(BackgroundWriter, AFailureIsToldAndEndsTheWriting) {
  int written = 0;
  BackgroundWriter writer(1000);
  writer.add(1, [&] { ++written; });
  writer.add(1, [] {
    testing::sleep_seconds(0.02);
    throw Error(ExitCode::input_output, "the disk is full");
  });
  writer.add(1, [&] { ++written; });
  const auto text_of_failure = [](const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_EQ(text_of_failure([&] { writer.flush(); }), "the disk is full");
  EXPECT_EQ(text_of_failure([&] { writer.check(); }), "the disk is full");
  EXPECT_EQ(text_of_failure([&] { writer.add(1, [&] { ++written; }); }), "the disk is full");
  EXPECT_EQ(written, 1);
}

TEST(Progress, Durations) {
  EXPECT_EQ(duration_text(0.0123), "12 ms");
  EXPECT_EQ(duration_text(3.44), "3.4 s");
  EXPECT_EQ(duration_text(72.0), "1 min 12 s");
  EXPECT_EQ(duration_text(7500.0), "2 h 05 min");
}

}  // namespace
}  // namespace underdamp
