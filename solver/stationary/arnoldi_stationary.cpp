#include "solver/stationary/arnoldi_stationary.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <Spectra/GenEigsSolver.h>
#include <fmt/format.h>
#include <Eigen/Dense>

#include "solver/stationary/vector_space.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;
using Vector = Eigen::VectorXd;
using ComplexVector = Eigen::VectorXcd;

/// Φ_T as Spectra wants it.
class ArnoldiOperator {
 public:
  using Scalar = double;

  ArnoldiOperator(VectorSpace& space, Propagator& propagator, std::size_t cells, const std::function<void()>& poll)
      : space_(space), propagator_(propagator), cells_(static_cast<Eigen::Index>(cells)), poll_(poll) {}

  Eigen::Index rows() const { return cells_; }
  Eigen::Index cols() const { return cells_; }
  void perform_op(const double* from, double* to) const {
    poll_();
    Eigen::Map<Vector>(to, cells_) = space_.propagated(propagator_, Eigen::Map<const Vector>(from, cells_));
    ++applications_;
  }
  long applications() const { return applications_; }

 private:
  VectorSpace& space_;
  Propagator& propagator_;
  Eigen::Index cells_;
  const std::function<void()>& poll_;
  mutable long applications_ = 0;
};

/// What one plan gave.
struct Attempt {
  PropagationPlan plan;
  bool converged = false;
  bool stable = false;  ///< no mode grows or is one of the step, and the density is one
  std::vector<double> density;
  std::vector<Mode> all;        ///< every mode found, the stationary one first
  std::vector<Complex> factor;  ///< μ of each
  std::vector<Mode> slow;       ///< those wanted
  double residual = 0.0;
  double leak = 0.0;
  double error = 0.0;     ///< estimated L1 error of the density
  double negative = 0.0;  ///< share of the mass that was below 0

  /// Larger of the density's error and the relative error of the slowest eigenvalue.
  double worst() const {
    if (slow.empty()) return error;
    const double relative = slow[0].line.error / std::abs(slow[0].line.eigenvalue);
    return std::isnan(relative) || relative > error ? relative : error;
  }
};

/// Errors of an attempt, resolved into modes: a disturbance of every window is spread by the process itself, and only
/// its part along a slow mode stays long. That part is read off after the fast modes have decayed.
class ErrorResolution {
 public:
  ErrorResolution(VectorSpace& space, Propagator& propagator, const Attempt& attempt)
      : space_(space), propagator_(propagator), factor_(attempt.factor) {
    const auto cells = static_cast<Eigen::Index>(attempt.density.size());
    density_ = Eigen::Map<const Vector>(attempt.density.data(), cells);
    basis_.resize(cells, static_cast<Eigen::Index>(attempt.all.size()));
    for (std::size_t k = 0; k < attempt.all.size(); ++k)
      basis_.col(static_cast<Eigen::Index>(k)) = attempt.all[k].vector;
    gram_.compute(basis_.adjoint() * basis_);
  }

  /// ‖Σ_n Φ^n e‖₁: what a disturbance `defect` of every window adds to the stationary density, but for its part along
  /// the `known` slowest modes.
  double accumulated(const Vector& defect, int known) {
    Vector rest = without_stationary(defect * static_cast<double>(propagator_.windows()));
    Vector sum = rest;
    for (int n = 0; n < applications; ++n) {
      rest = without_stationary(space_.propagated(propagator_, rest));
      sum += rest;
    }
    const ComplexVector coefficient = coefficients(rest);
    ComplexVector remaining = ComplexVector::Zero(coefficient.size());
    double slowest = 0.0;
    const double last_known = known_factor(known);
    for (Eigen::Index k = 1; k < coefficient.size(); ++k) {
      const Complex mu = factor_[static_cast<std::size_t>(k)];
      const bool is_known = std::abs(mu) >= last_known;
      remaining[k] = is_known ? -coefficient[k] * (applications + 1.0) : coefficient[k] * mu / (1.0 - mu);
      if (is_known) continue;
      slowest = slowest == 0.0 ? std::abs(mu) : std::min(slowest, std::abs(mu));
    }
    const Vector unexplained = rest - (basis_ * coefficient).real();
    return space_.norm(sum + (basis_ * remaining).real()) + space_.norm(unexplained) / std::max(1.0 - slowest, 1e-3);
  }

  /// Part of a disturbance of mode k that lies along mode k itself: the change of its window factor.
  double along(std::size_t k, const Vector& defect_re, const Vector& defect_im) {
    Vector re = defect_re;
    Vector im = defect_im;
    for (int n = 0; n < applications; ++n) {
      re = space_.propagated(propagator_, re);
      im = im.isZero(0.0) ? im : space_.propagated(propagator_, im);
    }
    const auto index = static_cast<Eigen::Index>(k);
    const Complex coefficient = coefficients(re)[index] + Complex(0.0, 1.0) * coefficients(im)[index];
    return std::abs(coefficient / std::pow(factor_[k], applications));
  }

