#include "solver/particles/minibatch.hpp"

#include <cmath>
#include <fstream>

#include "few_threads.hpp"
#include "meshes/error.hpp"
#include "solver/spec/spec_reader.hpp"
#include "test_support.hpp"

/// SGD on data against the exact stationary moments of its recursion.
namespace underdamp {
namespace {

const std::string source = UNDERDAMP_SOURCE_FOLDER;

/// A regression on one feature, in mode coordinates: rows (x, y), learning rate 0.2, momentum 0.5.
Spec one_feature(const testing::TemporaryDirectory& folder, const std::vector<std::pair<double, double>>& rows,
                 double batch, double weight_decay = 0.0) {
  std::ofstream stream(folder.path() / "data.csv");
  stream << "x,y\n";
  for (const auto& [x, y] : rows) stream << x << "," << y << "\n";
  stream.close();
  return parse_spec("[optimizer]\nlearning_rate = 0.2\nmomentum = 0.5\nbatch_size = " + std::to_string(batch) +
                        "\nweight_decay = " + std::to_string(weight_decay) +
                        "\n[loss]\nkind = \"dataset\"\nfile = \"data.csv\"\ntarget = \"y\"\nstandardize = false\n",
                    (folder.path() / "spec.toml").string());
}

TEST(Minibatch, ExactMomentsByHand) {
  // y = ±1 on x = ±1: H = 1, θ* = 0, and every gradient x (xθ − y) = θ ± 1 has noise 1 wherever θ is. So E u² is
  // that of the map with constant noise, eq. 5: ησ²/(2S(1−β)) / (1 − ηh/(2(1+β))) = 0.2/(2·4·0.5)/(1 − 0.2/3).
  const testing::TemporaryDirectory folder;
  const Model model(one_feature(folder, {{1, 1}, {1, -1}, {-1, 1}, {-1, -1}}, 4));
  EXPECT_NEAR(minibatch_covariance(model)(0, 0), 0.05 / (1.0 - 0.2 / 3.0), 1e-14);
}

TEST(Minibatch, ExactMomentsWithGrowingNoise) {
  // x = ±1, ±2 with residuals ±1: H = 2.5, E x⁴ = 8.5, Σ(u) = 2.5 + (8.5 − 6.25) u². With K = η/(2(1−β)h(1−q)) the
  // variance per unit of noise, C = K (2.5 + 2.25 C)/S.
  const testing::TemporaryDirectory folder;
  const Model model(one_feature(folder, {{1, 1}, {1, -1}, {2, 1}, {2, -1}}, 4));
  const double k = 0.2 / (2.0 * 0.5 * 2.5) / (1.0 - 0.2 * 2.5 / 3.0);
  EXPECT_NEAR(minibatch_covariance(model)(0, 0), k * 2.5 / 4.0 / (1.0 - k * 2.25 / 4.0), 1e-14);
  // With weight decay the curvature is ρ + λ.
  const Model decayed(one_feature(folder, {{1, 1}, {1, -1}, {2, 1}, {2, -1}}, 4, 0.5));
  const double kd = 0.2 / (2.0 * 0.5 * 3.0) / (1.0 - 0.2 * 3.0 / 3.0);
  EXPECT_NEAR(minibatch_covariance(decayed)(0, 0), kd * 2.5 / 4.0 / (1.0 - kd * 2.25 / 4.0), 1e-14);
}

TEST(Minibatch, PullOfWeightDecayIsNoNoise) {
  // x = 1, y = 3 or 1, λ = ½: θ* = 4/3, gradients there −5/3 and ⅓. Their mean −⅔ = −λθ* is no noise, their variance
  // is 1.
  const testing::TemporaryDirectory folder;
  const Model model(one_feature(folder, {{1, 3}, {1, 1}}, 4, 0.5));
  EXPECT_NEAR(minibatch_covariance(model)(0, 0), 0.2 / (2.0 * 0.5 * 1.5) / (1.0 - 0.2 * 1.5 / 3.0) / 4.0, 1e-14);
}

TEST(Minibatch, FewerThreadsThanAskedForGiveTheSame) {
  NEEDS_ITS_ADDRESS_SPACE();
  const testing::TemporaryDirectory folder;
  const Model model(one_feature(folder, {{1, 1}, {1, -1}, {2, 1}, {2, -1}}, 4));
  MinibatchOptions options;
  options.runs = 500;
  options.settle = options.measure = 20;
  options.threads = 1;
  const double expected = run_minibatch(model, options, [](double) {}).modes[0].measured;
  options.threads = 4000;
  const testing::FewThreads limit;
  EXPECT_EQ(run_minibatch(model, options, [](double) {}).modes[0].measured, expected);
}

TEST(Minibatch, DivergingMomentsAreInfinite) {
  // One row in a thousand is a hundred times as large: h is 11, and C = K (… + growth C)/S has no positive solution.
  const testing::TemporaryDirectory folder;
  std::vector<std::pair<double, double>> rows(1000, {1.0, 1.0});
  for (std::size_t k = 0; k < 500; ++k) rows[k].second = -1.0;
  rows[0].first = 100.0;
  const Model model(one_feature(folder, rows, 1));
  EXPECT_TRUE(std::isinf(minibatch_covariance(model)(0, 0)));
}

Spec diabetes(long runs) {
  Spec spec = read_spec(source + "/examples/diabetes.toml");
  spec.ensemble = EnsembleSpec{};
  spec.ensemble->runs = runs;
  return spec;
}

TEST(Minibatch, DiabetesFollowsTheExactMoments) {
  // Ten modes, each at 5.3 standard errors: false alarm 1e-6 for all. The predictions that leave something out are seen
  // to be wrong.
  const Spec spec = diabetes(500);
  const Model model(spec);
  const MinibatchResult result = run_minibatch(model, minibatch_options(spec, model), [](double) {});
  ASSERT_EQ(result.modes.size(), 10U);
  EXPECT_EQ(result.batch, 32);
  for (const ModeVariance& mode : result.modes) {
    const auto deviation = [&](double prediction) {
      return std::abs(mode.measured - prediction) / mode.measured_error;
    };
    EXPECT_LE(deviation(mode.predicted), 5.3) << mode.mode;
    EXPECT_GT(deviation(mode.langevin), 5.3) << mode.mode;
    EXPECT_GT(deviation(mode.langevin * mode.finite_rate), 5.3) << mode.mode;
    EXPECT_GT(deviation(mode.langevin * mode.finite_rate * mode.minibatch), 5.3) << mode.mode;
    EXPECT_LE(mode.measured_error, 0.05 * mode.measured);
  }
  // The factors of one mode alone, by hand for the first: q = ηh/(2(1+β)) with h = 4.0242.
  EXPECT_NEAR(result.modes[0].finite_rate, 1.0 / (1.0 - 0.1 * model.plane(0).curvature / 3.8), 1e-12);
  EXPECT_GT(result.modes[0].minibatch, 1.05);
}

TEST(Minibatch, EpochsAreAnotherProcess) {
  // Shuffled epochs have narrower slow modes: the slowest has less than half the variance of the model, the fastest is
  // wider than it.
  Spec spec = diabetes(300);
  spec.ensemble->sampling = BatchSampling::epochs;
  const Model model(spec);
  const MinibatchResult result = run_minibatch(model, minibatch_options(spec, model), [](double) {});
  EXPECT_EQ(result.steps_per_epoch, 13);
  EXPECT_LT(result.modes[9].measured, 0.5 * result.modes[9].langevin);
  EXPECT_GT(result.modes[0].measured, result.modes[0].langevin);
}

TEST(Minibatch, AWholeEpochPerStepHasNoNoise) {
  // All rows without replacement are the full gradient: the start is forgotten and nothing is left.
  Spec spec = diabetes(3);
  spec.optimizer->batch_size = 442;
  const Model model(spec);
  MinibatchOptions options = minibatch_options(spec, model);
  options.sampling = BatchSampling::epochs;
  options.settle = 5000;
  options.measure = 10;
  for (const ModeVariance& mode : run_minibatch(model, options, [](double) {}).modes)
    EXPECT_LE(mode.measured, 1e-20) << mode.mode;
  options.sampling = BatchSampling::replacement;
  for (const ModeVariance& mode : run_minibatch(model, options, [](double) {}).modes)
    EXPECT_GT(mode.measured, 1e-6) << mode.mode;
}

TEST(Minibatch, TheSameBitsForEveryNumberOfThreads) {
  const Spec spec = diabetes(7);
  const Model model(spec);
  MinibatchOptions options = minibatch_options(spec, model);
  for (const BatchSampling sampling : {BatchSampling::replacement, BatchSampling::epochs}) {
    options.sampling = sampling;
    options.settle = 20;
    options.measure = 20;
    options.threads = 1;
    const auto one = run_minibatch(model, options, [](double) {});
    options.threads = 3;
    const auto three = run_minibatch(model, options, [](double) {});
    for (std::size_t l = 0; l < one.modes.size(); ++l) {
      EXPECT_EQ(one.modes[l].measured, three.modes[l].measured);
      EXPECT_EQ(one.modes[l].measured_error, three.modes[l].measured_error);
    }
    options.seed += 1;
    EXPECT_NE(run_minibatch(model, options, [](double) {}).modes[0].measured, one.modes[0].measured);
  }
}

TEST(Minibatch, RefusesWhatItCannotDo) {
  Spec spec = diabetes(10);
  const auto run = [&](const Spec& wrong, BatchSampling sampling) {
    const Model model(wrong);
    MinibatchOptions options;
    options.runs = 2;
    options.measure = 1;
    options.sampling = sampling;
    static_cast<void>(run_minibatch(model, options, [](double) {}));
  };
  EXPECT_NO_THROW(run(spec, BatchSampling::replacement));
  EXPECT_THROW(run(read_spec(source + "/examples/oscillator.toml"), BatchSampling::replacement), Error);
  spec.optimizer->batch_size = 2.5;
  EXPECT_THROW(run(spec, BatchSampling::replacement), Error);
  spec.optimizer->batch_size = 500;
  EXPECT_NO_THROW(run(spec, BatchSampling::replacement));
  EXPECT_THROW(run(spec, BatchSampling::epochs), Error);
  struct Stop {};
  const Spec stopped = diabetes(4);
  const Model model(stopped);
  MinibatchOptions options = minibatch_options(stopped, model);
  options.settle = 10;
  options.measure = 10;
  EXPECT_THROW(run_minibatch(model, options, [](double) { throw Stop{}; }), Stop);
}

}  // namespace
}  // namespace underdamp
