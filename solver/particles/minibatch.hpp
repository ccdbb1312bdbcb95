#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include <Eigen/Dense>

#include "solver/model/model.hpp"
#include "solver/particles/statistics.hpp"
#include "solver/spec/spec.hpp"

/// SGD itself on a dataset loss, next to what the model says of it (docs/method.md, section 13). Host only.
namespace underdamp {

struct MinibatchOptions {
  std::uint64_t seed = 1;
  long runs = 2'000;
  BatchSampling sampling = BatchSampling::replacement;
  long settle = 0;   ///< steps before anything is measured
  long measure = 0;  ///< steps that are measured
  int threads = 0;   ///< 0: one per processor. No result depends on it
};

/// Settling and measuring take ten relaxation times of the slowest mode each, 100 000 steps at most.
MinibatchOptions minibatch_options(const Spec& spec, const Model& model);

/// Stationary variance of the coordinate of one Hessian mode.
struct ModeVariance {
  int mode = 0;              ///< number of the mode, from 1
  double langevin = 0.0;     ///< of the model: D, constant, over γ k h
  double finite_rate = 0.0;  ///< factor 1/(1 − q) of the discrete map, eq. 5
  /// Factor of the noise that grows with the distance along this mode alone, eq. 66; infinite if it diverges.
  double minibatch = 0.0;
  double predicted = 0.0;  ///< of the recursion with replacement, all modes and both effects together, eq. 65: exact
  double measured = 0.0;
  double measured_error = 0.0;  ///< standard error
};

struct MinibatchResult {
  MinibatchOptions options;
  long batch = 0;                   ///< rows per step
  long steps_per_epoch = 0;         ///< whole batches; the rows left over are skipped
  std::vector<ModeVariance> modes;  ///< [plane] of the model
};

/// v ← β v − g_B(θ) − λθ, θ ← θ + ηv with the gradient g_B over `batch_size` rows, in all parameters; runs start from
/// the Gaussian that the model calls stationary. Rows are drawn with replacement, or every epoch goes once through a
/// new permutation of them, which is another process: `predicted` does not apply to it. Throws Error (bad_input)
/// without a dataset loss, or for a batch size that is no whole number of rows. `poll` is called with the fraction
/// done.
MinibatchResult run_minibatch(const Model& model, const MinibatchOptions& options,
                              const std::function<void(double)>& poll);

/// Displacements of minibatch SGD: E |θ_{k+n} − θ_k|² along the modes of the model's planes and over all of them, for
/// increasing numbers of steps n. Runs begin from the Gaussian that the model calls stationary and settle for
/// options.settle steps first; from a cold start (at the minimiser, v = 0) they do not. `poll` as above.
struct MinibatchTravel {
  std::vector<std::vector<Estimate>> modes;  ///< [plane][n]
  std::vector<Estimate> total;               ///< [n]
};
MinibatchTravel run_minibatch_travel(const Model& model, const MinibatchOptions& options, bool cold_start,
                                     const std::vector<long>& steps, const std::function<void(double)>& poll);

/// Exact stationary second moments E (θ − θ*)(θ − θ*)ᵀ of minibatch SGD with replacement, in the coordinates of the
/// modes, eq. 65; not finite if there are none.
Eigen::MatrixXd minibatch_covariance(const Model& model);

}  // namespace underdamp
