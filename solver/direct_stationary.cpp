#include "solver/direct_stationary.hpp"

#include <algorithm>
#include <cmath>

#include <Spectra/GenEigsSolver.h>

#include "meshes/error.hpp"
#include "solver/factored_generator.hpp"
#include "solver/refinement.hpp"
#include "solver/shifted_modes.hpp"
#include "solver/spectrum.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;
using Matrix = OrderedGenerator::Matrix;
using Vector = OrderedGenerator::Vector;

/// The inverse on the perturbations of a density, whose integral is 0: the stationary state, which would drown all
/// else, is taken out.
class PerturbationInverse {
 public:
  using Scalar = double;

  /// `measure`: of each cell, so that its product with a field is the integral.
  PerturbationInverse(const ShiftedInverse& inverse, const Vector& density, const Vector& measure)
      : inverse_(inverse), density_(density / measure.dot(density)), measure_(measure) {}
  Eigen::Index rows() const { return inverse_.rows(); }
  Eigen::Index cols() const { return inverse_.cols(); }
  void perform_op(const double* from, double* to) const {
    Eigen::Map<Vector>(to, rows()) = perturbation(inverse_.solve(perturbation(Eigen::Map<const Vector>(from, rows()))));
  }
  Vector perturbation(const Vector& vector) const { return vector - density_ * measure_.dot(vector); }

 private:
  const ShiftedInverse& inverse_;
  Vector density_;
  const Vector& measure_;
};

class Direct {
 public:
  Direct(const StationaryProblem& problem, const NearbyState* nearby)
      : problem_(problem),
        nearby_(nearby),
        generator_(problem.mesh, problem.tables),
        shift_(1e-9 / problem.relaxation_time()),
        inverse_(generator_.matrix(), shift_, problem.poll) {
    measure_ = generator_.ordered(span_of(cell_measure(problem.mesh)));
  }

  StationaryState solve(bool is_refined) {
    const std::vector<double> nearest = nearby_ != nullptr ? nearby_->density : nearest_density(problem_);
    Vector density = generator_.ordered(nearest);
    const double relaxation = problem_.relaxation_time();
    constexpr double rounding = 1e-12;
    StationaryState state;
    state.residual = polish(density, rounding / relaxation, state.leak);
    const PerturbationInverse inverse(inverse_, density, measure_);
    std::unique_ptr<Refinement> refinement;
    if (is_refined) refinement = refine(inverse, density, state);
    bool has_modes = true;
    if (problem_.options.modes > 0) {
      const bool has_start = nearby_ != nullptr && !nearby_->modes.empty();
      const Vector rough =
          generator_.ordered(has_start ? with_modes(nearest, nearby_->modes) : with_slow_modes(problem_, nearest));
      has_modes = find_modes(inverse, rough, refinement.get(), state);
    }
    state.applications = inverse_.solves() + complex_solves_ + (refinement ? refinement->applications() : 0);
    const Vector values = generator_.unordered(density);
    const double negative =
        take_density({values.data(), static_cast<std::size_t>(values.size())}, problem_.mesh, state.density);
    state.error_estimate += negative;
    if (!state.plan)
      state.error_estimate += state.residual / slowest_rate(state.spectrum, relaxation, problem_.known_crossings());
    // Of a refined density the residual is in its error.
    constexpr double largest_residual = 1e-6;
    const bool has_density = state.plan || state.residual * relaxation <= largest_residual;
    state.converged = has_modes && has_density;
    if (!has_modes) state.failure = "shift-invert Arnoldi iteration found fewer modes than asked for";
    if (!has_density) state.failure = "the residual did not fall";
    return state;
  }

