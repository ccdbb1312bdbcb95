#pragma once
#include <string>
#include <vector>

#include <Eigen/Dense>

#include "solver/spec.hpp"

namespace underdamp {

/// One eigenmode of the Hessian of a linear regression.
struct HessianMode {
  int number = 0;           ///< from 1, largest eigenvalue first
  double eigenvalue = 0.0;  ///< ρ
  double minimum = 0.0;     ///< component of the unregularised minimiser: u·θ*, 0 if ρ = 0
  double noise = 0.0;       ///< uᵀ Σ u, Σ the covariance of the gradient of one example at the minimiser of L_λ
};

/// Linear regression on a CSV file: L(θ) = |X θ − y|² / (2N), H = XᵀX/N = U diag(ρ) Uᵀ.
class Dataset {
 public:
  /// All columns but `target` are features. With `standardize` features and target get mean 0 and variance 1 (1/N).
  /// Throws Error (bad_input) naming the file and column that cannot be used.
  Dataset(const LossSpec& loss, double weight_decay);

  const Eigen::MatrixXd& features() const { return features_; }     ///< X, N × d
  const Eigen::VectorXd& target() const { return target_; }         ///< y, N
  const Eigen::MatrixXd& eigenvectors() const { return vectors_; }  ///< U, one mode per column, in order
  const std::vector<HessianMode>& modes() const { return modes_; }
  const std::vector<std::string>& feature_names() const { return names_; }
  /// Largest |Σ_lm| / √(Σ_ll Σ_mm) between modes: what treating them as independent leaves out.
  double noise_coupling() const { return noise_coupling_; }

 private:
  void decompose(double weight_decay);

  Eigen::MatrixXd features_;
  Eigen::VectorXd target_;
  Eigen::MatrixXd vectors_;
  std::vector<HessianMode> modes_;
  std::vector<std::string> names_;
  double noise_coupling_ = 0.0;
};

}  // namespace underdamp
