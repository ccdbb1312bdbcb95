#pragma once
#include <memory>
#include <string>
#include <vector>

#include "solver/landscape/dataset.hpp"
#include "solver/landscape/function.hpp"
#include "solver/model/gaussian.hpp"
#include "solver/spec/spec.hpp"

/// The stochastic process of a spec (docs/method.md, section 1): dθ = v dt, dv = −k L'_λ dt − γ v dt + √(2 D) dW.
namespace underdamp {

/// One plane (θ, v): one parameter, or one Hessian mode of a dataset or a spectrum.
struct PlaneModel {
  std::string name;                       ///< "mode_03", empty for the only plane
  int mode = 0;                           ///< number of the Hessian mode, 0 if there is none
  double eigenvalue = 0.0;                ///< ρ of the mode
  double weight = 1.0;                    ///< number of parameters that the plane stands for
  std::shared_ptr<const Function> loss;   ///< L, without weight decay
  std::shared_ptr<const Function> noise;  ///< Σ(θ) of one example; D(θ) under [langevin]
  double minimum = 0.0;                   ///< minimiser θ* of L_λ; on a circle that of its periodic part
  double curvature = 0.0;                 ///< h = L_λ''(θ*), unless it says little about the width: see is_thermal
  /// L_λ''(θ*) is not what confines the parameter (a flat minimum, a kink): h is that of a parabola whose Gibbs state
  /// is as wide as that of the well.
  bool is_thermal = false;
  /// On a circle: what L_λ gains in one turn over the length of the circle. The mean force is −k times that.
  double tilt = 0.0;

  /// `before` + name + `after` for a text; empty for the only plane, which has no name.
  std::string named(const std::string& before, const std::string& after = "") const;
};

/// Quantities of the linearised process around the minimum of one plane.
struct Derived {
  double k = 0.0;            ///< force per gradient, 2/(η(1+β))
  double gamma = 0.0;        ///< friction γ
  double kappa = 0.0;        ///< inverse temperature
  double omega = 0.0;        ///< √(k h)
  double zeta = 0.0;         ///< damping ratio γ/(2ω)
  double temperature = 0.0;  ///< T_v = D(θ*)/γ, the variance of v
  double std_theta = 0.0;
  double std_v = 0.0;
  double relaxation_time = 0.0;  ///< 1 / Re λ of the slowest relaxing mode
};

/// Open θ walls beyond which the loss does not rise: what passes them is gone for good, and no wider box would hold it.
struct Escape {
  bool lower = false;
  bool upper = false;
};

class Model {
 public:
  /// Throws SpecError: a loss without minimum, no noise, an SGD map that diverges, scales that overflow.
  explicit Model(const Spec& spec);

  Dynamics dynamics() const { return dynamics_; }
  int planes() const { return static_cast<int>(planes_.size()); }
  const PlaneModel& plane(int p) const { return planes_[static_cast<std::size_t>(p)]; }
  const Dataset* dataset() const { return dataset_.get(); }
  /// What is left out of the gradient noise of a dataset; null where nothing is: another noise, or a mode alone.
  const NoiseCoupling* dropped_noise() const;

  double k() const { return k_; }
  double gamma() const { return gamma_; }
  double weight_decay() const { return weight_decay_; }
  double learning_rate() const { return learning_rate_; }  ///< η; 1 under [langevin]
  double momentum() const { return momentum_; }            ///< β
  double batch_size() const { return batch_size_; }        ///< S
  Derived derived(int p) const;

  /// Does a mean force drive the parameter around a circle? There is no Gibbs state then.
  bool is_driven(int p) const { return plane(p).tilt != 0.0; }
  /// −k times the mean slope of L_λ around the circle, else 0.
  double mean_force(int p) const { return -k_ * plane(p).tilt; }

  /// L_λ and its derivatives.
  double loss(int p, double theta) const;
  double gradient(int p, double theta) const;
  double curvature(int p, double theta) const;
  /// −k L'_λ(θ).
  double force(int p, double theta) const { return -k_ * gradient(p, theta); }
  /// D(θ).
  double diffusion(int p, double theta) const { return diffusion_per_noise_ * plane(p).noise->value(theta); }
  /// Σ(θ)/S, the variance that one SGD step adds to v.
  double step_variance(int p, double theta) const { return plane(p).noise->value(theta) / batch_size_; }
  /// Throws SpecError, naming x, if loss, force or noise is not finite there or the noise is negative.
  void require_valid(int p, double theta) const;
  /// Where loss and noise of a plane are both known.
  std::optional<Interval> domain(int p) const;

  Escape escape(int p, const Interval& theta, const ThetaWalls& walls) const;

  /// Covariance of (θ, v) in the stationary state of the linearised process; for "sgd" that of the discrete map.
  Matrix2 stationary_covariance(int p) const;

 private:
  void add_single_plane(const Spec& spec);
  void add_dataset_planes(const Spec& spec);
  void add_spectrum_planes(const Spec& spec);
  std::shared_ptr<const Function> make_noise(const Spec& spec, double hessian,
                                             std::optional<double> eigenvalue = std::nullopt) const;
  void choose_curvature(const Spec& spec, int p);
  std::optional<double> thermal_curvature(int p, const GridSpec& grid) const;
  void require_common_range(const Spec& spec, const PlaneModel& plane) const;
  void require_noise(const Spec& spec, int p) const;
  void require_scales(const Spec& spec, int p) const;
  void require_stable_map(const Spec& spec) const;

  /// Where the spec gives a function.
  struct Source {
    std::string place;
    std::string key;
  };

  Dynamics dynamics_;
  Source loss_source_;
  Source noise_source_;
  double learning_rate_ = 1.0;
  double momentum_ = 0.0;
  double batch_size_ = 1.0;
  double weight_decay_ = 0.0;
  double k_ = 1.0;
  double gamma_ = 0.0;
  double kappa_ = 0.0;  ///< 0 under [langevin]: then 1/temperature at the minimum
  double diffusion_per_noise_ = 1.0;
  std::shared_ptr<const Dataset> dataset_;
  bool has_measured_noise_ = false;
  std::vector<PlaneModel> planes_;
};

}  // namespace underdamp