 private:
  /// Inverse iteration until ‖L p − λ₀ p‖₁ is `enough` or stops falling; each turn gains the factor σ/|λ₁|. `leak` =
  /// −λ₀.
  double polish(Vector& density, double enough, double& leak) const {
    const auto residual_of = [&](Vector& vector) {
      vector /= measure_.dot(vector);
      const Vector change = generator_.matrix() * vector;
      leak = -measure_.dot(change);
      return (change + leak * vector).lpNorm<1>() * problem_.plane().cell_area();
    };
    double residual = residual_of(density);
    constexpr int most = 30;
    for (int k = 0; k < most && !(residual <= enough); ++k) {
      const Vector before = density;
      density = inverse_.solve(density);
      const double now = residual_of(density);
      if (!(now < 0.5 * residual)) {
        if (!(now < residual)) density = before;
        residual_of(density);
        return std::min(now, residual);
      }
      residual = now;
    }
    return residual;
  }

  /// Null if it did not converge.
  std::unique_ptr<Refinement> refine(const PerturbationInverse& inverse, Vector& density,
                                     StationaryState& state) const {
    const auto solve = [this, &inverse](const Vector& right) -> Vector {
      const Vector from = generator_.ordered(span_of(right));
      Vector to(from.size());
      inverse.perform_op(from.data(), to.data());
      return generator_.unordered(to);
    };
    auto refinement = std::make_unique<Refinement>(
        problem_, solve, nearby_ != nullptr ? nearby_->state.plan : std::optional<PropagationPlan>());
    Vector values = generator_.unordered(density);
    if (!refinement->refine(values)) return nullptr;
    density = generator_.ordered(span_of(values));
    state.plan = refinement->plan();
    state.error_estimate = refinement->step_error();
    state.residual = refinement->residual();
    return refinement;
  }

  /// Nearest to 0 first, then at the frequencies, until those of the next harmonic decay faster than what is wanted.
  bool find_modes(const PerturbationInverse& inverse, const Vector& start, Refinement* refinement,
                  StationaryState& state) {
    std::vector<Eigenpair> found;
    // Some of those nearest to 0 oscillate slowly and decay fast.
    const int wanted = problem_.options.modes + beyond + (is_weakly_damped() ? 0 : 4);
    const bool complete = add_real_shift(inverse, wanted, inverse.perturbation(start), found);
    const Vector rough = inverse.perturbation(start);
    if (nearby_ != nullptr) {
      for (const double frequency : nearby_->state.frequencies) add_complex_shift(frequency, rough, found);
      state.frequencies = nearby_->state.frequencies;
    } else if (is_weakly_damped()) {
      for (const double base : oscillations()) follow_harmonics(base, rough, found, state.frequencies);
    }
    const bool is_gibbs = refinement != nullptr && problem_.is_gibbs();
    const auto weight = is_gibbs ? gibbs_density(problem_.model, problem_.p, problem_.mesh) : std::vector<double>{};
    const Eigen::Map<const Vector> gibbs(weight.data(), static_cast<Eigen::Index>(weight.size()));
    const double slow = margin * decay_of_last_wanted(values_of(found));
    std::vector<Mode> modes;
    for (const Eigenpair& pair : found) {
      Mode mode{{pair.value, residual_of(pair), false}, generator_.unordered(pair.vector)};
      if (is_gibbs && -pair.value.real() <= slow) refinement->refine(gibbs, mode.line, mode.vector);
      modes.push_back(mode);
      if (std::abs(pair.value.imag()) <= real_below * std::abs(pair.value)) continue;
      mode.line.eigenvalue = std::conj(mode.line.eigenvalue);
      mode.vector = mode.vector.conjugate().eval();
      modes.push_back(std::move(mode));
    }
    // On another grid some more, so that each of those wanted finds its own.
    const int kept = problem_.options.modes + (nearby_ != nullptr ? beyond : 0);
    state.modes = slow_modes(std::move(modes), kept);
    state.frequencies = useful(state.frequencies, state.modes);
    state.spectrum = lines_of(state.modes);
    return complete && static_cast<int>(state.modes.size()) >= problem_.options.modes;
  }

  /// Only then do modes that are slow lie far from 0.
  bool is_weakly_damped() const {
    constexpr double weak = 0.7;
    return problem_.model.derived(problem_.p).zeta < weak;
  }

