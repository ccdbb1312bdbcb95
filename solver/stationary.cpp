#include "solver/stationary.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

#include <Eigen/Dense>
#include <Spectra/GenEigsSolver.h>
#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/direct_stationary.hpp"
#include "solver/initial_state.hpp"
#include "solver/propagator.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;
using Vector = Eigen::VectorXd;
using ComplexVector = Eigen::VectorXcd;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Φ_T as Spectra wants it: vectors live on the host, the product runs on the backend.
class ArnoldiOperator {
 public:
  using Scalar = double;

  ArnoldiOperator(Backend& backend, Propagator& propagator, const FieldShape& shape, const std::function<void()>& poll)
      : backend_(backend), propagator_(propagator), field_(backend.allocate(shape)), poll_(poll) {}

  Eigen::Index rows() const { return static_cast<Eigen::Index>(field_->shape().cells()); }
  Eigen::Index cols() const { return rows(); }
  void perform_op(const double* from, double* to) const {
    poll_();
    const auto cells = field_->shape().cells();
    backend_.upload({from, cells}, *field_);
    propagator_.apply(*field_);
    backend_.download(*field_, {to, cells});
    ++applications_;
  }
  long applications() const { return applications_; }

 private:
  Backend& backend_;
  Propagator& propagator_;
  std::unique_ptr<Field> field_;
  const std::function<void()>& poll_;
  mutable long applications_ = 0;
};

/// How Φ_T is put together.
struct Plan {
  double length = 0.0;
  int windows = 1;
  int levels = 5;
};

class Arnoldi {
 public:
  Arnoldi(Backend& backend, const Model& model, int p, const PhaseMesh& mesh, const Tables& tables,
          const StationaryOptions& options, const std::function<void()>& poll)
      : backend_(backend), model_(model), p_(p), mesh_(mesh), tables_(tables), options_(options), poll_(poll) {}

  StationaryState solve() {
    Plan plan = first_plan();
    std::vector<double> start = arnoldi_start(model_, p_, mesh_);
    double best = std::numeric_limits<double>::infinity();
    for (int attempt = 0; attempt < 6; ++attempt) {
      solve_with(plan, start);
      const double worst = worst_error();
      if (!state_.converged || worst <= options_.tolerance) break;
      if (worst > 0.5 * best) {
        state_.warnings.push_back(fmt::format("the grid limits the stationary state: shorter steps leave an estimated error of {:.1e}", worst));
        break;
      }
      best = worst;
      start = warm_start();
      refine(plan, worst);
    }
    return state_;
  }

 private:
  /// T resolves the frequencies of the wanted modes; windows are as long as their error constants allow.
  Plan first_plan() const {
    const Derived d = model_.derived(p_);
    int order = 1;  // harmonics n₁ + n₂ ≤ order give (order + 1)(order + 2)/2 − 1 eigenvalues
    while ((order + 1) * (order + 2) / 2 - 1 < options_.modes) ++order;
    const double frequency = d.omega * std::sqrt(std::max(0.0, 1.0 - d.zeta * d.zeta));
    double time = 1.0 / d.omega;
    if (frequency > 0.0) time = std::min(time, std::numbers::pi / (1.15 * order * frequency));
    if (tables_.dynamics == Dynamics::sgd) {
      return {tables_.learning_rate, std::max(1, static_cast<int>(std::floor(time / tables_.learning_rate))), 1};
    }
    const double longest = std::min({time, 0.8 / tables_.rate[0], 1.0 / tables_.friction[0]});
    const int windows = static_cast<int>(std::ceil(time / longest - 1e-9));
    return {time / windows, windows, options_.tolerance < 1e-6 ? 6 : 5};
  }

  /// Next plan after one whose error was too large: more levels, then shorter windows.
  void refine(Plan& plan, double worst) const {
    if (plan.levels < most_levels) {
      ++plan.levels;
      return;
    }
    const double shrink = std::clamp(std::pow(0.3 * options_.tolerance / worst, 0.5 / plan.levels), 0.4, 0.8);
    const double time = plan.length * plan.windows;
    plan.windows = std::max(plan.windows + 1, static_cast<int>(std::ceil(plan.windows / shrink)));
    plan.length = time / plan.windows;
  }

