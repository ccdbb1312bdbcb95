#include "solver/landscape/dataset.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "solver/io/diagnostics.hpp"

namespace underdamp {
namespace {

/// Mean 0, variance 1; empty if the column is constant.
Eigen::VectorXd standardized(const Eigen::VectorXd& column) {
  const Eigen::VectorXd centred = column.array() - column.mean();
  const double variance = centred.squaredNorm() / static_cast<double>(column.size());
  const double scale = column.array().abs().maxCoeff();
  if (!(variance > 1e-24 * scale * scale)) return {};
  return centred / std::sqrt(variance);
}

}  // namespace

RegressionData regression_data(const CsvTable& table, const std::string& target, bool standardize) {
  RegressionData data;
  for (const std::string& name : table.given_names()) {
    if (name != target) data.names.push_back(name);
  }
  if (data.names.empty()) refuse(table.path(), "", "there is no column besides the target", "add features");
  if (data.names.size() > most_features) {
    refuse(table.path(), "", fmt::format("{} features are too many, the limit is {}", data.names.size(), most_features),
           "use fewer columns");
  }
  std::vector<std::string> names = data.names;
  names.push_back(target);
  const auto values = table.numbers(names);
  data.features.resize(static_cast<Eigen::Index>(table.rows()), static_cast<Eigen::Index>(data.names.size()));
  Diagnostics problems(10);
  for (std::size_t c = 0; c < names.size(); ++c) {
    Eigen::VectorXd column =
        Eigen::Map<const Eigen::VectorXd>(values[c].data(), static_cast<Eigen::Index>(values[c].size()));
    if (standardize) column = standardized(column);
    if (column.size() == 0) {
      problems.add(table.path(), "", "column \"" + names[c] + "\" is constant and cannot be standardised",
                   "remove the column, or set standardize = false");
    } else if (c < data.names.size()) {
      data.features.col(static_cast<Eigen::Index>(c)) = column;
    } else {
      data.target = column;
    }
  }
  problems.throw_if_any();
  return data;
}

Dataset::Dataset(std::shared_ptr<const RegressionData> data, double weight_decay) : data_(std::move(data)) {
  const Eigen::MatrixXd& features = data_->features;
  const Eigen::VectorXd& target = data_->target;
  const auto n = static_cast<double>(features.rows());
  const Eigen::Index d = features.cols();
  const Eigen::MatrixXd hessian = features.transpose() * features / n;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(hessian);  // eigenvalues in increasing order
  vectors_ = solver.eigenvectors().rowwise().reverse();
  const Eigen::VectorXd eigenvalues = solver.eigenvalues().reverse();
  for (Eigen::Index l = 0; l < d; ++l) {  // the largest component is positive, so that signs repeat
    Eigen::Index largest = 0;
    vectors_.col(l).cwiseAbs().maxCoeff(&largest);
    if (vectors_(largest, l) < 0.0) vectors_.col(l) *= -1.0;
  }
  const Eigen::VectorXd slope = vectors_.transpose() * (features.transpose() * target) / n;
  const double zero = 1e-13 * eigenvalues[0];
  Eigen::VectorXd minimiser(d);  // of L_λ, in mode coordinates
  for (Eigen::Index l = 0; l < d; ++l) {
    const double rho = eigenvalues[l] > zero ? eigenvalues[l] : 0.0;
    modes_.push_back({static_cast<int>(l) + 1, rho, rho > 0.0 ? slope[l] / rho : 0.0, 0.0});
    minimiser[l] = rho + weight_decay > 0.0 ? slope[l] / (rho + weight_decay) : 0.0;
  }
  // Per-example gradients at the minimiser of L_λ, projected: g_n = Uᵀ x_n (x_n·θ − y_n).
  const Eigen::VectorXd residual = features * (vectors_ * minimiser) - target;
  Eigen::MatrixXd gradients = residual.asDiagonal() * (features * vectors_);
  gradients.rowwise() -= gradients.colwise().mean();
  mode_noise_ = gradients.transpose() * gradients / n;
  const Eigen::MatrixXd& covariance = mode_noise_;
  for (Eigen::Index l = 0; l < d; ++l) {
    modes_[static_cast<std::size_t>(l)].noise = covariance(l, l);
    for (Eigen::Index m = 0; m < l; ++m) {
      const double scale = std::sqrt(covariance(l, l) * covariance(m, m));
      const double correlation = scale > 0.0 ? std::abs(covariance(l, m)) / scale : 0.0;
      if (correlation > noise_coupling_.correlation)
        noise_coupling_ = {correlation, static_cast<int>(m) + 1, static_cast<int>(l) + 1};
    }
  }
}

}  // namespace underdamp
