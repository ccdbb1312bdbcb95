#include <Eigen/SparseLU>

#include "solver/stationary/sparse_factors.hpp"

namespace underdamp {
namespace {

template <class Scalar>
class EigenFactors final : public SparseFactorsOf<Scalar> {
 public:
  using typename SparseFactorsOf<Scalar>::Matrix;
  using typename SparseFactorsOf<Scalar>::Vector;

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
  Vector solve(const Vector& right) const override { return solver_.solve(right); }

 private:
  Eigen::SparseLU<Matrix, Eigen::NaturalOrdering<int>> solver_;
};

template <class Scalar>
std::unique_ptr<SparseFactorsOf<Scalar>> factors_of(const Eigen::SparseMatrix<Scalar>& matrix) {
  auto factors = std::make_unique<EigenFactors<Scalar>>(matrix);
  if (!factors->succeeded()) return nullptr;
  return factors;
}

}  // namespace

std::unique_ptr<SparseFactors> factor_by_eigen(const SparseFactors::Matrix& matrix) {
  return factors_of(matrix);
}
std::unique_ptr<ComplexFactors> factor_by_eigen(const ComplexFactors::Matrix& matrix) {
  return factors_of(matrix);
}

}  // namespace underdamp
