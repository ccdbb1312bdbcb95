#include "solver/stationary/direct_stationary.hpp"

#include <algorithm>
#include <cmath>
#include <future>

#include "meshes/error.hpp"
#include "solver/stationary/factored_generator.hpp"
#include "solver/stationary/refinement.hpp"
#include "solver/stationary/shifted_modes.hpp"
#include "solver/stationary/spectrum.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;
using Matrix = OrderedGenerator::Matrix;
using Vector = OrderedGenerator::Vector;

/// The inverse on the perturbations of a density, whose integral is 0: the stationary state, which would drown all
/// else, is taken out.
class PerturbationInverse {
 public:
  /// `measure`: of each cell, so that its product with a field is the integral.
  PerturbationInverse(const ShiftedInverse& inverse, const Vector& density, const Vector& measure)
      : inverse_(inverse), density_(density / measure.dot(density)), measure_(measure) {}
  Vector operator()(const Vector& right) const { return perturbation(inverse_.solve(perturbation(right))); }
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
      const Vector rough = nearby_ != nullptr ? Vector() : generator_.ordered(with_slow_modes(problem_, nearest));
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
      return generator_.unordered(inverse(generator_.ordered(span_of(right))));
    };
    auto refinement = std::make_unique<Refinement>(
        problem_, solve, nearby_ != nullptr ? nearby_->state.plan : std::optional<PropagationPlan>());
    Vector values = generator_.unordered(density);
    // On another grid a density that is known anyway is not asked for.
    if (nearby_ == nullptr || !problem_.is_gibbs()) {
      if (!refinement->refine(values)) return nullptr;
      density = generator_.ordered(span_of(values));
    }
    state.plan = refinement->plan();
    state.error_estimate = refinement->step_error();
    state.residual = refinement->residual();
    return refinement;
  }

  /// Nearest to 0 first, then at the frequencies, until those of the next harmonic decay faster than what is wanted.
  bool find_modes(const PerturbationInverse& inverse, const Vector& start, Refinement* refinement,
                  StationaryState& state) {
    if (nearby_ != nullptr) return find_known_modes(inverse, refinement, state);
    const auto bases = is_weakly_damped() ? oscillations() : std::vector<double>{};
    if (!bases.empty()) factor_in_background(bases.front());
    const Vector rough = inverse.perturbation(start);
    auto [found, complete] = modes_next_to(shift_, {wanted_next_to_zero(), {}, {}}, inverse, rough);
    for (const double base : bases) follow_harmonics(base, rough, found, state.frequencies);
    keep(found, problem_.options.modes, refinement, state);
    return complete && static_cast<int>(state.modes.size()) >= problem_.options.modes;
  }

  /// The modes of the other grid, by the shifts by which they were found there.
  bool find_known_modes(const PerturbationInverse& inverse, Refinement* refinement, StationaryState& state) {
    state.frequencies = nearby_->state.frequencies;
    if (!state.frequencies.empty()) factor_in_background(state.frequencies.front());
    std::vector<Eigenpair> found;
    bool complete = true;
    const Known slow = known_next_to(0.0);
    if (!slow.values.empty()) {
      const Vector start = inverse.perturbation(slow.sum.real() + slow.sum.imag());
      ShiftedModes modes = modes_next_to(shift_, {wanted_next_to_zero(), slow.values, {}}, inverse, start);
      complete = modes.complete;
      found = std::move(modes.pairs);
    }
    for (std::size_t k = 0; k < state.frequencies.size(); ++k) {
      const Known known = known_next_to(state.frequencies[k]);
      if (known.values.empty()) continue;
      const auto shifted = inverse_near(state.frequencies[k]);
      if (k + 1 < state.frequencies.size()) factor_ahead(state.frequencies[k + 1]);
      add_modes_next_to(*shifted, known.values, known.sum, found);
    }
    keep(found, problem_.options.modes + beyond, refinement, state);
    return complete && static_cast<int>(state.modes.size()) >= problem_.options.modes;
  }

  struct Known {
    std::vector<Complex> values;
    Eigen::VectorXcd sum;  ///< of their vectors
  };

  /// Modes of the other grid that were found next to a frequency, or next to 0.
  Known known_next_to(double frequency) const {
    Known known{{}, Eigen::VectorXcd::Zero(generator_.matrix().rows())};
    for (std::size_t k = 0; k < nearby_->modes.size(); ++k) {
      const Complex value = nearby_->state.modes[k].line.eigenvalue;
      if (value.imag() < 0.0 || nearest_shift(value.imag()) != frequency) continue;
      known.values.push_back(value);
      // With different weights, so that vectors that are nearly parallel do not cancel.
      const double weight = 1.0 / static_cast<double>(known.values.size());
      known.sum += weight / nearby_->modes[k].norm() * generator_.ordered(nearby_->modes[k]);
    }
    return known;
  }

  /// 0 or the frequency next to which a mode was found on the other grid.
  double nearest_shift(double frequency) const {
    double nearest = 0.0;
    for (const double other : nearby_->state.frequencies) {
      const bool is_next = frequency >= least_share * other;
      if (is_next && (nearest == 0.0 || std::abs(other - frequency) < std::abs(nearest - frequency))) nearest = other;
    }
    return nearest;
  }

  /// The slowest `kept` of those found, with what refines them, and which frequencies they needed.
  void keep(const std::vector<Eigenpair>& found, int kept, Refinement* refinement, StationaryState& state) const {
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
    state.modes = slow_modes(std::move(modes), kept);
    state.frequencies = useful(state.frequencies, state.modes);
    state.spectrum = lines_of(state.modes);
  }

  /// Some of those nearest to 0 oscillate slowly and decay fast.
  int wanted_next_to_zero() const { return problem_.options.modes + beyond + (is_weakly_damped() ? 0 : 4); }

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
    const auto may_matter = [&](int n) {
      constexpr double anharmonic = 1.05;  // harmonics need not decay in proportion
      return n <= most && n * decay < anharmonic * decay_of_last_wanted(values_of(found));
    };
    for (int n = 1; n == 1 || may_matter(n); ++n) {
      const auto inverse = inverse_near(n * frequency);
      if (may_matter(n + 1)) factor_ahead((n + 1) * frequency);
      add_modes_next_to(*inverse, {}, start.cast<Complex>(), found);
      frequencies.push_back(inverse->shift().imag());
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

  /// The same while another complex one is in use, where there is room for both.
  void factor_ahead(double frequency) {
    constexpr std::size_t most_cells = 256 * 256;
    if (problem_.mesh.shape().cells() <= most_cells) factor_in_background(frequency);
  }

  /// While the modes next to another shift are looked for.
  void factor_in_background(double frequency) {
    next_frequency_ = frequency;
    next_inverse_ = std::async(std::launch::async | std::launch::deferred, [this, frequency] {
      return std::make_unique<ComplexShiftedInverse>(generator_.matrix(), Complex(0.0, frequency), problem_.poll);
    });
  }

  /// The one that is being made, if its frequency turns out to be near enough.
  std::unique_ptr<ComplexShiftedInverse> inverse_near(double frequency) {
    constexpr double near = 0.1;
    const bool is_near = std::abs(next_frequency_ - frequency) <= near * frequency;
    if (!next_inverse_.valid() || !is_near) factor_in_background(frequency);
    return next_inverse_.get();
  }

  /// Those next to the frequency of a shift that are not there yet.
  void add_modes_next_to(const ComplexShiftedInverse& inverse, const std::vector<Complex>& expected,
                         const Eigen::VectorXcd& start, std::vector<Eigenpair>& found) {
    const auto fastest = [&](const std::vector<Complex>& converged) {
      std::vector<Complex> all = values_of(found);
      all.insert(all.end(), converged.begin(), converged.end());
      return margin * decay_of_last_wanted(all);
    };
    const ModeSearch search{problem_.options.modes / 2 + 2, expected, fastest};
    const auto solve = [&](const Eigen::VectorXcd& right) { return inverse.solve(right); };
    const ShiftedModes modes = modes_next_to(inverse.shift(), search, solve, start);
    complex_solves_ += inverse.solves();
    const std::size_t known = found.size();
    std::vector<bool> matched(known, false);
    for (const Eigenpair& pair : modes.pairs) {
      // What is further down, the stationary state among it, is not what was looked for.
      if (pair.value.imag() < least_share * inverse.shift().imag()) continue;
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
  static constexpr double least_share = 0.3;  ///< of the frequency of a shift that the modes next to it have
  static constexpr double margin = 1.2;       ///< by which rates of decay may change from grid to grid

  const StationaryProblem& problem_;
  const NearbyState* nearby_;
  OrderedGenerator generator_;
  double shift_;
  ShiftedInverse inverse_;
  Vector measure_;
  long complex_solves_ = 0;
  double next_frequency_ = 0.0;
  std::future<std::unique_ptr<ComplexShiftedInverse>> next_inverse_;  ///< ends before what it reads
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
