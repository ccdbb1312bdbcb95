#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "few_threads.hpp"
#include "kernels/contract/generator_matrix.hpp"
#include "kernels/host/host_backend.hpp"
#include "meshes/error.hpp"
#include "meshes/parallel_runs.hpp"
#include "solver/particles/ensemble.hpp"
#include "solver/stationary/nested_dissection.hpp"
#include "solver/stationary/sparse_factors.hpp"
#include "test_support.hpp"

/// What builds without a library use in its place is compiled and tested in every build.
namespace underdamp {
namespace {

using testing::run_to_end;
using testing::spec_from;

TEST(ThreadWorkers, EachWorksOncePerLaunch) {
  for (const int count : {1, 2, 5}) {
    const auto workers = make_thread_workers(count);
    ASSERT_EQ(workers->count(), count);
    EXPECT_EQ(workers->name(), "std::thread, " + std::to_string(count) + (count == 1 ? " thread" : " threads"));
    std::vector<int> calls(static_cast<std::size_t>(count), 0);
    constexpr int launches = 200;
    for (int k = 0; k < launches; ++k) {
      workers->run("count", [&](int worker) { ++calls[static_cast<std::size_t>(worker)]; });
      // All have returned: each has been called as often as the first.
      for (const int n : calls) ASSERT_EQ(n, k + 1);
    }
  }
}

TEST(ThreadWorkers, AreThreadsOfTheirOwn) {
  const auto workers = make_thread_workers(3);
  std::vector<std::thread::id> ids(3);
  workers->run("identify", [&](int worker) { ids[static_cast<std::size_t>(worker)] = std::this_thread::get_id(); });
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  EXPECT_NE(ids[1], ids[0]);
  EXPECT_NE(ids[2], ids[0]);
  EXPECT_NE(ids[2], ids[1]);
}

TEST(ThreadWorkers, TheirNumberIsThatOfOpenMP) {
  const char* const before = std::getenv("OMP_NUM_THREADS");
  const std::string kept = before != nullptr ? before : "";
  setenv("OMP_NUM_THREADS", "3", 1);
  EXPECT_EQ(threads_asked_for(), 3);
  setenv("OMP_NUM_THREADS", "4,2", 1);  // nested levels: there is only the first
  EXPECT_EQ(threads_asked_for(), 4);
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  for (const char* none : {"", "0", "-2", "many"}) {
    setenv("OMP_NUM_THREADS", none, 1);
    EXPECT_EQ(threads_asked_for(), std::max(1, processors)) << none;
  }
  before != nullptr ? setenv("OMP_NUM_THREADS", kept.c_str(), 1) : unsetenv("OMP_NUM_THREADS");
}

TEST(ThreadWorkers, WhatOneThrowsIsThrownWhenAllHaveReturned) {
  for (const int count : {1, 4}) {
    const auto workers = make_thread_workers(count);
    for (const int thrower : {0, count - 1}) {
      std::atomic<int> returned{0};
      const auto body = [&](int worker) {
        if (worker == thrower) throw Error(ExitCode::device, "worker " + std::to_string(worker));
        ++returned;
      };
      try {
        workers->run("throw", body);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()), "worker " + std::to_string(thrower));
      }
      EXPECT_EQ(returned, count - 1);
    }
    std::atomic<int> calls{0};
    workers->run("go on", [&](int) { ++calls; });
    EXPECT_EQ(calls, count);
  }
}

TEST(ThreadWorkers, TooManyAreRefused) {
  NEEDS_ITS_ADDRESS_SPACE();
  alarm(60);  // those that were started were waited for, for ever
  std::string text;
  {
    const testing::FewThreads limit;
    try {
      static_cast<void>(make_thread_workers(4000));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::device);
      text = error.what();
    }
  }
  alarm(0);
  EXPECT_NE(text.find(" of 4000 threads: "), std::string::npos) << text;
  EXPECT_NE(text.find("OMP_NUM_THREADS"), std::string::npos) << text;
}

TEST(ParallelRuns, EachRunHasItsPlace) {
  for (const unsigned threads : {0U, 1U, 3U}) {
    std::vector<double> shares;
    const auto results = parallel_runs<std::uint64_t>(
        100, threads, [](std::uint64_t r) { return r * r; }, [&](double share) { shares.push_back(share); });
    ASSERT_EQ(results.size(), 100U);
    for (std::uint64_t r = 0; r < 100; ++r) EXPECT_EQ(results[r], r * r);
    EXPECT_EQ(shares.front(), 0.0);
    EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  }
}

