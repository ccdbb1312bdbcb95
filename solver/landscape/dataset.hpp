#pragma once
#include <memory>
#include <string>
#include <vector>

#include <Eigen/Dense>

#include "solver/io/csv.hpp"

namespace underdamp {

/// One eigenmode of the Hessian of a linear regression.
struct HessianMode {
  int number = 0;           ///< from 1, largest eigenvalue first
  double eigenvalue = 0.0;  ///< ρ
  double minimum = 0.0;     ///< component of the unregularised minimiser: u·θ*, 0 if ρ = 0
  double noise = 0.0;       ///< uᵀ Σ u, Σ the covariance of the gradient of one example at the minimiser of L_λ
};

/// What linear regression is done on.
struct RegressionData {
  std::vector<std::string> names;  ///< of the features
  Eigen::MatrixXd features;        ///< X, N × d
  Eigen::VectorXd target;          ///< y, N
};

inline constexpr std::size_t most_features = 5000;  ///< of a dataset, and so planes of a batch

/// All columns but `target` are features. With `standardize` features and target get mean 0 and variance 1 (1/N).
/// Throws SpecError naming the file and the columns that cannot be used.
RegressionData regression_data(const CsvTable& table, const std::string& target, bool standardize);

/// The largest correlation |Σ_lm| / √(Σ_ll Σ_mm) of the gradient noise of two modes, and which they are.
struct NoiseCoupling {
  double correlation = 0.0;
  int first = 0;
  int second = 0;
};

/// Linear regression: L(θ) = |X θ − y|² / (2N), H = XᵀX/N = U diag(ρ) Uᵀ.
class Dataset {
 public:
  Dataset(std::shared_ptr<const RegressionData> data, double weight_decay);

  const Eigen::MatrixXd& features() const { return data_->features; }  ///< X, N × d
  const Eigen::VectorXd& target() const { return data_->target; }      ///< y, N
  const Eigen::MatrixXd& eigenvectors() const { return vectors_; }     ///< U, one mode per column, in order
  const std::vector<HessianMode>& modes() const { return modes_; }
  /// Uᵀ Σ U: covariance of the gradient of one example at the minimiser of L_λ between all modes, in order.
  const Eigen::MatrixXd& mode_noise() const { return mode_noise_; }
  /// What treating the modes as independent leaves out.
  const NoiseCoupling& noise_coupling() const { return noise_coupling_; }

 private:
  std::shared_ptr<const RegressionData> data_;
  Eigen::MatrixXd vectors_;
  std::vector<HessianMode> modes_;
  Eigen::MatrixXd mode_noise_;
  NoiseCoupling noise_coupling_;
};

}  // namespace underdamp
