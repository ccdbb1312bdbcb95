#include "validation/verify_stationary.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "meshes/cell_index.hpp"
#include "solver/stationary/driven_state.hpp"
#include "validation/circle_solution.hpp"
#include "validation/exact_answers.hpp"
#include "validation/gibbs_answers.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;

/// What quadrature and rounding leave of a comparison.
constexpr double floor_of_errors = 1e-9;
/// Estimates are at least half the truth.
constexpr double safety = 2.0;

/// L1 distance of two densities, with the weights of the rows.
double distance(const PhaseMesh& mesh, const std::vector<double>& a, const std::vector<double>& b) {
  const auto weights = theta_weights(mesh);
  const CellIndex cell(mesh);
  double sum = 0.0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += weights[cell.row(k)] * std::abs(a[k] - b[k]);
  return sum * mesh.plane(0).cell_area();
}

struct EntropyProduction {
  double by_moments = 0.0;  ///< E γ²v²/D − γ, of any stationary state of the Langevin equation
  double missed = 0.0;      ///< by how much differences of sixth order miss ∫ J_irr²/(D p), from those of eighth
};
EntropyProduction entropy_production(const Model& model, int p, const PhaseMesh& mesh,
                                     const std::vector<double>& density) {
  static constexpr std::array sixth{45.0 / 60.0, -9.0 / 60.0, 1.0 / 60.0, 0.0};
  static constexpr std::array eighth{672.0 / 840.0, -168.0 / 840.0, 32.0 / 840.0, -3.0 / 840.0};
  const PhasePlane& plane = mesh.plane(0);
  const int columns = plane.velocity.cells;
  const auto weights = theta_weights(mesh);
  const double floor = 1e-14 / (plane.theta.length() * plane.velocity.length());
  EntropyProduction result;
  double by_sixth = 0.0;
  double by_eighth = 0.0;
  double mass = 0.0;
  for (int i = 0; i < plane.theta.cells; ++i) {
    const double* row = density.data() + CellIndex(plane)(i, 0);
    const double d = model.diffusion(p, plane.theta.center(i));
    const double weight = weights[static_cast<std::size_t>(i)];
    for (int j = 0; j < columns; ++j) {
      const double drag = model.gamma() * plane.velocity.center(j);
      mass += weight * row[j];
      result.by_moments += weight * row[j] * drag * drag / d;
      if (!(row[j] > floor) || j < 4 || j + 4 >= columns) continue;
      const auto dissipation = [&](const std::array<double, 4>& stencil) {
        double slope = 0.0;
        for (int s = 0; s < 4; ++s) slope += stencil[static_cast<std::size_t>(s)] * (row[j + 1 + s] - row[j - 1 - s]);
        const double current = drag * row[j] + d * slope / plane.velocity.width();
        return weight * current * current / (d * row[j]);
      };
      by_sixth += dissipation(sixth);
      by_eighth += dissipation(eighth);
    }
  }
  result.by_moments = result.by_moments / mass - model.gamma();
  result.missed = std::abs(by_sixth - by_eighth) / mass;
  return result;
}

class StationaryVerifier {
 public:
  StationaryVerifier(const Simulation& simulation, int p, const StationaryState& state)
      : model_(simulation.model()),
        spec_(simulation.spec()),
        p_(p),
        mesh_(simulation.mesh().only(p)),
        state_(state),
        o_(simulation.observe_density(p, state.density)),
        name_(model_.plane(p).name) {}

  std::vector<Check> run() {
    if (spec_.is_linear() && walls().lower == ThetaBoundary::open && walls().upper == ThetaBoundary::open) {
      verify_gaussian();
      verify_eigenvalues();
    } else if (!is_map() && spec_.has_constant_noise() && !is_driven()) {
      verify_gibbs();
    } else if (!is_map() && walls().is_periodic()) {
      verify_circle();
    }
    if (!walls().is_periodic()) verify_rest();
    if (!walls().any_reflecting()) verify_force();
    if (is_map()) {
      verify_map();
    } else {
      verify_balance();
      verify_entropy_production();
    }
    return checks_.take();
  }

