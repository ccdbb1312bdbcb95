#pragma once
#include <memory>
#include <string>
#include <vector>

#include "solver/coupled/linear_process.hpp"
#include "solver/coupled/phase_matrices.hpp"
#include "solver/spec/spec.hpp"

/// The stochastic process of several coupled parameters (docs/method.md, section 16):
///
///   dθ = v dt,   dv = −k ∇L_λ dt − γ v dt + √(2 D(θ)) dW,   θ, v ∈ R^d
namespace underdamp {

/// What makes the process: of [optimizer] or [langevin], [loss] and [noise].
struct CoupledProcess {
  Dynamics dynamics = Dynamics::langevin;
  double learning_rate = 1.0;        ///< η
  double momentum = 0.0;             ///< β
  double batch_size = 1.0;           ///< S
  double weight_decay = 0.0;         ///< λ
  double k = 1.0;                    ///< force per gradient, 2/(η(1+β))
  double gamma = 0.0;                ///< friction γ
  double diffusion_per_noise = 1.0;  ///< D per Σ, 2/(η(1+β)²S)
  std::shared_ptr<const Surface> loss;
  std::shared_ptr<const MatrixSurface> noise;  ///< Σ(θ) of one example; D(θ) under [langevin]

  /// k, γ and D per Σ of an optimizer.
  void take_optimizer(const OptimizerSpec& optimizer);
};

class CoupledModel {
 public:
  /// Searches the minimum from `guess` on. Throws SpecError: no minimum, noise that is not positive semi-definite.
  CoupledModel(CoupledProcess process, const ParameterVector& guess);

  const CoupledProcess& process() const { return process_; }
  int parameters() const { return static_cast<int>(minimum_.size()); }
  Dynamics dynamics() const { return process_.dynamics; }
  const ParameterVector& minimum() const { return minimum_; }  ///< θ* of L_λ
  const ParameterMatrix& hessian() const { return hessian_; }  ///< of L_λ there

  /// L_λ and its derivatives.
  double loss(const ParameterVector& theta) const;
  ParameterVector gradient(const ParameterVector& theta) const;
  ParameterMatrix hessian(const ParameterVector& theta) const;
  /// −k ∇L_λ; of the map −∇L_λ.
  ParameterVector force(const ParameterVector& theta) const;
  /// D(θ); of the map Σ(θ)/S. Throws SpecError naming θ if it has a negative eigenvalue or is not finite.
  ParameterMatrix diffusion(const ParameterVector& theta) const;
  bool has_constant_noise() const { return process_.noise->is_constant(); }

  /// The process linearised at the minimum, in the parameters of the user.
  LinearProcess linearized() const;

 private:
  void find_minimum(const ParameterVector& guess);

  CoupledProcess process_;
  ParameterVector minimum_;
  ParameterMatrix hessian_;
};

/// "x1 = 0.5, x2 = -1": for messages.
std::string place_text(const ParameterVector& theta);

}  // namespace underdamp
