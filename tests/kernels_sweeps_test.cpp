#include <algorithm>
#include <cmath>

#include "emulated_device.hpp"
#include "meshes/error.hpp"
#include "reference_sweeps.hpp"
#include "test_support.hpp"

namespace underdamp {
namespace {

using testing::bumpy_density;

/// One body over all devices: the host, the emulated GPU, and a real GPU where there is one.
class Sweeps : public testing::DeviceTest {
 protected:
  std::vector<double> drifted(const PhaseMesh& mesh, const std::vector<double>& values,
                              const std::vector<double>& duration, Positivity positivity,
                              Departed* departed = nullptr) {
    auto field = backend_->fields().allocate(mesh.shape());
    backend_->fields().upload(values, *field);
    const auto plan = backend_->sweeps().plan_drift(mesh, duration);
    backend_->sweeps().drift(*field, *plan, positivity);
    return download(*field, departed);
  }

  std::vector<double> kicked(const PhaseMesh& mesh, const std::vector<double>& values, const VelocityLaw& law,
                             Positivity positivity, Departed* departed = nullptr, bool in_place = true) {
    auto field = backend_->fields().allocate(mesh.shape());
    auto other = backend_->fields().allocate(mesh.shape());
    backend_->fields().upload(values, *field);
    const auto plan = backend_->sweeps().plan_velocity(mesh, law);
    backend_->sweeps().velocity(*field, in_place ? *field : *other, *plan, positivity);
    return download(in_place ? *field : *other, departed);
  }

  bool is_float32() const { return backend_->describe().precision == Precision::float32; }
  /// A tolerance for rounding in double precision, in that of the device. It has more to spare in double precision.
  double rounding(double tolerance) const { return is_float32() ? tolerance * 0x1p25 : tolerance; }

  /// Only the host takes kernels of middling width apart.
  bool cascades() const { return backend_->describe().kind == DeviceKind::host; }