 private:
  bool is_map() const { return spec_.dynamics == Dynamics::sgd; }
  bool is_driven() const { return model_.is_driven(p_); }
  const ThetaWalls& walls() const { return mesh_.walls(); }

  void judge(const std::string& quantity, double computed, double reference, double error, double tolerance,
             const std::string& note = "") {
    checks_.judge_by_estimate(name_, quantity, computed, reference, error, tolerance, note);
  }

  // --- errors that the state reports, relative to the scale of what they are of -----------------------------------

  double density_error() const { return safety * state_.total_error() + floor_of_errors; }
  double mean_error(std::size_t axis) const {
    return safety * state_.mean_error[axis] / std::sqrt(o_.covariance[axis][axis]) + floor_of_errors;
  }
  double covariance_error(std::size_t a, std::size_t b) const {
    return safety * state_.covariance_error[a][b] / std::sqrt(o_.covariance[a][a] * o_.covariance[b][b]) +
           floor_of_errors;
  }
  double second_velocity_moment() const { return o_.covariance[1][1] + o_.mean[1] * o_.mean[1]; }
  /// Of E v².
  double speed_error() const {
    const double error = state_.covariance_error[1][1] + 2.0 * std::abs(o_.mean[1]) * state_.mean_error[1];
    return safety * error / second_velocity_moment() + floor_of_errors;
  }
  /// Of the mean of a function of θ, from the error of the density: in its root mean square.
  double functional_error(double mean_square) const {
    constexpr double tails = 4.0;
    return tails * state_.total_error() * std::sqrt(std::max(mean_square, 0.0));
  }

  /// E g and E g² for a function of θ.
  template <class Function>
  std::array<double, 2> averages(const Function& g) const {
    const PhasePlane& plane = mesh_.plane(0);
    const auto weights = theta_weights(mesh_);
    std::array<double, 2> sums{};
    double mass = 0.0;
    std::size_t k = 0;
    for (int i = 0; i < plane.theta.cells; ++i) {
      double row = 0.0;
      for (int j = 0; j < plane.velocity.cells; ++j) row += density()[k++];
      row *= weights[static_cast<std::size_t>(i)];
      const double value = g(plane.theta.center(i));
      mass += row;
      sums[0] += row * value;
      sums[1] += row * value * value;
    }
    return {sums[0] / mass, sums[1] / mass};
  }
  const std::vector<double>& density() const { return state_.density; }

  // --- exact states -----------------------------------------------------------------------------------------------

  void judge_moments(const std::string& answer, const Vector2& mean, const Matrix2& covariance) {
    double offset = 0.0;
    double offset_allowed = 0.0;
    double spread = 0.0;
    double spread_allowed = 0.0;
    for (std::size_t a = 0; a < 2; ++a) {
      offset = larger_error(std::abs(o_.mean[a] - mean[a]) / std::sqrt(covariance[a][a]), offset);
      offset_allowed = larger_error(mean_error(a), offset_allowed);
      for (std::size_t b = a; b < 2; ++b) {
        const double scale = std::sqrt(covariance[a][a] * covariance[b][b]);
        spread = larger_error(std::abs(o_.covariance[a][b] - covariance[a][b]) / scale, spread);
        spread_allowed = larger_error(covariance_error(a, b), spread_allowed);
      }
    }
    judge("stationary mean, " + answer, o_.mean[0], mean[0], offset, offset_allowed,
          "computed, reference: E θ; error: larger of the two, in standard deviations");
    judge("stationary covariance, " + answer, o_.covariance[0][0], covariance[0][0], spread, spread_allowed,
          "computed, reference: Var θ; error: largest relative of the three");
  }

  void verify_gaussian() {
    const GaussianState exact =
        is_map() ? linear_sgd(model_, p_).stationary() : linear_langevin(model_, p_).stationary();
    const double l1 = l1_error(mesh_.plane(0), density(), exact);
    judge("stationary density, exact Gaussian (L1)", l1, 0.0, l1, density_error());
    judge_moments("exact Gaussian", exact.mean, exact.covariance);
  }

