#include "solver/direct_stationary.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Sparse>
#include <Eigen/UmfPackSupport>
#include <Spectra/GenEigsSolver.h>

#include "kernels/backend.hpp"
#include "meshes/error.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;
using Matrix = Eigen::SparseMatrix<double>;  // by columns
using Vector = Eigen::VectorXd;

Matrix eigen_matrix(const SparseMatrix& csr) {
  const auto n = static_cast<Eigen::Index>(csr.rows());
  using Rows = Eigen::SparseMatrix<double, Eigen::RowMajor, int>;
  const Eigen::Map<const Rows> rows(n, n, static_cast<Eigen::Index>(csr.value.size()), csr.row_begin.data(), csr.column.data(),
                                    csr.value.data());
  return Matrix(rows);
}

/// (L_h − σ)⁻¹ by its LU factors.
class ShiftedInverse {
 public:
  using Scalar = double;

  ShiftedInverse(const Matrix& generator, double shift, const std::function<void()>& poll) : poll_(poll) {
    Matrix identity(generator.rows(), generator.cols());
    identity.setIdentity();
    shifted_ = generator - shift * identity;
    solver_.compute(shifted_);
    if (solver_.info() != Eigen::Success) {
      throw Error(ExitCode::numerical, "the sparse LU factorisation of the generator failed", {},
                  "use fewer cells, or method = \"arnoldi\"");
    }
  }
  Eigen::Index rows() const { return shifted_.rows(); }
  Eigen::Index cols() const { return shifted_.cols(); }
  void perform_op(const double* from, double* to) const {
    Eigen::Map<Vector>(to, rows()) = solve(Eigen::Map<const Vector>(from, rows()));
  }
  Vector solve(const Vector& right) const {
    poll_();
    ++solves_;
    return solver_.solve(right);
  }
  long solves() const { return solves_; }

 private:
  Matrix shifted_;
  Eigen::UmfPackLU<Matrix> solver_;
  const std::function<void()>& poll_;
  mutable long solves_ = 0;
};

/// Inverse iteration until ‖L p‖₁ stops falling.
double polish(const Matrix& generator, const ShiftedInverse& inverse, Vector& density, double area) {
  const auto normalise = [&] { density /= density.sum() * area; };
  normalise();
  double residual = (generator * density).lpNorm<1>() * area;
  for (int k = 0; k < 30; ++k) {
    const Vector before = density;
    density = inverse.solve(density);
    normalise();
    const double now = (generator * density).lpNorm<1>() * area;
    if (!(now < 0.9 * residual)) {
      if (!(now < residual)) density = before;
      return std::min(now, residual);
    }
    residual = now;
  }
  return residual;
}

std::vector<SpectralLine> slow_spectrum(const ShiftedInverse& inverse, double shift, int modes, const Vector& start) {
  const Eigen::Index wanted = modes + 1;
  const Eigen::Index basis = std::min<Eigen::Index>(inverse.rows() - 1, std::max<Eigen::Index>(2 * wanted + 8, 24));
  Spectra::GenEigsSolver<ShiftedInverse> solver(const_cast<ShiftedInverse&>(inverse), wanted, basis);
  solver.init(start.data());
  solver.compute(Spectra::SortRule::LargestMagn, 200, 1e-10);
  std::vector<SpectralLine> spectrum;
  for (const Complex nu : solver.eigenvalues()) spectrum.push_back({shift + 1.0 / nu, 0.0, false});
  std::sort(spectrum.begin(), spectrum.end(), [](const SpectralLine& a, const SpectralLine& b) {
    if (a.eigenvalue.real() != b.eigenvalue.real()) return a.eigenvalue.real() > b.eigenvalue.real();
    return a.eigenvalue.imag() > b.eigenvalue.imag();
  });
  if (!spectrum.empty()) spectrum.erase(spectrum.begin());  // the stationary state itself
  return spectrum;
}

}  // namespace

StationaryState solve_direct(const Model& model, int p, const PhaseMesh& mesh, const Tables& tables, const StationaryOptions& options,
                             const std::function<void()>& poll) {
  if (tables.dynamics == Dynamics::sgd) {
    throw Error(ExitCode::bad_input, "stationary.method: the SGD map has no generator to factor", {}, "use method = \"arnoldi\" or \"evolve\"");
  }
  const SparseMatrix csr = assemble_generator(mesh.plane(0), mesh.boundary(), tables.friction[0], tables.force, tables.diffusion);
  const Matrix generator = eigen_matrix(csr);
  const double shift = 0.1 / tables.relaxation_time[0];
  const ShiftedInverse inverse(generator, shift, poll);
  const std::vector<double> values = arnoldi_start(model, p, mesh);
  const Vector start = Eigen::Map<const Vector>(values.data(), static_cast<Eigen::Index>(values.size()));
  Vector density = start;
  const double area = mesh.plane(0).cell_area();
  StationaryState state;
  state.residual = polish(generator, inverse, density, area);
  if (options.modes > 0) state.spectrum = slow_spectrum(inverse, shift, options.modes, start);
  state.applications = inverse.solves();
  state.density.assign(density.data(), density.data() + density.size());
  double mass = 0.0;
  double negative = 0.0;
  for (double& value : state.density) {
    negative += std::max(0.0, -value) * area;
    value = std::max(0.0, value);
    mass += value * area;
  }
  for (double& value : state.density) value /= mass;
  state.error_estimate = negative + state.residual * tables.relaxation_time[0];
  state.converged = std::isfinite(state.residual) && state.residual * tables.relaxation_time[0] <= std::max(options.tolerance, 1e-9);
  return state;
}

}  // namespace underdamp