 private:
  static constexpr int applications = 10;

  /// |μ| of the last of so many slowest modes.
  double known_factor(int known) const {
    std::vector<double> size;
    for (std::size_t k = 1; k < factor_.size(); ++k) size.push_back(std::abs(factor_[k]));
    std::sort(size.begin(), size.end(), std::greater<>());
    const auto last = static_cast<std::size_t>(known);
    return known > 0 && last <= size.size() ? size[last - 1] : std::numeric_limits<double>::infinity();
  }
  Vector without_stationary(const Vector& vector) const { return vector - density_ * space_.mass(vector); }
  ComplexVector coefficients(const Vector& vector) const {
    return gram_.solve(basis_.adjoint() * vector.cast<Complex>());
  }

  VectorSpace& space_;
  Propagator& propagator_;
  std::vector<Complex> factor_;
  Vector density_;
  Eigen::MatrixXcd basis_;
  Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXcd> gram_;
};

class Arnoldi {
 public:
  explicit Arnoldi(const StationaryProblem& problem)
      : problem_(problem), mesh_(problem.mesh), tables_(problem.tables), options_(problem.options), space_(problem) {}

  StationaryState solve() {
    PropagationPlan plan = first_plan();
    Attempt best;
    best.error = std::numeric_limits<double>::infinity();
    std::vector<double> start = with_slow_modes(problem_, nearest_density(problem_));
    constexpr int most_attempts = 8;
    for (int k = 0; k < most_attempts; ++k) {
      Attempt attempt = solve_with(plan, start);
      const bool valid = attempt.converged && attempt.stable;
      if (valid && attempt.worst() <= options_.tolerance) return finished(std::move(attempt));
      const bool gained = valid && attempt.worst() <= 0.5 * best.worst();
      if (best.converged && !gained) break;  // the grid leaves no more to gain
      if (!attempt.converged) return finished(std::move(attempt));
      if (valid) {
        start = warm_start(attempt);
        refine(plan, attempt.worst());
        best = std::move(attempt);
      } else if (!stabilise(plan)) {
        if (!best.converged) best = std::move(attempt);
        break;
      }
    }
    return finished(std::move(best));
  }

  /// With the plan of a solution on another grid, if this one bears its windows.
  StationaryState repeat(const NearbyState& nearby) {
    PropagationPlan plan = *nearby.state.plan;
    const double cells = static_cast<double>(mesh_.shape().cells());
    perturbation_ = grid_perturbation * std::pow(static_cast<double>(nearby.state.density.size()) / cells, 5.5);
    const double longest = is_map() ? plan.length : longest_window(mesh_, tables_);
    if (plan.length > longest) shorten(plan, static_cast<int>(std::ceil(plan.length * plan.windows / longest)));
    // Some more modes, so that each of those wanted finds its own.
    more_ = beyond;
    const std::vector<double> start = with_modes(nearby.density, nearby.modes);
    Attempt attempt = solve_with(plan, start);
    constexpr int most_attempts = 5;
    for (int k = 1; k < most_attempts && attempt.converged && !attempt.stable && stabilise(plan); ++k)
      attempt = solve_with(plan, start);
    return finished(std::move(attempt));
  }

 private:
  bool is_map() const { return tables_.dynamics == Dynamics::sgd; }

  /// T resolves the frequencies of the wanted modes; windows are as long as their error constants allow.
  PropagationPlan first_plan() const {
    const Derived d = problem_.model.derived(problem_.p);
    int order = 1;  // harmonics n₁ + n₂ ≤ order give (order + 1)(order + 2)/2 − 1 eigenvalues
    while ((order + 1) * (order + 2) / 2 - 1 < options_.modes) ++order;
    const double frequency = d.omega * std::sqrt(std::max(0.0, 1.0 - d.zeta * d.zeta));
    double time = 1.0 / d.omega;
    if (frequency > 0.0) time = std::min(time, std::numbers::pi / (1.15 * order * frequency));
    if (is_map())
      return {tables_.learning_rate, std::max(1, static_cast<int>(std::floor(time / tables_.learning_rate))), 1};
    const double longest = std::min({time, 0.8 / tables_.rate[0], longest_window(mesh_, tables_)});
    const int windows = static_cast<int>(std::ceil(time / longest - 1e-9));
    return {time / windows, windows, options_.tolerance < 1e-6 ? 6 : 5};
  }

