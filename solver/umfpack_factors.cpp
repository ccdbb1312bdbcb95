#include <utility>

#include <Eigen/UmfPackSupport>

#include "solver/sparse_factors.hpp"

namespace underdamp {
namespace {

class UmfpackFactors final : public SparseFactors {
 public:
  explicit UmfpackFactors(Matrix matrix) : matrix_(std::move(matrix)) {
    auto& control = solver_.umfpackControl();
    control[UMFPACK_STRATEGY] = UMFPACK_STRATEGY_SYMMETRIC;
    control[UMFPACK_ORDERING] = UMFPACK_ORDERING_NONE;  // it is in a good order already
    control[UMFPACK_IRSTEP] = 0;                        // inverse iteration refines by itself
    solver_.compute(matrix_);
  }
  bool succeeded() const { return solver_.info() == Eigen::Success; }
  Eigen::VectorXd solve(const Eigen::VectorXd& right) const override { return solver_.solve(right); }

 private:
  Matrix matrix_;  // UMFPACK reads it again when it solves
  Eigen::UmfPackLU<Matrix> solver_;
};

}  // namespace

std::unique_ptr<SparseFactors> factor(SparseFactors::Matrix matrix) {
  auto factors = std::make_unique<UmfpackFactors>(std::move(matrix));
  if (!factors->succeeded()) return nullptr;
  return factors;
}

}  // namespace underdamp
