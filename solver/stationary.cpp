#include "solver/stationary.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <numeric>

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
        state_.warnings.push_back(fmt::format("the grid limits the stationary state, not the step: shorter steps leave an estimated error of {:.1e}", worst));
        break;
      }
      best = worst;
      start = warm_start();
      refine(plan, worst);
    }
    for (const SpectralLine& line : state_.spectrum) {
      if (!line.aliased || line.eigenvalue.imag() < 0.0) continue;
      state_.warnings.push_back(
          fmt::format("the frequency {:.6g} is faster than the propagation time resolves; its branch was taken from the generator",
                      line.eigenvalue.imag()));
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
    const Eigen::Index wanted = options_.modes + 1 + beyond;
    const Eigen::Index basis = std::min<Eigen::Index>(op.rows() - 1, std::max<Eigen::Index>(2 * wanted + 4, 24));
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
    Eigen::Index stationary = 0;
    values.cwiseAbs().maxCoeff(&stationary);
    const Vector null_vector = vectors.col(stationary).real();
    take_density({null_vector.data(), static_cast<std::size_t>(null_vector.size())}, mesh_.plane(0).cell_area(), state_.density);
    modes_.clear();
    for (Eigen::Index k = 0; k < values.size(); ++k) {
      modes_.push_back({k == stationary ? SpectralLine{} : line_of(values[k], vectors.col(k), propagator), vectors.col(k)});
    }
    state_.modes = slow_modes(modes_, options_.modes);
    state_.spectrum = lines_of(state_.modes);
    measure(propagator);
  }

  /// Errors of the density decay at the slowest rate, so that those of 1/rate windows' worth of time add up.
  void measure(Propagator& propagator) {
    auto field = backend_.allocate(mesh_.shape());
    backend_.upload(state_.density, *field);
    const double slowest = slowest_rate(state_.spectrum, tables_.relaxation_time[0]);
    state_.error_estimate = propagator.window_error(*field) / (propagator.window_length() * slowest);
    backend_.upload(state_.density, *field);
    propagator.apply(*field);
    state_.residual = l1_distance(*field, state_.density) / propagator.time();
  }

  SpectralLine line_of(const Complex& mu, const ComplexVector& vector, Propagator& propagator) {
    SpectralLine line;
    line.eigenvalue = std::log(mu) / propagator.time();
    if (tables_.dynamics == Dynamics::sgd) return line;
    const Vector re = vector.real();
    const Vector im = vector.imag();
    const double turn = 2.0 * std::numbers::pi / propagator.time();
    const double turns = std::round((rayleigh_quotient(re, im).imag() - line.eigenvalue.imag()) / turn);
    line.aliased = turns != 0.0;
    line.eigenvalue += Complex(0.0, turns * turn);
    // A perturbation of the window's operator moves μ_H by its size relative to the eigenvector.
    const double size = (re.lpNorm<1>() + im.lpNorm<1>()) * mesh_.plane(0).cell_area();
    const double window = propagator.window_length();
    line.error = (window_error(re, propagator) + window_error(im, propagator)) /
                 (size * window * std::abs(std::exp(line.eigenvalue * window)));
    return line;
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

  /// The slow modes of the last attempt, so that the next one begins with all it looks for.
  std::vector<double> warm_start() const {
    std::vector<double> start = state_.density;
    const double peak = *std::max_element(start.begin(), start.end());
    for (const Mode& mode : modes_) {
      const double scale = mode.vector.lpNorm<Eigen::Infinity>();
      if (!(scale > 0.0)) continue;
      for (std::size_t k = 0; k < start.size(); ++k) {
        const Complex value = mode.vector[static_cast<Eigen::Index>(k)];
        start[k] += 0.3 * peak / scale * (value.real() + value.imag());
      }
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
  std::vector<Mode> modes_;
  std::unique_ptr<GeneratorPlan> generator_;
};

/// Evolution from the linearised state until it no longer changes.
class Evolution {
 public:
  Evolution(Backend& backend, const Model& model, int p, const PhaseMesh& mesh, const Tables& tables,
            const StationaryOptions& options, const std::function<void()>& poll)
      : backend_(backend),
        mesh_(mesh),
        tables_(tables),
        options_(options),
        poll_(poll),
        relaxation_(tables.relaxation_time[0]),
        propagator_(make_propagator()),
        field_(backend.allocate(mesh.shape())),
        before_(backend.allocate(mesh.shape())) {
    backend_.upload(linearised_density(model, p, mesh), *field_);
  }

  StationaryState solve() {
    StationaryState state;
    std::vector<double> residuals;
    double rate = 1.0 / relaxation_;
    constexpr int most = 5000;
    for (int k = 0; k < most && !state.converged; ++k) {
      poll_();
      residuals.push_back(turn());
      ++state.applications;
      if (!std::isfinite(residuals.back())) break;
      rate = decay(residuals, rate);
      state.converged = residuals.size() >= window && residuals.back() / rate <= options_.tolerance;
    }
    state.residual = residuals.back();
    state.error_estimate = (residuals.back() + propagator_.window_error(*field_) / propagator_.window_length()) / rate;
    std::vector<double> values(mesh_.shape().cells());
    backend_.download(*field_, values);
    take_density(values, mesh_.plane(0).cell_area(), state.density);
    return state;
  }

 private:
  static constexpr std::size_t window = 5;

  Propagator make_propagator() const {
    const bool map = tables_.dynamics == Dynamics::sgd;
    const double longest = std::min({relaxation_, 0.8 / tables_.rate[0], 1.0 / tables_.friction[0]});
    const double length = map ? tables_.learning_rate : longest;
    const int windows = std::max(1, static_cast<int>(std::ceil(relaxation_ / length)));
    return Propagator(backend_, mesh_, tables_, length, windows, options_.tolerance < 1e-6 ? 6 : 5);
  }

  /// One relaxation time; returns ‖Φ_T p − p‖₁/T.
  double turn() {
    backend_.copy(*field_, *before_);
    propagator_.apply(*field_);
    // Mass that leaves through the walls is no change of shape.
    const double kept = mass(*field_) / mass(*before_);
    const std::array<const Field*, 2> pair{field_.get(), before_.get()};
    const std::array<double, 2> difference{1.0, -kept};
    return backend_.combination_norm(pair, difference)[0] * mesh_.plane(0).cell_area() / propagator_.time();
  }

  double mass(const Field& field) {
    const auto columns = backend_.sum_columns(field);
    return std::accumulate(columns.begin(), columns.end(), 0.0);
  }

  /// Rate at which the residual has fallen lately: residual/rate is the distance that is still to go. Below 1e-12 rounding
  /// decides, so that the rate stays what it was.
  double decay(const std::vector<double>& residuals, double rate) const {
    if (residuals.size() < window || !(residuals.back() * relaxation_ > 1e-12)) return rate;
    const double fall = std::log(residuals[residuals.size() - window] / residuals.back());
    return std::max(fall / (static_cast<double>(window - 1) * propagator_.time()), 1e-6 / relaxation_);
  }

  Backend& backend_;
  const PhaseMesh& mesh_;
  const Tables& tables_;
  StationaryOptions options_;
  const std::function<void()>& poll_;
  double relaxation_;
  Propagator propagator_;
  std::unique_ptr<Field> field_;
  std::unique_ptr<Field> before_;
};

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

/// Eigenvalues of modes that the box cuts off are those of another process.
void add_wall_warnings(StationaryState& state, const PhaseMesh& mesh) {
  constexpr double largest = 1e-7;
  for (std::size_t k = 0; k < state.modes.size(); ++k) {
    const double share = wall_share(state.modes[k].vector, mesh);
    if (!(share > largest)) continue;
    state.warnings.push_back(fmt::format(
        "the box cuts off eigenvalue {} ({:.4g}{:+.4g}i) and perhaps more: at a wall its mode still has {:.0e} of its peak; widen the box for it",
        k + 1, state.modes[k].line.eigenvalue.real(), state.modes[k].line.eigenvalue.imag(), share));
    return;
  }
}

}  // namespace

std::vector<double> linearised_density(const Model& model, int p, const PhaseMesh& mesh) {
  const Matrix2 covariance = model.stationary_covariance(p);
  std::vector<double> density;
  density.reserve(mesh.shape().cells());
  for (int i = 0; i < mesh.theta_cells(); ++i) {
    for (int j = 0; j < mesh.velocity_cells(); ++j) {
      density.push_back(gaussian_density({model.plane(p).minimum, 0.0}, covariance, mesh.plane(0).theta.center(i),
                                         mesh.plane(0).velocity.center(j)));
    }
  }
  return density;
}

std::vector<double> arnoldi_start(const Model& model, int p, const PhaseMesh& mesh) {
  const Derived d = model.derived(p);
  std::vector<double> start = linearised_density(model, p, mesh);
  for (int i = 0; i < mesh.theta_cells(); ++i) {
    for (int j = 0; j < mesh.velocity_cells(); ++j) {
      const double x = (mesh.plane(0).theta.center(i) - model.plane(p).minimum) / d.std_theta;
      const double y = mesh.plane(0).velocity.center(j) / d.std_v;
      start[static_cast<std::size_t>(i) * static_cast<std::size_t>(mesh.velocity_cells()) + static_cast<std::size_t>(j)] *=
          1.0 + 0.4 * x + 0.3 * y + 0.2 * x * y + 0.1 * (x * x - 1.0) - 0.15 * (y * y - 1.0) + 0.05 * x * x * x;
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
      state = Evolution(backend, model, p, mesh, tables, options, poll).solve();
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
  add_wall_warnings(state, mesh);
  state.reason = reason;
  state.seconds = seconds_since(begin);
  return state;
}

}  // namespace underdamp
