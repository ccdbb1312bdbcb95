#include <cmath>
#include <numbers>

#include <Eigen/Dense>

#include "solver/coupled/coupled_box.hpp"
#include "solver/coupled/coupled_integrator.hpp"
#include "solver/coupled/pair_marginals.hpp"
#include "solver/landscape/tensor_spline.hpp"
#include "test_support.hpp"

/// Several coupled parameters: the model, its axes and boxes, and the integrator against exact Gaussians.
namespace underdamp {
namespace {

ParameterMatrix matrix2(double a, double b, double c) {
  ParameterMatrix m(2, 2);
  m << a, b, b, c;
  return m;
}
ParameterVector vector2(double a, double b) {
  ParameterVector v(2);
  v << a, b;
  return v;
}

CoupledProcess process_of(std::shared_ptr<const Surface> loss, const ParameterMatrix& diffusion, double gamma) {
  CoupledProcess process;
  process.gamma = gamma;
  process.loss = std::move(loss);
  process.noise = make_constant_matrix(diffusion);
  return process;
}

/// The linear case of docs/method.md, section 16: H = [[1.2, 0.3], [0.3, 0.7]], γ = 2ζ, noise of correlation r.
CoupledModel linear_case(double r, double zeta) {
  const double gamma = 2.0 * zeta;
  return {process_of(make_quadratic_surface(matrix2(1.2, 0.3, 0.7), vector2(0.0, 0.0)),
                     gamma * matrix2(1.0, 0.8 * r, 0.64), gamma),
          vector2(0.0, 0.0)};
}

PhaseMoments displaced(const CoupledModel& model) {
  PhaseMoments start;
  const PhaseMatrix c = model.linearized().stationary_covariance();
  start.covariance = 0.6 * c;
  const Eigen::Vector4d away(1.0, -0.5, 0.5, 1.0);
  start.mean = PhaseVector(away.cwiseProduct(c.diagonal().cwiseSqrt()));
  return start;
}

std::vector<double> gaussian_on(const PhaseSpace& space, const PhaseMoments& m) {
  const int d = space.parameters();
  const Eigen::MatrixXd covariance = m.covariance;
  const Eigen::MatrixXd inverse = covariance.inverse();
  const double scale = 1.0 / std::sqrt(std::pow(2.0 * std::numbers::pi, 2 * d) * covariance.determinant());
  std::vector<double> values;
  values.reserve(space.shape().cells());
  Eigen::VectorXd z(2 * d);
  for (long i = 0; i < space.shape().theta_cells; ++i) {
    z.head(d) = theta_center(space, 0, i) - m.mean.head(d);
    for (long j = 0; j < space.shape().velocity_cells; ++j) {
      const auto at = axis_positions(space.shape().axes.velocity, d, j);
      for (int k = 0; k < d; ++k) {
        const auto axis = static_cast<std::size_t>(k);
        z[d + k] = space.problem(0).velocity[axis].center(at[axis]) - m.mean[d + k];
      }
      values.push_back(scale * std::exp(-0.5 * z.dot(inverse * z)));
    }
  }
  return values;
}

/// Σ |a − b| times the cell.
double distance(const PhaseSpace& space, const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += std::abs(a[c] - b[c]);
  return sum * space.problem(0).cell_volume();
}

// --- processes that are linear ---------------------------------------------------------------------

TEST(LinearProcess, OneParameterByHand) {
  ParameterMatrix one(1, 1);
  one << 2.0;
  ParameterMatrix noise(1, 1);
  noise << 0.6;
  ParameterVector minimum(1);
  minimum << 0.5;
  const auto process = LinearProcess::langevin(one, 1.0, noise, minimum);
  // Var v = D/γ, Var θ = D/(γ k h); λ² + λ + 2 = 0.
  const PhaseMatrix c = process.stationary_covariance();
  EXPECT_NEAR(c(1, 1), 0.6, 1e-14);
  EXPECT_NEAR(c(0, 0), 0.3, 1e-14);
  EXPECT_NEAR(c(0, 1), 0.0, 1e-14);
  EXPECT_NEAR(process.relaxation_time(), 2.0, 1e-14);
  EXPECT_NEAR(process.fastest_rate(), std::sqrt(2.0), 1e-14);
  PhaseMoments start;
  start.mean = PhaseVector(Eigen::Vector2d(1.5, 0.0));
  start.covariance = PhaseMatrix(Eigen::Matrix2d::Zero());
  const PhaseMoments later = process.after(0.7, start);
  const double omega = std::sqrt(7.0) / 2.0;
  EXPECT_NEAR(later.mean[0], 0.5 + std::exp(-0.35) * (std::cos(0.7 * omega) + 0.5 / omega * std::sin(0.7 * omega)),
              1e-13);
  const PhaseMoments at_rest = process.after(60.0, start);
  EXPECT_TRUE(at_rest.covariance.isApprox(c, 1e-11));
}

TEST(LinearProcess, NoiseOfATimeAddsUp) {
  const LinearProcess process = linear_case(0.9, 0.1).linearized();
  const PhaseMoments start = displaced(linear_case(0.9, 0.1));
  const PhaseMoments whole = process.after(3.0, start);
  const PhaseMoments parts = process.after(1.9, process.after(1.1, start));
  EXPECT_TRUE(whole.covariance.isApprox(parts.covariance, 1e-12));
  EXPECT_TRUE(whole.mean.isApprox(parts.mean, 1e-12));
}

TEST(LinearProcess, TheMapIsItsRecursion) {
  const ParameterMatrix h = matrix2(2.0, 0.6, 1.2);
  const ParameterMatrix s = matrix2(1.0, 0.4, 0.64);
  const auto process = LinearProcess::sgd(h, 0.9, 0.1, s, vector2(0.2, -0.1));
  PhaseMoments m;
  m.mean = PhaseVector(Eigen::Vector4d(1.0, 0.0, 0.0, 0.5));
  m.covariance = PhaseMatrix(Eigen::Matrix4d::Identity());
  const PhaseMoments jump = process.after(0.1 * 37, m);
  for (int step = 0; step < 37; ++step) {
    // v ← β v − H (θ − θ*) + ξ, then θ ← θ + η v, one after the other.
    Eigen::Matrix4d kick = Eigen::Matrix4d::Identity();
    kick.bottomRightCorner(2, 2) = 0.9 * Eigen::Matrix2d::Identity();
    kick.bottomLeftCorner(2, 2) = -h;
    Eigen::Matrix4d noise = Eigen::Matrix4d::Zero();
    noise.bottomRightCorner(2, 2) = s;
    Eigen::Matrix4d drift = Eigen::Matrix4d::Identity();
    drift.topRightCorner(2, 2) = 0.1 * Eigen::Matrix2d::Identity();
    const Eigen::Vector4d center(0.2, -0.1, 0.0, 0.0);
    m.covariance = PhaseMatrix(drift * (kick * m.covariance * kick.transpose() + noise) * drift.transpose());
    m.mean = PhaseVector(center + drift * kick * (m.mean - center));
  }
  EXPECT_TRUE(jump.covariance.isApprox(m.covariance, 1e-12));
  EXPECT_TRUE(jump.mean.isApprox(m.mean, 1e-12));
  EXPECT_TRUE(process.after(0.1 * 4000, m).covariance.isApprox(process.stationary_covariance(), 1e-10));
}

TEST(LinearProcess, ConditionalDeviationsByHand) {
  PhaseMatrix c(2, 2);
  c << 4.0, 1.2, 1.2, 1.0;  // correlation 0.6: what is left is √(1 − 0.36)
  const PhaseVector deviations = conditional_deviations(c);
  EXPECT_NEAR(deviations[0], 2.0 * 0.8, 1e-14);
  EXPECT_NEAR(deviations[1], 0.8, 1e-14);
  c << 1.0, 1.0, 1.0, 1.0;
  EXPECT_NEAR(conditional_deviations(c).maxCoeff(), 0.0, 1e-7);
}

// --- surfaces, model, axes -----------------------------------------------------------------------------

TEST(Surface, DerivativesOfAFormula) {
  auto surface = make_surface_expression("(x1^2 - 1)^2/4 + x2^2/2 + x1*x2/2", 2);
  const ParameterVector at = vector2(0.7, -0.3);
  EXPECT_NEAR(surface->value(at), 0.25 * 0.51 * 0.51 + 0.045 - 0.105, 1e-15);
  const ParameterVector gradient = surface->gradient(at);
  EXPECT_NEAR(gradient[0], 0.7 * (0.49 - 1.0) - 0.15, 1e-11);
  EXPECT_NEAR(gradient[1], -0.3 + 0.35, 1e-11);
  const ParameterMatrix hessian = surface->hessian(at);
  EXPECT_NEAR(hessian(0, 0), 3.0 * 0.49 - 1.0, 1e-8);
  EXPECT_NEAR(hessian(0, 1), 0.5, 1e-8);
  EXPECT_NEAR(hessian(1, 1), 1.0, 1e-8);
}

TEST(Surface, WhatIsNoFormulaOfItsParameters) {
  EXPECT_THROW(make_surface_expression("x1 + x3", 2), SpecError);
  EXPECT_THROW(make_surface_expression("x1 +", 2), SpecError);
  EXPECT_THROW(make_surface_expression("x + y", 2), SpecError);
}

/// A cubic in each variable is its own spline, whatever the knots: value, gradient and Hessian.
TEST(TensorSpline, HoldsCubicsExactly) {
  const std::vector<double> x{-1.0, -0.6, 0.1, 0.5, 1.3};
  const std::vector<double> y{0.0, 0.4, 0.9, 1.7};
  const auto f = [](double a, double b) { return (1.0 + a - 2.0 * a * a + 0.5 * a * a * a) * (b * b * b - b + 0.3); };
  std::vector<double> values;
  for (const double a : x) {
    for (const double b : y) values.push_back(f(a, b));
  }
  const auto surface = make_tensor_spline({x, y}, values, "a table");
  const double a = 0.23;
  const double b = 1.05;
  const double of_a = 1.0 + a - 2.0 * a * a + 0.5 * a * a * a;
  const double of_b = b * b * b - b + 0.3;
  EXPECT_NEAR(surface->value(vector2(a, b)), of_a * of_b, 1e-14);
  const ParameterVector gradient = surface->gradient(vector2(a, b));
  EXPECT_NEAR(gradient[0], (1.0 - 4.0 * a + 1.5 * a * a) * of_b, 1e-13);
  EXPECT_NEAR(gradient[1], of_a * (3.0 * b * b - 1.0), 1e-13);
  const ParameterMatrix hessian = surface->hessian(vector2(a, b));
  EXPECT_NEAR(hessian(0, 0), (-4.0 + 3.0 * a) * of_b, 1e-12);
  EXPECT_NEAR(hessian(0, 1), (1.0 - 4.0 * a + 1.5 * a * a) * (3.0 * b * b - 1.0), 1e-12);
  EXPECT_NEAR(hessian(1, 1), of_a * 6.0 * b, 1e-12);
  EXPECT_EQ(hessian(1, 0), hessian(0, 1));
  // Beyond the grid it goes on as a plane.
  const double edge = surface->value(vector2(1.3, b));
  EXPECT_NEAR(surface->value(vector2(1.5, b)), edge + 0.2 * surface->gradient(vector2(1.3, b))[0], 1e-13);
  EXPECT_EQ(surface->domain().at(1).upper, 1.7);
}

TEST(TensorSpline, OfThreeParameters) {
  const std::vector<double> x{0.0, 0.3, 0.7, 1.0};
  std::vector<double> values;
  for (const double a : x) {
    for (const double b : x) {
      for (const double c : x) values.push_back(a * a * b - b * c * c * c + a * b * c);
    }
  }
  const auto surface = make_tensor_spline({x, x, x}, values, "a table");
  ParameterVector at(3);
  at << 0.2, 0.55, 0.9;
  EXPECT_NEAR(surface->value(at), 0.04 * 0.55 - 0.55 * 0.729 + 0.2 * 0.55 * 0.9, 1e-14);
  EXPECT_NEAR(surface->hessian(at)(1, 2), -3.0 * 0.81 + 0.2, 1e-12);
}

TEST(TensorSpline, RowsComeInAnyOrder) {
  std::string text = "theta2,loss,theta1\n";
  for (const double b : {3.0, 0.0, 1.0, 2.0}) {
    for (const double a : {0.5, 0.0, 2.0, 1.0})
      text += std::to_string(b) + "," + std::to_string(a * b) + "," + std::to_string(a) + "\n";
  }
  const auto tables = make_surface_tables(CsvTable::parse(text, "plane.csv"), {"theta1", "theta2"}, {"loss"});
  EXPECT_NEAR(tables.at(0)->value(vector2(1.5, 0.5)), 0.75, 1e-14);
  const auto message_of = [&](const std::string& csv) {
    try {
      make_surface_tables(CsvTable::parse(csv, "plane.csv"), {"theta1", "theta2"}, {"loss"});
    } catch (const SpecError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_NE(message_of(text + "0,0,0.5\n").find("plane.csv:18"), std::string::npos);
  EXPECT_NE(message_of(text + "0,0,0.5\n").find("theta1 = 0.5, theta2 = 0 was given before"), std::string::npos);
  EXPECT_NE(message_of(text.substr(0, text.size() - 27)).find("15 rows do not fill the grid of 4 × 4 points"),
            std::string::npos);
  EXPECT_NE(message_of("theta1,theta2,loss\n0,0,1\n").find("four different values of theta1"), std::string::npos);
}

TEST(CoupledModel, FindsTheMinimumOfAWell) {
  const CoupledModel model(
      process_of(make_surface_expression("(x1^2 - 1)^2/4 + x2^2/2 + x1*x2/2", 2), matrix2(0.3, 0.0, 0.3), 1.0),
      vector2(0.8, 0.0));
  // x2 = −x1/2 and x1² = 1 + 1/4.
  EXPECT_NEAR(model.minimum()[0], std::sqrt(1.25), 1e-9);
  EXPECT_NEAR(model.minimum()[1], -std::sqrt(1.25) / 2.0, 1e-9);
  EXPECT_NEAR(model.hessian()(0, 0), 3.0 * 1.25 - 1.0, 1e-7);
}

TEST(CoupledModel, NoiseIsJudgedByItsEigenvalues) {
  const auto loss = std::shared_ptr<const Surface>(make_quadratic_surface(matrix2(1.0, 0.0, 1.0), vector2(0.0, 0.0)));
  EXPECT_NO_THROW(CoupledModel(process_of(loss, matrix2(4.0, 2.0, 1.0), 1.0), vector2(0.0, 0.0)));   // rank one
  EXPECT_NO_THROW(CoupledModel(process_of(loss, matrix2(4.0, -1.9, 1.0), 1.0), vector2(0.0, 0.0)));  // negative entry
  EXPECT_THROW(CoupledModel(process_of(loss, matrix2(4.0, 2.1, 1.0), 1.0), vector2(0.0, 0.0)), SpecError);
}

TEST(GridAxes, MakeTheStationaryCovariancesDiagonal) {
  const CoupledModel model = linear_case(0.9, 0.5);
  const GridAxes axes = diagonal_axes(model);
  PhaseMoments stationary;
  stationary.mean = PhaseVector(Eigen::Vector4d::Zero());
  stationary.covariance = model.linearized().stationary_covariance();
  const PhaseMatrix c = axes.to_grid(stationary).covariance;
  EXPECT_NEAR(c(0, 1), 0.0, 1e-9);
  EXPECT_NEAR(c(2, 3), 0.0, 1e-9);
  EXPECT_NEAR(c(2, 2), 1.0, 1e-8);
  EXPECT_NEAR(c(3, 3), 1.0, 1e-8);
  EXPECT_GE(c(0, 0), c(1, 1));
  const PhaseMoments start = displaced(model);
  const PhaseMoments back = axes.to_user(axes.to_grid(start));
  EXPECT_TRUE(back.covariance.isApprox(start.covariance, 1e-12));
  EXPECT_TRUE(back.mean.isApprox(start.mean, 1e-12));
  EXPECT_THROW(axes_of(matrix2(1.0, 2.0, 4.0), vector2(0.0, 0.0)), Error);
}

// --- boxes -----------------------------------------------------------------------------------------------

TEST(CoupledBox, CellsAndWallsForAnError) {
  EXPECT_NEAR(cells_per_deviation_for(1e-4), 1.3 + 0.8 / 3.6, 1e-12);
  EXPECT_NEAR(grid_error_at(cells_per_deviation_for(3e-5)), 3e-5, 1e-16);
  EXPECT_LE(wall_error_at(deviations_for(1e-5, 0.0), 0.0), 1e-5);
  EXPECT_GT(wall_error_at(deviations_for(1e-5, 0.0) - 0.02, 0.0), 1e-5);
  EXPECT_NEAR(wall_error_at(5.0, 40.0), 10.0 * wall_error_at(5.0, 4.0), 1e-15);
}

TEST(CoupledBox, HoldsWhatTheRunMeets) {
  const CoupledModel model = linear_case(0.5, 0.5);
  const auto way = spread_on_the_way(model.linearized(), given_axes(2), displaced(model), 2.0);
  CoupledBoxOptions options;
  options.tolerance = 1e-4;
  const CoupledBox chosen = choose_box(way, options);
  EXPECT_NEAR(chosen.deviations, deviations_for(4e-5, 0.0), 1e-12);
  EXPECT_GE(chosen.cells_per_deviation, cells_per_deviation_for(5e-5) - 1e-9);
  EXPECT_EQ(chosen.box.velocity[1].cells % 8, 0);
  for (const double t : {0.0, 0.7, 2.0}) {
    const PhaseMoments m = model.linearized().after(t, displaced(model));
    const double reach = chosen.deviations * std::sqrt(m.covariance(0, 0));
    EXPECT_LE(chosen.box.theta[0].lower, m.mean[0] - reach + 1e-3);  // between two of 400 times
    EXPECT_GE(chosen.box.theta[0].upper, m.mean[0] + reach - 1e-3);
  }
}

/// 4096 particles: quantiles of 1 % within 4 of their deviations, 0.04 σ each (false alarm below 1e-3 for all of them).
TEST(PhaseSpread, ThePilotAgreesWithTheExactGaussian) {
  const CoupledModel model = linear_case(0.5, 0.5);
  const GridAxes axes = diagonal_axes(model);
  const auto pilot = spread_of_pilot(model, axes, displaced(model), 2.0).back();
  const PhaseMoments exact = axes.to_grid(model.linearized().after(2.0, displaced(model)));
  for (Eigen::Index i = 0; i < 4; ++i) {
    const double deviation = std::sqrt(exact.covariance(i, i));
    EXPECT_NEAR(pilot.quantile[1][i], exact.mean[i] + PhaseSpread::deviations[1] * deviation, 0.25 * deviation);
    EXPECT_NEAR(pilot.quantile[2][i], exact.mean[i] + PhaseSpread::deviations[2] * deviation, 0.25 * deviation);
    EXPECT_LE(pilot.narrowest[i], 1.1 * conditional_deviations(exact.covariance)[i]);
  }
  const PhaseSpread gaussian = spread_of(exact);
  EXPECT_NEAR(gaussian.upper(1, 5.0), exact.mean[1] + 5.0 * std::sqrt(exact.covariance(1, 1)), 1e-12);
  EXPECT_NEAR(gaussian.lower(2, 5.0), exact.mean[2] - 5.0 * std::sqrt(exact.covariance(2, 2)), 1e-12);
}

/// A quartic wall holds the density closer than a Gaussian of the same variance would lie.
TEST(PhaseSpread, ThePilotSeesWalls) {
  const CoupledModel model(
      process_of(make_surface_expression("(x1^2 - 1)^2/4 + x2^2/2 + x1*x2/2", 2), matrix2(0.3, 0.0, 0.3), 1.0),
      vector2(1.0, 0.0));
  PhaseMoments start;
  start.mean = PhaseVector(Eigen::Vector4d(model.minimum()[0], model.minimum()[1], 0.0, 0.0));
  start.covariance = PhaseMatrix(0.1 * Eigen::Matrix4d::Identity());
  const auto way = spread_of_pilot(model, given_axes(2), start, 40.0);
  double upper = 0.0;
  double lower = 0.0;
  for (const PhaseSpread& met : way) {
    upper = std::max(upper, met.upper(0, 5.5));
    lower = std::min(lower, met.lower(0, 5.5));
  }
  // Gibbs at T = 0.3: min over x2 of L is (x1² − 1)²/4 − x1²/8, 5.5²/2 · 0.3 above its least value at |x1| = 2.53.
  EXPECT_GE(upper, 2.4);
  EXPECT_LE(upper, 3.6);
  EXPECT_LE(lower, -2.2);
  EXPECT_GE(lower, -4.5);  // while the other well fills, its few particles look like a long tail
}

TEST(CoupledBox, RefusesADensityOnASheet) {
  // Strong friction and noise of rank one, u = (cos 0.4, sin 0.4).
  const ParameterVector u = vector2(std::cos(0.4), std::sin(0.4));
  const CoupledModel model(process_of(make_quadratic_surface(matrix2(1.2, 0.3, 0.7), vector2(0.0, 0.0)),
                                      4.0 * 1.64 * u * u.transpose(), 4.0),
                           vector2(0.0, 0.0));
  const GridAxes axes = diagonal_axes(model);
  PhaseMoments start;
  start.covariance = 0.6 * model.linearized().stationary_covariance();
  start.mean = PhaseVector(Eigen::Vector4d::Zero());
  CoupledBoxOptions options;
  options.cells = std::vector<int>{32, 32, 32, 32};
  try {
    choose_box(spread_on_the_way(model.linearized(), axes, start, 6.9), options);
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cells wide across its narrowest direction"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("it would take about ["), std::string::npos);
  }
}

// --- pairs -----------------------------------------------------------------------------------------------

/// Marginal of a Gaussian, and what its conditional mean of other coordinates is at a point of the pair.
struct GaussianPair {
  Eigen::Matrix2d inverse;
  Eigen::Vector2d mean;
  double scale;
  Eigen::MatrixXd slope;  ///< C_zx C_xx⁻¹
  Eigen::VectorXd all;

  GaussianPair(const PhaseMoments& m, int a, int b) {
    Eigen::Matrix2d c;
    c << m.covariance(a, a), m.covariance(a, b), m.covariance(b, a), m.covariance(b, b);
    inverse = c.inverse();
    mean = Eigen::Vector2d(m.mean[a], m.mean[b]);
    scale = 1.0 / (2.0 * std::numbers::pi * std::sqrt(c.determinant()));
    Eigen::MatrixXd with(m.mean.size(), 2);
    with << m.covariance.col(a), m.covariance.col(b);
    slope = with * inverse;
    all = m.mean;
  }
  double density(const Eigen::Vector2d& at) const {
    return scale * std::exp(-0.5 * (at - mean).dot(inverse * (at - mean)));
  }
  Eigen::VectorXd expected(const Eigen::Vector2d& at) const { return all + slope * (at - mean); }
  /// Gradient of ln p.
  Eigen::Vector2d slope_of_log(const Eigen::Vector2d& at) const { return -inverse * (at - mean); }
};

struct PairsOfAGaussian {
  PhaseMoments user;
  std::vector<PairMarginal> pairs;
};

/// All six pairs of the Gaussian of the linear case at t = 1, r = 0.9.
PairsOfAGaussian pairs_in(bool in_given_axes, int cells) {
  const CoupledModel model = linear_case(0.9, 0.5);
  const GridAxes axes = in_given_axes ? given_axes(2) : diagonal_axes(model);
  PairsOfAGaussian result;
  result.user = model.linearized().after(1.0, displaced(model));
  CoupledBoxOptions options;
  options.cells = std::vector<int>(4, cells);
  const PhaseSpace space({choose_box({spread_of(axes.to_grid(result.user))}, options).box});
  const CoupledTables tables = tabulate(model, axes, space);
  const auto backend = testing::make_device("host");
  const auto field = backend->fields().allocate(space.shape());
  backend->fields().upload(gaussian_on(space, axes.to_grid(result.user)), *field);
  const PairMarginals marginals(*backend, space, axes, tables);
  result.pairs = marginals.of(*field, {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}});
  return result;
}

TEST(PairMarginals, AlongTheAxesOfTheGrid) {
  const ParameterMatrix h = matrix2(1.2, 0.3, 0.7);
  const ParameterMatrix noise = matrix2(1.0, 0.72, 0.64);
  const auto [user, pairs] = pairs_in(true, 40);
  for (const PairMarginal& pair : pairs) {
    const GaussianPair exact(user, pair.first, pair.second);
    double error = 0.0;
    std::array<double, 2> of_current{};
    std::array<double, 2> size{};
    for (int i = 0; i < pair.x.cells; ++i) {
      for (int j = 0; j < pair.y.cells; ++j) {
        const Eigen::Vector2d at(pair.x.center(i), pair.y.center(j));
        const double p = exact.density(at);
        const Eigen::VectorXd z = exact.expected(at);
        const auto c = static_cast<std::size_t>(i * pair.y.cells + j);
        error += std::abs(pair.density[c] - p);
        // J_θ = p E v; J_v = p (−E (H θ)_v − γ E v) − Σ D ∂p, over those of the pair.
        const auto current = [&](int coordinate) {
          if (coordinate < 2) return p * z[coordinate + 2];
          const int k = coordinate - 2;
          double value = -h.row(k).dot(z.head(2)) - z[coordinate];
          if (pair.first >= 2) value -= noise(k, pair.first - 2) * exact.slope_of_log(at)[0];
          if (pair.second >= 2) value -= noise(k, pair.second - 2) * exact.slope_of_log(at)[1];
          return p * value;
        };
        of_current[0] += std::abs(pair.current_x[c] - current(pair.first));
        of_current[1] += std::abs(pair.current_y[c] - current(pair.second));
        size[0] += std::abs(current(pair.first));
        size[1] += std::abs(current(pair.second));
      }
    }
    EXPECT_LE(error * pair.x.width() * pair.y.width(), 1e-5) << pair.first << pair.second;
    EXPECT_LE(of_current[0], 2e-2 * size[0]) << pair.first << pair.second;  // of v: differences of eighth order
    EXPECT_LE(of_current[1], 2e-2 * size[1]) << pair.first << pair.second;
  }
}

/// In skewed axes the picture keeps mass, means, covariances and the total current.
TEST(PairMarginals, SkewedAxesKeepTheMoments) {
  const ParameterMatrix h = matrix2(1.2, 0.3, 0.7);
  const auto [user, pairs] = pairs_in(false, 32);
  for (const PairMarginal& pair : pairs) {
    double mass = 0.0;
    Eigen::Vector2d mean(0.0, 0.0);
    Eigen::Matrix2d second = Eigen::Matrix2d::Zero();
    Eigen::Vector2d current(0.0, 0.0);
    for (int i = 0; i < pair.x.cells; ++i) {
      for (int j = 0; j < pair.y.cells; ++j) {
        const Eigen::Vector2d at(pair.x.center(i), pair.y.center(j));
        const auto c = static_cast<std::size_t>(i * pair.y.cells + j);
        mass += pair.density[c];
        mean += pair.density[c] * at;
        second += pair.density[c] * at * at.transpose();
        current += Eigen::Vector2d(pair.current_x[c], pair.current_y[c]);
      }
    }
    const double cell = pair.x.width() * pair.y.width();
    EXPECT_NEAR(mass * cell, 1.0, 1e-6);
    mean /= mass;
    const Eigen::Matrix2d covariance = second / mass - mean * mean.transpose();
    const std::array<int, 2> z{pair.first, pair.second};
    for (Eigen::Index i = 0; i < 2; ++i) {
      EXPECT_NEAR(mean[i], user.mean[z[static_cast<std::size_t>(i)]], 1e-6);
      for (Eigen::Index j = 0; j < 2; ++j) {
        EXPECT_NEAR(covariance(i, j), user.covariance(z[static_cast<std::size_t>(i)], z[static_cast<std::size_t>(j)]),
                    1e-5);
      }
      // d E z/dt: of θ E v, of v −H E θ − γ E v.
      const int k = z[static_cast<std::size_t>(i)];
      const double expected = k < 2 ? user.mean[k + 2] : -h.row(k - 2).dot(user.mean.head(2)) - user.mean[k];
      EXPECT_NEAR(current[i] * cell, expected, 1e-5);
    }
  }
}

// --- the integrator --------------------------------------------------------------------------------------

struct Journey {
  double error;  ///< L1 against the exact Gaussian
  ErrorEstimate estimate;
  CoupledSums sums;
  PhaseMoments exact;
  IntegratorStatistics statistics;
  double left;
};

/// From the displaced start to `until` in the axes that the program chooses.
Journey follow(const CoupledModel& model, const PhaseMoments& start, double until, std::vector<int> cells,
               CoupledIntegratorOptions integration = {}) {
  const GridAxes axes = diagonal_axes(model);
  const auto way = spread_on_the_way(model.linearized(), axes, start, until);
  const PhaseMoments exact = axes.to_grid(model.linearized().after(until, start));
  CoupledBoxOptions options;
  options.cells = std::move(cells);
  const PhaseSpace space({choose_box(way, options).box});
  const auto backend = testing::make_device("host");
  CoupledIntegrator integrator(*backend, space, tabulate(model, axes, space), integration);
  integrator.start(gaussian_on(space, axes.to_grid(start)));
  integrator.advance(until, [](double) {});
  std::vector<double> density(space.shape().cells());
  backend->fields().download(integrator.density(), density);
  return {distance(space, density, gaussian_on(space, exact)),
          integrator.error(),
          integrator.observe(),
          exact,
          integrator.statistics(),
          integrator.departed().total()};
}

void expect_covariance(const Journey& run, double tolerance) {
  for (Eigen::Index i = 0; i < run.exact.mean.size(); ++i) {
    const double scale = std::sqrt(run.exact.covariance(i, i));
    EXPECT_NEAR(run.sums.moments.mean[i], run.exact.mean[i], tolerance * scale);
    for (Eigen::Index j = 0; j < run.exact.mean.size(); ++j) {
      EXPECT_NEAR(run.sums.moments.covariance(i, j), run.exact.covariance(i, j),
                  tolerance * scale * std::sqrt(run.exact.covariance(j, j)));
    }
  }
}

/// Estimates are not below half the truth and not above thirty times it.
void expect_honest(const Journey& run) {
  const double estimate = run.estimate.step + run.estimate.space;
  EXPECT_GE(estimate, 0.5 * run.error);
  EXPECT_LE(estimate, 30.0 * run.error);
}

TEST(CoupledIntegrator, CorrelatedNoiseAgainstTheExactGaussian) {
  CoupledIntegratorOptions options;
  options.tolerance = 1e-8;
  const CoupledModel model = linear_case(0.9, 0.5);
  const Journey run = follow(model, displaced(model), 2.0, {24, 24, 24, 24}, options);
  EXPECT_LE(run.error, 8e-5);
  expect_covariance(run, 2e-5);
  expect_honest(run);
  EXPECT_NEAR(run.sums.mass + run.left, 1.0, 1e-6);  // the start itself is cut off at the walls
  EXPECT_NEAR(run.sums.entropy,
              2.0 * (1.0 + std::log(2.0 * std::numbers::pi)) +
                  0.5 * std::log(Eigen::MatrixXd(run.exact.covariance).determinant()),
              1e-3);
}

/// Q = 19: from 1.2 to 1.8 cells per deviation the error falls much faster than the order 8 that is asked for.
TEST(CoupledIntegrator, ConvergesWithTheGrid) {
  CoupledIntegratorOptions options;
  options.tolerance = 1e-7;
  const CoupledModel model = linear_case(0.5, 0.5);
  const double coarse = follow(model, displaced(model), 1.0, {16, 16, 16, 16}, options).error;
  const double fine = follow(model, displaced(model), 1.0, {24, 24, 24, 24}, options).error;
  EXPECT_LT(fine, coarse / std::pow(1.5, 8));
}

TEST(CoupledIntegrator, FixedStepsAreOfSecondOrder) {
  const CoupledModel model = linear_case(0.5, 0.5);
  CoupledIntegratorOptions options;
  options.step = 0.25;
  const Journey coarse = follow(model, displaced(model), 1.0, {20, 20, 20, 24}, options);
  options.step = 0.125;
  const Journey fine = follow(model, displaced(model), 1.0, {20, 20, 20, 24}, options);
  EXPECT_NEAR(coarse.error / fine.error, 4.0, 0.4);
  EXPECT_NEAR(coarse.estimate.step, coarse.error, 0.3 * coarse.error);
}

TEST(CoupledIntegrator, TheMapFollowsItsRecursion) {
  CoupledProcess process;
  process.dynamics = Dynamics::sgd;
  process.take_optimizer({0.1, 0.9, 4.0, 0.0});
  process.loss = make_quadratic_surface(matrix2(2.0, 0.6, 1.2), vector2(0.0, 0.0));
  process.noise = make_constant_matrix(matrix2(1.0, 0.72, 0.64));
  const CoupledModel model(process, vector2(0.0, 0.0));
  const Journey run = follow(model, displaced(model), 4.0, {24, 24, 24, 24});
  EXPECT_EQ(run.statistics.strang_steps, 40);
  EXPECT_LE(run.error, 5e-4);
  expect_covariance(run, 5e-5);
  expect_honest(run);
}

TEST(CoupledIntegrator, RankOneNoise) {
  const ParameterVector u = vector2(std::cos(0.4), std::sin(0.4));
  const CoupledModel model(process_of(make_quadratic_surface(matrix2(1.2, 0.3, 0.7), vector2(0.0, 0.0)),
                                      0.2 * 1.64 * u * u.transpose(), 0.2),
                           vector2(0.0, 0.0));
  PhaseMoments start;
  start.covariance = 0.6 * model.linearized().stationary_covariance();
  start.mean = PhaseVector(Eigen::Vector4d::Zero());
  CoupledIntegratorOptions options;
  options.tolerance = 1e-5;
  const Journey run = follow(model, start, 3.0, {24, 24, 24, 24}, options);
  EXPECT_LE(run.error, 3e-4);
  expect_honest(run);
}

/// Gibbs' density of a coupled double well stays what it is.
TEST(CoupledIntegrator, GibbsOfADoubleWellStays) {
  const double temperature = 0.3;
  const CoupledModel model(process_of(make_surface_expression("(x1^2 - 1)^2/4 + x2^2/2 + x1*x2/2", 2),
                                      temperature * matrix2(1.0, 0.0, 1.0), 1.0),
                           vector2(1.0, 0.0));
  PhaseBox box{{{-2.6, 2.6, 28}, {-3.3, 3.3, 24}}, {{-2.8, 2.8, 24}, {-2.8, 2.8, 24}}};
  const PhaseSpace space({box});
  const CoupledTables tables = tabulate(model, given_axes(2), space);
  std::vector<double> gibbs;
  double sum = 0.0;
  for (long i = 0; i < space.shape().theta_cells; ++i) {
    for (long j = 0; j < space.shape().velocity_cells; ++j) {
      const auto at = axis_positions(space.shape().axes.velocity, 2, j);
      const double kinetic =
          0.5 * (std::pow(box.velocity[0].center(at[0]), 2) + std::pow(box.velocity[1].center(at[1]), 2));
      gibbs.push_back(std::exp(-(tables.loss[static_cast<std::size_t>(i)] + kinetic) / temperature));
      sum += gibbs.back();
    }
  }
  for (double& p : gibbs) p /= sum * box.cell_volume();
  const auto backend = testing::make_device("host");
  CoupledIntegratorOptions options;
  options.tolerance = 1e-4;
  CoupledIntegrator integrator(*backend, space, tables, options);
  integrator.start(gibbs);
  integrator.advance(1.0, [](double) {});
  std::vector<double> density(gibbs.size());
  backend->fields().download(integrator.density(), density);
  EXPECT_LE(distance(space, density, gibbs), 2e-3);
  // E L = T d/2 of the quadratic part only; by the sum itself.
  double loss = 0.0;
  for (std::size_t c = 0; c < gibbs.size(); ++c)
    loss += tables.loss[c / static_cast<std::size_t>(space.shape().velocity_cells)] * gibbs[c];
  EXPECT_NEAR(integrator.observe().expected_loss, loss * box.cell_volume(), 1e-4);
}

TEST(CoupledIntegrator, ThreeParameters) {
  ParameterMatrix h(3, 3);
  h << 1.2, 0.3, 0.1, 0.3, 0.7, -0.2, 0.1, -0.2, 0.9;
  ParameterMatrix noise(3, 3);
  noise << 1.0, 0.4, 0.2, 0.4, 0.8, 0.1, 0.2, 0.1, 0.6;
  const ParameterVector zero = ParameterVector::Zero(3);
  const CoupledModel model(process_of(make_quadratic_surface(h, zero), noise, 1.0), zero);
  PhaseMoments start;
  start.covariance = 0.7 * model.linearized().stationary_covariance();
  start.mean = PhaseVector(Eigen::Matrix<double, 6, 1>::Constant(0.2));
  CoupledIntegratorOptions options;
  options.tolerance = 1e-2;
  const Journey run = follow(model, start, 0.5, std::vector<int>(6, 12), options);
  EXPECT_LE(run.error, 1e-2);
  expect_covariance(run, 1e-2);
}

TEST(CoupledIntegrator, LimitedSweepsStayPositive) {
  CoupledIntegratorOptions options;
  options.tolerance = 1e-3;
  options.positivity = Positivity::limit;
  const CoupledModel model = linear_case(0.5, 0.5);
  const Journey run = follow(model, displaced(model), 1.0, {16, 16, 16, 16}, options);
  EXPECT_GE(run.sums.minimum, 0.0);
  EXPECT_LE(run.error, 2e-2);
}

}  // namespace
}  // namespace underdamp
