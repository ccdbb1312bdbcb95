#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "kernels/devices/make_backend.hpp"
#include "meshes/error.hpp"
#include "solver/io/csv.hpp"
#include "solver/io/diagnostics.hpp"
#include "solver/run/simulation.hpp"
#include "solver/spec/spec_reader.hpp"
#include "solver/step/memory.hpp"
#include "test_support.hpp"

namespace underdamp {
namespace {

using testing::spec_from;

const std::string optimizer = "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n";
const std::string quadratic = "[loss]\nkind = \"quadratic\"\n";
const std::string isotropic = "[noise]\nkind = \"isotropic\"\nsigma2 = 1.0\n";
const std::string valid = optimizer + quadratic + isotropic;

/// All texts of the problems that a spec has; fails if it has none.
std::string problems_of(const std::string& text) {
  try {
    static_cast<void>(spec_from(text));
  } catch (const SpecError& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << text;
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
#define EXPECT_CONTAINS(text, part) EXPECT_TRUE(contains(text, part)) << "\"" << (part) << "\" is not in:\n" << (text)

TEST(Spec, DefaultsAreFilledIn) {
  const Spec spec = spec_from(valid);
  EXPECT_EQ(spec.name, "test");
  EXPECT_EQ(spec.dynamics, Dynamics::langevin);
  EXPECT_EQ(spec.optimizer->weight_decay, 0.0);
  EXPECT_EQ(spec.loss.hessian, 1.0);
  EXPECT_EQ(spec.grid.cells[0], 128);
  EXPECT_FALSE(spec.grid.theta.has_value());
  EXPECT_FALSE(spec.evolve.has_value());
  EXPECT_EQ(spec.output.directory, "out/test");
  EXPECT_EQ(spec.initial.kind, InitialKind::stationary);
  EXPECT_EQ(spec.checkpoint.every_seconds, 600.0);
}

TEST(Spec, EveryKeyIsRead) {
  const Spec spec = spec_from(
      "title = \"t\"\ndynamics = \"sgd\"\n" + optimizer + "weight_decay = 0.5\n" +
      "[loss]\nkind = \"quadratic\"\nhessian = 2\nminimum = -1.5\n[noise]\nkind = \"constant\"\ncovariance = [[0.25]]\n"
      "[grid]\ncells = [64, 96]\ntheta = [-1, 1]\nvelocity = \"auto\"\ntheta_boundary = \"periodic\"\n"
      "[initial]\nkind = \"gaussian\"\nmean = [0.1, 0.2]\ncovariance = [[0.01, 0.001], [0.001, 0.02]]\n"
      "[evolve]\nsteps = 500\ntolerance = 1e-7\nframes = 5\npositivity = \"none\"\n"
      "[output]\ndirectory = \"d\"\nfields = [\"density\"]\nprecision = \"float64\"\n");
  EXPECT_EQ(spec.title, "t");
  EXPECT_EQ(spec.dynamics, Dynamics::sgd);
  EXPECT_EQ(spec.optimizer->weight_decay, 0.5);
  EXPECT_EQ(spec.loss.minimum, -1.5);
  EXPECT_EQ(spec.noise.covariance, 0.25);
  EXPECT_EQ(spec.grid.cells[1], 96);
  EXPECT_EQ(spec.grid.theta->lower, -1.0);
  EXPECT_EQ(spec.grid.walls, ThetaBoundary::periodic);
  EXPECT_EQ((*spec.initial.covariance)[0][1], 0.001);
  EXPECT_DOUBLE_EQ(spec.evolve->until, 50.0);
  EXPECT_EQ(*spec.evolve->steps, 500);
  EXPECT_FALSE(spec.evolve->limit_positivity);
  EXPECT_EQ(spec.output.float64, true);
}

TEST(Spec, EnsembleIsReadAndChecked) {
  EXPECT_FALSE(spec_from(valid).ensemble.has_value());
  const Spec spec = spec_from(valid + "[ensemble]\nparticles = 5000\nseed = 7\nintegrator = \"euler\"\nstep = 0.01\n");
  EXPECT_EQ(spec.ensemble->particles, 5000);
  EXPECT_EQ(spec.ensemble->seed, 7);
  EXPECT_EQ(spec.ensemble->integrator, EnsembleIntegrator::euler);
  EXPECT_EQ(*spec.ensemble->step, 0.01);
  EXPECT_EQ(spec_from(valid + "[ensemble]\n").ensemble->integrator, EnsembleIntegrator::splitting);
  EXPECT_EQ(spec_from("dynamics = \"sgd\"\n" + valid + "[ensemble]\n").ensemble->integrator, EnsembleIntegrator::sgd);
  const testing::TemporaryDirectory folder;
  const std::string file = (folder.path() / "d.csv").string();
  std::ofstream(file) << "a,y\n1,2\n2,3\n";
  const Spec data = spec_from(optimizer + "[loss]\nkind = \"dataset\"\nfile = \"" + file +
                              "\"\ntarget = \"y\"\n"
                              "[ensemble]\nsampling = \"epochs\"\nruns = 10\n");
  EXPECT_EQ(data.ensemble->sampling, BatchSampling::epochs);
  EXPECT_EQ(data.ensemble->runs, 10);
  const std::string text =
      problems_of(valid + "[ensemble]\nparticle = 5\nseed = -1\nintegrator = \"sgd\"\nstep = 1.0\nruns = 5\n");
  EXPECT_CONTAINS(text, "ensemble.particle: unknown key");
  EXPECT_CONTAINS(text, "did you mean particles?");
  EXPECT_CONTAINS(text, "ensemble.seed: found -1");
  EXPECT_CONTAINS(text, "ensemble.step: the SGD map has its own step");
  EXPECT_CONTAINS(text, "ensemble.runs: minibatches are drawn from a dataset");
  EXPECT_CONTAINS(problems_of("dynamics = \"sgd\"\n" + valid + "[ensemble]\nintegrator = \"euler\"\n"),
                  "move by the map");
  EXPECT_CONTAINS(
      problems_of("[langevin]\nfriction = 1.0\ntemperature = 1.0\n" + quadratic + "[ensemble]\nintegrator = \"sgd\"\n"),
      "there is no [optimizer]");
}

TEST(Spec, CheckpointIntervalIsNotNegative) {
  EXPECT_EQ(spec_from(valid + "[checkpoint]\nevery_seconds = 0\n").checkpoint.every_seconds, 0.0);
  EXPECT_EQ(spec_from(valid + "[checkpoint]\nevery_seconds = 2.5\n").checkpoint.every_seconds, 2.5);
  EXPECT_CONTAINS(problems_of(valid + "[checkpoint]\nevery_seconds = -1\n"), "checkpoint.every_seconds: found -1");
  EXPECT_CONTAINS(problems_of(valid + "[checkpoint]\nevery_second = 1\n"), "did you mean every_seconds?");
}

TEST(Spec, UntilBecomesWholeSgdSteps) {
  const Spec spec = spec_from("dynamics = \"sgd\"\n" + valid + "[evolve]\nuntil = 1.04\n");
  EXPECT_EQ(*spec.evolve->steps, 10);
  EXPECT_DOUBLE_EQ(spec.evolve->until, 1.0);
}

TEST(Spec, UnknownKeyNamesTheNearest) {
  const std::string text = problems_of(optimizer + "momentun = 0.8\n" + quadratic + isotropic);
  EXPECT_CONTAINS(text, "test.toml:5:1: optimizer.momentun: unknown key");
  EXPECT_CONTAINS(text, "did you mean momentum?");
  EXPECT_CONTAINS(problems_of(valid + "[evolv]\nuntil = 1\n"), "did you mean evolve?");
}

TEST(Spec, AllErrorsAreReportedAtOnce) {
  const std::string text = problems_of(
      "[optimizer]\nlearning_rate = -0.1\nmomentum = 1.0\nbatch_size = 0\n[loss]\nkind = \"quadratik\"\n"
      "[noise]\nkind = \"isotropic\"\nsigma2 = nan\n[grid]\ncells = [3, 128]\ntheta = [1.0, 1.0]\n[evolve]\n");
  EXPECT_CONTAINS(text, "test.toml:2:17: optimizer.learning_rate: found -0.1");
  EXPECT_CONTAINS(text, "test.toml:3:12: optimizer.momentum: found 1.0");
  EXPECT_CONTAINS(text, "a number in [0, 1)");
  EXPECT_CONTAINS(text, "test.toml:4:14: optimizer.batch_size: found 0");
  EXPECT_CONTAINS(text, "did you mean \"quadratic\"?");
  EXPECT_CONTAINS(text, "noise.sigma2: found nan");
  EXPECT_CONTAINS(text, "test.toml:11:10: grid.cells: found 3");
  EXPECT_CONTAINS(text, "the interval [1, 1] has no width");
  EXPECT_CONTAINS(text, "neither until nor steps is given");
}

TEST(Spec, RepeatedKeyIsAnError) {
  EXPECT_CONTAINS(problems_of("title = \"a\"\ntitle = \"b\"\n" + valid), "test.toml:2:");
}

TEST(Spec, BrokenTomlNamesTheLine) {
  EXPECT_CONTAINS(problems_of("[optimizer\nlearning_rate = 1\n"), "test.toml:1:");
}

TEST(Spec, WrongTypes) {
  EXPECT_CONTAINS(
      problems_of("[optimizer]\nlearning_rate = \"fast\"\nmomentum = 0.9\nbatch_size = 1\n" + quadratic + isotropic),
      "optimizer.learning_rate: found");
  EXPECT_CONTAINS(problems_of(valid + "[grid]\ncells = 64\n"), "two whole numbers");
  EXPECT_CONTAINS(problems_of(valid + "[grid]\ncells = [64.5, 64]\n"), "a whole number from 16 to 16384");
  EXPECT_CONTAINS(problems_of("optimizer = 3\n" + quadratic + isotropic), "a table [optimizer]");
  EXPECT_CONTAINS(problems_of(valid + "[evolve]\nuntil = true\n"), "evolve.until: found true");
}

TEST(Spec, ExactlyOneOfOptimizerAndLangevin) {
  EXPECT_CONTAINS(problems_of(quadratic + isotropic), "neither [optimizer] nor [langevin]");
  EXPECT_CONTAINS(problems_of(valid + "[langevin]\nfriction = 1.0\n"), "both [optimizer] and [langevin]");
}

TEST(Spec, LangevinNeedsANoise) {
  EXPECT_CONTAINS(problems_of("[langevin]\nfriction = 1.0\n" + quadratic),
                  "langevin.temperature: nothing gives the noise");
  EXPECT_CONTAINS(problems_of("[langevin]\nfriction = 1.0\ntemperature = 1.0\n" + quadratic + isotropic),
                  "both langevin.temperature and [noise]");
  EXPECT_CONTAINS(problems_of("dynamics = \"sgd\"\n[langevin]\nfriction = 1.0\ntemperature = 1.0\n" + quadratic),
                  "dynamics");
}

TEST(Spec, SingularQuadraticIsRefused) {
  const std::string flat = optimizer + "[loss]\nkind = \"quadratic\"\nhessian = 0.0\n" + isotropic;
  EXPECT_CONTAINS(problems_of(flat), "singular");
  EXPECT_CONTAINS(problems_of(flat + "[grid]\ntheta = [0.0, 1.0]\ntheta_boundary = [\"reflecting\", \"open\"]\n"),
                  "theta_boundary = \"reflecting\" or \"periodic\"");
  for (const std::string walls : {"reflecting", "periodic"}) {
    const Spec spec = testing::spec_from(flat + "[grid]\ntheta = [0.0, 1.0]\ntheta_boundary = \"" + walls + "\"\n");
    EXPECT_FALSE(spec.has_parabolas());
  }
  EXPECT_NO_THROW(static_cast<void>(
      spec_from(optimizer + "weight_decay = 0.1\n[loss]\nkind = \"quadratic\"\nhessian = 0.0\n" + isotropic)));
}

TEST(Spec, CovarianceMustBePositiveDefinite) {
  const std::string start = valid + "[initial]\nkind = \"gaussian\"\nmean = [0, 0]\ncovariance = ";
  EXPECT_CONTAINS(problems_of(start + "[[1, 2], [2, 1]]\n"), "positive definite");
  EXPECT_CONTAINS(problems_of(start + "[[-1, 0], [0, -1]]\n"), "positive definite");
  EXPECT_CONTAINS(problems_of(start + "[[1, 0]]\n"), "[[var_theta, cov], [cov, var_v]]");
}

TEST(Spec, ACovarianceIsSymmetricUpToRounding) {
  const std::string start = valid + "[initial]\nkind = \"gaussian\"\ncovariance = ";
  const auto cov_of = [](const Spec& spec) {
    EXPECT_EQ((*spec.initial.covariance)[0][1], (*spec.initial.covariance)[1][0]);
    return (*spec.initial.covariance)[0][1];
  };
  // Around 0, whatever the sign: 1e-17 and -9e-18 are 1e-15 of √(0.01 · 0.02).
  EXPECT_NEAR(cov_of(spec_from(start + "[[0.01, 1e-17], [-9e-18, 0.02]]\n")), 5e-19, 1e-30);
  const Spec doubles = spec_from(start + "[[4, 1.0], [1.0000000000001, 1]]\n");  // 5e-14 of 2
  EXPECT_NEAR(cov_of(doubles), 1.00000000000005, 1e-15);
  EXPECT_TRUE(doubles.notes.empty());
  const Spec singles = spec_from(start + "[[4, 1.0], [1.0000001, 1]]\n");  // 5e-8 of 2
  EXPECT_NEAR(cov_of(singles), 1.00000005, 1e-15);
  ASSERT_EQ(singles.notes.size(), 1U);
  EXPECT_CONTAINS(singles.notes[0], "initial.covariance: 1.0 and 1.0000001 differ by what single precision rounds off");
  const std::string text = problems_of(start + "[[4, 1.0], [1.0001, 1]]\n");
  EXPECT_CONTAINS(text, "the matrix is not symmetric: its entries (1, 2) and (2, 1) are 1.0 and 1.0001");
  EXPECT_CONTAINS(problems_of(start + "[[1e-8, 1e-9], [2e-9, 1e-8]]\n"), "not symmetric");  // small, but not rounding
}

TEST(Spec, NumbersMayBeFormulasInQuotationMarks) {
  const double pi = 3.141592653589793;
  const Spec spec = spec_from(
      optimizer + "weight_decay = \"1e-3\"\n[loss]\nkind = \"polynomial\"\ncoefficients = [0, \"-1/2\", 0, '2**-2']\n" +
      "[noise]\nkind = \"constant\"\ncovariance = [[\"sqrt(2)\"]]\n"
      "[grid]\ntheta = [\"-pi\", \"pi\"]\nvelocity = [-1, \"2*pi\"]\n[evolve]\nuntil = \"2*pi/0.1\"\n");
  EXPECT_EQ(spec.optimizer->weight_decay, 0.001);
  EXPECT_EQ(spec.loss.coefficients, (std::vector<double>{0.0, -0.5, 0.0, 0.25}));
  EXPECT_NEAR(spec.noise.covariance, 1.4142135623730951, 1e-15);
  EXPECT_NEAR(spec.grid.theta->lower, -pi, 1e-15);
  EXPECT_NEAR(spec.grid.velocity->upper, 2.0 * pi, 1e-15);
  EXPECT_NEAR(spec.evolve->until, 20.0 * pi, 1e-13);
  const std::string text =
      problems_of(valid +
                  "[grid]\ntheta = [\"pi\", \"-pi\"]\ncells = [\"2*32\", 64]\nvelocity = \"[-pi, pi]\"\n"
                  "[evolve]\nuntil = \"-pi\"\ntolerance = \"x\"\nstep = \"1/0\"\nevery = \"2pi\"\n");
  EXPECT_CONTAINS(text, "grid.theta: the interval [3.14");
  EXPECT_CONTAINS(text, "expected a whole number from 16");
  EXPECT_CONTAINS(text, "grid.velocity: found");
  EXPECT_CONTAINS(text, "evolve.until: found '-pi'\n  to fix: expected a number > 0");
  EXPECT_CONTAINS(text,
                  "evolve.tolerance: found 'x'\n  to fix: expected a number in [1e-13, 0.1], or a formula for one");
  EXPECT_CONTAINS(text, "evolve.step: found '1/0'\n  to fix: expected a finite number > 0");
  EXPECT_CONTAINS(text, "evolve.every: \"2pi\" is not a formula: a multiplication sign is missing");
}

TEST(Spec, WordsWithoutQuotationMarksAreQuoted) {
  const auto cure = [](const std::string& line) { return problems_of("title = \"a\"\n" + line + "\n"); };
  EXPECT_CONTAINS(cure("theta = [-pi, pi]"), "test.toml:2:10: not valid TOML");
  EXPECT_CONTAINS(cure("theta = [-pi, pi]"), "to fix: write theta = [\"-pi\", \"pi\"]: words, and formulas");
  EXPECT_CONTAINS(cure("kind = quadratic  # a parabola"), "write kind = \"quadratic\"  # a parabola");
  EXPECT_CONTAINS(cure("until = 2*max(pi, 3)"), "write until = \"2*max(pi, 3)\"");
  EXPECT_CONTAINS(cure("theta = [\n  -.5,\n 1]"), "test.toml:3:");
  EXPECT_CONTAINS(cure("theta = [-.5, 1.]"), "to fix: write theta = [-0.5, 1.0]");
  EXPECT_CONTAINS(cure("minimum = −0.5"), "to fix: write minimum = -0.5");
  EXPECT_CONTAINS(cure("standardize = True"), "to fix: write standardize = true");
  EXPECT_CONTAINS(cure("columns = [\"a, b\", c]"), "write columns = [\"a, b\", \"c\"]");
  for (const char* line : {"a = 1 b = 2", "a = 0.1.2", "a = \"b", "= pi", "a == pi"})
    EXPECT_CONTAINS(cure(line), "to fix: correct this line") << line;
}

TEST(Spec, KeysOfPyTorchAreExplained) {
  const auto text_with = [](const std::string& line) {
    return problems_of("[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n" + line + "\n" + quadratic +
                       isotropic);
  };
  EXPECT_CONTAINS(text_with("nesterov = true"),
                  "optimizer.nesterov: unknown key\n  to fix: remove it: Nesterov's momentum");
  EXPECT_CONTAINS(text_with("dampening = 0.1"), "learning_rate = lr*(1 - dampening)");
  EXPECT_CONTAINS(text_with("momentum_buffer = 0.1"), "v = -momentum_buffer");
  EXPECT_CONTAINS(text_with("maximize = true"), "change the sign of the loss");
  EXPECT_CONTAINS(text_with("betas = [0.9, 0.999]"), "Adam");
  const std::string one =
      problems_of("[optimizer]\nlr = 0.1\nmomentum = 0.9\nbatch_size = 32\n" + quadratic + isotropic);
  EXPECT_CONTAINS(one, "optimizer.lr: unknown key\n  to fix: did you mean learning_rate?");
  EXPECT_FALSE(contains(one, "missing")) << one;
}

TEST(Spec, SmallPicturesAreWrittenInDoublePrecision) {
  const auto is_double = [](const std::string& rest) { return spec_from(valid + rest).has_float64_pictures(); };
  EXPECT_TRUE(is_double(""));
  EXPECT_TRUE(is_double("[grid]\ncells = [512, 512]\n"));
  EXPECT_TRUE(is_double("[grid]\ncells = [1024, 256]\n"));
  EXPECT_FALSE(is_double("[grid]\ncells = [513, 512]\n"));
  EXPECT_FALSE(is_double("[output]\nprecision = \"float32\"\n"));
  EXPECT_TRUE(is_double("[output]\nprecision = \"auto\"\n"));
  EXPECT_TRUE(is_double("[grid]\ncells = [1024, 1024]\n[output]\nprecision = \"float64\"\n"));
}

TEST(Spec, EvolveChoicesExcludeEachOther) {
  EXPECT_CONTAINS(problems_of(valid + "[evolve]\nuntil = 1.0\nsteps = 10\n"), "both until and steps");
  EXPECT_CONTAINS(problems_of(valid + "[evolve]\nuntil = 1.0\nframes = 3\nevery = 0.1\n"), "both frames and every");
  EXPECT_CONTAINS(problems_of("dynamics = \"sgd\"\n" + valid + "[evolve]\nsteps = 5\nstep = 0.1\n"), "its own step");
}

TEST(Spec, ModesAreNumbersFromOne) {
  const std::string data = "[loss]\nkind = \"dataset\"\nfile = \"d.csv\"\ntarget = \"y\"\nmodes = ";
  EXPECT_CONTAINS(problems_of(optimizer + data + "[0]\n"), "a whole number from 1");
  EXPECT_CONTAINS(problems_of(optimizer + data + "[1, 1]\n"), "listed twice");
  EXPECT_CONTAINS(problems_of(optimizer + data + "\"most\"\n"), "\"all\" or a list");
}

TEST(Spec, FilesAreRelativeToTheSpec) {
  const testing::TemporaryDirectory folder;
  std::ofstream(folder.path() / "a.csv") << "theta,loss\n-1,1\n0,0\n1,1\n2,4\n";
  const std::string text = optimizer + "[loss]\nkind = \"table\"\nfile = \"a.csv\"\n" + isotropic;
  const Spec spec = parse_spec(text, (folder.path() / "x.toml").string());
  EXPECT_EQ(spec.loss.file, (folder.path() / "a.csv").string());
  EXPECT_NEAR(spec.loss.function->value(1.5), 2.25, 1e-12);
}

// --- formulas and files, read with the spec ------------------------------------------------------

std::string expression(const std::string& table, const std::string& formula) {
  return "[" + table + "]\nkind = \"expression\"\nformula = \"" + formula + "\"\n";
}
std::string csv_table(const std::string& table, const std::string& file) {
  return "[" + table + "]\nkind = \"table\"\nfile = \"" + file + "\"\n";
}

TEST(SpecInputs, MissingFilesAreReportedWithAllOtherErrors) {
  const std::string text = problems_of(optimizer + csv_table("loss", "none.csv") + csv_table("noise", "neither.csv") +
                                       "[grid]\ncells = [3, 64]\n[initial]\nkind = \"file\"\nfile = \"start.csv\"\n");
  EXPECT_CONTAINS(text, "test.toml:7:8: loss.file: none.csv: there is no such file");
  EXPECT_CONTAINS(text, "test.toml:10:8: noise.file: neither.csv: there is no such file");
  EXPECT_CONTAINS(text, "test.toml:15:8: initial.file: start.csv: there is no such file");
  EXPECT_CONTAINS(text, "grid.cells: found 3");
}

TEST(SpecInputs, AllBadFormulasAreReported) {
  const std::string text = problems_of(optimizer + expression("loss", "x^^2") + expression("noise", "sni(x)"));
  EXPECT_CONTAINS(text, "test.toml:7:11: loss.formula: \"x^^2\" is not a formula");
  EXPECT_CONTAINS(text, "test.toml:10:11: noise.formula: \"sni(x)\" is not a formula");
  EXPECT_CONTAINS(text, "did you mean sin?");
}

TEST(SpecLimits, NumberAndLimitAreNamed) {
  const auto list = [](int count) {
    std::string text = "1";
    for (int k = 2; k <= count; ++k) text += "," + std::to_string(k);
    return "[" + text + "]";
  };
  const auto polynomial = [&](int count) {
    return optimizer + "[loss]\nkind = \"polynomial\"\ncoefficients = " + list(count) + "\n" + isotropic;
  };
  EXPECT_NO_THROW(spec_from(polynomial(257)));
  EXPECT_CONTAINS(problems_of(polynomial(258)), "loss.coefficients: 258 coefficients, the limit is 257");
  EXPECT_CONTAINS(
      problems_of(optimizer + "[loss]\nkind = \"dataset\"\nfile = \"a.csv\"\ntarget = \"y\"\nmodes = " + list(5001)),
      "loss.modes: 5001 modes, the limit is 5000");
  EXPECT_CONTAINS(problems_of(valid + "[grid]\ncells = [16385, 64]\n"), "found 16385");
  EXPECT_CONTAINS(problems_of(valid + "[evolve]\nuntil = 1\nframes = 100001\n"), "found 100001");
}

TEST(SpecLimits, DeepKeysAreRefused) {
  const auto key = [](int parts) {
    std::string text = "a";
    for (int k = 1; k < parts; ++k) text += " . \"a.=,\\\"\"";
    return text;
  };
  EXPECT_CONTAINS(problems_of("# it's\n[" + key(33) + "]\n"), "test.toml:2: a key of more than 32 parts");
  EXPECT_CONTAINS(problems_of("x = '''\n'a\n''' \n" + key(300'000) + " = 1\n"),
                  "test.toml:4: a key of more than 32 parts");
  EXPECT_CONTAINS(problems_of("[" + key(32) + "]\n"), "unknown key");
  const std::string dots(200, '.');
  EXPECT_NO_THROW(spec_from("title = \"" + dots + "\" # " + dots + "\n" + valid));
  EXPECT_NO_THROW(spec_from("title = '''" + dots + "\n" + dots + "'''\n" + valid));
}

TEST(SpecLimits, LongNamesStayOutOfMessages) {
  const std::string name(100'000, 'k');
  const std::string text = problems_of(name + " = 1\n" + valid + "[output]\nprecision = \"" + name + "\"\n");
  EXPECT_CONTAINS(text, "unknown key");
  EXPECT_CONTAINS(text, "is not one of the choices");
  EXPECT_LT(text.size(), 2000U);
}

TEST(SpecLimits, TheNameOfASpecIsNoWayOut) {
  EXPECT_EQ(parse_spec(valid, "...toml").output.directory, "out/spec");
  EXPECT_EQ(parse_spec(valid, "/a/b/../c.toml").output.directory, "out/c");
}

/// The exit code and the message with which a run on the host is refused before it takes memory.
std::pair<ExitCode, std::string> refusal_of(const Spec& spec, Backend& backend) {
  try {
    const Simulation simulation(spec, backend);
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ExitCode::success, "accepted"};
}

/// A dataset of `features` columns that are not proportional to each other.
void write_features(const std::filesystem::path& path, int features) {
  std::ofstream file(path);
  for (int k = 0; k < features; ++k) file << "f" << k << ",";
  file << "y\n";
  for (int n = 0; n < 2 * features + 3; ++n) {
    for (int k = 0; k < features; ++k) file << (n % (k + 2) == 0 ? 1 : n * k % 7) << ",";
    file << n % 3 << "\n";
  }
}

TEST(SpecLimits, MemoryIsCountedBeforeItIsTaken) {
  const auto chosen = make_backend(DeviceChoice::host);
  const std::size_t memory = chosen.backend->describe().memory_bytes;
  if (memory == 0 || memory > (std::size_t{1} << 40)) GTEST_SKIP() << "the memory of the host is not known, or huge";
  const testing::TemporaryDirectory folder;
  const int planes = static_cast<int>(memory >> 32) + 1;  // two fields of more than 2 GiB for each
  write_features(folder.path() / "d.csv", planes);
  const Spec spec = spec_from(optimizer + "weight_decay = 0.1\n[loss]\nkind = \"dataset\"\ntarget = \"y\"\nfile = \"" +
                              (folder.path() / "d.csv").string() +
                              "\"\n[grid]\ncells = [16384, 16384]\n[evolve]\nuntil = 1\nstep = 0.1\n");
  const auto [code, text] = refusal_of(spec, *chosen.backend);
  EXPECT_EQ(code, ExitCode::device);
  // 2²⁸ + 64 cells; 2 · 2 · 16384 numbers for the walls, 16384 lines and 256 · 16384 segments for what was created.
  const double field = 8.0 * (268435456 + 64) + 8.0 * (65536 + 16384 + 4194304);
  EXPECT_CONTAINS(
      text, fmt::format("{} planes of 16384 × 16384 cells and what their steps need take up to {:.0f} MiB, ", planes,
                        std::ceil(2.0 * planes * field / 1048576.0)));
  EXPECT_CONTAINS(text, " has " + std::to_string(memory >> 20) + " MiB");
}

TEST(SpecLimits, FieldsOfADisplacementAreCounted) {
  DeviceDescription device;
  device.name = "device";
  // 4 · 8192² + 64 cells; 2 · 2 · 32768 numbers for the walls, 32768 lines, 128 · 32768 segments: 2 182 349 312 bytes.
  const FieldShape shape{4, 8192, 8192};
  constexpr std::size_t field = 2'182'349'312;
  const auto require = [&](const std::string& rest) {
    require_displacement_memory(spec_from(valid + "[displacement]\nuntil = 1\n" + rest), shape, device);
  };
  device.memory_bytes = 9 * field;
  EXPECT_NO_THROW(require(""));  // one field and its copy, six levels and what they give besides
  device.memory_bytes -= 1;
  try {
    require("");
    ADD_FAILURE() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::device);
    EXPECT_CONTAINS(
        error.what(),
        "4 planes of 8192 × 8192 cells and what their steps need take up to 18732 MiB, device has 18731 MiB");
  }
  device.memory_bytes = 11 * field;
  EXPECT_NO_THROW(require("start = \"initial\"\n"));  // three fields
  device.memory_bytes -= 1;
  EXPECT_THROW(require("start = \"initial\"\n"), Error);
  device.kind = DeviceKind::cuda;  // drifts write into a spare field
  device.memory_bytes = 9 * field + (4 * 8192UL * 8192UL + 64) * 8;
  EXPECT_NO_THROW(require(""));
  device.memory_bytes -= 1;
  EXPECT_THROW(require(""), Error);
}

TEST(SpecLimits, SumsOfAnEnsembleAreCounted) {
  const auto chosen = make_backend(DeviceChoice::host);
  const std::size_t memory = chosen.backend->describe().memory_bytes;
  if (memory == 0 || memory > (std::size_t{1} << 37)) GTEST_SKIP() << "the memory of the host is not known, or large";
  const auto [code, text] =
      refusal_of(spec_from(valid + "[evolve]\nuntil = 1\n[ensemble]\nparticles = 1000000000000\n"), *chosen.backend);
  EXPECT_EQ(code, ExitCode::device);
  EXPECT_CONTAINS(text, "ensemble.particles: the sums over 1000000000000 particles take ");
  EXPECT_CONTAINS(text, "use fewer particles");
}

TEST(SpecLimits, MatricesAndKrylovBasesAreCountedToo) {
  const auto chosen = make_backend(DeviceChoice::host);
  const std::size_t memory = chosen.backend->describe().memory_bytes;
  const auto refused = [&](const std::string& cells, const std::string& rest) {
    return refusal_of(spec_from(valid + "[grid]\ncells = " + cells + "\n" + rest), *chosen.backend);
  };
  // 16384² · 15 entries, more than 2³¹ − 1.
  for (const char* rest :
       {"[stationary]\nmethod = \"direct\"\n", "[stationary]\n[output]\nfields = [\"generator\"]\n"}) {
    const auto [code, text] = refused("[16384, 16384]", rest);
    EXPECT_EQ(code, ExitCode::bad_input);
    EXPECT_CONTAINS(text, "the generator of 16384 × 16384 cells has 4026531840 entries, the limit is 2147483647");
  }
  if (memory == 0 || memory > std::size_t{50} << 30) GTEST_SKIP() << "the memory of the host is not known, or large";
  const std::string has = std::to_string(memory >> 20) + " MiB";
  // 24 vectors of 16384² numbers; 8192² cells of 2 · 15 · 12 + 2 · 7.75 · 13 · 8 bytes.
  const auto arnoldi = refused("[16384, 16384]", "[stationary]\nmethod = \"arnoldi\"\n");
  EXPECT_EQ(arnoldi.first, ExitCode::device);
  EXPECT_CONTAINS(arnoldi.second, "\"arnoldi\" needs for 16384 × 16384 cells at least 49152 MiB");
  EXPECT_CONTAINS(arnoldi.second, has);
  const auto direct = refused("[8192, 8192]", "[stationary]\nmethod = \"direct\"\n");
  EXPECT_EQ(direct.first, ExitCode::device);
  EXPECT_CONTAINS(direct.second, "\"direct\" needs for 8192 × 8192 cells at least 126208 MiB");
  EXPECT_CONTAINS(direct.second, has);
}

TEST(SpecInputs, BadCellsAreReportedTenAtATime) {
  const testing::TemporaryDirectory folder;
  std::ofstream file(folder.path() / "d.csv");
  file << "a,b,y\n";
  for (int k = 0; k < 12; ++k) file << k << ",nan," << (k == 0 ? "" : "1") << "\n";
  file.close();
  const std::string text =
      problems_of(optimizer + "[loss]\nkind = \"dataset\"\ntarget = \"y\"\nmodes = [7]\nfile = \"" +
                  (folder.path() / "d.csv").string() + "\"\n[grid]\ncels = 3\n");
  EXPECT_CONTAINS(text, "d.csv:2:2: column \"b\": \"nan\" is not a finite number");
  EXPECT_CONTAINS(text, "d.csv:2:3: column \"y\": an empty cell");
  EXPECT_CONTAINS(text, "d.csv:10:2: ");
  EXPECT_FALSE(contains(text, "d.csv:11:2: ")) << text;
  EXPECT_CONTAINS(text, "loss.file: and 3 more like these");
  EXPECT_CONTAINS(text, "loss.modes: there is no mode 7, the data have 2 features");
  EXPECT_CONTAINS(text, "did you mean cells?");
}

TEST(SpecInputs, ColumnsWithoutANameAreNoFeatures) {
  const testing::TemporaryDirectory folder;
  std::ofstream(folder.path() / "d.csv") << ",a,y\n0,1,2\n1,2,3\n2,5,4\n";
  const Spec spec = spec_from(optimizer + "[loss]\nkind = \"dataset\"\ntarget = \"y\"\nfile = \"" +
                              (folder.path() / "d.csv").string() + "\"\n");
  EXPECT_EQ(spec.loss.data->names, (std::vector<std::string>{"a"}));
  ASSERT_EQ(spec.notes.size(), 1U);
  EXPECT_CONTAINS(spec.notes[0], "loss.file: 1 of 3 columns without a name, such as an index, are no features");
}

TEST(SpecInputs, TablesMustMakeASpline) {
  const testing::TemporaryDirectory folder;
  const auto problem = [&](const std::string& csv) {
    std::ofstream(folder.path() / "t.csv") << csv;
    return problems_of(optimizer + csv_table("loss", (folder.path() / "t.csv").string()) + isotropic);
  };
  EXPECT_CONTAINS(problem("theta,loss\n0,1\n1,2\n0,3\n2,4\n"), "t.csv:4: theta = 0 was given before, in ");
  EXPECT_CONTAINS(problem("theta,loss\n0,1\n1,2\n2,3\n"), "a cubic spline needs four rows, there are 3");
  EXPECT_CONTAINS(problem("theta,loss\n0,1\n1,1e308\n2,-1e308\n3,1e308\n"), "too large for a spline");
  EXPECT_CONTAINS(problem("theta;loss\n0;1\n1;2\n2;3\n3;4\n"), "separate them by commas");
  EXPECT_CONTAINS(problem("0,1\n1,2\n2,3\n3,4\n"), "there is no header");
}

TEST(SpecInputs, AFileForBothTablesIsReportedOnce) {
  const std::string text = problems_of(optimizer + csv_table("loss", "same.csv") + csv_table("noise", "same.csv"));
  EXPECT_CONTAINS(text, "loss.file: same.csv");
  EXPECT_FALSE(contains(text, "noise.file")) << text;
}

TEST(SpecInputs, StartsFromAFileMustHoldProbability) {
  const testing::TemporaryDirectory folder;
  const auto problem = [&](double value) {
    std::ofstream file(folder.path() / "p.csv");
    file << "theta,v,density\n";
    for (int k = 0; k < 16; ++k) file << k / 4 << "," << k % 4 << "," << (k == 5 ? value : 0.0) << "\n";
    file.close();
    return problems_of(valid + "[initial]\nkind = \"file\"\nfile = \"" + (folder.path() / "p.csv").string() + "\"\n");
  };
  EXPECT_CONTAINS(problem(0.0), "the densities add up to 0");
  EXPECT_CONTAINS(problem(-1.0), "p.csv:7: the density is -1");
}

// --- one mistake, one error ----------------------------------------------------------------------

TEST(Spec, OneMistakeGivesOneError) {
  const std::string langevin = "[langevin]\nfriction = 1.0\ntemperature = 1.0\n" + quadratic;
  const auto optimizer_with = [](const std::string& learning_rate) {
    return "[optimizer]\n" + learning_rate + "\nmomentum = 0.9\nbatch_size = 32\n" + quadratic + isotropic;
  };
  const std::vector<std::string> specs{
      valid + "[evolve]\nuntil = -1.0\n",
      valid + "[evolve]\nuntil = inf\n",
      valid + "[evolve]\nsteps = 1.5\n",
      valid + "[evolve]\nuntill = 1.0\n",
      valid + "[evolve]\nuntil = \"x\"\nevery = 1e-9\n",
      valid + "[evolve]\nuntil = 1.0\nsteps = 3\nevery = 0.1\n",
      "dynamics = \"sgd\"\n" + optimizer_with("learning_rate = -0.1") + "[evolve]\nuntil = 0.3\n",
      "dynamics = \"sgd\"\n" + optimizer_with("learning_rat = 0.1") + "[evolve]\nuntil = 0.3\n",
      "loss = 3\n" + optimizer + isotropic,
      optimizer + "[[loss]]\nkind = \"quadratic\"\n" + isotropic,
      optimizer + "[los]\nkind = \"quadratic\"\n" + isotropic,
      optimizer + quadratic + "[nosie]\nkind = \"isotropic\"\nsigma2 = 1.0\n",
      "noise = 3\n" + optimizer + quadratic,
      "optimizer = 3\n" + quadratic + isotropic + "[evolve]\nsteps = 10\n",
      "[optimiser]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n" + quadratic + isotropic,
      optimizer + "[loss]\nkind = \"expresion\"\nformula = \"x^2\"\n" + isotropic,
      optimizer + "[loss]\nknd = \"quadratic\"\nhessian = 2.0\n",
      optimizer + quadratic + "[noise]\nkind = \"expresion\"\nformula = \"1+x^2\"\n",
      optimizer + quadratic + "[noise]\nkind = \"constant\"\ncovariance = [[nan]]\n",
      optimizer + "weight_decay = \"x\"\n[loss]\nkind = \"quadratic\"\nhessian = 0.0\n" + isotropic,
      "[langevin]\nfriction = 1.0\ntemperature = -1.0\n" + quadratic,
      "[langevin]\nfriction = 1.0\ntemperatur = 1.0\n" + quadratic,
      "dynamics = \"sgd\"\n" + langevin,
      valid + "[initial]\nkind = \"gausian\"\nmean = [0, 0]\n",
      valid + "[initial]\nkind = \"gaussian\"\nmean = [nan, 0]\n[grid]\ntheta = [1, 2]\n",
      valid + "[initial]\nkind = \"gaussian\"\ncovariance = [[inf, 0], [0, 1]]\n",
      valid + "[grid]\ntheta = [1, 1]\ntheta_boundary = \"periodic\"\n",
      "stationary = 3\n" + valid + "[output]\nfields = [\"stream_function\"]\n",
  };
  for (const std::string& text : specs) {
    const std::string problems = problems_of(text);
    EXPECT_EQ(problems.find("to fix"), problems.rfind("to fix")) << problems << "\nin\n" << text;
  }
}

TEST(Spec, AnEmptySpecLacksThreeTables) {
  const std::string text = problems_of("");
  EXPECT_CONTAINS(text, "neither [optimizer] nor [langevin]");
  EXPECT_CONTAINS(text, "the table [loss] is missing");
  EXPECT_CONTAINS(text, "the table [noise] is missing");
}

TEST(Spec, UnknownKeysListTheValidOnesOnce) {
  const std::string text =
      problems_of("[optimizer]\nspeed = 0.1\nmomentum = 0.9\nbatch_size = 32\n" + quadratic + isotropic);
  EXPECT_CONTAINS(text, "valid here: learning_rate, momentum, batch_size or weight_decay");
  EXPECT_CONTAINS(text, "optimizer.learning_rate: this key is missing");
}

TEST(Spec, NumbersThatAreNotFiniteAreCalledSo) {
  EXPECT_CONTAINS(problems_of(valid + "[evolve]\nuntil = inf\n"), "expected a finite number > 0");
  EXPECT_CONTAINS(problems_of(valid + "[initial]\nkind = \"gaussian\"\nmean = [1e200, 0]\n"),
                  "initial.mean: found 1e+200");
}

TEST(Spec, PrecisionOfTheDensity) {
  const std::string evolve = valid + "[evolve]\nuntil = 1\n";
  EXPECT_EQ(parse_spec(evolve, "t.toml").evolve->precision, Precision::float64);
  EXPECT_EQ(parse_spec(evolve, "t.toml").evolve->tolerance, 1e-6);
  const Spec single = parse_spec(evolve + "precision = \"float32\"\n", "t.toml");
  EXPECT_EQ(single.evolve->precision, Precision::float32);
  EXPECT_EQ(single.evolve->tolerance, 1e-5);
  EXPECT_CONTAINS(problems_of(evolve + "precision = \"half\"\n"), "evolve.precision");
  EXPECT_CONTAINS(problems_of(evolve + "precision = \"float32\"\n[stationary]\n"),
                  "evolve.precision: stationary states and spectra need double precision");
}

TEST(Spec, AStartBesideTheBoxIsRefused) {
  const std::string grid = valid + "[grid]\ntheta = [-1, 1]\nvelocity = [-2, 2]\n[initial]\nkind = ";
  EXPECT_CONTAINS(problems_of(grid + "\"uniform\"\ntheta = [100, 101]\n"),
                  "initial.theta: the start lies outside the box: grid.theta is [-1, 1]");
  EXPECT_CONTAINS(problems_of(grid + "\"gaussian\"\nmean = [0, 5]\n"),
                  "initial.mean: the start lies outside the box: grid.velocity is [-2, 2]");
}

TEST(Spec, MissingFileIsBadInput) {
  try {
    static_cast<void>(read_spec("/no/such/spec.toml"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_CONTAINS(std::string(error.what()), "/no/such/spec.toml");
  }
}

TEST(Diagnostics, NumbersInMessages) {
  EXPECT_EQ(number_text(-0.1), "-0.1");
  EXPECT_EQ(number_text(1.0), "1.0");
  EXPECT_EQ(number_text(1e300), "1e+300");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::quiet_NaN()), "nan");
}

TEST(Diagnostics, NearestNames) {
  const std::vector<std::string> names{"learning_rate", "momentum", "batch_size"};
  EXPECT_EQ(nearest_name("momentun", names), "momentum");
  EXPECT_EQ(nearest_name("mometnum", names), "momentum");  // a swap counts once
  EXPECT_EQ(nearest_name("batchsize", names), "batch_size");
  EXPECT_EQ(nearest_name("zzz", names), "");
  EXPECT_EQ(nearest_name("rnd", {"ln", "sin"}), "");  // two changes of three letters
  EXPECT_EQ(join_names({"a", "b", "c"}), "a, b or c");
}

// --- CSV -----------------------------------------------------------------------------------------

std::string csv_problem(const std::string& text, const std::string& column = "a") {
  try {
    static_cast<void>(CsvTable::parse(text, "d.csv").numbers({column}));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << text;
  return {};
}

TEST(Csv, ReadsQuotesAndLineEndings) {
  const auto table =
      CsvTable::parse("\xEF\xBB\xBF\"a\", b ,\"c,d\"\r\n1,2,\"x \"\"y\"\"\"\r\n\r\n+3e-2, -4 ,z\n", "d.csv");
  EXPECT_EQ(table.names(), (std::vector<std::string>{"a", "b", "c,d"}));
  EXPECT_EQ(table.numbers({"a", "b"}), (std::vector<std::vector<double>>{{1.0, 0.03}, {2.0, -4.0}}));
}

TEST(Csv, ErrorsNameLineAndColumn) {
  EXPECT_CONTAINS(csv_problem("a,b\n1,2\n3,x\n", "b"), "d.csv:3:2: column \"b\": \"x\" is not a finite number");
  EXPECT_CONTAINS(csv_problem("a,b\n1,2\n,4\n"), "d.csv:3:1: column \"a\": an empty cell");
  EXPECT_CONTAINS(csv_problem("a,b\n1,2\nnan,4\n"), "d.csv:3:1");
  EXPECT_CONTAINS(csv_problem("a,b\n1,2\n3\n"), "d.csv:3: this row has 1 cells, the header has 2");
  EXPECT_CONTAINS(csv_problem("a,b\n1,2\n", "bb"), "did you mean \"b\"?");
  EXPECT_CONTAINS(csv_problem("a,a\n1,2\n"), "two columns are called \"a\"");
  EXPECT_CONTAINS(csv_problem("a\n"), "no rows");
  EXPECT_CONTAINS(csv_problem(""), "empty");
  EXPECT_CONTAINS(csv_problem("a\n\"1\n"), "not closed");
}

TEST(Csv, ColumnsThatNobodyAsksForNeedNoName) {
  const auto pandas = CsvTable::parse(",theta,loss\n0,-1.0,0.52\n1,-0.5,0.12\n", "d.csv");
  EXPECT_EQ(pandas.numbers({"theta", "loss"}), (std::vector<std::vector<double>>{{-1.0, -0.5}, {0.52, 0.12}}));
  EXPECT_EQ(pandas.given_names(), (std::vector<std::string>{"theta", "loss"}));
  EXPECT_FALSE(pandas.has(""));
  const auto again = CsvTable::parse("Unnamed: 0,theta,,\nx,1,2,\n", "d.csv");
  EXPECT_EQ(again.given_names(), (std::vector<std::string>{"theta"}));
  EXPECT_EQ(again.numbers({"theta"})[0], (std::vector<double>{1.0}));
  const auto r = CsvTable::parse("\"\",\"theta\"\n\"1\",0.5\n", "d.csv");  // write.csv of R
  EXPECT_EQ(r.numbers({"theta"})[0], (std::vector<double>{0.5}));
  EXPECT_EQ(CsvTable::parse("a,a,b\n1,2,3\n", "d.csv").numbers({"b"})[0], (std::vector<double>{3.0}));
  EXPECT_CONTAINS(csv_problem(",b\n1,2\n"), "d.csv:1: there is no column \"a\"");
  EXPECT_CONTAINS(csv_problem(",b\n1,2\n", ""), "there is no column \"\"");
  EXPECT_CONTAINS(csv_problem(",\n1,2\n"), "name the columns there");
}

TEST(Csv, CommentsAreSkipped) {
  const auto table =
      CsvTable::parse("# made by hand, \"twice\ntheta,loss\n# half\n1,2\n  # more, of it\n3,4\n#", "d.csv");
  EXPECT_EQ(table.numbers({"theta", "loss"}), (std::vector<std::vector<double>>{{1.0, 3.0}, {2.0, 4.0}}));
  EXPECT_EQ(table.place(1), "d.csv:6");
  EXPECT_EQ(CsvTable::parse("a,b\n\"#1\",2\n", "d.csv").rows(), 1U);  // a quoted cell is none
  EXPECT_CONTAINS(csv_problem("# only\n# comments\n"), "empty");
}

TEST(Csv, ACommentMayBeTheHeader) {
  const auto theta_of = [](const std::string& text) { return CsvTable::parse(text, "d.csv").numbers({"theta"})[0]; };
  const std::vector<double> expected{1.0, 3.0};
  EXPECT_EQ(theta_of("# theta,loss\n1.0e+00,2\n3,4\n"), expected);             // numpy.savetxt(header="theta,loss")
  EXPECT_EQ(theta_of("# slice, seed 3\n# theta,loss\n1,2\n3,4\n"), expected);  // the last of several
  EXPECT_EQ(theta_of("# theta,loss\n# seed 3\n1,2\n3,4\n"), expected);         // which has as many cells
  EXPECT_EQ(theta_of("#theta loss\n1,2\n3,4\n"), expected);
  EXPECT_EQ(theta_of("\xEF\xBB\xBF# \"theta\", loss\n1,2\n3,nan\n"), expected);
  EXPECT_EQ(theta_of("# a,b\ntheta,loss\n1,2\n3,4\n"), expected);  // a header is a header
  EXPECT_CONTAINS(csv_problem("# theta,loss\nnan,1\n1,2\n", "theta"), "d.csv:2:1: column \"theta\": \"nan\" is not");
}

TEST(Csv, ACommentThatIsNoHeader) {
  EXPECT_CONTAINS(csv_problem("# a,b,c\n1,2\n3,4\n"), "d.csv:2: there is no header");
  EXPECT_CONTAINS(csv_problem("# 1,2\n3,4\n"), "there is no header");
  EXPECT_CONTAINS(csv_problem("# theta,loss\n1,2\n", "lss"), "d.csv:1: there is no column \"lss\"");
}

TEST(Csv, LinesMayEndInAnyWay) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const auto table = CsvTable::parse("# c" + end + "a,b" + end + end + "1,2" + end + "3,\"4\"" + end, "d.csv");
    EXPECT_EQ(table.numbers({"a", "b"}), (std::vector<std::vector<double>>{{1.0, 3.0}, {2.0, 4.0}}));
    EXPECT_EQ(table.place(1), "d.csv:5");
  }
  EXPECT_CONTAINS(csv_problem("a\r1\rx\r"), "d.csv:3:1");
}

TEST(Csv, OtherEncodingsAndFormatsAreNamed) {
  using namespace std::string_literals;
  const std::string text = "theta,loss\n0,1\n1,2\n";
  std::string little, big, wide;
  for (const char c : text) {
    little += {c, '\0'};
    big += {'\0', c};
    wide += {c, '\0', '\0', '\0'};
  }
  for (const std::string& content : {little, big, "\xFF\xFE" + little, "\xFE\xFF" + big}) {
    EXPECT_CONTAINS(csv_problem(content), "d.csv: the text is encoded in UTF-16");
    EXPECT_CONTAINS(csv_problem(content), "save it as UTF-8");
  }
  EXPECT_CONTAINS(csv_problem(wide), "UTF-32");
  EXPECT_CONTAINS(csv_problem("\xFF\xFE\0\0"s + wide), "UTF-32");
  EXPECT_CONTAINS(csv_problem("PK\x03\x04..."), "an Excel workbook");
  EXPECT_CONTAINS(problems_of("\xFF\xFE" + little), "the text is encoded in UTF-16");  // specs are text too
  EXPECT_EQ(CsvTable::parse("θ\n1\n", "d.csv").rows(), 1U);
}

TEST(Csv, NumbersHaveOneSign) {
  for (const std::string cell : {"+-5", "-+5", "--5", "++5", "5-", "1e400", "0x10", "1 2"})
    EXPECT_CONTAINS(csv_problem("a,b\n" + cell + ",1\n"), "is not a finite number");
  const auto table = CsvTable::parse("a\n+5\n-5\n1e-400\n-1E-400\n", "d.csv");
  EXPECT_EQ(table.numbers({"a"})[0], (std::vector<double>{5.0, -5.0, 0.0, 0.0}));
}

TEST(Csv, SeparatorsThatAreNotReadAreNamed) {
  EXPECT_CONTAINS(csv_problem("# a b\n1.0 2.0\n3.0 4.0\n"), "the columns are separated by blanks");
  EXPECT_CONTAINS(csv_problem("a b\n1.0 2.0\n3.0 4.0\n"), "numpy.savetxt: delimiter=\",\"");
  EXPECT_CONTAINS(csv_problem("a;b\n1;2\n"), "separated by semicolons or tabs");
}

TEST(Csv, MissingFile) {
  try {
    static_cast<void>(CsvTable::read("/no/such/file.csv"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_CONTAINS(std::string(error.what()), "there is no such file");
  }
}

}  // namespace
}  // namespace underdamp