  std::vector<double> download(const Field& field, Departed* departed) {
    std::vector<double> result(field.shape().cells());
    backend_->fields().download(field, result);
    if (departed != nullptr) {
      *departed = {};
      for (const Departed& d : backend_->fields().departed(field)) {
        departed->theta[0].lower += d.theta[0].lower;
        departed->theta[0].upper += d.theta[0].upper;
        departed->velocity[0].lower += d.velocity[0].lower;
        departed->velocity[0].upper += d.velocity[0].upper;
        departed->created += d.created;
      }
    }
    return result;
  }
};

/// Shapes that are no multiples of anything, and a batch with a box of its own for each plane.
PhaseMesh one_plane(ThetaBoundary boundary = ThetaBoundary::open) {
  return PhaseMesh(std::vector<PhasePlane>{{{-1.0, 1.3, 83}, {-2.0, 2.0, 43}}}, boundary);
}
PhaseMesh three_planes() {
  return PhaseMesh(std::vector<PhasePlane>{
      {{-1.0, 1.3, 37}, {-2.0, 1.0, 61}}, {{0.0, 0.1, 37}, {-0.3, 0.4, 61}}, {{-5.0, 5.0, 37}, {-9.0, 9.0, 61}}});
}

VelocityLaw law_of(const PhaseMesh& mesh, double contraction, double deviation_in_cells, double kick_in_cells) {
  VelocityLaw law;
  for (int p = 0; p < mesh.planes(); ++p) law.contraction.push_back(contraction);
  for (int l = 0; l < mesh.shape().lines(); ++l) {
    const double width = mesh.plane(l / mesh.theta_cells()).velocity.width();
    const double x = (l % mesh.theta_cells()) / static_cast<double>(mesh.theta_cells()) - 0.4;
    law.kick.push_back(kick_in_cells * x * width);
    // A bundle takes its cascade from its narrowest line, so lines that need one are given equal noise.
    const double s = deviation_in_cells * (deviation_in_cells < 3.0 ? 1.0 + 0.3 * x : 1.0) * width;
    law.variance.push_back(s * s);
  }
  return law;
}

double total(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double v : values) sum += v;
  return sum;
}

TEST_P(Sweeps, DriftByWholeCellsMovesCells) {
  // h_θ = 1, v_12 = 1.5, τ = 2: column 12 moves by three cells; its cells 13, 14, 15 leave through θ_max.
  const PhaseMesh mesh(std::vector<PhasePlane>{{{0.0, 16.0, 16}, {-11.0, 5.0, 16}}});
  std::vector<double> values(256, 0.0);
  for (int i = 0; i < 16; ++i) values[static_cast<std::size_t>(i * 16 + 12)] = i + 1.0;
  Departed left;
  const auto result = drifted(mesh, values, {2.0}, Positivity::limit, &left);
  for (int i = 0; i < 16; ++i)
    EXPECT_NEAR(result[static_cast<std::size_t>(i * 16 + 12)], i < 3 ? 0.0 : i - 2.0, rounding(1e-14)) << i;
  EXPECT_NEAR(left.theta[0].upper, 14.0 + 15.0 + 16.0, rounding(1e-13));
  EXPECT_NEAR(left.theta[0].lower, 0.0, rounding(1e-13));
}

TEST_P(Sweeps, DriftEqualsTheReference) {
  const auto mesh = one_plane();
  const auto values = bumpy_density(mesh, 1);
  for (const double duration : {0.003, -0.05, 0.4, 30.0}) {
    for (const bool limited : {true, false}) {
      const auto expected = testing::reference_drift(mesh, values, {duration}, limited);
      Departed left;
      const auto result = drifted(mesh, values, {duration}, limited ? Positivity::limit : Positivity::none, &left);
      EXPECT_FIELDS_NEAR(result, expected.values, rounding(3e-14));
      EXPECT_NEAR(left.theta[0].lower, expected.left_lower, rounding(1e-12));
      EXPECT_NEAR(left.theta[0].upper, expected.left_upper, rounding(1e-12));
      EXPECT_NEAR(total(result) + left.total(), total(values), rounding(1e-11));
    }
  }
}

TEST_P(Sweeps, DriftOfABatchUsesEachPlanesBox) {
  const auto mesh = three_planes();
  const auto values = bumpy_density(mesh, 2);
  const std::vector<double> duration{0.1, 0.02, 0.3};
  EXPECT_FIELDS_NEAR(drifted(mesh, values, duration, Positivity::limit),
                     testing::reference_drift(mesh, values, duration, true).values, rounding(3e-14));
}

TEST_P(Sweeps, PeriodicAndReflectingWallsLoseNothing) {
  for (const ThetaBoundary boundary : {ThetaBoundary::periodic, ThetaBoundary::reflecting}) {
    const auto mesh = one_plane(boundary);
    auto values = bumpy_density(mesh, 3);
    for (double& v : values) v += 0.1;  // plenty at the walls
    for (const double duration : {0.02, 0.3, 0.9}) {
      Departed left;
      const auto result = drifted(mesh, values, {duration}, Positivity::limit, &left);
      EXPECT_FIELDS_NEAR(result, testing::reference_drift(mesh, values, {duration}, true).values, rounding(3e-14));
      EXPECT_NEAR(total(result), total(values), rounding(1e-10));
      EXPECT_EQ(left.total(), 0.0);
    }
  }
}

TEST_P(Sweeps, LongStepsBetweenReflectingWallsAreDoneInParts) {
  // The fastest column moves by 2 · 36 τ cells; one sweep bears 76 of the 83.
  const auto mesh = one_plane(ThetaBoundary::reflecting);
  EXPECT_EQ(drift_repeats(mesh, std::vector<double>{1.0}), 1);
  EXPECT_EQ(drift_repeats(mesh, std::vector<double>{2.0}), 2);
  const auto values = bumpy_density(mesh, 3);
  EXPECT_FIELDS_NEAR(drifted(mesh, values, {2.0}, Positivity::limit),
                     drifted(mesh, drifted(mesh, values, {1.0}, Positivity::limit), {1.0}, Positivity::limit),
                     rounding(1e-14));
  const std::vector<double> too_long{300.0};
  EXPECT_THROW(static_cast<void>(backend_->sweeps().plan_drift(mesh, too_long)), Error);
}

TEST_P(Sweeps, KickByOneCellWithoutNoise) {
  // e = 1, c_i = h_v: every line moves up by one cell, its last cell leaves.
  const auto mesh = one_plane();
  const auto values = bumpy_density(mesh, 4);
  VelocityLaw law{{1.0}, std::vector<double>(83, mesh.plane(0).velocity.width()), std::vector<double>(83, 0.0)};
  Departed left;
  const auto result = kicked(mesh, values, law, Positivity::limit, &left);
  double lost = 0.0;
  std::vector<double> expected(values.size(), 0.0);
  for (std::size_t i = 0; i < 83; ++i) {
    for (std::size_t j = 1; j < 43; ++j) expected[i * 43 + j] = values[i * 43 + j - 1];
    lost += values[i * 43 + 42];
  }
  EXPECT_FIELDS_NEAR(result, expected, rounding(1e-14));
  EXPECT_NEAR(left.velocity[0].upper, lost, rounding(1e-13));
}

TEST_P(Sweeps, VelocityEqualsTheReference) {
  const auto mesh = one_plane();
  const auto values = bumpy_density(mesh, 5);
  for (const double contraction : {1.0, 0.99, 0.7, 0.4}) {
    for (const double deviation : {0.1, 0.9, 2.0, 6.0, 9.0, 37.0}) {
      for (const double kick : {0.5, 40.0, -300.0}) {
        if (deviation > 6.0 && kick != 40.0) continue;  // on coarser grids the reference takes its time
        if (is_float32() && kick != 40.0 && (deviation != 2.0 || contraction != 0.7)) continue;  // the bodies are one
        for (const bool limited : {true, false}) {
          const auto law = law_of(mesh, contraction, deviation, kick);
          const auto expected = testing::reference_velocity(mesh, values, law, limited, cascades());
          Departed left;
          const auto result = kicked(mesh, values, law, limited ? Positivity::limit : Positivity::none, &left);
          EXPECT_FIELDS_NEAR(result, expected.values, rounding(5e-14))
              << contraction << " " << deviation << " " << kick << limited;
          EXPECT_NEAR(left.velocity[0].lower, expected.left_lower, rounding(5e-12));
          EXPECT_NEAR(left.velocity[0].upper, expected.left_upper, rounding(5e-12));
          EXPECT_NEAR(total(result) + left.total() - left.created, total(values), rounding(1e-11));
        }
      }
    }
  }
}

TEST_P(Sweeps, VelocityOutOfPlaceCarriesWhatDeparted) {
  const auto mesh = one_plane();
  const auto values = bumpy_density(mesh, 6);
  const auto law = law_of(mesh, 0.9, 2.0, 60.0);
  Departed inside, outside;
  const auto in_place = kicked(mesh, values, law, Positivity::limit, &inside, true);
  const auto out_of_place = kicked(mesh, values, law, Positivity::limit, &outside, false);
  EXPECT_FIELDS_NEAR(out_of_place, in_place, 0.0);
  EXPECT_EQ(outside.velocity[0].upper, inside.velocity[0].upper);
}

TEST_P(Sweeps, DriftAndVelocityTogetherEqualOneAfterTheOther) {
  // Queued as a sequence and carried out five times, with a change of memory in between where drifts go elsewhere.
  for (const PhaseMesh& mesh : {one_plane(), one_plane(ThetaBoundary::reflecting), three_planes()}) {
    const auto values = bumpy_density(mesh, 8);
    const std::vector<double> duration(static_cast<std::size_t>(mesh.planes()), 0.05);
    VelocityLaw law = law_of(mesh, 0.95, 1.5, 5.0);
    const auto drift = backend_->sweeps().plan_drift(mesh, duration);
    const auto velocity = backend_->sweeps().plan_velocity(mesh, law);
    auto apart = backend_->fields().allocate(mesh.shape());
    auto together = backend_->fields().allocate(mesh.shape());
    backend_->fields().upload(values, *apart);
    backend_->fields().upload(values, *together);
    const auto sequence = backend_->sweeps().make_sequence(
        [&] { backend_->sweeps().drift_velocity(*together, *drift, *velocity, Positivity::limit); });
    for (int repetition = 0; repetition < 5; ++repetition) {
      backend_->sweeps().drift(*apart, *drift, Positivity::limit);
      backend_->sweeps().velocity(*apart, *apart, *velocity, Positivity::limit);
      backend_->sweeps().replay(*sequence);
      Departed left;
      Departed left_together;
      EXPECT_FIELDS_NEAR(download(*together, &left_together), download(*apart, &left), 0.0);
      EXPECT_EQ(left_together.theta[0].lower, left.theta[0].lower);
      EXPECT_EQ(left_together.velocity[0].upper, left.velocity[0].upper);
    }
  }
}

/// A step of a sequence and what it makes of a density.
class RecordedSequences : public Sweeps {
 protected:
  void SetUp() override {
    Sweeps::SetUp();
    if (!backend_) return;
    drift_ = backend_->sweeps().plan_drift(mesh_, duration_);
    velocity_ = backend_->sweeps().plan_velocity(mesh_, law_of(mesh_, 0.95, 1.5, 5.0));
    field_ = backend_->fields().allocate(mesh_.shape());
    backend_->fields().upload(values_, *field_);
    sequence_ = backend_->sweeps().make_sequence([&] {
      backend_->sweeps().drift_velocity(*field_, *drift_, *velocity_, Positivity::limit);
      backend_->sweeps().velocity(*field_, *field_, *velocity_, Positivity::limit);
    });
  }

