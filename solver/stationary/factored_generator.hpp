#pragma once
#include <complex>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <Eigen/Sparse>

#include "kernels/contract/backend.hpp"
#include "solver/model/tables.hpp"
#include "solver/stationary/sparse_factors.hpp"

/// The generator L_h of one plane as a sparse matrix, and (L_h − σ)⁻¹ by its LU factors (docs/method.md, section 10).
namespace underdamp {

/// The generator with rows and columns in the order of elimination.
class OrderedGenerator {
 public:
  using Matrix = SparseFactors::Matrix;
  using Vector = Eigen::VectorXd;

  OrderedGenerator(const PhaseMesh& mesh, const Tables& tables);

  const Matrix& matrix() const { return matrix_; }
  /// A field, in the order of FieldView, in the order of elimination; and back.
  Vector ordered(std::span<const double> values) const;
  Eigen::VectorXcd ordered(const Eigen::VectorXcd& values) const { return place_ * values; }
  Eigen::VectorXcd unordered(const Eigen::VectorXcd& vector) const { return place_.transpose() * vector; }
  Vector unordered(const Vector& vector) const { return place_.transpose() * vector; }

 private:
  SparseMatrix csr_;
  Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, int> place_;
  Matrix matrix_;
};

/// Keeps a reference to `poll`, which is called before each solution.
class ShiftedInverse {
 public:
  using Matrix = OrderedGenerator::Matrix;
  using Vector = OrderedGenerator::Vector;

  /// Throws Error (numerical) if the matrix cannot be factored.
  ShiftedInverse(const Matrix& generator, double shift, const std::function<void()>& poll);

  Vector solve(const Vector& right) const;
  long solves() const { return solves_; }

 private:
  std::unique_ptr<SparseFactors> factors_;
  const std::function<void()>& poll_;
  mutable long solves_ = 0;
};

/// The same for a complex shift, which finds the modes that oscillate.
class ComplexShiftedInverse {
 public:
  ComplexShiftedInverse(const OrderedGenerator::Matrix& generator, std::complex<double> shift,
                        const std::function<void()>& poll);

  std::complex<double> shift() const { return shift_; }
  Eigen::VectorXcd solve(const Eigen::VectorXcd& right) const;
  long solves() const { return solves_; }

 private:
  std::complex<double> shift_;
  std::unique_ptr<ComplexFactors> factors_;
  const std::function<void()>& poll_;
  mutable long solves_ = 0;
};

}  // namespace underdamp