  /// Frequencies at the bottoms of the wells, if they oscillate there.
  std::vector<double> oscillations() const {
    std::vector<double> list;
    const auto add = [&](double stiffness) {
      const double square = stiffness - 0.25 * problem_.model.gamma() * problem_.model.gamma();
      if (!(square > 0.0)) return;
      const double frequency = std::sqrt(square);
      constexpr double different = 0.1;
      const bool is_new = std::none_of(list.begin(), list.end(),
                                       [&](double other) { return std::abs(frequency - other) <= different * other; });
      constexpr std::size_t most = 3;
      if (is_new && list.size() < most) list.push_back(frequency);
    };
    const Derived d = problem_.model.derived(problem_.p);
    add(d.omega * d.omega);
    const Axis& theta = problem_.plane().theta;
    const QuasiPotential q =
        quasi_potential(problem_.model, problem_.p, {theta.lower, theta.upper}, problem_.mesh.walls().is_periodic());
    constexpr double least_barrier = 2.0;
    constexpr double least_weight = 1e-3;
    for (const Well& well : wells_of(q, least_barrier)) {
      if (well.weight > least_weight) add(problem_.model.k() * problem_.model.curvature(problem_.p, well.bottom));
    }
    return list;
  }

  void follow_harmonics(double base, const Vector& start, std::vector<Eigenpair>& found,
                        std::vector<double>& frequencies) {
    constexpr int most = 6;
    double frequency = base;
    double decay = 0.5 * problem_.model.gamma();  // of the first harmonic
    for (int n = 1; n <= most; ++n) {
      constexpr double anharmonic = 1.05;  // harmonics need not decay in proportion
      if (n > 1 && !(n * decay < anharmonic * decay_of_last_wanted(values_of(found)))) return;
      add_complex_shift(n * frequency, start, found);
      frequencies.push_back(n * frequency);
      if (n > 1) continue;
      const Eigenpair* slowest = nullptr;  // of those next to the shift
      for (const Eigenpair& pair : found) {
        if (std::abs(pair.value.imag() - base) > 0.3 * base) continue;
        if (slowest == nullptr || pair.value.real() > slowest->value.real()) slowest = &pair;
      }
      if (slowest == nullptr) return;
      frequency = slowest->value.imag();
      decay = -slowest->value.real();
    }
  }

  /// Rate of decay of the last of the modes that are wanted.
  double decay_of_last_wanted(const std::vector<Complex>& found) const {
    std::vector<double> rates;
    for (const Complex value : found) {
      rates.push_back(-value.real());
      if (std::abs(value.imag()) > real_below * std::abs(value)) rates.push_back(-value.real());
    }
    const auto wanted = static_cast<std::size_t>(problem_.options.modes);
    if (rates.size() < wanted) return std::numeric_limits<double>::infinity();
    std::nth_element(rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(wanted - 1), rates.end());
    return rates[wanted - 1];
  }

  static std::vector<Complex> values_of(const std::vector<Eigenpair>& pairs) {
    std::vector<Complex> values;
    for (const Eigenpair& pair : pairs) values.push_back(pair.value);
    return values;
  }

  /// Those next to which a mode of the list lies.
  static std::vector<double> useful(const std::vector<double>& frequencies, const std::vector<Mode>& modes) {
    std::vector<double> list;
    for (const double frequency : frequencies) {
      const auto is_next = [&](const Mode& mode) {
        const double wanted = mode.line.eigenvalue.imag();
        return wanted > 0.5 * frequencies.front() &&
               std::all_of(frequencies.begin(), frequencies.end(),
                           [&](double other) { return std::abs(wanted - frequency) <= std::abs(wanted - other); });
      };
      if (std::any_of(modes.begin(), modes.end(), is_next)) list.push_back(frequency);
    }
    return list;
  }

