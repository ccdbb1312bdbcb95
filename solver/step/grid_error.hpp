#pragma once
#include <array>
#include <deque>

#include "solver/io/state.hpp"
#include "solver/model/gaussian.hpp"
#include "solver/step/derivative_form.hpp"

/// Error that the grid has left in the density of one plane (docs/method.md, section 5, eqs. 29-29c).
///
/// A sweep leaves −C ∂ⁿp behind, with derivatives in units of cells: n = 12 from the remaps, n = 8 from the kernels of
/// the kick. A linear flow z → M z + noise carries a derivative along u into one along M u of the density that it has
/// made. So what all sweeps have left together is
///
///   Σ_k c_k ∂_θ^{n−k} ∂_v^k p,
///
/// n + 1 numbers applied to the density of now, however long the run; they decay and turn as the flow does. To it come
/// errors that live for a few sweeps only: C changes from line to line, and the kernels of a cascade have images. A
/// nonlinear flow is linearised with the curvature averaged over the density. Lengths are in cells throughout.
namespace underdamp {

/// Where the density of one plane lies and how rough it is, in cells.
struct DensityShape {
  Matrix2 covariance{{{1.0, 0.0}, {0.0, 1.0}}};
  double velocity = 0.0;   ///< mean distance of v from 0
  double stiffness = 0.0;  ///< mean of −∂force/∂θ; cells of v per cell of θ and time (SGD: per step)
  double diffusion = 0.0;  ///< mean of D, cells² per time (SGD: of Σ/S, cells²)
  double roughness = 0.0;  ///< (Σ|Δ¹²_θ p| + Σ|Δ¹²_v p|)/Σp
};

class GridError {
 public:
  /// `width_ratio`: h_v/h_θ, so that a drift by τ moves column j from v = 0 by τ · width_ratio · j cells.
  explicit GridError(double friction = 0.0, double width_ratio = 1.0)
      : friction_(friction), width_ratio_(width_ratio) {}

  /// A window of `length`, crossed with 1, 2, … `levels` Strang steps and combined with `weights`.
  void cross_window(const DensityShape& shape, double length, const double* weights, int levels);
  /// `count` Strang steps whose half sweeps are merged.
  void take_steps(const DensityShape& shape, double step, long count);
  /// One step of the SGD map, which also moves the covariance of `shape`.
  void take_sgd_step(DensityShape& shape, double learning_rate, double momentum);

  /// L1 norm of the error in a density of this shape.
  double norm(const DensityShape& shape) const;

  void exchange(StateList& list);

 private:
  struct Sources {
    DerivativeForm<12> remap;
    DerivativeForm<8> kernel;
  };
  struct Sweep;
  /// One crossing of a window, or one step of the map, from a density of this covariance; remembered for what does not
  /// add up to a form: modulated errors and images live for a few sweeps only.
  struct Crossing {
    Matrix2 covariance;
    double velocity;
    double stiffness;
    double diffusion;
    double length;                    ///< of a window; SGD: η
    double momentum;                  ///< SGD: β, else negative
    std::array<double, 6> weights{};  ///< of the levels
    int levels;
    Matrix2 matrix{};  ///< of the whole crossing
    double roughness = 0.0;
  };
  struct Fleeting;

  Matrix2 drift_matrix(double duration) const;
  Sweep velocity_sweep(const Crossing& from, double duration) const;
  double drift_constant(const Crossing& from, double duration) const;
  static void add_velocity(Sources& to, double weight, const Sweep& sweep, const Matrix2& rest);
  void repeat(const Matrix2& step, const Sources& sources, const DensityShape& shape, long count);
  void remember(Crossing crossing, const DensityShape& shape, double sweeps);
  static Matrix2 end_of_level(const Crossing& from, const Sweep& half, const Sweep& full, const Matrix2& drift,
                              int sweeps);
  void follow(const Crossing& from, double weight, double step, int steps, const Matrix2& end, const Matrix2& later,
              const Matrix2& now, Fleeting& into) const;

  double friction_;
  double width_ratio_;
  Sources left_;
  double undamped_ = 0.0;         ///< remap errors of all sweeps as if nothing decayed
  double undamped_kernel_ = 0.0;  ///< the same of the kernels
  std::deque<Crossing> recent_;
};

}  // namespace underdamp
