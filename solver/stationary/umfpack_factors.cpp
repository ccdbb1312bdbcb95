#include <dlfcn.h>

#include <cstdlib>
#include <mutex>

#include <Eigen/UmfPackSupport>

#include "solver/stationary/sparse_factors.hpp"

namespace underdamp {
namespace {

/// UMFPACK's fronts are many and small where an entry has none opposite the diagonal: zeros are put there.
template <class Scalar>
Eigen::SparseMatrix<Scalar> with_symmetric_pattern(const Eigen::SparseMatrix<Scalar>& matrix) {
  const Eigen::SparseMatrix<Scalar> opposite = matrix.transpose() * Scalar(0.0);
  return matrix + opposite;
}

template <class Scalar>
class UmfpackFactors final : public SparseFactorsOf<Scalar> {
 public:
  using typename SparseFactorsOf<Scalar>::Matrix;
  using typename SparseFactorsOf<Scalar>::Vector;

  explicit UmfpackFactors(const Matrix& matrix) : matrix_(with_symmetric_pattern(matrix)) {
    auto& control = solver_.umfpackControl();
    control[UMFPACK_STRATEGY] = UMFPACK_STRATEGY_SYMMETRIC;
    control[UMFPACK_ORDERING] = UMFPACK_ORDERING_NONE;  // it is in a good order already
    control[UMFPACK_IRSTEP] = 0;                        // inverse iteration refines by itself
    solver_.compute(matrix_);
  }
  bool succeeded() const { return solver_.info() == Eigen::Success; }
  Vector solve(const Vector& right) const override { return solver_.solve(right); }

 private:
  Matrix matrix_;  // UMFPACK reads it again when it solves
  Eigen::UmfPackLU<Matrix> solver_;
};

/// The dense blocks of these factors are small: threads of OpenBLAS wait for each other longer than they work. Unless
/// OPENBLAS_NUM_THREADS is set, one serves.
void keep_openblas_to_one_thread() {
  if (std::getenv("OPENBLAS_NUM_THREADS") != nullptr) return;
  using SetThreads = void (*)(int);
  const auto set_threads = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (set_threads != nullptr) set_threads(1);
}

template <class Scalar>
std::unique_ptr<SparseFactorsOf<Scalar>> factors_of(const Eigen::SparseMatrix<Scalar>& matrix) {
  static std::once_flag once;
  std::call_once(once, keep_openblas_to_one_thread);
  auto factors = std::make_unique<UmfpackFactors<Scalar>>(matrix);
  if (!factors->succeeded()) return nullptr;
  return factors;
}

}  // namespace

std::unique_ptr<SparseFactors> factor(const SparseFactors::Matrix& matrix) {
  return factors_of(matrix);
}
std::unique_ptr<ComplexFactors> factor(const ComplexFactors::Matrix& matrix) {
  return factors_of(matrix);
}

}  // namespace underdamp
