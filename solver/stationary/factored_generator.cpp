#include "solver/stationary/factored_generator.hpp"

#include "meshes/error.hpp"
#include "solver/stationary/nested_dissection.hpp"

namespace underdamp {
namespace {

[[noreturn]] void not_factored() {
  throw Error(ExitCode::numerical, "the sparse LU factorisation of the generator failed", {},
              "use fewer cells, or stationary.method = \"arnoldi\"");
}

/// Cells that the rows of L_h connect.
ConnectedGrid connections(const PhaseMesh& mesh) {
  const ThetaWalls& walls = mesh.walls();
  const auto zone = [&](ThetaBoundary boundary, bool is_pressed) {
    if (boundary != ThetaBoundary::reflecting) return 0;
    return is_pressed ? wall_generator_reach(mesh) : generator_theta_reach;
  };
  return {mesh.theta_cells(),
          mesh.velocity_cells(),
          generator_theta_reach,
          generator_velocity_reach,
          walls.is_periodic(),
          zone(walls.lower, walls.lower_pressed),
          zone(walls.upper, walls.upper_pressed)};
}

}  // namespace

OrderedGenerator::OrderedGenerator(const PhaseMesh& mesh, const Tables& tables)
    : csr_(assemble_generator(mesh.plane(0), mesh.walls(), tables.friction[0], tables.force, tables.diffusion)) {
  const auto order = nested_dissection(connections(mesh));
  place_.resize(static_cast<Eigen::Index>(order.size()));
  for (std::size_t k = 0; k < order.size(); ++k) place_.indices()[order[k]] = static_cast<int>(k);
  using Rows = Eigen::SparseMatrix<double, Eigen::RowMajor, int>;
  const Eigen::Map<const Rows> rows(csr_.rows(), csr_.rows(), static_cast<Eigen::Index>(csr_.value.size()),
                                    csr_.row_begin.data(), csr_.column.data(), csr_.value.data());
  matrix_ = place_ * Matrix(rows) * place_.transpose();
}

OrderedGenerator::Vector OrderedGenerator::ordered(std::span<const double> values) const {
  return place_ * Eigen::Map<const Vector>(values.data(), static_cast<Eigen::Index>(values.size()));
}

ShiftedInverse::ShiftedInverse(const Matrix& generator, double shift, const std::function<void()>& poll) : poll_(poll) {
  Matrix identity(generator.rows(), generator.cols());
  identity.setIdentity();
  factors_ = factor(Matrix(generator - shift * identity));
  if (!factors_) not_factored();
}

ComplexShiftedInverse::ComplexShiftedInverse(const OrderedGenerator::Matrix& generator, std::complex<double> shift,
                                             const std::function<void()>& poll)
    : shift_(shift), poll_(poll) {
  ComplexFactors::Matrix identity(generator.rows(), generator.cols());
  identity.setIdentity();
  factors_ = factor(ComplexFactors::Matrix(generator.cast<std::complex<double>>() - shift * identity));
  if (!factors_) not_factored();
}

Eigen::VectorXcd ComplexShiftedInverse::solve(const Eigen::VectorXcd& right) const {
  poll_();
  ++solves_;
  return factors_->solve(right);
}

OrderedGenerator::Vector ShiftedInverse::solve(const Vector& right) const {
  poll_();
  ++solves_;
  return factors_->solve(right);
}

}  // namespace underdamp