TEST(ParallelRuns, WhatARunThrowsOnAnyThreadIsThrown) {
  const std::thread::id here = std::this_thread::get_id();
  std::atomic<long> runs{0};
  const auto fails = [&](std::uint64_t) -> int {
    ++runs;
    if (std::this_thread::get_id() != here) throw Error(ExitCode::numerical, "a run on another thread");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return 0;
  };
  EXPECT_THROW(parallel_runs<int>(100'000, 3, fails, [](double) {}), Error);
  EXPECT_LT(runs, 100'000);  // the others have stopped
  const auto works = [](std::uint64_t) { return 0; };
  struct Stop {};
  EXPECT_THROW(parallel_runs<int>(1000, 3, works, [](double) { throw Stop{}; }), Stop);
}

TEST(ParallelRuns, GoOnWithTheThreadsThatThereAre) {
  NEEDS_ITS_ADDRESS_SPACE();
  std::vector<std::uint64_t> results;
  {
    const testing::FewThreads limit;
    results = parallel_runs<std::uint64_t>(
        1000, 4000, [](std::uint64_t r) { return r + 1; }, [](double) {});
  }
  ASSERT_EQ(results.size(), 1000U);
  for (std::uint64_t r = 0; r < 1000; ++r) EXPECT_EQ(results[r], r + 1);
}

/// Two planes with all that is spread over workers: both sweeps, halos, sums, particles.
const std::string batch =
    "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 8\n[loss]\nkind = \"dataset\"\nfile = "
    "\"" UNDERDAMP_SOURCE_FOLDER
    "/examples/diabetes.csv\"\ntarget = \"progression\"\nmodes = [1, 2]\n[grid]\ncells = [44, 50]\n"
    "[evolve]\nuntil = 1.0\ntolerance = 1e-4\nframes = 2\n";

TEST(ThreadWorkers, SameBitsAsTheWorkersOfThisBuild) {
  const Spec spec = spec_from(batch);
  const auto backend = make_host_backend();
  Simulation simulation(spec, *backend);
  const auto expected = run_to_end(simulation);
  for (const int count : {1, 2, 9}) {  // 9: more than there are bundles of lines
    const auto threads = make_host_backend(make_thread_workers(count));
    EXPECT_EQ(threads->describe().name, "host: " + make_thread_workers(count)->name());
    Simulation again(spec, *threads);
    const auto computed = run_to_end(again);
    EXPECT_EQ(computed.density, expected.density) << count;
    EXPECT_EQ(again.density(1), simulation.density(1)) << count;
    EXPECT_EQ(computed.frame.observables[1].entropy, expected.frame.observables[1].entropy) << count;
    EXPECT_EQ(computed.errors[0].step, expected.errors[0].step) << count;
    EXPECT_EQ(computed.statistics[0].strang_steps, expected.statistics[0].strang_steps) << count;
  }
}

TEST(ThreadWorkers, TheSameParticles) {
  const Spec spec = spec_from(batch);
  const Model model(spec);
  const auto backend = make_host_backend();
  const auto threads = make_host_backend(make_thread_workers(3));
  Simulation simulation(spec, *backend);
  const auto sample = [&](Backend& on, std::uint64_t seed) {
    EnsembleOptions options = ensemble_options(spec, model, simulation.mesh(), 1);
    options.particles = 5000;
    options.seed = seed;
    return run_ensemble(on, model, simulation.mesh(), 1, particle_start(spec, model, simulation.mesh(), 1), options,
                        std::vector<double>{1.0}, [](double) {})[0];
  };
  const ParticleSample expected = sample(*backend, 1);
  const ParticleSample computed = sample(*threads, 1);
  EXPECT_EQ(computed.counts, expected.counts);
  EXPECT_EQ(computed.moments.mean, expected.moments.mean);
  EXPECT_EQ(computed.moments.covariance, expected.moments.covariance);
  EXPECT_NE(sample(*threads, 2).counts, expected.counts);
}

using Factoring = std::unique_ptr<SparseFactors> (*)(const SparseFactors::Matrix&);
const std::vector<Factoring> factorings{[](const SparseFactors::Matrix& matrix) { return factor(matrix); },
                                        factor_by_eigen};

TEST(SparseFactors, ByHand) {
  // 2 y = 4, 3 x + y = 5: the diagonal cannot be the pivot.
  SparseFactors::Matrix matrix(2, 2);
  matrix.insert(0, 1) = 2.0;
  matrix.insert(1, 0) = 3.0;
  matrix.insert(1, 1) = 1.0;
  matrix.makeCompressed();
  for (const Factoring by : factorings) {
    const auto factors = by(matrix);
    ASSERT_TRUE(factors);
    const Eigen::VectorXd x = factors->solve(Eigen::Vector2d(4.0, 5.0));
    EXPECT_NEAR(x[0], 1.0, 1e-15);
    EXPECT_NEAR(x[1], 2.0, 1e-15);
  }
}

TEST(SparseFactors, ThereAreNoneOfASingularMatrix) {
  SparseFactors::Matrix matrix(2, 2);
  for (const int row : {0, 1}) {
    for (const int column : {0, 1}) matrix.insert(row, column) = 1.0;
  }
  matrix.makeCompressed();
  for (const Factoring by : factorings) EXPECT_FALSE(by(matrix));
  matrix.coeffRef(1, 1) = std::nan("");
  for (const Factoring by : factorings) EXPECT_FALSE(by(matrix));
}

/// (L_h − σ) of a double well in its order of elimination.
SparseFactors::Matrix shifted_generator(double shift) {
  const Spec spec = spec_from(
      "[langevin]\nfriction = 0.5\ntemperature = 0.2\n[loss]\nkind = \"expression\"\nformula = \"(x^2-1)^2/4\"\n"
      "[grid]\ncells = [40, 36]\n[stationary]\n");
  const auto backend = make_host_backend();
  const Simulation simulation(spec, *backend);
  const Tables& tables = simulation.tables();
  const SparseMatrix generator = assemble_generator(simulation.mesh().plane(0), simulation.mesh().walls(),
                                                    tables.friction[0], tables.force, tables.diffusion);
  const auto order = nested_dissection({40, 36, generator_theta_reach, generator_velocity_reach});
  std::vector<int> place(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) place[static_cast<std::size_t>(order[k])] = static_cast<int>(k);
  std::vector<Eigen::Triplet<double>> entries;
  for (int row = 0; row < generator.rows(); ++row) {
    const auto at = static_cast<std::size_t>(row);
    entries.emplace_back(place[at], place[at], -shift);
    for (auto k = static_cast<std::size_t>(generator.row_begin[at]);
         k < static_cast<std::size_t>(generator.row_begin[at + 1]); ++k) {
      entries.emplace_back(place[at], place[static_cast<std::size_t>(generator.column[k])], generator.value[k]);
    }
  }
  SparseFactors::Matrix matrix(generator.rows(), generator.rows());
  matrix.setFromTriplets(entries.begin(), entries.end());
  return matrix;
}

TEST(SparseFactors, BothSolveWithAGenerator) {
  const SparseFactors::Matrix matrix = shifted_generator(0.01);
  Eigen::VectorXd expected(matrix.rows());
  for (Eigen::Index k = 0; k < expected.size(); ++k) expected[k] = std::sin(1.0 + 0.37 * static_cast<double>(k));
  const Eigen::VectorXd right = matrix * expected;
  for (const Factoring by : factorings) {
    const auto factors = by(matrix);
    ASSERT_TRUE(factors);
    EXPECT_LE((factors->solve(right) - expected).lpNorm<Eigen::Infinity>(), 1e-9);
  }
}

TEST(SparseFactors, BothSolveAtAComplexShift) {
  using Complex = std::complex<double>;
  const SparseFactors::Matrix generator = shifted_generator(0.0);
  ComplexFactors::Matrix identity(generator.rows(), generator.cols());
  identity.setIdentity();
  const ComplexFactors::Matrix matrix = generator.cast<Complex>() - Complex(0.0, 1.3) * identity;
  Eigen::VectorXcd expected(matrix.rows());
  for (Eigen::Index k = 0; k < expected.size(); ++k)
    expected[k] = std::polar(1.0, 0.37 * static_cast<double>(k) * static_cast<double>(k));
  const Eigen::VectorXcd right = matrix * expected;
  const auto by_default = factor(matrix);
  const auto by_eigen = factor_by_eigen(matrix);
  ASSERT_TRUE(by_default && by_eigen);
  EXPECT_LE((by_default->solve(right) - expected).lpNorm<Eigen::Infinity>(), 1e-9);
  EXPECT_LE((by_eigen->solve(right) - expected).lpNorm<Eigen::Infinity>(), 1e-9);
}

}  // namespace
}  // namespace underdamp
