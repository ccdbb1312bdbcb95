#include "solver/landscape/not_a_knot.hpp"

#include <algorithm>

#include <Eigen/SparseLU>

namespace underdamp {

struct NotAKnot::Factors {
  Eigen::SparseLU<Eigen::SparseMatrix<double>> solver;
};

NotAKnot::~NotAKnot() = default;

NotAKnot::NotAKnot(std::vector<double> knots) : x_(std::move(knots)), factors_(std::make_unique<Factors>()) {
  const auto n = static_cast<Eigen::Index>(x_.size());
  const auto h = [&](Eigen::Index i) { return x_[static_cast<std::size_t>(i) + 1] - x_[static_cast<std::size_t>(i)]; };
  std::vector<Eigen::Triplet<double>> entries;
  const auto not_a_knot = [&](Eigen::Index row, Eigen::Index left) {
    entries.emplace_back(row, left, h(left + 1));
    entries.emplace_back(row, left + 1, -(h(left) + h(left + 1)));
    entries.emplace_back(row, left + 2, h(left));
  };
  not_a_knot(0, 0);
  for (Eigen::Index i = 1; i + 1 < n; ++i) {
    entries.emplace_back(i, i - 1, h(i - 1));
    entries.emplace_back(i, i, 2.0 * (h(i - 1) + h(i)));
    entries.emplace_back(i, i + 1, h(i));
  }
  not_a_knot(n - 1, n - 3);
  Eigen::SparseMatrix<double> matrix(n, n);
  matrix.setFromTriplets(entries.begin(), entries.end());
  factors_->solver.compute(matrix);
}

Eigen::VectorXd NotAKnot::second_derivatives(const std::vector<double>& y) const {
  const auto n = static_cast<Eigen::Index>(x_.size());
  const auto slope = [&](Eigen::Index i) {
    const auto k = static_cast<std::size_t>(i);
    return (y[k + 1] - y[k]) / (x_[k + 1] - x_[k]);
  };
  Eigen::VectorXd right = Eigen::VectorXd::Zero(n);
  for (Eigen::Index i = 1; i + 1 < n; ++i) right[i] = 6.0 * (slope(i) - slope(i - 1));
  return factors_->solver.solve(right);
}

SplinePiece spline_piece(const std::vector<double>& x, double at) {
  const auto upper = std::upper_bound(x.begin() + 1, x.end() - 1, at);
  SplinePiece piece;
  piece.i = static_cast<std::size_t>(upper - x.begin()) - 1;
  const double h = x[piece.i + 1] - x[piece.i];
  const double b = (at - x[piece.i]) / h;
  const double a = 1.0 - b;
  const double share[2] = {a, b};
  const double sign[2] = {-1.0, 1.0};
  for (int k = 0; k < 2; ++k) {
    const double s = share[k];
    piece.of_value[0][k] = s;
    piece.of_value[1][k] = sign[k] / h;
    piece.of_second[0][k] = (s * s * s - s) * h * h / 6.0;
    piece.of_second[1][k] = sign[k] * (3.0 * s * s - 1.0) * h / 6.0;
    piece.of_second[2][k] = s;
  }
  return piece;
}

}  // namespace underdamp