  void solve_with(const Plan& plan, const std::vector<double>& start) {
    Propagator propagator(backend_, mesh_, tables_, plan.length, plan.windows, plan.levels);
    ArnoldiOperator op(backend_, propagator, mesh_.shape(), poll_);
    const Eigen::Index wanted = options_.modes + 1;
    const Eigen::Index basis = std::min<Eigen::Index>(op.rows() - 1, std::max<Eigen::Index>(2 * wanted + 8, 24));
    Spectra::GenEigsSolver<ArnoldiOperator> solver(op, wanted, basis);
    solver.init(start.data());
    constexpr int most_restarts = 300;
    const double tolerance = std::max(1e-13, 1e-3 * options_.tolerance);
    const Eigen::Index found = solver.compute(Spectra::SortRule::LargestMagn, most_restarts, tolerance);
    state_.applications += op.applications();
    state_.converged = solver.info() == Spectra::CompInfo::Successful && found >= wanted;
    if (found == 0) {
      state_.density = start;
      return;
    }
    read(solver.eigenvalues(), solver.eigenvectors(), propagator);
  }

  void read(const ComplexVector& values, const Eigen::MatrixXcd& vectors, Propagator& propagator) {
    std::vector<Eigen::Index> order(static_cast<std::size_t>(values.size()));
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<Eigen::Index>(k);
    std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) { return std::abs(values[a]) > std::abs(values[b]); });
    take_density(vectors.col(order[0]).real());
    state_.spectrum.clear();
    modes_.clear();
    for (std::size_t k = 1; k < order.size() && static_cast<int>(k) <= options_.modes; ++k) {
      add_line(values[order[k]], vectors.col(order[k]), propagator);
    }
    auto field = backend_.allocate(mesh_.shape());
    backend_.upload(state_.density, *field);
    // Errors of the density decay at the slowest rate, so that those of 1/rate windows' worth of time add up.
    const double slowest = state_.spectrum.empty() ? 1.0 / tables_.relaxation_time[0] : -state_.spectrum[0].eigenvalue.real();
    state_.error_estimate = propagator.window_error(*field) / (propagator.window_length() * std::max(slowest, 1e-300));
    backend_.upload(state_.density, *field);
    propagator.apply(*field);
    state_.residual = l1_distance(*field, state_.density) / propagator.time();
  }

  /// Normalised, positive orientation; rounding leaves values of −1e-17 of the peak in the tails, which become 0.
  void take_density(const Vector& vector) {
    const double sum = vector.sum();
    state_.density.assign(static_cast<std::size_t>(vector.size()), 0.0);
    double mass = 0.0;
    for (Eigen::Index k = 0; k < vector.size(); ++k) {
      const double value = std::max(0.0, vector[k] / sum);
      state_.density[static_cast<std::size_t>(k)] = value;
      mass += value * mesh_.plane(0).cell_area();
    }
    for (double& value : state_.density) value /= mass;
  }

  void add_line(const Complex& mu, const ComplexVector& vector, Propagator& propagator) {
    SpectralLine line;
    line.eigenvalue = std::log(mu) / propagator.time();
    const double turn = 2.0 * std::numbers::pi / propagator.time();
    const Vector re = vector.real();
    const Vector im = vector.imag();
    if (tables_.dynamics == Dynamics::langevin) {
      const Complex rough = rayleigh_quotient(re, im);
      const double turns = std::round((rough.imag() - line.eigenvalue.imag()) / turn);
      line.aliased = turns != 0.0;
      line.eigenvalue += Complex(0.0, turns * turn);
      // A perturbation of the window's operator moves μ_H by its size relative to the eigenvector.
      const double size = (re.lpNorm<1>() + im.lpNorm<1>()) * mesh_.plane(0).cell_area();
      line.error = (window_error(re, propagator) + window_error(im, propagator)) / (size * propagator.window_length() * std::abs(std::exp(line.eigenvalue * propagator.window_length())));
    }
    if (line.aliased) {
      state_.warnings.push_back(fmt::format("the frequency {:.6g} is faster than the propagation time resolves; its branch was taken from the generator",
                                            line.eigenvalue.imag()));
    }
    state_.spectrum.push_back(line);
    modes_.push_back(re);
    modes_.push_back(im);
  }

  double window_error(const Vector& vector, Propagator& propagator) {
    if (!(vector.lpNorm<1>() > 0.0)) return 0.0;
    auto field = backend_.allocate(mesh_.shape());
    backend_.upload({vector.data(), static_cast<std::size_t>(vector.size())}, *field);
    return propagator.window_error(*field);
  }

  /// ⟨y, L_h y⟩/⟨y, y⟩ with the matrix-free generator.
  Complex rayleigh_quotient(const Vector& re, const Vector& im) {
    if (!generator_) generator_ = backend_.plan_generator(mesh_, {tables_.friction, tables_.force, tables_.diffusion});
    const Vector l_re = generated(re);
    const Vector l_im = generated(im);
    const double norm = re.squaredNorm() + im.squaredNorm();
    return {(re.dot(l_re) + im.dot(l_im)) / norm, (re.dot(l_im) - im.dot(l_re)) / norm};
  }
  Vector generated(const Vector& vector) {
    auto from = backend_.allocate(mesh_.shape());
    auto to = backend_.allocate(mesh_.shape());
    backend_.upload({vector.data(), static_cast<std::size_t>(vector.size())}, *from);
    backend_.apply_generator(*generator_, *from, *to);
    Vector result(vector.size());
    backend_.download(*to, {result.data(), static_cast<std::size_t>(result.size())});
    return result;
  }

  double l1_distance(const Field& field, const std::vector<double>& values) {
    std::vector<double> other(values.size());
    backend_.download(field, other);
    double sum = 0.0;
    for (std::size_t k = 0; k < values.size(); ++k) sum += std::abs(values[k] - other[k]);
    return sum * mesh_.plane(0).cell_area();
  }

  /// Largest of the density's error and the relative error of the slowest eigenvalue.
  double worst_error() const {
    double worst = state_.error_estimate;
    if (!state_.spectrum.empty()) worst = std::max(worst, state_.spectrum[0].error / std::abs(state_.spectrum[0].eigenvalue));
    return worst;
  }

  std::vector<double> warm_start() const {
    std::vector<double> start = state_.density;
    for (const Vector& mode : modes_) {
      const double scale = mode.lpNorm<Eigen::Infinity>();
      if (!(scale > 0.0)) continue;
      const double peak = *std::max_element(state_.density.begin(), state_.density.end());
      for (std::size_t k = 0; k < start.size(); ++k) start[k] += 0.3 * peak / scale * mode[static_cast<Eigen::Index>(k)];
    }
    return start;
  }

  Backend& backend_;
  const Model& model_;
  int p_;
  const PhaseMesh& mesh_;
  const Tables& tables_;
  StationaryOptions options_;
  const std::function<void()>& poll_;
  StationaryState state_;
  std::vector<Vector> modes_;
  std::unique_ptr<GeneratorPlan> generator_;
};

