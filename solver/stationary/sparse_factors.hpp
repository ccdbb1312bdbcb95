#pragma once
#include <complex>
#include <memory>

#include <Eigen/Sparse>

namespace underdamp {

/// LU factors of a sparse matrix whose rows and columns are in the order of elimination already.
template <class Scalar>
class SparseFactorsOf {
 public:
  using Matrix = Eigen::SparseMatrix<Scalar>;  // by columns
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;

  virtual ~SparseFactorsOf() = default;
  virtual Vector solve(const Vector& right) const = 0;
};
using SparseFactors = SparseFactorsOf<double>;
using ComplexFactors = SparseFactorsOf<std::complex<double>>;

/// By UMFPACK, or by Eigen in a build without it. Null if the matrix could not be factored: singular, or no memory
/// left.
std::unique_ptr<SparseFactors> factor(const SparseFactors::Matrix& matrix);
std::unique_ptr<ComplexFactors> factor(const ComplexFactors::Matrix& matrix);

/// By Eigen's supernodal LU: the same answers in 1.3 (256² cells) to 1.5 (512²) times the time.
std::unique_ptr<SparseFactors> factor_by_eigen(const SparseFactors::Matrix& matrix);
std::unique_ptr<ComplexFactors> factor_by_eigen(const ComplexFactors::Matrix& matrix);

}  // namespace underdamp