  /// Densities after 1 … count steps, one operation after the other, on a backend of their own.
  std::vector<std::vector<double>> expected(int count) const {
    const auto other = testing::make_device(GetParam());
    const auto drift = other->sweeps().plan_drift(mesh_, duration_);
    const auto velocity = other->sweeps().plan_velocity(mesh_, law_of(mesh_, 0.95, 1.5, 5.0));
    const auto field = other->fields().allocate(mesh_.shape());
    other->fields().upload(values_, *field);
    std::vector<std::vector<double>> densities;
    for (int k = 0; k < count; ++k) {
      other->sweeps().drift(*field, *drift, Positivity::limit);
      other->sweeps().velocity(*field, *field, *velocity, Positivity::limit);
      other->sweeps().velocity(*field, *field, *velocity, Positivity::limit);
      densities.emplace_back(mesh_.shape().cells());
      other->fields().download(*field, densities.back());
    }
    return densities;
  }

  /// Launches of recorded sequences that `operation` leads to, on the emulated device.
  template <class Operation>
  long launches(const Operation& operation) const {
    const long before = testing::emulated_graph_launches();
    operation();
    return testing::emulated_graph_launches() - before;
  }
  bool is_emulated() const { return GetParam().rfind("emulated", 0) == 0; }

  PhaseMesh mesh_ = one_plane();
  std::vector<double> values_ = bumpy_density(mesh_, 21);
  std::vector<double> duration_{0.05};
  std::unique_ptr<DriftPlan> drift_;
  std::unique_ptr<VelocityPlan> velocity_;
  std::unique_ptr<Field> field_;
  std::unique_ptr<Sequence> sequence_;
};

TEST_P(RecordedSequences, OneRecordingIsLaunchedAgainAndAgain) {
  const auto densities = expected(5);
  const long launched = launches([&] {
    for (const auto& density : densities) {
      backend_->sweeps().replay(*sequence_);
      EXPECT_FIELDS_NEAR(download(*field_, nullptr), density, 0.0);
    }
  });
  EXPECT_EQ(launched, is_emulated() ? 4 : 0);  // the first time its operations went one by one
}

TEST_P(RecordedSequences, ALargerFieldMovesTheMemoryThatDriftsWriteTo) {
  const auto densities = expected(6);
  for (int k = 0; k < 3; ++k) backend_->sweeps().replay(*sequence_);
  const PhaseMesh large(std::vector<PhasePlane>{{{-1.0, 1.3, 200}, {-2.0, 2.0, 64}}});
  const auto other = backend_->fields().allocate(large.shape());
  // These may get the memory that a recording still points to.
  std::vector<std::unique_ptr<Field>> others;
  const std::vector<double> ones(mesh_.shape().cells(), 1.0);
  for (int k = 0; k < 4; ++k) {
    others.push_back(backend_->fields().allocate(mesh_.shape()));
    backend_->fields().upload(ones, *others.back());
  }
  for (std::size_t k = 3; k < 6; ++k) {
    backend_->sweeps().replay(*sequence_);
    EXPECT_FIELDS_NEAR(download(*field_, nullptr), densities[k], 0.0);
  }
  for (const auto& field : others) EXPECT_FIELDS_NEAR(download(*field, nullptr), ones, 0.0);
}

TEST_P(RecordedSequences, ASmallerFieldHasLeftItsMemory) {
  // Drifts of fields of two sizes change places with the spare one, so that it may be the smaller when a recording
  // begins.
  const PhaseMesh small(std::vector<PhasePlane>{{{-1.0, 1.3, 20}, {-2.0, 2.0, 20}}});
  const auto other = backend_->fields().allocate(small.shape());
  backend_->fields().upload(bumpy_density(small, 22), *other);
  const auto drift = backend_->sweeps().plan_drift(small, duration_);
  const auto densities = expected(4);
  const long launched = launches([&] {
    backend_->sweeps().replay(*sequence_);
    backend_->sweeps().drift(*other, *drift, Positivity::limit);
    for (std::size_t k = 1; k < densities.size(); ++k) {
      backend_->sweeps().replay(*sequence_);
      EXPECT_FIELDS_NEAR(download(*field_, nullptr), densities[k], 0.0);
    }
  });
  EXPECT_EQ(launched, is_emulated() ? 3 : 0);
}

TEST_P(RecordedSequences, ADriftAloneGoesOneByOne) {
  // It makes the spare field the field: a recording of it would write to the memory of the same one each time.
  const auto densities = expected(6);
  const auto apart = backend_->sweeps().make_sequence([&] {
    backend_->sweeps().drift(*field_, *drift_, Positivity::limit);
    backend_->sweeps().velocity(*field_, *field_, *velocity_, Positivity::limit);
    backend_->sweeps().velocity(*field_, *field_, *velocity_, Positivity::limit);
  });
  const long launched = launches([&] {
    for (const auto& density : densities) {
      backend_->sweeps().replay(*apart);
      EXPECT_FIELDS_NEAR(download(*field_, nullptr), density, 0.0);
    }
  });
  EXPECT_EQ(launched, 0);
}

TEST_P(RecordedSequences, WhatCannotBeRecordedGoesOneByOne) {
  if (backend_->describe().kind == DeviceKind::host) GTEST_SKIP() << "nothing is recorded there";
  int calls = 0;
  const auto sequence = backend_->sweeps().make_sequence([&] {
    if (++calls == 2) throw Error(ExitCode::device, "this call is not allowed while a stream is recorded");
    backend_->sweeps().drift_velocity(*field_, *drift_, *velocity_, Positivity::limit);
    backend_->sweeps().velocity(*field_, *field_, *velocity_, Positivity::limit);
  });
  const auto steps = expected(3);
  for (const auto& step : steps) {
    backend_->sweeps().replay(*sequence);
    EXPECT_FIELDS_NEAR(download(*field_, nullptr), step, 0.0);
  }
  EXPECT_EQ(calls, 4);  // alone, while it was to be recorded, and alone again
}

TEST_P(RecordedSequences, SumsGoOneByOne) {
  std::vector<double> norms;
  const std::array<const Field*, 1> one{field_.get()};
  const std::array<double, 1> unit{1.0};
  const auto sums =
      backend_->sweeps().make_sequence([&] { norms.push_back(backend_->reductions().combination_norm(one, unit)[0]); });
  for (int k = 0; k < 4; ++k) backend_->sweeps().replay(*sums);
  EXPECT_EQ(norms, std::vector<double>(4, norms.at(0)));
}

TEST_P(Sweeps, LongColumnsGoThroughSeveralPanels) {
  // More rows than two panels of the host, shifts of many cells to both sides, columns that share a pack with others.
  for (const int columns : {16, 37}) {
    const PhaseMesh mesh(std::vector<PhasePlane>{{{-1.0, 1.0, 331}, {-2.0, 2.0, columns}}});
    const auto values = bumpy_density(mesh, 9);
    for (const double duration : {0.004, 0.02, 0.3, -0.3, 2.0}) {
      const auto expected = testing::reference_drift(mesh, values, {duration}, true);
      Departed left;
      EXPECT_FIELDS_NEAR(drifted(mesh, values, {duration}, Positivity::limit, &left), expected.values, rounding(2e-14));
      EXPECT_NEAR(left.theta[0].lower, expected.left_lower, rounding(1e-11));
      EXPECT_NEAR(left.theta[0].upper, expected.left_upper, rounding(1e-11));
    }
  }
}

TEST_P(Sweeps, VelocityOfABatch) {
  const auto mesh = three_planes();
  const auto values = bumpy_density(mesh, 7);
  VelocityLaw law = law_of(mesh, 0.95, 1.5, 5.0);
  law.contraction = {0.95, 0.8, 0.99};
  EXPECT_FIELDS_NEAR(kicked(mesh, values, law, Positivity::limit),
                     testing::reference_velocity(mesh, values, law, true, cascades()).values, rounding(5e-14));
}

TEST_P(Sweeps, LimitKeepsNarrowDataNonNegative) {
  // One full cell, half-cell shifts and little noise: without the limit the stencil undershoots, with it nothing is
  // negative and nothing is lost.
  const auto mesh = one_plane();
  std::vector<double> values(mesh.shape().cells(), 0.0);
  values[40 * 43 + 20] = 1.0;
  VelocityLaw law{{0.99}, std::vector<double>(83, 0.5 * mesh.plane(0).velocity.width()), std::vector<double>(83, 1e-4)};
  const auto loose = kicked(mesh, values, law, Positivity::none);
  EXPECT_LT(*std::min_element(loose.begin(), loose.end()), -1e-3);
  Departed left;
  const auto tight = kicked(mesh, values, law, Positivity::limit, &left);
  EXPECT_GE(*std::min_element(tight.begin(), tight.end()), 0.0);
  EXPECT_NEAR(total(tight) + left.total() - left.created, 1.0, rounding(1e-14));
  const auto drifted_loose = drifted(mesh, values, {0.02}, Positivity::none);
  EXPECT_LT(*std::min_element(drifted_loose.begin(), drifted_loose.end()), -1e-3);
  const auto drifted_tight = drifted(mesh, values, {0.02}, Positivity::limit);
  EXPECT_GE(*std::min_element(drifted_tight.begin(), drifted_tight.end()), 0.0);
  EXPECT_NEAR(total(drifted_tight), 1.0, rounding(1e-14));
}

TEST_P(Sweeps, StrongContractionKeepsAllMoments) {
  // e = 0.2 and e = 0 deposit: mean and variance of v become e·mean + c and e² var + s², to the accuracy of the kernel.
  const PhaseMesh mesh(std::vector<PhasePlane>{{{-1.0, 1.0, 16}, {-8.0, 8.0, 128}}});
  std::vector<double> values(mesh.shape().cells());
  for (std::size_t k = 0; k < values.size(); ++k) {
    const double v = mesh.plane(0).velocity.center(static_cast<int>(k % 128));
    values[k] = std::exp(-0.5 * (v - 0.5) * (v - 0.5));
  }
  for (const double e : {0.2, 0.0}) {
    const VelocityLaw law{{e}, std::vector<double>(16, 0.77), std::vector<double>(16, 0.81)};
    Departed left;
    const auto result = kicked(mesh, values, law, Positivity::limit, &left);
    double mass = 0.0, mean = 0.0, second = 0.0;
    for (std::size_t k = 0; k < result.size(); ++k) {
      const double v = mesh.plane(0).velocity.center(static_cast<int>(k % 128));
      mass += result[k];
      mean += result[k] * v;
      second += result[k] * v * v;
    }
    mean /= mass;
    EXPECT_NEAR(mass + left.total(), total(values), rounding(1e-10));
    EXPECT_NEAR(mean, 0.5 * e + 0.77, is_float32() ? 2e-6 : 1e-10);
    EXPECT_NEAR(second / mass - mean * mean, e * e + 0.81, is_float32() ? 5e-6 : 1e-9);
  }
}

TEST_P(Sweeps, CascadeEqualsOneWideKernel) {
  // A wide kick in one step against the exact convolution of a Gaussian: s = 3.3 … 50 cells on data of 3.5 to 20 cells.
  const PhaseMesh mesh(std::vector<PhasePlane>{{{-1.0, 1.0, 16}, {-300.0, 300.0, 600}}});
  for (const double width : {3.5, 6.0, 20.0}) {
    for (const double s : {3.3, 5.8, 7.0, 12.0, 23.0, 46.0}) {
      const auto gaussian = [](double x, double variance) {
        return std::exp(-0.5 * x * x / variance) / std::sqrt(2.0 * 3.14159265358979323846 * variance);
      };
      std::vector<double> values(mesh.shape().cells());
      std::vector<double> expected(values.size());
      for (std::size_t k = 0; k < values.size(); ++k) {
        const double v = mesh.plane(0).velocity.center(static_cast<int>(k % 600));
        values[k] = gaussian(v, width * width);
        expected[k] = gaussian(v - 0.3, width * width + s * s);
      }
      const VelocityLaw law{{1.0}, std::vector<double>(16, 0.3), std::vector<double>(16, s * s)};
      const auto result = kicked(mesh, values, law, Positivity::limit);
      double l1 = 0.0;
      for (std::size_t k = 0; k < values.size(); ++k) l1 += std::abs(result[k] - expected[k]) / 16.0;
      EXPECT_LT(l1, is_float32() ? 1e-6 : 4e-10) << "data of " << width << " cells, s = " << s;
    }
  }
}

TEST_P(Sweeps, ExtrapolationCombinesFiltersAndClips) {
  const auto mesh = three_planes();
  const auto first = bumpy_density(mesh, 8);
  const auto second = bumpy_density(mesh, 9);
  auto a = backend_->fields().allocate(mesh.shape());
  auto b = backend_->fields().allocate(mesh.shape());
  auto error = backend_->fields().allocate(mesh.shape());
  auto density = backend_->fields().allocate(mesh.shape());
  const std::array<double, 2> combination{-1.0 / 3.0, 4.0 / 3.0};
  const std::array<double, 2> difference{-1.0, 1.0};
  const std::array<double, 3> scale{0.5, 1.0, 2.0};
  for (const Positivity positivity : {Positivity::none, Positivity::limit}) {
    backend_->fields().upload(first, *a);
    backend_->fields().upload(second, *b);
    backend_->fields().fill_zero(*error);
    const std::array<Field*, 2> levels{a.get(), b.get()};
    backend_->sweeps().extrapolate(mesh, levels, combination, difference, scale, *error, *density, positivity);
    Departed left;
    const auto result = download(*density, &left);
    const auto errors = download(*error, nullptr);
    // By definition: D = Σ a_l P_l − P_K; the filter takes (−δ²/4)^6 D away along θ, mirrored in the walls.
    constexpr std::array<double, 7> taps{924, -792, 495, -220, 66, -12, 1};
    std::vector<double> expected(result.size());
    std::vector<double> expected_error(result.size());
    const auto correction = [&](int p, int i, int j) {
      i = i < 0 ? -1 - i : (i >= 37 ? 73 - i : i);
      const auto k = static_cast<std::size_t>((p * 37 + i) * 61 + j);
      return (first[k] * combination[0] + second[k] * combination[1]) - second[k];
    };
    for (int p = 0; p < 3; ++p) {
      for (int i = 0; i < 37; ++i) {
        for (int j = 0; j < 61; ++j) {
          const auto k = static_cast<std::size_t>((p * 37 + i) * 61 + j);
          double removed = taps[0] * correction(p, i, j);
          for (int m = 1; m <= 6; ++m)
            removed += taps[static_cast<std::size_t>(m)] * (correction(p, i - m, j) + correction(p, i + m, j));
          expected[k] = second[k] + correction(p, i, j) - removed / 4096.0;
          expected_error[k] = scale[static_cast<std::size_t>(p)] * (second[k] - first[k]);
        }
      }
    }
    EXPECT_FIELDS_NEAR(errors, expected_error, is_float32() ? 4e-7 : 1e-15);
    EXPECT_NEAR(total(result) - left.created, total(expected), rounding(1e-11));
    if (positivity == Positivity::none) {
      EXPECT_FIELDS_NEAR(result, expected, rounding(1e-14));
      EXPECT_LT(*std::min_element(expected.begin(), expected.end()), 0.0);  // so that clipping has something to do
    } else {
      EXPECT_GE(*std::min_element(result.begin(), result.end()), 0.0);
      for (std::size_t k = 0; k < result.size(); ++k) {
        if (expected[k] < 0.0) {
          EXPECT_EQ(result[k], 0.0);
        }
      }
    }
  }
}

TEST_P(Sweeps, ClippingAnEmptySegmentCountsWhatItCreates) {
  const auto mesh = one_plane();
  const std::vector<double> negative(mesh.shape().cells(), -1e-3);
  auto first = backend_->fields().allocate(mesh.shape());
  auto second = backend_->fields().allocate(mesh.shape());
  auto error = backend_->fields().allocate(mesh.shape());
  auto density = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(negative, *first);
  backend_->fields().upload(negative, *second);
  const std::array<Field*, 2> levels{first.get(), second.get()};
  const std::array<double, 2> combination{0.0, 1.0};
  const std::array<double, 2> none{0.0, 0.0};
  const std::array<double, 1> scale{0.0};
  backend_->sweeps().extrapolate(mesh, levels, combination, none, scale, *error, *density, Positivity::limit);
  Departed left;
  const auto result = download(*density, &left);
  EXPECT_EQ(*std::max_element(result.begin(), result.end()), 0.0);
  EXPECT_NEAR(left.created, 1e-3 * 83 * 43, rounding(1e-12));
  const std::array<double, 1> factor{0.5};
  backend_->fields().absorb_created(*density, factor);
  EXPECT_EQ(backend_->fields().departed(*density)[0].created, 0.0);
}

TEST_P(Sweeps, WhatClippingCreatedGoesWithTheField) {
  // By columns of an extrapolation and by lines of a sweep: a copy, and a sweep into another field, take both along.
  const auto mesh = one_plane();
  const std::vector<double> negative(mesh.shape().cells(), -1e-3);
  auto first = backend_->fields().allocate(mesh.shape());
  auto second = backend_->fields().allocate(mesh.shape());
  auto error = backend_->fields().allocate(mesh.shape());
  auto density = backend_->fields().allocate(mesh.shape());
  auto other = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(negative, *first);
  backend_->fields().upload(negative, *second);
  const std::array<Field*, 2> levels{first.get(), second.get()};
  const std::array<double, 2> combination{0.0, 1.0};
  const std::array<double, 2> none{0.0, 0.0};
  const std::array<double, 1> scale{0.0};
  backend_->sweeps().extrapolate(mesh, levels, combination, none, scale, *error, *density, Positivity::limit);
  const double created = backend_->fields().departed(*density)[0].created;
  EXPECT_NEAR(created, 1e-3 * 83 * 43, rounding(1e-12));
  backend_->fields().copy(*density, *other);
  EXPECT_EQ(backend_->fields().departed(*other)[0].created, created);
  backend_->fields().fill_zero(*other);
  EXPECT_EQ(backend_->fields().departed(*other)[0].created, 0.0);
  const auto plan = backend_->sweeps().plan_velocity(mesh, law_of(mesh, 0.9, 1.0, 0.0));
  backend_->sweeps().velocity(*density, *other, *plan, Positivity::limit);
  EXPECT_EQ(backend_->fields().departed(*other)[0].created, created);
  // A copy of a field that nothing was created in forgets what was there before.
  backend_->fields().copy(*error, *other);
  EXPECT_EQ(backend_->fields().departed(*other)[0].created, 0.0);
  // Levels bring theirs along with their coefficients.
  backend_->fields().upload(negative, *first);
  backend_->fields().copy(*density, *second);
  const std::array<double, 2> half{0.5, 0.5};
  backend_->sweeps().extrapolate(mesh, levels, half, none, scale, *error, *other, Positivity::none);
  EXPECT_NEAR(backend_->fields().departed(*other)[0].created, 0.5 * created, rounding(1e-12));
}

TEST_P(Sweeps, PlanesAreDownloadedAlone) {
  const auto mesh = three_planes();
  const auto values = bumpy_density(mesh, 13);
  auto field = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(values, *field);
  std::vector<double> all(values.size());
  backend_->fields().download(*field, all);
  const std::size_t cells = 37 * 61;
  for (int first = 0; first < 3; ++first) {
    for (int count = 0; count <= 3 - first; ++count) {
      std::vector<double> some(static_cast<std::size_t>(count) * cells);
      backend_->fields().download_planes(*field, first, count, some);
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(first) * cells);
      EXPECT_TRUE(std::equal(some.begin(), some.end(), begin)) << first << " " << count;
    }
  }
}