  void verify_gibbs() {
    const GibbsState exact = gibbs_state(model_, p_, mesh_);
    const double l1 = distance(mesh_, density(), density_of(exact, model_, p_, mesh_.plane(0)));
    judge("stationary density, Gibbs (L1)", l1, 0.0, l1, density_error());
    if (walls().any_open()) {
      const double limits = safety * state_.box_error_estimate + floor_of_errors;
      judge("probability beyond the box, Gibbs", exact.beyond, 0.0, exact.beyond, limits,
            "of all within ten boxes through open walls");
    }
    if (walls().is_periodic()) {
      const double speed = second_velocity_moment();
      judge("mean square velocity, Gibbs", speed, exact.temperature, std::abs(speed / exact.temperature - 1.0),
            speed_error());
      judge("mean velocity, Gibbs", o_.mean[1], 0.0, std::abs(o_.mean[1]) / std::sqrt(exact.temperature), mean_error(1),
            "error: in standard deviations");
      return;
    }
    judge_moments("Gibbs", {exact.mean, 0.0}, {{{exact.variance, 0.0}, {0.0, exact.temperature}}});
  }

  void verify_circle() {
    const auto exact = circle_solution(model_, p_, mesh_.plane(0));
    if (!exact) return;
    const double l1 = distance(mesh_, density(), exact->density(mesh_.plane(0)));
    judge("stationary density, Hermite functions (L1)", l1, 0.0, l1, density_error() + exact->density_error);
    const double speed = second_velocity_moment();
    judge("mean velocity, Hermite functions", o_.mean[1], exact->mean_velocity(),
          std::abs(o_.mean[1] - exact->mean_velocity()) / std::sqrt(exact->mean_square_velocity()),
          mean_error(1) + safety * exact->error, "error: relative to the root of E v²");
    judge("mean square velocity, Hermite functions", speed, exact->mean_square_velocity(),
          std::abs(speed / exact->mean_square_velocity() - 1.0), speed_error() + safety * exact->error);
  }

  // --- eigenvalues of a parabola -----------------------------------------------------------------------------------

  /// The two of the linear flow, of which all others are sums; of the map the logarithms over η.
  std::array<Complex, 2> linear_eigenvalues() const {
    if (!is_map()) {
      const Derived d = model_.derived(p_);
      const Complex root = std::sqrt(Complex(0.25 * d.gamma * d.gamma - d.omega * d.omega, 0.0));
      // −γ/2 + root without cancellation
      const Complex fast = -0.5 * d.gamma - root;
      return {d.omega * d.omega / fast, fast};
    }
    const double eta = model_.learning_rate();
    const double beta = model_.momentum();
    const double half = 0.5 * (1.0 + beta - eta * model_.plane(p_).curvature);
    const Complex root = std::sqrt(Complex(half * half - beta, 0.0));
    return {std::log(half + root) / eta, std::log(half - root) / eta};
  }

  static Complex upper(const Complex& z) { return {z.real(), std::abs(z.imag())}; }

  void verify_eigenvalues() {
    if (state_.spectrum.empty()) return;
    if (is_map() && !(1.0 + model_.momentum() > model_.learning_rate() * model_.plane(p_).curvature))
      return;  // branches
    const auto pair = linear_eigenvalues();
    const SpectralLine& slowest = state_.spectrum.front();
    const double size = std::abs(pair[0]);
    judge("slowest eigenvalue, exact", slowest.eigenvalue.real(), pair[0].real(),
          std::abs(upper(slowest.eigenvalue) - upper(pair[0])) / size, safety * slowest.error / size + floor_of_errors,
          "computed, reference: real parts; error: relative, of the complex number");
    verify_other_eigenvalues(pair);
  }

  /// Those that the run vouches for.
  void verify_other_eigenvalues(const std::array<Complex, 2>& pair) {
    double worst = 0.0;
    int judged_lines = 0;
    for (const SpectralLine& line : state_.spectrum) {
      const double allowed = safety * line.error + floor_of_errors * std::abs(line.eigenvalue);
      if (!(allowed <= largest_tolerance * std::abs(line.eigenvalue))) continue;
      constexpr int most = 60;
      double nearest = std::numeric_limits<double>::infinity();
      for (int n = 0; n <= most; ++n) {
        for (int m = n == 0 ? 1 : 0; n + m <= most; ++m) {
          const Complex exact = static_cast<double>(n) * pair[0] + static_cast<double>(m) * pair[1];
          nearest = std::min(nearest, std::abs(upper(line.eigenvalue) - upper(exact)));
        }
      }
      worst = larger_error(nearest / allowed, worst);
      ++judged_lines;
    }
    if (is_map() || judged_lines == 0) return;  // of the map frequencies are known up to turns per step
    checks_.judge(name_, "eigenvalues, exact", judged_lines, static_cast<double>(state_.spectrum.size()), worst, 1.0,
                  "computed: number judged, of how many; error: largest over twice the reported one");
  }

