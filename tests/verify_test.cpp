#include <algorithm>
#include <fstream>
#include <limits>

#include "kernels/host/host_backend.hpp"
#include "meshes/error.hpp"
#include "test_support.hpp"
#include "validation/verify.hpp"
#include "validation/verify_report.hpp"

/// The table of `verify`: what it judges, that it can fail, and its files.
namespace underdamp {
namespace {

using testing::spec_from;

const std::string oscillator =
    "title = \"a <small> oscillator\"\n[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 32\n[loss]\nkind "
    "= \"quadratic\"\n"
    "[noise]\nkind = \"hessian\"\nsigma2 = 1.0\n[initial]\nkind = \"gaussian\"\nmean = [0.2, 0.0]\ncovariance = "
    "[[0.004, 0.0], [0.0, 0.05]]\n"
    "[evolve]\nuntil = 2.0\n[ensemble]\nparticles = 100000\n";

std::vector<Check> checks_of(const std::string& text) {
  static const auto backend = make_host_backend();
  return verify(spec_from(text), *backend, {});
}
const Check* find(const std::vector<Check>& checks, const std::string& quantity) {
  const auto found = std::find_if(checks.begin(), checks.end(), [&](const Check& c) { return c.quantity == quantity; });
  return found == checks.end() ? nullptr : &*found;
}

TEST(Verify, JudgesAnOscillatorByEverythingThatApplies) {
  const auto checks = checks_of(oscillator + "[grid]\ncells = [96, 96]\n");
  for (const char* quantity :
       {"mass and leak", "smallest density", "density, exact Gaussian (L1)", "covariance, exact", "mean, exact",
        "order of the step", "reported error of the step", "density against particles", "stationary residual",
        "stationary density, exact Gaussian (L1)", "slowest eigenvalue, exact", "energy balance γ E v² = E D",
        "virial E v² = k E (θ − θ*) L'", "step length and energy", "entropy production of equilibrium"}) {
    const Check* check = find(checks, quantity);
    ASSERT_NE(check, nullptr) << quantity;
    EXPECT_EQ(check->verdict, Verdict::passed) << quantity << " " << check->error << " " << check->tolerance;
  }
  EXPECT_EQ(find(checks, "Var θ of SGD over Langevin")->verdict, Verdict::reported);
  EXPECT_NEAR(find(checks, "Var θ of SGD over Langevin")->computed,
              find(checks, "Var θ of SGD over Langevin")->reference, 0.03);
  EXPECT_TRUE(all_passed(checks));
}

TEST(Verify, ABoxThatCutsTheDensityFails) {
  // Walls at 2.7 deviations of v: per cent of the mass leave, and everything but their account is wrong.
  const std::string short_box = "[grid]\ncells = [64, 64]\nvelocity = [-1.1, 1.1]\ntheta = [-0.9, 0.9]\n";
  const auto checks = checks_of(oscillator + short_box + "[stationary]\nmodes = 0\n");
  EXPECT_FALSE(all_passed(checks));
  const auto verdict = [&](const char* quantity) {
    const Check* check = find(checks, quantity);
    return check == nullptr ? Verdict::reported : check->verdict;
  };
  EXPECT_EQ(verdict("mass and leak"), Verdict::passed);
  EXPECT_EQ(verdict("density, exact Gaussian (L1)"), Verdict::unresolved);
  EXPECT_EQ(verdict("covariance, exact"), Verdict::unresolved);
  EXPECT_EQ(verdict("density against particles"), Verdict::failed);
  EXPECT_EQ(verdict("stationary residual"), Verdict::failed);
  // Who only evolves is not told of a stationary state that the box was not made for.
  EXPECT_EQ(find(checks_of(oscillator + short_box), "stationary residual"), nullptr);
}

TEST(Verify, SgdMapIsJudgedByItsRecursion) {
  const auto checks = checks_of("dynamics = \"sgd\"\n" + oscillator + "[grid]\ncells = [96, 96]\n");
  for (const char* quantity : {"SGD density, exact Gaussian (L1)", "SGD covariance, exact recursion",
                               "density against particles", "slowest eigenvalue, exact"}) {
    ASSERT_NE(find(checks, quantity), nullptr) << quantity;
    EXPECT_EQ(find(checks, quantity)->verdict, Verdict::passed) << quantity;
  }
  EXPECT_EQ(find(checks, "order of the step"), nullptr);
}

TEST(Verify, GibbsStateOfADoubleWell) {
  const auto checks = checks_of(
      "[langevin]\nfriction = 1.0\ntemperature = 0.5\n[loss]\nkind = \"polynomial\"\ncoefficients = [0.0, 0.0, -0.5, "
      "0.0, 0.25]\n"
      "[grid]\ncells = [128, 128]\n");
  const Check* gibbs = find(checks, "stationary density, Gibbs (L1)");
  ASSERT_NE(gibbs, nullptr);
  EXPECT_EQ(gibbs->verdict, Verdict::passed);
  EXPECT_EQ(find(checks, "density, exact Gaussian (L1)"), nullptr);
  // The tolerance is far below what a wrong temperature would make: 2 % of T moves L1 by about 1e-2.
  EXPECT_LE(gibbs->tolerance, 1e-3);
}

TEST(Verify, ATiltedCircleIsJudgedByWhatApplies) {
  const auto checks = checks_of(
      "[langevin]\nfriction = 0.5\ntemperature = 0.5\n[loss]\nkind = \"expression\"\nformula = \"-cos(x) - "
      "0.5*x\"\n[grid]\ncells = [64, 64]\ntheta = [\"-pi\", \"pi\"]\ntheta_boundary = \"periodic\"\n[stationary]\n");
  EXPECT_TRUE(all_passed(checks));
  for (const char* quantity : {"stationary density, Hermite functions (L1)", "mean velocity, Hermite functions",
                               "power balance γ E v² = E D + F E v", "entropy production F E v/T"}) {
    ASSERT_NE(find(checks, quantity), nullptr) << quantity;
  }
  EXPECT_NEAR(find(checks, "mean velocity, Hermite functions")->reference, 0.2627893376640, 1e-10);
  EXPECT_EQ(find(checks, "stationary density, Gibbs (L1)"), nullptr);
  EXPECT_EQ(find(checks, "entropy production of equilibrium"), nullptr);
}

TEST(Verify, ATooWideToleranceIsUnresolved) {
  EXPECT_EQ(judged_by_estimate("", "q", 1.0, 1.0, 1e-9, 1e-3).verdict, Verdict::passed);
  EXPECT_EQ(judged_by_estimate("", "q", 1.0, 1.0, 1e-3, 1e-4).verdict, Verdict::failed);
  for (const double tolerance : {1.1e-3, 1e9, std::numeric_limits<double>::quiet_NaN()}) {
    const Check check = judged_by_estimate("", "q", 1.0, 1.0, 1e-9, tolerance, "why");
    EXPECT_EQ(check.verdict, Verdict::unresolved);
    EXPECT_TRUE(check.fails());
    EXPECT_EQ(check.note.find("why; unresolved"), 0U) << check.note;
  }
}

TEST(Verify, NotANumberFails) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(judged("", "q", 1.0, 1.0, none, 1.0).verdict, Verdict::failed);
  EXPECT_EQ(judged("", "q", 1.0, 1.0, 0.5, none).verdict, Verdict::failed);
  EXPECT_EQ(judged("", "q", 1.0, 1.0, 1.0, 1.0).verdict, Verdict::passed);
  EXPECT_EQ(judged("", "q", 1.0, 1.0, 1.0001, 1.0).verdict, Verdict::failed);
  EXPECT_TRUE(judged_by_estimate("", "q", 1.0, 1.0, none, 1e-4).fails());
  EXPECT_TRUE(judged_p_value("", "q", 1.0, 1.0, none, 1e-6, "").fails());
  EXPECT_TRUE(judged_p_value("", "q", 1.0, 1.0, 1e-7, 1e-6, "").fails());
  EXPECT_FALSE(judged_p_value("", "q", 1.0, 1.0, 1e-5, 1e-6, "").fails());
  EXPECT_TRUE(std::isnan(larger_error(none, 1.0)));
  EXPECT_TRUE(std::isnan(larger_error(1.0, none)));
  EXPECT_EQ(larger_error(1.0, 2.0), 2.0);
}

std::vector<Check> three() {
  return {{"", "good", 1.0, 1.0, 1e-9, 1e-6, Verdict::passed, ""},
          {"mode_01", "bad & <worse>", 2.0, 1.0, 1.0, 1e-6, Verdict::failed, "why"},
          {"", "seen", 1.5, std::numeric_limits<double>::quiet_NaN(), 0.5, 0.0, Verdict::reported, ""}};
}

TEST(VerifyReport, TableJsonAndJunit) {
  const auto checks = three();
  EXPECT_FALSE(all_passed(checks));
  const std::string table = verify_table(checks);
  EXPECT_NE(table.find("mode_01: bad & <worse>  2"), std::string::npos) << table;
  EXPECT_NE(table.find("FAILED"), std::string::npos);
  const auto json = verify_json("title", "host", checks);
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["checks"][1]["verdict"], "failed");
  EXPECT_TRUE(nlohmann::json::parse(json.dump())["checks"][2]["reference"].is_null());  // NaN
  EXPECT_EQ(json["checks"][0]["kind"], "error");
  auto unresolved = checks;
  unresolved[1].verdict = Verdict::unresolved;
  EXPECT_NE(verify_table(unresolved).find("UNRESOLVED"), std::string::npos);
  EXPECT_EQ(verify_json("title", "host", unresolved)["checks"][1]["verdict"], "unresolved");
  EXPECT_NE(verify_junit("title", unresolved).find("failures=\"1\""), std::string::npos);
  const std::string junit = verify_junit("a \"title\"", checks);
  EXPECT_NE(junit.find("tests=\"3\" failures=\"1\" skipped=\"1\""), std::string::npos) << junit;
  EXPECT_NE(junit.find("name=\"mode_01: bad &amp; &lt;worse>\""), std::string::npos) << junit;
}