TEST_P(Sweeps, MomentsAreThoseOfTheSums) {
  const auto mesh = three_planes();
  auto values = bumpy_density(mesh, 14);
  for (std::size_t k = 0; k < values.size(); k += 3) values[k] = -values[k];
  auto field = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(values, *field);
  const auto lines = testing::line_sums(*backend_, mesh, *field);
  const auto moments = backend_->reductions().line_moments(mesh, *field);
  ASSERT_EQ(moments.size(), 111U);
  for (std::size_t l = 0; l < 111; ++l) {  // bit for bit
    EXPECT_EQ(moments[l].mass, lines[l].mass);
    EXPECT_EQ(moments[l].velocity, lines[l].velocity);
    EXPECT_EQ(moments[l].velocity_squared, lines[l].velocity_squared);
  }
  std::fill(values.begin(), values.end(), 0.0);
  values[40 * 61 + 10] = 2.0;  // v_10 = −0.3 + 10.5 · 0.7/61
  values[40 * 61 + 20] = -1.0;
  backend_->fields().upload(values, *field);
  const double a = -0.3 + 10.5 * 0.7 / 61;
  const double b = -0.3 + 20.5 * 0.7 / 61;
  const LineMoments line = backend_->reductions().line_moments(mesh, *field)[40];
  EXPECT_NEAR(line.mass, 1.0, 1e-15);
  EXPECT_NEAR(line.velocity, 2.0 * a - b, 1e-15);
  EXPECT_NEAR(line.velocity_squared, 2.0 * a * a - b * b, 1e-15);
}

