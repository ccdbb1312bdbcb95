#include "solver/stationary/vector_space.hpp"

#include "kernels/contract/backend.hpp"
#include "meshes/cell_index.hpp"

namespace underdamp {

Eigen::VectorXd cell_measure(const PhaseMesh& mesh) {
  const auto weights = theta_weights(mesh);
  const CellIndex cell(mesh);
  Eigen::VectorXd measure(static_cast<Eigen::Index>(mesh.shape().cells()));
  for (Eigen::Index k = 0; k < measure.size(); ++k) measure[k] = weights[cell.row(k)] * mesh.plane(0).cell_area();
  return measure;
}

std::span<const double> span_of(const Eigen::VectorXd& vector) {
  return {vector.data(), static_cast<std::size_t>(vector.size())};
}

VectorSpace::VectorSpace(const StationaryProblem& problem)
    : problem_(problem),
      from_(problem.backend.fields().allocate(problem.mesh.shape())),
      to_(problem.backend.fields().allocate(problem.mesh.shape())),
      measure_(cell_measure(problem.mesh)) {}

VectorSpace::Vector VectorSpace::propagated(Propagator& propagator, const Vector& vector) {
  problem_.backend.fields().upload(span_of(vector), *from_);
  propagator.apply(*from_);
  return read(*from_);
}

VectorSpace::Vector VectorSpace::window_defect(Propagator& propagator, const Vector& vector) {
  problem_.backend.fields().upload(span_of(vector), *from_);
  propagator.window_defect(*from_, *to_);
  return read(*to_);
}

std::complex<double> VectorSpace::rayleigh_quotient(const Vector& re, const Vector& im) {
  const Tables& tables = problem_.tables;
  if (!generator_)
    generator_ =
        problem_.backend.generators().plan_generator(problem_.mesh, {tables.friction, tables.force, tables.diffusion});
  const Vector l_re = generated(re);
  const Vector l_im = generated(im);
  const double norm = re.squaredNorm() + im.squaredNorm();
  return {(re.dot(l_re) + im.dot(l_im)) / norm, (re.dot(l_im) - im.dot(l_re)) / norm};
}

VectorSpace::Vector VectorSpace::read(const Field& field) {
  Vector values(static_cast<Eigen::Index>(field.shape().cells()));
  problem_.backend.fields().download(field, {values.data(), static_cast<std::size_t>(values.size())});
  return values;
}

VectorSpace::Vector VectorSpace::generated(const Vector& vector) {
  problem_.backend.fields().upload(span_of(vector), *from_);
  problem_.backend.generators().apply_generator(*generator_, *from_, *to_);
  return read(*to_);
}

}  // namespace underdamp