  /// Next plan after one whose error was too large: more levels, then shorter windows.
  void refine(PropagationPlan& plan, double worst) const {
    if (is_map()) return;
    if (plan.levels < most_levels) {
      ++plan.levels;
      return;
    }
    const double shrink = std::clamp(std::pow(0.3 * options_.tolerance / worst, 0.5 / plan.levels), 0.4, 0.8);
    shorten(plan, static_cast<int>(std::ceil(plan.windows / shrink)));
  }

  /// Next plan after one under which a mode grew: extrapolation amplifies what its levels do not agree on, few levels
  /// less.
  bool stabilise(PropagationPlan& plan) const {
    if (is_map() || plan.levels <= fewest_levels) return false;
    --plan.levels;
    shorten(plan, plan.windows + 1);
    return true;
  }

  static void shorten(PropagationPlan& plan, int windows) {
    const double time = plan.length * plan.windows;
    plan.windows = std::max(plan.windows + 1, windows);
    plan.length = time / plan.windows;
  }

  Attempt solve_with(const PropagationPlan& plan, const std::vector<double>& start) {
    Propagator propagator(problem_.backend, mesh_, tables_, plan.length, plan.windows, plan.levels);
    const ArnoldiOperator op(space_, propagator, mesh_.shape().cells(), problem_.poll);
    const Eigen::Index wanted = options_.modes + 1 + beyond;
    const Eigen::Index basis = std::min<Eigen::Index>(op.rows() - 1, std::max<Eigen::Index>(2 * wanted + 4, 24));
    Spectra::GenEigsSolver<const ArnoldiOperator> solver(op, wanted, basis);
    constexpr int most_restarts = 300;
    const double tolerance = std::max(1e-13, 1e-3 * options_.tolerance);
    Eigen::Index found = 0;
    try {
      solver.init(start.data());
      found = solver.compute(Spectra::SortRule::LargestMagn, most_restarts, tolerance);
    } catch (const std::exception&) {
      found = 0;  // a field that is not finite has no Schur decomposition
    }
    applications_ += op.applications();
    Attempt attempt;
    attempt.density = start;
    attempt.plan = plan;
    attempt.converged = found > 0 && solver.info() == Spectra::CompInfo::Successful && found >= wanted;
    if (found == 0) return attempt;
    read(solver.eigenvalues(), solver.eigenvectors(), propagator, attempt);
    if (attempt.stable) measure(propagator, attempt);
    return attempt;
  }

  void read(const ComplexVector& values, const Eigen::MatrixXcd& vectors, Propagator& propagator,
            Attempt& attempt) const {
    // The stationary state is the one mode whose integral is not 0.
    Eigen::Index stationary = 0;
    double largest = -1.0;
    for (Eigen::Index k = 0; k < values.size(); ++k) {
      const double share = std::abs(space_.mass(vectors.col(k).eval())) / (vectors.col(k).lpNorm<1>() * space_.area());
      if (share > largest) stationary = k;
      largest = std::max(largest, share);
    }
    // An eigenvector of a real eigenvalue is real but for a factor.
    const Complex mass = space_.mass(vectors.col(stationary).eval());
    const Complex phase = mass / std::abs(mass);
    const Vector null_vector = (vectors.col(stationary) / phase).real();
    const double negative = take_density(span_of(null_vector), mesh_, attempt.density);
    constexpr double growth = 1e-7;
    // Less than 1: probability leaves through the walls.
    const bool is_density = std::abs(values[stationary].imag()) < 1e-9 && values[stationary].real() > 0.0;
    // The map has no other step to try: what it leaves below 0 is an error like others.
    attempt.negative = negative;
    attempt.stable = negative < (is_map() ? 0.05 : 1e-3) && is_density && values.cwiseAbs().maxCoeff() < 1.0 + growth;

    const auto add = [&](Eigen::Index k) {
      attempt.factor.push_back(values[k]);
      attempt.all.push_back({SpectralLine{std::log(values[k]) / propagator.time(), 0.0, false}, vectors.col(k)});
    };
    add(stationary);
    for (Eigen::Index k = 0; k < values.size(); ++k) {
      if (k != stationary) add(k);
    }
  }