  // --- what every stationary state fulfils -------------------------------------------------------------------------

  /// d/dt E θ = 0 and, but for the map, d/dt E θ² = 0.
  void verify_rest() {
    judge("mean velocity", o_.mean[1], 0.0, std::abs(o_.mean[1]) / std::sqrt(o_.covariance[1][1]), mean_error(1),
          "error: in standard deviations");
    if (is_map()) return;
    const double scale = std::sqrt(o_.covariance[0][0] * o_.covariance[1][1]);
    judge("Cov(θ, v)", o_.covariance[0][1], 0.0, std::abs(o_.covariance[0][1]) / scale, covariance_error(0, 1),
          "error: as a correlation");
  }

  /// d/dt E v = 0: walls exert no force.
  void verify_force() {
    const auto force = averages([&](double theta) { return -model_.gradient(p_, theta); });
    // Of the map per step.
    const double friction = is_map() ? 1.0 - model_.momentum() : model_.gamma() / model_.k();
    const double scale = std::sqrt(force[1]) + friction * std::sqrt(second_velocity_moment());
    const double allowed = functional_error(force[1]) + safety * friction * state_.mean_error[1];
    judge(is_map() ? "force balance E L' = −(1 − β) E v" : "force balance k E L' = −γ E v", -force[0],
          -friction * o_.mean[1], std::abs(force[0] - friction * o_.mean[1]) / scale, allowed / scale + floor_of_errors,
          "error: relative to the typical L'");
  }

  void verify_balance() {
    const PowerBalance power = power_balance(model_, p_, mesh_, density());
    const auto noise = averages([&](double theta) { return model_.diffusion(p_, theta); });
    const double drive_error = safety * std::abs(power.mean_force) * state_.mean_error[1];
    const double noise_error = functional_error(noise[1] - noise[0] * noise[0]);
    judge(is_driven() ? "power balance γ E v² = E D + F E v" : "energy balance γ E v² = E D", power.friction,
          power.noise + power.drive(), std::abs(power.friction / (power.noise + power.drive()) - 1.0),
          speed_error() + (drive_error + noise_error) / power.friction);
    if (walls().any_closed()) return;
    const double minimum = model_.plane(p_).minimum;
    const auto virial = averages([&](double theta) { return (minimum - theta) * model_.force(p_, theta); });
    const double speed = second_velocity_moment();
    judge("virial E v² = k E (θ − θ*) L'", speed, virial[0], std::abs(speed / virial[0] - 1.0),
          speed_error() + functional_error(virial[1]) / speed);
    if (spec_.optimizer && spec_.is_linear() && spec_.optimizer->weight_decay == 0.0) verify_step_energy(speed);
  }

  /// E|δ|² = η² E v²; E (L − L*) = (1 + β)/(4 η) E|δ|².
  void verify_step_energy(double speed) {
    const double eta = model_.learning_rate();
    const double lowest = model_.loss(p_, model_.plane(p_).minimum);
    const auto loss = averages([&](double theta) { return model_.loss(p_, theta) - lowest; });
    const double predicted = 0.25 * (1.0 + model_.momentum()) * eta * speed;
    judge("step length and energy", loss[0], predicted, std::abs(loss[0] / predicted - 1.0),
          speed_error() + functional_error(loss[1]) / predicted, "E (L − L*) = (1 + β)/(4η) E|θ_{k+1} − θ_k|²");
  }

