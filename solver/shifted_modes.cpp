#include "solver/shifted_modes.hpp"

#include <algorithm>
#include <numeric>

#include <Eigen/Eigenvalues>

namespace underdamp {
namespace {

using Complex = std::complex<double>;
using Vector = Eigen::VectorXcd;
using Matrix = Eigen::MatrixXcd;

/// A growing Krylov space of (L_h − σ)⁻¹ and what it says of the eigenpairs.
class KrylovSpace {
 public:
  KrylovSpace(const ComplexShiftedInverse& inverse, const Vector& start, Eigen::Index most)
      : inverse_(inverse), basis_(start.size(), most + 1), hessenberg_(Matrix::Zero(most + 1, most)) {
    basis_.col(0) = start / start.norm();
  }

  Eigen::Index size() const { return size_; }
  bool is_full() const { return is_invariant_ || size_ == hessenberg_.cols(); }

  void grow(Eigen::Index steps) {
    for (Eigen::Index k = 0; k < steps && !is_full(); ++k) add_vector();
    solver_.compute(hessenberg_.topLeftCorner(size_, size_));
    order_.resize(static_cast<std::size_t>(size_));
    std::iota(order_.begin(), order_.end(), 0);
    const Vector& values = solver_.eigenvalues();
    std::sort(order_.begin(), order_.end(),
              [&](Eigen::Index a, Eigen::Index b) { return std::abs(values[a]) > std::abs(values[b]); });
  }

  /// k-th largest eigenvalue of the inverse, its vector, and its residual relative to it.
  Complex value(std::size_t k) const { return solver_.eigenvalues()[order_[k]]; }
  Vector vector(std::size_t k) const { return basis_.leftCols(size_) * solver_.eigenvectors().col(order_[k]); }
  double residual(std::size_t k) const {
    const double last = std::abs(solver_.eigenvectors()(size_ - 1, order_[k]));
    return std::abs(hessenberg_(size_, size_ - 1)) * last / std::abs(value(k));
  }

 private:
  void add_vector() {
    Vector next = inverse_.solve(basis_.col(size_));
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

  const ComplexShiftedInverse& inverse_;
  Matrix basis_;
  Matrix hessenberg_;
  Eigen::Index size_ = 0;
  bool is_invariant_ = false;
  Eigen::ComplexEigenSolver<Matrix> solver_;
  std::vector<Eigen::Index> order_;
};

}  // namespace

std::vector<Eigenpair> eigenpairs_near(const ComplexShiftedInverse& inverse, Complex shift, int wanted,
                                       const std::function<double(const std::vector<Complex>&)>& fastest,
                                       const Vector& start) {
  constexpr double tolerance = 1e-9;
  constexpr Eigen::Index most = 60;
  constexpr Eigen::Index between_looks = 3;
  KrylovSpace space(inverse, start, std::min<Eigen::Index>(start.size() - 1, std::max<Eigen::Index>(most, 3 * wanted)));
  const auto count = [&] { return std::min(static_cast<std::size_t>(wanted), static_cast<std::size_t>(space.size())); };
  const auto is_found = [&] {
    std::vector<Complex> converged;
    for (std::size_t k = 0; k < count(); ++k) {
      if (space.residual(k) <= tolerance) converged.push_back(shift + 1.0 / space.value(k));
    }
    const double decay = fastest(converged);
    constexpr double rough = 1e-2;  // good enough to tell how fast it decays
    for (std::size_t k = 0; k < count(); ++k) {
      const double residual = space.residual(k);
      const bool matters = !(residual <= rough) || -(shift + 1.0 / space.value(k)).real() < decay;
      if (matters && !(residual <= tolerance)) return false;
    }
    return true;
  };
  space.grow(wanted + between_looks);
  while (!is_found() && !space.is_full()) space.grow(between_looks);
  std::vector<Eigenpair> pairs;
  for (std::size_t k = 0; k < count(); ++k) {
    if (space.residual(k) <= tolerance) pairs.push_back({shift + 1.0 / space.value(k), space.vector(k)});
  }
  return pairs;
}

}  // namespace underdamp
