#pragma once
#include <complex>
#include <memory>

#include <Eigen/Core>

#include "solver/stationary/stationary_problem.hpp"
#include "solver/step/propagator.hpp"

namespace underdamp {

/// Fields on the device as vectors of the host, in the order of FieldView.
class VectorSpace {
 public:
  using Vector = Eigen::VectorXd;

  /// Keeps a reference to the problem.
  explicit VectorSpace(const StationaryProblem& problem);

  double area() const { return problem_.plane().cell_area(); }
  double norm(const Vector& vector) const { return vector.lpNorm<1>() * area(); }
  double mass(const Vector& vector) const { return measure_.dot(vector); }
  std::complex<double> mass(const Eigen::VectorXcd& vector) const {
    return {measure_.dot(vector.real()), measure_.dot(vector.imag())};
  }

  Vector propagated(Propagator& propagator, const Vector& vector);
  /// Estimated error that one window adds to `vector`.
  Vector window_defect(Propagator& propagator, const Vector& vector);
  /// ⟨y, L_h y⟩/⟨y, y⟩ with the matrix-free generator.
  std::complex<double> rayleigh_quotient(const Vector& re, const Vector& im);

 private:
  Vector read(const Field& field);
  Vector generated(const Vector& vector);

  const StationaryProblem& problem_;
  std::unique_ptr<Field> from_;
  std::unique_ptr<Field> to_;
  std::unique_ptr<GeneratorPlan> generator_;
  Vector measure_;  ///< [cell] its share of an integral
};

/// [cell] area times theta_weights(): the product with a field is its integral.
Eigen::VectorXd cell_measure(const PhaseMesh& mesh);

std::span<const double> span_of(const Eigen::VectorXd& vector);

}  // namespace underdamp
