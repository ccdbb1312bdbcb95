#include "solver/direct_stationary.hpp"

#include <algorithm>
#include <cmath>

#include <Spectra/GenEigsSolver.h>

#include "meshes/error.hpp"
#include "solver/factored_generator.hpp"
#include "solver/spectrum.hpp"

namespace underdamp {
namespace {

using Matrix = OrderedGenerator::Matrix;
using Vector = OrderedGenerator::Vector;

/// The inverse on the perturbations of a density, whose integral is 0: the stationary state, which would drown all
/// else, is taken out.
class PerturbationInverse {
 public:
  using Scalar = double;

  PerturbationInverse(const ShiftedInverse& inverse, const Vector& density)
      : inverse_(inverse), density_(density / density.sum()) {}
  Eigen::Index rows() const { return inverse_.rows(); }
  Eigen::Index cols() const { return inverse_.cols(); }
  void perform_op(const double* from, double* to) const {
    Eigen::Map<Vector>(to, rows()) = perturbation(inverse_.solve(perturbation(Eigen::Map<const Vector>(from, rows()))));
  }
  Vector perturbation(const Vector& vector) const { return vector - density_ * vector.sum(); }

 private:
  const ShiftedInverse& inverse_;
  Vector density_;
};

/// Inverse iteration until ‖L p‖₁ is `enough` or stops falling; each turn gains the factor σ/|λ₁|.
double polish(const Matrix& generator, const ShiftedInverse& inverse, Vector& density, double area, double enough) {
  const auto normalise = [&] { density /= density.sum() * area; };
  normalise();
  double residual = (generator * density).lpNorm<1>() * area;
  constexpr int most = 30;
  for (int k = 0; k < most && !(residual <= enough); ++k) {
    const Vector before = density;
    density = inverse.solve(density);
    normalise();
    const double now = (generator * density).lpNorm<1>() * area;
    if (!(now < 0.5 * residual)) {
      if (!(now < residual)) density = before;
      return std::min(now, residual);
    }
    residual = now;
  }
  return residual;
}

/// Slow modes by shift-invert Arnoldi; false if they did not converge.
bool find_modes(const OrderedGenerator& generator, const PerturbationInverse& inverse, double shift, int modes,
                const Vector& start, std::vector<Mode>& found) {
  const Eigen::Index wanted = modes;
  const Eigen::Index basis = std::min<Eigen::Index>(inverse.rows() - 1, 2 * wanted + 8);
  Spectra::GenEigsSolver<const PerturbationInverse> solver(inverse, wanted, basis);
  const Vector perturbation = inverse.perturbation(start);
  constexpr int most_restarts = 200;
  constexpr double tolerance = 1e-7;
  try {
    solver.init(perturbation.data());
    solver.compute(Spectra::SortRule::LargestMagn, most_restarts, tolerance);
  } catch (const std::exception&) {
    return false;  // a field that is not finite has no Schur decomposition
  }
  const Eigen::VectorXcd values = solver.eigenvalues();
  const Eigen::MatrixXcd vectors = solver.eigenvectors();
  for (Eigen::Index k = 0; k < values.size(); ++k) {
    found.push_back({{shift + 1.0 / values[k], 0.0, false}, generator.unordered(Eigen::VectorXcd(vectors.col(k)))});
  }
  return solver.info() == Spectra::CompInfo::Successful;
}

}  // namespace

StationaryState solve_direct(const Model& model, int p, const PhaseMesh& mesh, const Tables& tables,
                             const StationarySpec& options, const std::function<void()>& poll) {
  if (tables.dynamics == Dynamics::sgd) {
    throw Error(ExitCode::bad_input, "stationary.method: the SGD map has no generator to factor", {},
                "use method = \"arnoldi\" or \"evolve\"");
  }
  const OrderedGenerator generator(mesh, tables);
  const double shift = 1e-9 / tables.relaxation_time[0];
  const ShiftedInverse inverse(generator.matrix(), shift, poll);
  const double area = mesh.plane(0).cell_area();
  const Vector start = generator.ordered(arnoldi_start(model, p, mesh));

  StationaryState state;
  Vector density = start;
  constexpr double rounding = 1e-12;
  state.residual = polish(generator.matrix(), inverse, density, area, rounding / tables.relaxation_time[0]);
  bool spectrum_converged = true;
  if (options.modes > 0) {
    std::vector<Mode> modes;
    spectrum_converged =
        find_modes(generator, PerturbationInverse(inverse, density), shift, options.modes, start, modes);
    state.modes = slow_modes(std::move(modes), options.modes);
    state.spectrum = lines_of(state.modes);
  }
  state.applications = inverse.solves();
  const Vector values = generator.unordered(density);
  const double negative = take_density({values.data(), static_cast<std::size_t>(values.size())}, area, state.density);
  const double slowest = slowest_rate(state.spectrum, tables.relaxation_time[0]);
  state.error_estimate = negative + state.residual / slowest;
  state.converged = spectrum_converged && state.residual / slowest <= std::max(options.tolerance, 1e-9);
  return state;
}

}  // namespace underdamp