  void measure(Propagator& propagator, Attempt& attempt) {
    for (std::size_t k = 1; k < attempt.all.size() && !is_map(); ++k) {
      complete(propagator, attempt.all[k]);
      // Waves of a few cells that the step hardly damps: no modes of the process.
      const SpectralLine& line = attempt.all[k].line;
      constexpr double largest = 0.1;
      const double rate = std::max(-line.eigenvalue.real(), 1.0 / problem_.relaxation_time());
      if (!(line.error <= largest * rate)) attempt.stable = false;
    }
    if (!attempt.stable) return;
    attempt.slow = slow_modes({attempt.all.begin() + 1, attempt.all.end()}, options_.modes + more_, perturbation_);
    const Vector density =
        Eigen::Map<const Vector>(attempt.density.data(), static_cast<Eigen::Index>(attempt.density.size()));
    const Vector after = space_.propagated(propagator, density);
    const double kept = space_.mass(after) / space_.mass(density);
    const Vector change = after - kept * density;
    attempt.residual = space_.norm(change) / propagator.time();
    attempt.leak = -std::log(kept) / propagator.time();
    // What the step does to the density in one window, and what the iteration has left.
    Vector defect = change / static_cast<double>(propagator.windows());
    if (!is_map()) defect += space_.window_defect(propagator, density);
    const double slowest = slowest_rate(lines_of(attempt.slow), problem_.relaxation_time(), known_);
    attempt.error = space_.norm(defect) / (propagator.window_length() * slowest);
    if (attempt.worst() <= options_.tolerance) return;
    // The bounds above count every disturbance as if it were along the slowest mode.
    ErrorResolution resolution(space_, propagator, attempt);
    attempt.error = std::min(attempt.error, resolution.accumulated(defect, known_));
    if (!is_map()) resolve_slowest(propagator, resolution, attempt);
  }

  /// Sharper error of the slowest eigenvalue.
  void resolve_slowest(Propagator& propagator, ErrorResolution& resolution, Attempt& attempt) {
    if (attempt.slow.empty()) return;
    SpectralLine& line = attempt.slow[0].line;
    for (std::size_t k = 1; k < attempt.all.size(); ++k) {
      if (attempt.all[k].line.eigenvalue != line.eigenvalue) continue;
      const Vector re = attempt.all[k].vector.real();
      const Vector im = attempt.all[k].vector.imag();
      const double change =
          resolution.along(k, space_.window_defect(propagator, re), space_.window_defect(propagator, im));
      line.error = std::min(line.error, change / propagator.window_length());
      return;
    }
  }

  /// Branch of the logarithm and error of a mode.
  void complete(Propagator& propagator, Mode& mode) {
    const Vector re = mode.vector.real();
    const Vector im = mode.vector.imag();
    const double turn = 2.0 * std::numbers::pi / propagator.time();
    const double turns = std::round((space_.rayleigh_quotient(re, im).imag() - mode.line.eigenvalue.imag()) / turn);
    mode.line.aliased = turns != 0.0;
    mode.line.eigenvalue += Complex(0.0, turns * turn);
    // A perturbation of the window's operator moves μ_H by its size relative to the eigenvector.
    const double error =
        space_.norm(space_.window_defect(propagator, re)) + space_.norm(space_.window_defect(propagator, im));
    const double window = propagator.window_length();
    mode.line.error =
        error / ((space_.norm(re) + space_.norm(im)) * window * std::abs(std::exp(mode.line.eigenvalue * window)));
  }

  /// The slow modes of the last attempt, so that the next one begins with all it looks for.
  static std::vector<double> warm_start(const Attempt& attempt) {
    std::vector<ComplexVector> modes;
    for (std::size_t m = 1; m < attempt.all.size(); ++m) modes.push_back(attempt.all[m].vector);
    return with_modes(attempt.density, modes);
  }

  StationaryState finished(Attempt attempt) {
    StationaryState state;
    state.converged = attempt.converged && attempt.stable && std::isfinite(attempt.residual + attempt.worst());
    if (!attempt.converged) state.failure = "Arnoldi iteration found fewer modes than asked for";
    if (attempt.converged && !state.converged) state.failure = "modes grow under every step that was tried";
    state.residual = attempt.residual;
    state.error_estimate = attempt.error + attempt.negative;
    state.leak = attempt.leak;
    state.plan = attempt.plan;
    state.density = std::move(attempt.density);
    state.modes = std::move(attempt.slow);
    state.spectrum = lines_of(state.modes);
    state.applications = applications_;
    for (const SpectralLine& line : state.spectrum) {
      if (!line.aliased || line.eigenvalue.imag() < 0.0) continue;
      state.warnings.push_back(fmt::format(
          "the frequency {:.6g} is faster than the propagation time resolves; its branch was taken from the generator",
          line.eigenvalue.imag()));
    }
    return state;
  }

  const StationaryProblem& problem_;
  const PhaseMesh& mesh_;
  const Tables& tables_;
  const StationarySpec& options_;
  VectorSpace space_;
  int known_ = problem_.known_crossings();
  int more_ = 0;
  double perturbation_ = grid_perturbation;
  long applications_ = 0;
};

}  // namespace

StationaryState solve_by_arnoldi(const StationaryProblem& problem) {
  return Arnoldi(problem).solve();
}

StationaryState repeat_by_arnoldi(const StationaryProblem& problem, const NearbyState& nearby) {
  return Arnoldi(problem).repeat(nearby);
}

}  // namespace underdamp
