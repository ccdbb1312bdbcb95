#pragma once
#include <algorithm>
#include <complex>
#include <functional>
#include <numeric>
#include <type_traits>
#include <vector>

#include <Eigen/Eigenvalues>

namespace underdamp {

/// A growing Krylov space of a linear operator and what it says of the eigenpairs (Arnoldi iteration without restarts).
template <class Scalar>
class KrylovSpace {
 public:
  using Complex = std::complex<double>;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  using Operator = std::function<Vector(const Vector&)>;

  /// `most`: times that the operator is applied at most; less than the length of `start`, which is not 0.
  KrylovSpace(Operator apply, const Vector& start, Eigen::Index most)
      : apply_(std::move(apply)), basis_(start.size(), most + 1), hessenberg_(Matrix::Zero(most + 1, most)) {
    basis_.col(0) = start / start.norm();
  }

  /// Eigenvalues there are; none if the operator has given what is not finite.
  Eigen::Index size() const { return is_finite_ ? size_ : 0; }
  bool is_full() const { return is_invariant_ || !is_finite_ || size_ == hessenberg_.cols(); }

  void grow(Eigen::Index steps) {
    for (Eigen::Index k = 0; k < steps && !is_full(); ++k) add_vector();
    using Solver = std::conditional_t<std::is_same_v<Scalar, double>, Eigen::EigenSolver<Matrix>,
                                      Eigen::ComplexEigenSolver<Matrix>>;
    const Solver solver(hessenberg_.topLeftCorner(size_, size_));
    is_finite_ = solver.info() == Eigen::Success;
    if (!is_finite_) return;
    values_ = solver.eigenvalues();
    vectors_ = solver.eigenvectors();
    order_.resize(static_cast<std::size_t>(size_));
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(),
                     [&](Eigen::Index a, Eigen::Index b) { return std::abs(values_[a]) > std::abs(values_[b]); });
  }

  /// k-th largest eigenvalue, its vector, and its residual relative to it.
  Complex value(std::size_t k) const { return values_[order_[k]]; }
  Eigen::VectorXcd vector(std::size_t k) const { return basis_.leftCols(size_) * vectors_.col(order_[k]); }
  double residual(std::size_t k) const {
    const double last = std::abs(vectors_(size_ - 1, order_[k]));
    return std::abs(hessenberg_(size_, size_ - 1)) * last / std::abs(value(k));
  }

 private:
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

  void add_vector() {
    Vector next = apply_(basis_.col(size_));
    const double scale = next.norm();
    for (int turn = 0; turn < 2; ++turn) {  // twice is enough
      const Vector overlap = basis_.leftCols(size_ + 1).adjoint() * next;
      next -= basis_.leftCols(size_ + 1) * overlap;
      hessenberg_.col(size_).head(size_ + 1) += overlap;
    }
    const double rest = next.norm();
    hessenberg_(size_ + 1, size_) = rest;
    ++size_;
    constexpr double negligible = 1e-14;
    is_invariant_ = !(rest > negligible * scale);
    if (!is_invariant_) basis_.col(size_) = next / rest;
  }

  Operator apply_;
  Matrix basis_;
  Matrix hessenberg_;
  Eigen::Index size_ = 0;
  bool is_invariant_ = false;
  bool is_finite_ = true;
  Eigen::VectorXcd values_;
  Eigen::MatrixXcd vectors_;
  std::vector<Eigen::Index> order_;
};

}  // namespace underdamp
