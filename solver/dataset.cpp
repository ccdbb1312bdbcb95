#include "solver/dataset.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/csv.hpp"

namespace underdamp {
namespace {

/// Mean 0, variance 1.
Eigen::VectorXd standardized(const Eigen::VectorXd& column, const std::string& name, const std::string& file) {
  const Eigen::VectorXd centred = column.array() - column.mean();
  const double variance = centred.squaredNorm() / static_cast<double>(column.size());
  const double scale = column.array().abs().maxCoeff();
  if (!(variance > 1e-24 * scale * scale)) {
    throw Error(ExitCode::bad_input, "column \"" + name + "\" is constant and cannot be standardised", file,
                "remove the column, or set standardize = false");
  }
  return centred / std::sqrt(variance);
}

}  // namespace

Dataset::Dataset(const LossSpec& loss, double weight_decay) {
  const CsvTable table = CsvTable::read(loss.file);
  const auto column = [&](const std::string& name) {
    const std::vector<double> values = table.numbers(name);
    const Eigen::VectorXd vector =
        Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
    return loss.standardize ? standardized(vector, name, loss.file) : vector;
  };
  target_ = column(loss.target);
  for (const std::string& name : table.names()) {
    if (name != loss.target) names_.push_back(name);
  }
  if (names_.empty()) {
    throw Error(ExitCode::bad_input, "there is no column besides the target", loss.file, "add features");
  }
  constexpr std::size_t largest = 5000;
  if (names_.size() > largest) {
    throw Error(ExitCode::bad_input, fmt::format("{} features are too many, the limit is {}", names_.size(), largest),
                loss.file, "use fewer columns");
  }
  features_.resize(target_.size(), static_cast<Eigen::Index>(names_.size()));
  for (std::size_t c = 0; c < names_.size(); ++c) features_.col(static_cast<Eigen::Index>(c)) = column(names_[c]);
  decompose(weight_decay);
}

void Dataset::decompose(double weight_decay) {
  const auto n = static_cast<double>(features_.rows());
  const Eigen::Index d = features_.cols();
  const Eigen::MatrixXd hessian = features_.transpose() * features_ / n;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(hessian);  // eigenvalues in increasing order
  vectors_ = solver.eigenvectors().rowwise().reverse();
  const Eigen::VectorXd eigenvalues = solver.eigenvalues().reverse();
  for (Eigen::Index l = 0; l < d; ++l) {  // the largest component is positive, so that signs repeat
    Eigen::Index largest = 0;
    vectors_.col(l).cwiseAbs().maxCoeff(&largest);
    if (vectors_(largest, l) < 0.0) vectors_.col(l) *= -1.0;
  }
  const Eigen::VectorXd slope = vectors_.transpose() * (features_.transpose() * target_) / n;
  const double zero = 1e-13 * eigenvalues[0];
  Eigen::VectorXd minimiser(d);  // of L_λ, in mode coordinates
  for (Eigen::Index l = 0; l < d; ++l) {
    const double rho = eigenvalues[l] > zero ? eigenvalues[l] : 0.0;
    modes_.push_back({static_cast<int>(l) + 1, rho, rho > 0.0 ? slope[l] / rho : 0.0, 0.0});
    minimiser[l] = rho + weight_decay > 0.0 ? slope[l] / (rho + weight_decay) : 0.0;
  }
  // Per-example gradients at the minimiser of L_λ, projected: g_n = Uᵀ x_n (x_n·θ − y_n).
  const Eigen::VectorXd residual = features_ * (vectors_ * minimiser) - target_;
  Eigen::MatrixXd gradients = residual.asDiagonal() * (features_ * vectors_);
  gradients.rowwise() -= gradients.colwise().mean();
  const Eigen::MatrixXd covariance = gradients.transpose() * gradients / n;
  for (Eigen::Index l = 0; l < d; ++l) {
    modes_[static_cast<std::size_t>(l)].noise = covariance(l, l);
    for (Eigen::Index m = 0; m < l; ++m) {
      const double scale = std::sqrt(covariance(l, l) * covariance(m, m));
      if (scale > 0.0) noise_coupling_ = std::max(noise_coupling_, std::abs(covariance(l, m)) / scale);
    }
  }
}

}  // namespace underdamp
