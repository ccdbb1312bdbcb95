#include <algorithm>
#include <cmath>

#include "kernels/bodies/current.hpp"
#include "test_support.hpp"

/// Generator and currents, one body over all devices (docs/method.md, section 9).
namespace underdamp {
namespace {

using testing::bumpy_density;

constexpr CurrentParts every_part{true, true, true, true};

TEST(FaceWeights, DifferencesAreExactForPolynomials) {
  // (F(i+1) − F(i)) of p = x^k at integer x is k x^{k−1}: up to degree 7 upwind-biased in θ, up to degree 6 central in
  // v.
  const double x = 2.0;
  for (int k = 0; k <= 7; ++k) {
    for (const bool positive : {true, false}) {
      double difference = 0.0;
      for (int m = -theta_reach; m < theta_reach; ++m) {
        difference += theta_face_weight(m, positive) * (std::pow(x + 1 + m, k) - std::pow(x + m, k));
      }
      EXPECT_NEAR(difference, k * std::pow(x, k - 1), 1e-9) << k;
    }
    double central = 0.0;
    double slope = 0.0;
    for (int m = -velocity_reach; m < velocity_reach && k <= 6; ++m) {
      const double step = std::pow(x + 1 + m, k) - std::pow(x + m, k);
      central += velocity_face_weight(m) * step;
      slope += velocity_slope_weight(m) * step;
    }
    if (k > 6) continue;
    EXPECT_NEAR(central, k * std::pow(x, k - 1), 1e-9) << k;
    EXPECT_NEAR(slope, k > 1 ? k * (k - 1) * std::pow(x, k - 2) : 0.0, 1e-9) << k;
  }
}

TEST(GeneratorMatrix, MatrixMarketByHand) {
  const SparseMatrix matrix{{0, 1, 3}, {0, 0, 1}, {-0.5, 0.5, 2.0}};
  EXPECT_EQ(matrix_market(matrix),
            "%%MatrixMarket matrix coordinate real general\n% generator L of underdamp: dp/dt = L p\n"
            "2 2 3\n1 1 -0.5\n2 1 0.5\n2 2 2\n");
}

class Currents : public testing::DeviceTest {
 protected:
  std::unique_ptr<Field> uploaded(const PhaseMesh& mesh, const std::vector<double>& values) {
    auto field = backend_->fields().allocate(mesh.shape());
    backend_->fields().upload(values, *field);
    return field;
  }
  std::vector<double> downloaded(const Field& field) {
    std::vector<double> values(field.shape().cells());
    backend_->fields().download(field, values);
    return values;
  }
};

/// Force and noise that differ in every line.
struct Coefficients {
  std::vector<double> friction;
  std::vector<double> force;
  std::vector<double> diffusion;