/// Long evolution from the linearised state until it no longer changes.
StationaryState solve_by_evolution(Backend& backend, const Model& model, int p, const PhaseMesh& mesh, const Tables& tables,
                                   const StationaryOptions& options, const std::function<void()>& poll) {
  const bool map = tables.dynamics == Dynamics::sgd;
  const double relaxation = tables.relaxation_time[0];
  const double longest = std::min({relaxation, 0.8 / tables.rate[0], 1.0 / tables.friction[0]});
  const double length = map ? tables.learning_rate : longest;
  const int windows = std::max(1, static_cast<int>(std::ceil(relaxation / length)));
  Propagator propagator(backend, mesh, tables, length, windows, options.tolerance < 1e-6 ? 6 : 5);
  auto field = backend.allocate(mesh.shape());
  auto before = backend.allocate(mesh.shape());
  std::vector<double> start;
  const Matrix2 covariance = model.stationary_covariance(p);
  for (int i = 0; i < mesh.theta_cells(); ++i) {
    for (int j = 0; j < mesh.velocity_cells(); ++j) {
      start.push_back(gaussian_density({model.plane(p).minimum, 0.0}, covariance, mesh.plane(0).theta.center(i), mesh.plane(0).velocity.center(j)));
    }
  }
  backend.upload(start, *field);
  StationaryState state;
  constexpr int most = 5000;
  const std::array<double, 2> difference{1.0, -1.0};
  for (int k = 0; k < most; ++k) {
    poll();
    backend.copy(*field, *before);
    propagator.apply(*field);
    ++state.applications;
    const std::array<const Field*, 2> pair{field.get(), before.get()};
    state.residual = backend.combination_norm(pair, difference)[0] * mesh.plane(0).cell_area() / propagator.time();
    if (!std::isfinite(state.residual)) break;
    // Residual times relaxation time is the distance still to go.
    state.converged = state.residual * relaxation <= options.tolerance;
    if (state.converged) break;
  }
  state.density.resize(mesh.shape().cells());
  state.error_estimate = state.residual * relaxation + propagator.window_error(*field) * relaxation / propagator.window_length();
  backend.download(*field, state.density);
  double mass = 0.0;
  for (double& value : state.density) {
    value = std::max(0.0, value);
    mass += value * mesh.plane(0).cell_area();
  }
  for (double& value : state.density) value /= mass;
  return state;
}