TEST_P(Sweeps, SumsAreThoseOfTheDensity) {
  const auto mesh = three_planes();
  auto values = bumpy_density(mesh, 10);
  values[5 * 61 + 17] = -0.25;
  auto field = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(values, *field);
  const std::vector<double> friction{0.5, 1.0, 2.0};
  const std::vector<double> diffusion(111, 0.3);
  const auto lines = testing::line_sums(*backend_, mesh, *field, {friction, diffusion, 1e-3});
  const auto columns = backend_->reductions().sum_columns(mesh, *field);
  ASSERT_EQ(lines.size(), 111U);
  for (std::size_t l : {0U, 5U, 40U, 110U}) {
    const int p = static_cast<int>(l) / 37;
    const Axis& v = mesh.plane(p).velocity;
    LineSums expected{};
    for (int j = 0; j < 61; ++j) {
      const auto at = [&](int c) { return c >= 0 && c < 61 ? values[l * 61 + static_cast<std::size_t>(c)] : 0.0; };
      const double x = at(j);
      expected.mass += x;
      expected.velocity += x * v.center(j);
      expected.velocity_squared += x * v.center(j) * v.center(j);
      if (x > 0.0) expected.entropy -= x * std::log(x);
      const double slope =
          (45.0 * (at(j + 1) - at(j - 1)) - 9.0 * (at(j + 2) - at(j - 2)) + (at(j + 3) - at(j - 3))) / 60.0 / v.width();
      const double current = friction[static_cast<std::size_t>(p)] * v.center(j) * x + 0.3 * slope;
      if (x > 1e-3) expected.dissipation += current * current / (0.3 * x);
    }
    EXPECT_NEAR(lines[l].mass, expected.mass, rounding(1e-12));
    EXPECT_NEAR(lines[l].velocity, expected.velocity, rounding(1e-11));
    EXPECT_NEAR(lines[l].velocity_squared, expected.velocity_squared, rounding(1e-10));
    EXPECT_NEAR(lines[l].entropy, expected.entropy, rounding(1e-12));
    EXPECT_NEAR(lines[l].dissipation, expected.dissipation,
                (is_float32() ? 1e-4 : 1e-9) * std::abs(expected.dissipation));
  }
  double column = 0.0;
  for (std::size_t i = 0; i < 37; ++i) column += values[(37 + i) * 61 + 9];
  EXPECT_NEAR(columns[61 + 9], column, rounding(1e-13));
  const std::array<const Field*, 1> one{field.get()};
  const std::array<double, 1> two{-2.0};
  double norm = 0.0;
  for (std::size_t k = 0; k < 37 * 61; ++k) norm += 2.0 * std::abs(values[k]);
  EXPECT_NEAR(backend_->reductions().combination_norm(one, two)[0], norm, rounding(1e-11));
}