  Coefficients(const PhaseMesh& mesh, double gamma) : friction(static_cast<std::size_t>(mesh.planes()), gamma) {
    for (int p = 0; p < mesh.planes(); ++p) {
      for (int i = 0; i < mesh.theta_cells(); ++i) {
        const double x = mesh.plane(p).theta.center(i);
        force.push_back(-x - 0.3 * x * x * x);
        diffusion.push_back(0.4 + 0.1 * x * x);
      }
    }
  }
  GeneratorCoefficients view() const { return {friction, force, diffusion}; }
};

PhaseMesh plane_mesh(int cells, ThetaBoundary boundary = ThetaBoundary::open) {
  return PhaseMesh(std::vector<PhasePlane>{{{-4.0, 4.0, cells}, {-5.0, 5.0, cells + 3}}}, boundary);
}

TEST_P(Currents, TheMatrixIsTheGenerator) {
  for (const auto boundary : {ThetaBoundary::open, ThetaBoundary::periodic, ThetaBoundary::reflecting}) {
    const PhaseMesh mesh = plane_mesh(24, boundary);
    const Coefficients c(mesh, 0.7);
    const auto values = bumpy_density(mesh, 3);
    const auto from = uploaded(mesh, values);
    const auto applied = backend_->fields().allocate(mesh.shape());
    const auto multiplied = backend_->fields().allocate(mesh.shape());
    backend_->generators().apply_generator(*backend_->generators().plan_generator(mesh, c.view()), *from, *applied);
    const SparseMatrix matrix = assemble_generator(mesh.plane(0), boundary, c.friction[0], c.force, c.diffusion);
    backend_->generators().multiply(*backend_->generators().plan_matrix(matrix), *from, *multiplied);
    double scale = 0.0;
    for (const double v : downloaded(*applied)) scale = std::max(scale, std::abs(v));
    EXPECT_GT(scale, 0.0);
    EXPECT_FIELDS_NEAR(downloaded(*applied), downloaded(*multiplied), 1e-13 * scale);
    // Where no current passes a wall the mass stays: columns add up to 0. Open walls let out what moves towards them.
    double sum = 0.0;
    for (const double v : downloaded(*applied)) sum += v;
    if (boundary != ThetaBoundary::open) {
      EXPECT_NEAR(sum, 0.0, 1e-12 * scale * static_cast<double>(values.size()));
    }
    std::vector<double> column(values.size(), 0.0);
    double largest = 0.0;
    for (std::size_t k = 0; k < matrix.value.size(); ++k) {
      column[static_cast<std::size_t>(matrix.column[k])] += matrix.value[k];
      largest = std::max(largest, std::abs(matrix.value[k]));
    }
    const auto columns = static_cast<std::size_t>(mesh.velocity_cells());
    for (std::size_t k = 0; k < column.size(); ++k) {
      const std::size_t row = k / columns;
      const bool near_open_wall = boundary == ThetaBoundary::open && (row < 4 || row >= 20);
      ASSERT_NEAR(near_open_wall ? 0.0 : column[k], 0.0, 1e-13 * largest);
    }
    // The outermost cell of a column that moves out loses 319/420 of what an upwind face carries.
    if (boundary == ThetaBoundary::open) {
      const double v = mesh.plane(0).velocity.center(static_cast<int>(columns) - 1);
      EXPECT_NEAR(column[23 * columns + columns - 1], -v * 319.0 / 420.0 / mesh.plane(0).theta.width(),
                  1e-12 * largest);
    }
  }
}

/// exp(−x²/2a − y²/2b) with derivatives of the Fokker-Planck equation taken by hand.
struct Gaussian {
  double a = 0.5;
  double b = 0.6;
  double density(double x, double y) const { return std::exp(-0.5 * x * x / a - 0.5 * y * y / b); }
};

TEST_P(Currents, GeneratorConvergesToTheFokkerPlanckOperator) {
  const Gaussian g;
  const double gamma = 0.7;
  const auto error = [&](int cells) {
    const PhaseMesh mesh = plane_mesh(cells);
    const Coefficients c(mesh, gamma);
    std::vector<double> values;
    std::vector<double> exact;
    for (int i = 0; i < mesh.theta_cells(); ++i) {
      for (int j = 0; j < mesh.velocity_cells(); ++j) {
        const double x = mesh.plane(0).theta.center(i);
        const double y = mesh.plane(0).velocity.center(j);
        const double p = g.density(x, y);
        const auto l = static_cast<std::size_t>(i);
        // −v ∂_θ p − f ∂_v p + γ ∂_v(v p) + D ∂_v² p
        values.push_back(p);
        exact.push_back(p * (y * x / g.a + c.force[l] * y / g.b + gamma * (1.0 - y * y / g.b) +
                             c.diffusion[l] * (y * y / (g.b * g.b) - 1.0 / g.b)));
      }
    }
    const auto from = uploaded(mesh, values);
    const auto to = backend_->fields().allocate(mesh.shape());
    backend_->generators().apply_generator(*backend_->generators().plan_generator(mesh, c.view()), *from, *to);
    const auto computed = downloaded(*to);
    double sum = 0.0;
    for (std::size_t k = 0; k < exact.size(); ++k) sum += std::abs(computed[k] - exact[k]);
    return sum * mesh.plane(0).cell_area();
  };
  const double coarse = error(64);
  const double fine = error(128);
  EXPECT_LE(fine, 2e-4);
  EXPECT_GE(std::log2(coarse / fine), 5.0);
}

TEST_P(Currents, CellCurrentsOfAGaussian) {
  const Gaussian g;
  const PhaseMesh mesh = plane_mesh(128);
  const Coefficients c(mesh, 0.7);
  std::vector<double> values, theta, reversible, irreversible;
  for (int i = 0; i < mesh.theta_cells(); ++i) {
    for (int j = 0; j < mesh.velocity_cells(); ++j) {
      const double y = mesh.plane(0).velocity.center(j);
      const double p = g.density(mesh.plane(0).theta.center(i), y);
      const auto l = static_cast<std::size_t>(i);
      values.push_back(p);
      theta.push_back(y * p);
      reversible.push_back(c.force[l] * p);
      irreversible.push_back(-0.7 * y * p + c.diffusion[l] * y / g.b * p);
    }
  }
  const auto currents = backend_->generators().cell_currents(*backend_->generators().plan_generator(mesh, c.view()),
                                                             *uploaded(mesh, values), 0, every_part, 1.0);
  EXPECT_FIELDS_NEAR(currents.theta, theta, 1e-15);
  EXPECT_FIELDS_NEAR(currents.reversible, reversible, 1e-14);
  EXPECT_FIELDS_NEAR(currents.irreversible, irreversible, 2e-6);
}

TEST_P(Currents, OfAPlaneOfABatchAreThoseOfThePlaneAlone) {
  const PhaseMesh mesh({{{-2.0, 2.0, 24}, {-3.0, 3.0, 20}}, {{-1.0, 2.0, 24}, {-2.5, 3.0, 20}}});
  const Coefficients c(mesh, 0.7);
  const auto values = bumpy_density(mesh, 5);
  const auto density = uploaded(mesh, values);
  const auto plan = backend_->generators().plan_generator(mesh, c.view());
  const std::size_t cells = values.size() / 2;
  constexpr double factor = 1.0 + 1e-3;
  for (int p = 0; p < 2; ++p) {
    const PhaseMesh alone = mesh.only(p);
    const auto own = backend_->generators().plan_generator(alone, Coefficients(alone, 0.7).view());
    const auto first = values.begin() + p * static_cast<std::ptrdiff_t>(cells);
    std::vector<double> scaled(first, first + static_cast<std::ptrdiff_t>(cells));
    for (double& value : scaled) value *= factor;
    const auto expected = backend_->generators().cell_currents(*own, *uploaded(alone, scaled), 0, every_part, 1.0);
    const auto whole = backend_->generators().cell_currents(*plan, *density, p, every_part, factor);
    EXPECT_EQ(whole.theta, expected.theta);
    EXPECT_EQ(whole.reversible, expected.reversible);
    EXPECT_EQ(whole.irreversible, expected.irreversible);
    for (std::size_t k = 0; k < cells; ++k)
      ASSERT_EQ(whole.velocity[k], whole.reversible[k] + whole.irreversible[k]) << k;
    // What is not asked for does not come, and the rest is the same without it.
    std::size_t bytes = 0;
    backend_->observe(
        [&](const DeviceEvent& event) { bytes += event.kind == DeviceEvent::Kind::downloaded ? event.bytes : 0; });
    const auto some =
        backend_->generators().cell_currents(*plan, *density, p, {.theta = true, .velocity = true}, factor);
    backend_->observe({});
    EXPECT_EQ(bytes, 2 * cells * sizeof(double));
    EXPECT_EQ(some.theta, whole.theta);
    EXPECT_EQ(some.velocity, whole.velocity);
    EXPECT_TRUE(some.reversible.empty() && some.irreversible.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Currents, ::testing::Values("host", "emulated", "cuda"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace underdamp
