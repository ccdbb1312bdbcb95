#pragma once
#include <vector>

#include "solver/coupled/phase_matrices.hpp"
#include "solver/coupled/sweep_symbols.hpp"
#include "solver/io/state.hpp"
#include "solver/step/window.hpp"

/// Error that the grid has left in the density of several parameters (docs/method.md, section 16).
///
/// A sweep multiplies waves by 1 + δ(ω), ω along its direction e. A linear flow z → M z + noise carries that into 1 +
/// δ(u·κ) with u = M e. Of a Gaussian of covariance C the convolution that belongs to δ(u·κ) takes place along u, on
/// which the density is 1/√(uᵀC⁻¹u) wide: its L1 norm is that of one dimension (sweep_symbols.hpp), whatever d is. All
/// orders of the stencils are in δ: on few cells per deviation the leading one is not enough. Lengths in cells.
namespace underdamp {

/// Where a density lies and what moves it, in cells.
struct PhaseShape {
  PhaseMatrix covariance;
  ParameterVector velocity;   ///< mean distance of v from 0
  ParameterMatrix stiffness;  ///< mean of −∂F_k/∂θ_l, cells of v_k per cell of θ_l and time; of the map per step
  ParameterMatrix diffusion;  ///< mean of D, cells² per time; of the map of Σ/S
};

class PhaseGridError {
 public:
  PhaseGridError() = default;
  /// `ratio`: h_v/h_θ of each axis.
  PhaseGridError(double friction, ParameterVector ratio) : friction_(friction), ratio_(std::move(ratio)) {}

  /// A window of `length`, crossed with 1, 2, … `levels` Strang steps and combined with `weights`.
  void cross_window(const PhaseShape& shape, double length, const LevelWeights& weights, int levels);
  /// `count` Strang steps whose half sweeps are merged.
  void take_steps(const PhaseShape& shape, double step, long count);
  /// `count` steps of the SGD map.
  void take_sgd_steps(const PhaseShape& shape, double learning_rate, double momentum, long count);

  /// L1 norm in a density of this covariance.
  double norm(const PhaseMatrix& covariance) const;
  /// What one window adds: levels that differ in their sweeps differ by a part of it.
  double of_window(const PhaseShape& shape, double length, int levels) const;

  void exchange(StateList& list);

 private:
  /// One convolution that sweeps have left behind.
  struct Trace {
    PhaseVector direction;
    ErrorSymbol symbol{};
    ErrorSymbol fluctuation{};
  };
  using Traces = std::vector<Trace>;

  PhaseMatrix rate_matrix(const PhaseShape& shape) const;
  Traces of_drifts(const PhaseShape& shape, double duration) const;
  Traces of_velocity(const PhaseShape& shape, double contraction, const ParameterMatrix& variance) const;
  Traces of_velocity(const PhaseShape& shape, double duration) const;
  Traces of_level(const PhaseShape& shape, double length, int steps) const;
  void take(const PhaseMatrix& flow, const PhaseMatrix& middle, Traces traces, const PhaseMatrix& covariance);
  static double norm_of(const Trace& trace, const ErrorSymbol& symbol, const PhaseMatrix& inverse);
  void remember_fluctuations(const PhaseShape& shape, double length, const LevelWeights& weights, int levels);
  void merge_oldest(const PhaseMatrix& covariance);

  double friction_ = 0.0;
  ParameterVector ratio_;
  std::vector<Traces> crossings_;  ///< the oldest first
  double fluctuation_ = 0.0;       ///< L1, of the last crossing
};

}  // namespace underdamp