TEST_P(Sweeps, NotANumberIsFoundAndKept) {
  const auto mesh = one_plane();
  auto values = bumpy_density(mesh, 11);
  values[30 * 43 + 7] = std::nan("");
  auto field = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(values, *field);
  const auto row_sums = backend_->reductions().plan_row_sums(mesh, {{}, {{RowTerm(0)}}});
  const auto [sums, smallest] = backend_->reductions().sum_rows(*field, *row_sums);
  EXPECT_TRUE(std::isnan(sums[0]));
  EXPECT_EQ(smallest[0].row, 30);
  EXPECT_EQ(smallest[0].column, 7);
  const std::array<const Field*, 1> one{field.get()};
  const std::array<double, 1> unit{1.0};
  EXPECT_TRUE(std::isnan(backend_->reductions().combination_norm(one, unit)[0]));
  const auto plan = backend_->sweeps().plan_velocity(mesh, law_of(mesh, 0.9, 0.5, 0.2));
  backend_->sweeps().velocity(*field, *field, *plan, Positivity::limit);  // limiting and clipping must not hide it
  EXPECT_TRUE(std::isnan(backend_->reductions().combination_norm(one, unit)[0]));
  const std::vector<double> duration{0.01};
  const auto drift = backend_->sweeps().plan_drift(mesh, duration);
  backend_->sweeps().drift(*field, *drift, Positivity::limit);
  EXPECT_TRUE(std::isnan(backend_->reductions().combination_norm(one, unit)[0]));
}