/// Which method serves, and why.
StationaryMethod choose(const StationaryOptions& options, const FieldShape& shape, const Tables& tables, std::string& reason) {
  if (options.method != StationaryMethod::automatic) {
    reason = "as asked for";
    return options.method;
  }
  const double basis_bytes = 8.0 * static_cast<double>(shape.cells()) * std::max(2.0 * (options.modes + 1) + 8.0, 24.0);
  constexpr double most_bytes = 8.0e9;
  if (basis_bytes > most_bytes) {
    reason = fmt::format("a Krylov basis of this grid would take {:.1f} GB", basis_bytes / 1e9);
    return StationaryMethod::evolve;
  }
  reason = tables.dynamics == Dynamics::sgd ? "the spectrum of the map itself" : "most accurate, and gives the spectrum";
  return StationaryMethod::arnoldi;
}

}  // namespace

std::vector<double> arnoldi_start(const Model& model, int p, const PhaseMesh& mesh) {
  const Derived d = model.derived(p);
  const Matrix2 covariance = model.stationary_covariance(p);
  const Vector2 mean{model.plane(p).minimum, 0.0};
  std::vector<double> start;
  for (int i = 0; i < mesh.theta_cells(); ++i) {
    for (int j = 0; j < mesh.velocity_cells(); ++j) {
      const double theta = mesh.plane(0).theta.center(i);
      const double v = mesh.plane(0).velocity.center(j);
      const double x = (theta - mean[0]) / d.std_theta;
      const double y = v / d.std_v;
      start.push_back(gaussian_density(mean, covariance, theta, v) *
                      (1.0 + 0.4 * x + 0.3 * y + 0.2 * x * y + 0.1 * (x * x - 1.0) - 0.15 * (y * y - 1.0) + 0.05 * x * x * x));
    }
  }
  return start;
}

StationaryState solve_stationary(Backend& backend, const Model& model, int p, const PhaseMesh& mesh, const Tables& tables,
                                 const StationaryOptions& options, const std::function<void()>& poll) {
  const auto begin = std::chrono::steady_clock::now();
  std::string reason;
  StationaryState state;
  switch (choose(options, mesh.shape(), tables, reason)) {
    case StationaryMethod::direct:
      state = solve_direct(model, p, mesh, tables, options, poll);
      state.method = "direct";
      break;
    case StationaryMethod::evolve:
      state = solve_by_evolution(backend, model, p, mesh, tables, options, poll);
      state.method = "evolve";
      break;
    default:
      state = Arnoldi(backend, model, p, mesh, tables, options, poll).solve();
      state.method = "arnoldi";
      break;
  }
  if (!state.converged && options.method == StationaryMethod::automatic && tables.dynamics == Dynamics::langevin) {
    state = solve_direct(model, p, mesh, tables, options, poll);
    state.method = "direct";
    reason = "Arnoldi iteration did not converge";
  }
  state.reason = reason;
  state.seconds = seconds_since(begin);
  return state;
}

}  // namespace underdamp