  /// Those nearest to 0; of conjugate pairs the upper one.
  bool add_real_shift(const PerturbationInverse& inverse, int wanted, const Vector& start,
                      std::vector<Eigenpair>& found) const {
    const Eigen::Index basis = std::min<Eigen::Index>(inverse.rows() - 1, 2 * wanted + 8);
    Spectra::GenEigsSolver<const PerturbationInverse> solver(inverse, wanted, basis);
    constexpr int most_restarts = 200;
    constexpr double tolerance = 1e-7;
    try {
      solver.init(start.data());
      solver.compute(Spectra::SortRule::LargestMagn, most_restarts, tolerance);
    } catch (const std::exception&) {
      return false;  // a field that is not finite has no Schur decomposition
    }
    const Eigen::VectorXcd values = solver.eigenvalues();
    const Eigen::MatrixXcd vectors = solver.eigenvectors();
    for (Eigen::Index k = 0; k < values.size(); ++k) {
      const Complex value = shift_ + 1.0 / values[k];
      if (value.imag() >= 0.0) found.push_back({value, vectors.col(k)});
    }
    return solver.info() == Spectra::CompInfo::Successful;
  }

  /// Those next to i·frequency that are not there yet.
  void add_complex_shift(double frequency, const Vector& start, std::vector<Eigenpair>& found) {
    const ComplexShiftedInverse inverse(generator_.matrix(), Complex(0.0, frequency), problem_.poll);
    const int wanted = problem_.options.modes / 2 + 2;
    const auto fastest = [&](const std::vector<Complex>& converged) {
      std::vector<Complex> known = values_of(found);
      known.insert(known.end(), converged.begin(), converged.end());
      return margin * decay_of_last_wanted(known);
    };
    const auto pairs = eigenpairs_near(inverse, Complex(0.0, frequency), wanted, fastest, start.cast<Complex>());
    complex_solves_ += inverse.solves();
    const std::size_t known = found.size();
    std::vector<bool> matched(known, false);
    for (const Eigenpair& pair : pairs) {
      // What is further down, the stationary state among it, is not what was looked for.
      if (pair.value.imag() < 0.3 * frequency) continue;
      constexpr double same = 1e-6;
      std::size_t k = 0;
      while (k < known && (matched[k] || std::abs(found[k].value - pair.value) > same * std::abs(pair.value))) ++k;
      if (k < known) {
        matched[k] = true;
      } else {
        found.push_back(pair);
      }
    }
  }

  /// ‖L φ − λ φ‖₁ relative to ‖φ‖₁.
  double residual_of(const Eigenpair& pair) const {
    const Eigen::VectorXcd change = generator_.matrix().cast<Complex>() * pair.vector - pair.value * pair.vector;
    return change.lpNorm<1>() / pair.vector.lpNorm<1>();
  }

  static constexpr double real_below = 1e-7;
  static constexpr double margin = 1.2;  ///< by which rates of decay may change from grid to grid

  const StationaryProblem& problem_;
  const NearbyState* nearby_;
  OrderedGenerator generator_;
  double shift_;
  ShiftedInverse inverse_;
  Vector measure_;
  long complex_solves_ = 0;
};

}  // namespace

StationaryState solve_direct(const StationaryProblem& problem, bool is_refined, const NearbyState* nearby) {
  if (problem.is_map()) {
    throw Error(ExitCode::bad_input, "stationary.method: the SGD map has no generator to factor", {},
                "use method = \"arnoldi\" or \"evolve\"");
  }
  return Direct(problem, nearby).solve(is_refined);
}

std::vector<std::vector<double>> quasi_stationary_densities(const StationaryProblem& problem,
                                                            const std::vector<Well>& wells) {
  const OrderedGenerator generator(problem.mesh, problem.tables);
  // Long against the relaxation inside a well, short against the time that a crossing takes.
  const ShiftedInverse inverse(generator.matrix(), 1e-4 / problem.relaxation_time(), problem.poll);
  std::vector<std::vector<double>> densities;
  for (const Well& well : wells) {
    Vector density = generator.ordered(nearest_density(problem, well));
    constexpr int turns = 3;
    for (int turn = 0; turn < turns; ++turn) {
      density = inverse.solve(density);
      density /= density.lpNorm<1>();
    }
    const Vector values = generator.unordered(density);
    densities.emplace_back();
    take_density({values.data(), static_cast<std::size_t>(values.size())}, problem.mesh, densities.back());
  }
  return densities;
}

}  // namespace underdamp