TEST(VerifyReport, DriftFromABaselineIsCaught) {
  const testing::TemporaryDirectory folder;
  const auto file = folder.path() / "baseline.json";
  std::ofstream(file) << verify_json("title", "host", three()).dump();
  auto same = three();
  compare_with_baseline(file, same);
  EXPECT_EQ(same.size(), 3U);
  auto worse = three();
  worse[0].error = 2e-7;  // within its tolerance, but two hundred times what it was
  compare_with_baseline(file, worse);
  ASSERT_EQ(worse.size(), 4U);
  EXPECT_EQ(worse[3].verdict, Verdict::failed);
  EXPECT_EQ(worse[3].quantity, "drift of good");
  auto not_a_number = three();
  not_a_number[0].error = std::numeric_limits<double>::quiet_NaN();
  compare_with_baseline(file, not_a_number);
  EXPECT_EQ(not_a_number.size(), 4U);
  std::vector<Check> gone{three()[1]};
  compare_with_baseline(file, gone);
  ASSERT_EQ(gone.size(), 2U);
  EXPECT_EQ(gone[1].verdict, Verdict::failed);
  // A p-value has no better and worse, whatever the row is called; that it has gone is noticed all the same.
  const std::vector<Check> before{judged_p_value("", "total against particles", 1.0, 1.0, 0.01, 1e-6, "")};
  std::ofstream(file) << verify_json("title", "host", before).dump();
  std::vector<Check> better{judged_p_value("", "total against particles", 1.0, 1.0, 0.9, 1e-6, "")};
  compare_with_baseline(file, better);
  EXPECT_EQ(better.size(), 1U);
  std::vector<Check> none;
  compare_with_baseline(file, none);
  EXPECT_EQ(none.size(), 1U);
  std::ofstream(file) << "{}";
  EXPECT_THROW(compare_with_baseline(file, same), Error);
}

}  // namespace
}  // namespace underdamp
