#include <Eigen/SparseLU>

#include "solver/sparse_factors.hpp"

namespace underdamp {
namespace {

class EigenFactors final : public SparseFactors {
 public:
  explicit EigenFactors(const Matrix& matrix) {
    // Pivots off the diagonal spoil the order of elimination: as in UMFPACK's symmetric strategy, the diagonal is taken
    // unless it is a thousand times smaller than the largest entry of its column.
    constexpr double least_pivot = 1e-3;
    solver_.setPivotThreshold(least_pivot);
    solver_.isSymmetric(true);
    solver_.analyzePattern(matrix);
    solver_.factorize(matrix);
  }
  bool succeeded() const { return solver_.info() == Eigen::Success; }
  Eigen::VectorXd solve(const Eigen::VectorXd& right) const override { return solver_.solve(right); }

 private:
  Eigen::SparseLU<Matrix, Eigen::NaturalOrdering<int>> solver_;
};

}  // namespace

std::unique_ptr<SparseFactors> factor_by_eigen(const SparseFactors::Matrix& matrix) {
  auto factors = std::make_unique<EigenFactors>(matrix);
  if (!factors->succeeded()) return nullptr;
  return factors;
}

}  // namespace underdamp
