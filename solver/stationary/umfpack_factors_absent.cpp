#include "solver/stationary/sparse_factors.hpp"

namespace underdamp {

std::unique_ptr<SparseFactors> factor(const SparseFactors::Matrix& matrix) {
  return factor_by_eigen(matrix);
}
std::unique_ptr<ComplexFactors> factor(const ComplexFactors::Matrix& matrix) {
  return factor_by_eigen(matrix);
}

}  // namespace underdamp