TEST_P(Sweeps, RoughnessByHand) {
  // A single one: the twelfth difference is (−1)^m binom(12, m), absolute values add up to 4096 along each axis.
  const auto mesh = one_plane();
  std::vector<double> values(mesh.shape().cells(), 0.0);
  values[40 * 43 + 20] = 1.0;
  auto field = backend_->fields().allocate(mesh.shape());
  backend_->fields().upload(values, *field);
  RowSumLaw law{{std::vector<double>(83, 0.0)}, {}};
  law.factors[0][40] = 1.0;
  law.sums = {{RowTerm(0)}, {RowTerm(1)}, {RowTerm(2, 0)}, {RowTerm(3, 0)}, {RowTerm(4, 0)}};
  const auto sums = backend_->reductions().sum_shapes(*field, *backend_->reductions().plan_row_sums(mesh, law));
  EXPECT_NEAR(sums[0], 4096.0, 1e-9);
  EXPECT_NEAR(sums[1], 4096.0, 1e-9);
  EXPECT_EQ(sums[2], 1.0);  // j = 20 is one cell below the middle of 43
  EXPECT_EQ(sums[3], -1.0);
  EXPECT_EQ(sums[4], 1.0);
}

TEST_P(Sweeps, DevicesAgree) {
  const std::string host = is_float32() ? "host_float32" : "host";
  if (GetParam() == host) GTEST_SKIP() << "compared with itself";
  const auto mesh = three_planes();
  const auto values = bumpy_density(mesh, 12);
  const auto law = law_of(mesh, 0.9, 1.7, 9.0);
  const std::vector<double> duration{0.1, 0.02, 0.3};
  const auto here = kicked(mesh, drifted(mesh, values, duration, Positivity::limit), law, Positivity::limit);
  const bool computes_weights = is_float32();  // in single precision, where the host reads them from a table
  backend_ = testing::make_device(host);
  const auto there = kicked(mesh, drifted(mesh, values, duration, Positivity::limit), law, Positivity::limit);
#ifdef UNDERDAMP_STRICT_FP
  EXPECT_FIELDS_NEAR(here, there, computes_weights ? 2e-6 : 0.0);  // no contraction on either side: bit for bit
#else
  EXPECT_FIELDS_NEAR(here, there, computes_weights ? 2e-6 : 1e-15);
#endif
}

INSTANTIATE_TEST_SUITE_P(Devices, RecordedSequences, ::testing::Values("host", "emulated", "cuda", "emulated_float32"),
                         [](const auto& instance) { return instance.param; });
INSTANTIATE_TEST_SUITE_P(Devices, Sweeps,
                         ::testing::Values("host", "emulated", "cuda", "host_float32", "emulated_float32",
                                           "cuda_float32"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace underdamp