  void verify_entropy_production() {
    const EntropyProduction exact = entropy_production(model_, p_, mesh_, density());
    const double gamma = model_.gamma();
    const double scale = gamma + std::abs(exact.by_moments);
    constexpr double dissipation_floor = 1e-8;  // what cells without probability worth counting hide
    const double allowed = dissipation_floor + 2.0 * exact.missed / scale + density_error();
    if (spec_.has_constant_noise() && !is_driven()) {
      judge("entropy production of equilibrium", o_.entropy_production, 0.0, std::abs(o_.entropy_production) / scale,
            allowed, "error: relative to γ");
      return;
    }
    const double size = exact.by_moments + gamma;  // E γ²v²/D
    const double moments_error = (speed_error() + functional_error(1.0)) * size / scale;
    judge("entropy production E γ²v²/D − γ", o_.entropy_production, exact.by_moments,
          std::abs(o_.entropy_production - exact.by_moments) / scale, allowed + moments_error,
          "error: relative to the sum of both rates");
    if (!is_driven() || !spec_.has_constant_noise()) return;
    const double temperature = model_.derived(p_).temperature;
    const double driven = model_.mean_force(p_) * o_.mean[1] / temperature;
    const double velocity_error = safety * std::abs(model_.mean_force(p_)) * state_.mean_error[1] / temperature;
    judge("entropy production F E v/T", o_.entropy_production, driven, std::abs(o_.entropy_production - driven) / scale,
          allowed + (velocity_error + speed_error() * size) / scale, "error: relative to it and γ");
  }

  /// d/dk E v² = 0 and, between open walls, d/dk E θ² = 0.
  void verify_map() {
    const double beta = model_.momentum();
    const double eta = model_.learning_rate();
    const PhasePlane& plane = mesh_.plane(0);
    const auto weights = theta_weights(mesh_);
    double mass = 0.0;
    double after = 0.0;     // E (β v − g)²
    double steepest = 0.0;  // E g²
    std::size_t k = 0;
    for (int i = 0; i < plane.theta.cells; ++i) {
      const double slope = model_.gradient(p_, plane.theta.center(i));
      for (int j = 0; j < plane.velocity.cells; ++j, ++k) {
        const double share = weights[static_cast<std::size_t>(i)] * density()[k];
        const double kept = beta * plane.velocity.center(j) - slope;
        mass += share;
        after += share * kept * kept;
        steepest += share * slope * slope;
      }
    }
    const auto noise = averages([&](double theta) { return model_.step_variance(p_, theta); });
    const double speed = second_velocity_moment();
    const double renewed = after / mass + noise[0];
    const double gradient_error = functional_error(3.0 * (steepest / mass) * (steepest / mass)) / speed;
    judge("E v² = E (β v − L')² + E Σ/S", speed, renewed, std::abs(renewed / speed - 1.0),
          2.0 * speed_error() + gradient_error + functional_error(noise[1] - noise[0] * noise[0]) / speed);
    if (walls().any_closed()) return;
    const double travel = 2.0 * o_.covariance[0][1] / eta;
    const double covariance_allowed = safety * state_.covariance_error[0][1] * 2.0 / eta / speed;
    judge("E v² = 2 Cov(θ, v)/η", speed, travel, std::abs(travel / speed - 1.0), speed_error() + covariance_allowed);
  }

  const Model& model_;
  const Spec& spec_;
  int p_;
  PhaseMesh mesh_;
  const StationaryState& state_;
  Observables o_;
  std::string name_;
  CheckList checks_;
};

}  // namespace

std::vector<Check> verify_stationary(const Simulation& simulation, int p, const StationaryState& state) {
  const double relaxation = simulation.model().derived(p).relaxation_time;
  const std::string& name = simulation.model().plane(p).name;
  constexpr double largest_residual = 1e-6;  // per relaxation time
  Check residual = judged(name, "stationary residual", state.residual, 0.0, state.residual * relaxation,
                          largest_residual, "method " + state.method);
  // That of a refined state in the generator is what the generator's own grid error leaves.
  if (state.method == "direct" && state.converged) residual.verdict = Verdict::reported;
  if (!state.converged) {
    residual.verdict = Verdict::failed;
    residual.note = "did not converge: " + state.failure;
    return {residual};
  }
  std::vector<Check> checks = StationaryVerifier(simulation, p, state).run();
  checks.insert(checks.begin(), residual);
  return checks;
}

}  // namespace underdamp
