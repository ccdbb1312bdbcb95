#include "solver/stationary/stationary_error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/model/resampling.hpp"
#include "solver/stationary/stationary_methods.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
/// A state, or a line of the spectrum, that is more wrong than this is not one.
constexpr double largest_error = 0.05;

struct Moments {
  Vector2 mean{};
  Matrix2 covariance{};
};
Moments moments_of(const PhaseMesh& mesh, const std::vector<double>& density) {
  const PhasePlane& plane = mesh.plane(0);
  const auto weights = theta_weights(mesh);
  double mass = 0.0;
  Vector2 first{};
  Matrix2 second{};
  std::size_t k = 0;
  const double reference = 0.5 * (plane.theta.lower + plane.theta.upper);
  for (int i = 0; i < plane.theta.cells; ++i) {
    for (int j = 0; j < plane.velocity.cells; ++j, ++k) {
      const Vector2 z{plane.theta.center(i) - reference, plane.velocity.center(j)};
      const double p = weights[static_cast<std::size_t>(i)] * density[k];
      mass += p;
      for (std::size_t a = 0; a < 2; ++a) {
        first[a] += p * z[a];
        for (std::size_t b = 0; b < 2; ++b) second[a][b] += p * z[a] * z[b];
      }
    }
  }
  Moments m;
  for (std::size_t a = 0; a < 2; ++a) m.mean[a] = first[a] / mass;
  for (std::size_t a = 0; a < 2; ++a) {
    for (std::size_t b = 0; b < 2; ++b) m.covariance[a][b] = second[a][b] / mass - m.mean[a] * m.mean[b];
  }
  m.mean[0] += reference;
  return m;
}

/// The same state on two or three grids of one box, by one method: the one that is judged among them.
class GridStudy {
 public:
  GridStudy(const StationaryProblem& problem, const StationaryState& state) : problem_(problem), state_(state) {
    grids_.push_back({1.0, problem.mesh, &state});
  }

  /// False if no other grid could be solved.
  bool run() {
    constexpr int few = 64;  // cells: then a finer grid costs little, and says more
    const auto& shape = problem_.mesh.shape();
    if (shape.theta_cells * shape.velocity_cells <= few * few) {
      if (add(1.5)) {
        add(2.0 / 3.0);
      } else {
        add(0.75) && add(0.5);
      }
    } else if (!(add(0.75) && add(0.5))) {
      add(1.5);
    }
    std::sort(grids_.begin(), grids_.end(), [](const Grid& a, const Grid& b) { return a.spacing < b.spacing; });
    return grids_.size() > 1;
  }

  std::size_t grids() const { return grids_.size(); }
  const PhaseMesh& mesh(std::size_t k) const { return grids_[k].mesh; }
  const StationaryState& state(std::size_t k) const { return *grids_[k].state; }

  double density() const {
    constexpr double safety = 1.5;
    return error(safety, [&](std::size_t k) { return distance(grids_[k], grids_[k + 1]); });
  }

  /// Error of what differs by difference(k) between grids k and k + 1, from fine to coarse.
  template <class Difference>
  double error(double safety, const Difference& difference) const {
    std::vector<double> spacing;
    std::vector<double> differences;
    for (std::size_t k = 0; k < grids_.size(); ++k) {
      spacing.push_back(grids_[k].spacing);
      if (k + 1 < grids_.size()) differences.push_back(difference(k));
    }
    // Where the force jumps a grid that happens to meet the jump says little of another one.
    const double most_order = problem_.tables.kinks[0] > 0.0 ? 2.0 : 12.0;
    return safety * extrapolated_error(differences, spacing, most_order);
  }

 private:
  struct Grid {
    double spacing;  ///< of cells, relative to those of the state that is judged
    PhaseMesh mesh;
    const StationaryState* state;
  };

  /// The state on so many times the cells; false if it could not be found.
  bool add(double factor) {
    const int theta = scaled(problem_.mesh.theta_cells(), factor);
    const int velocity = scaled(problem_.mesh.velocity_cells(), factor);
    const StationaryProblem other = problem_.on_cells(theta, velocity);
    if (other.mesh.shape() == problem_.mesh.shape()) return false;
    const NearbyState nearby{state_, on(other.mesh, problem_.mesh, state_.density), modes_on(other.mesh)};
    try {
      auto state = std::make_unique<StationaryState>(solve_by(method(), other, &nearby));
      if (!state->converged) return false;
      const double ratio =
          static_cast<double>(problem_.mesh.theta_cells()) / theta * problem_.mesh.velocity_cells() / velocity;
      grids_.push_back({std::sqrt(ratio), other.mesh, state.get()});
      others_.push_back(std::move(state));
      return true;
    } catch (const Error& error) {
      if (error.code() != ExitCode::numerical) throw;
      return false;
    }
  }

  /// Even or odd as before: what lies on a face, or in the middle of a cell, stays there.
  static int scaled(int cells, double factor) {
    const int half = static_cast<int>(std::lround(0.5 * (cells * factor - cells % 2)));
    return std::max(2 * half + cells % 2, PhaseMesh::minimum_cells + cells % 2);
  }

  StationaryMethod method() const {
    if (state_.method == "direct") return StationaryMethod::direct;
    return state_.method == "evolve" ? StationaryMethod::evolve : StationaryMethod::arnoldi;
  }

  static std::vector<double> on(const PhaseMesh& to, const PhaseMesh& from, const std::vector<double>& values) {
    return resampled(values, from.plane(0), to.plane(0), from.walls().is_periodic() ? Beyond::around : Beyond::smoothly,
                     Beyond::smoothly);
  }

  std::vector<Eigen::VectorXcd> modes_on(const PhaseMesh& mesh) const {
    std::vector<Eigen::VectorXcd> modes;
    for (const Mode& mode : state_.modes) {
      const Eigen::VectorXd re = mode.vector.real();
      const Eigen::VectorXd im = mode.vector.imag();
      const auto part = [&](const Eigen::VectorXd& values) {
        return on(mesh, problem_.mesh, {values.begin(), values.end()});
      };
      const auto resampled_re = part(re);
      const auto resampled_im = part(im);
      Eigen::VectorXcd vector(static_cast<Eigen::Index>(resampled_re.size()));
      for (std::size_t k = 0; k < resampled_re.size(); ++k)
        vector[static_cast<Eigen::Index>(k)] = {resampled_re[k], resampled_im[k]};
      modes.push_back(std::move(vector));
    }
    return modes;
  }

  /// L1, on the cells of the coarser one.
  static double distance(const Grid& fine, const Grid& coarse) {
    const auto values = on(coarse.mesh, fine.mesh, fine.state->density);
    const auto weights = theta_weights(coarse.mesh);
    const auto columns = static_cast<std::size_t>(coarse.mesh.velocity_cells());
    double sum = 0.0;
    for (std::size_t k = 0; k < values.size(); ++k)
      sum += weights[k / columns] * std::abs(values[k] - coarse.state->density[k]);
    return sum * coarse.mesh.plane(0).cell_area();
  }

  const StationaryProblem& problem_;
  const StationaryState& state_;
  std::vector<std::unique_ptr<StationaryState>> others_;
  std::vector<Grid> grids_;
};

/// The line of another spectrum that each line of one corresponds to: the nearest that is left; of conjugate pairs, the
/// conjugate.
std::vector<Complex> matched(const std::vector<SpectralLine>& lines, const std::vector<SpectralLine>& others) {
  std::vector<bool> taken(others.size(), false);
  std::vector<Complex> result;
  for (std::size_t n = 0; n < lines.size(); ++n) {
    const SpectralLine& line = lines[n];
    if (n > 0 && line.eigenvalue.imag() != 0.0 && line.eigenvalue == std::conj(lines[n - 1].eigenvalue)) {
      result.push_back(std::conj(result.back()));
      continue;
    }
    std::size_t best = others.size();
    double nearest = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < others.size(); ++k) {
      const double distance = std::abs(others[k].eigenvalue - line.eigenvalue);
      const bool is_lower = others[k].eigenvalue.imag() * line.eigenvalue.imag() < 0.0;
      if (taken[k] || is_lower || !(distance < nearest)) continue;
      best = k;
      nearest = distance;
    }
    result.emplace_back(best < others.size() ? others[best].eigenvalue : Complex(unknown, unknown));
    if (best < others.size()) taken[best] = true;
  }
  return result;
}

/// Moments of exp(−(v²/2 + k L_λ)/T) in the range of θ, by Gauss' rule on parts of the cells, in which a kink matters
/// less than in the sums over them.
Moments gibbs_moments(const StationaryProblem& problem) {
  const Axis& theta = problem.plane().theta;
  const Model& model = problem.model;
  const double temperature = model.derived(problem.p).temperature;
  const double reference = model.k() * model.loss(problem.p, model.plane(problem.p).minimum);
  const double middle = 0.5 * (theta.lower + theta.upper);
  constexpr int parts = 32;
  const double width = theta.width() / parts;
  const double node = 0.5 * width / std::sqrt(3.0);
  std::array<double, 3> sums{};  // of 1, θ and θ²
  for (int k = 0; k < parts * theta.cells; ++k) {
    for (const double offset : {-node, node}) {
      const double at = theta.lower + (k + 0.5) * width + offset;
      const double weight = std::exp((reference - model.k() * model.loss(problem.p, at)) / temperature);
      for (std::size_t power = 0; power < 3; ++power) sums[power] += weight * std::pow(at - middle, power);
    }
  }
  Moments m;
  const double mean = sums[1] / sums[0];
  m.mean = {middle + mean, 0.0};
  m.covariance = {{{sums[2] / sums[0] - mean * mean, 0.0}, {0.0, temperature}}};
  return m;
}

/// Where exp(−(v²/2 + k L_λ)/T) is stationary the error of the density is known.
void add_distance_from_gibbs(const StationaryProblem& problem, StationaryState& state) {
  const PhasePlane& plane = problem.plane();
  const auto gibbs = gibbs_density(problem.model, problem.p, problem.mesh);
  const auto weights = theta_weights(problem.mesh);
  const auto columns = static_cast<std::size_t>(plane.velocity.cells);
  double distance = 0.0;
  for (std::size_t k = 0; k < gibbs.size(); ++k)
    distance += weights[k / columns] * std::abs(state.density[k] - gibbs[k]) * plane.cell_area();
  state.space_error_estimate = distance;
  const Moments found = moments_of(problem.mesh, state.density);
  const Moments exact = gibbs_moments(problem);
  for (std::size_t a = 0; a < 2; ++a) {
    state.mean_error[a] += std::abs(found.mean[a] - exact.mean[a]);
    for (std::size_t b = 0; b < 2; ++b)
      state.covariance_error[a][b] += std::abs(found.covariance[a][b] - exact.covariance[a][b]);
  }
}

void add_grid_errors_of_moments(const GridStudy& study, StationaryState& state) {
  std::vector<Moments> moments;
  for (std::size_t k = 0; k < study.grids(); ++k) moments.push_back(moments_of(study.mesh(k), study.state(k).density));
  const auto error_of = [&](const auto& value) {
    constexpr double safety = 1.5;
    return study.error(safety, [&](std::size_t k) { return std::abs(value(moments[k]) - value(moments[k + 1])); });
  };
  for (std::size_t a = 0; a < 2; ++a) {
    state.mean_error[a] += error_of([&](const Moments& m) { return m.mean[a]; });
    for (std::size_t b = 0; b < 2; ++b)
      state.covariance_error[a][b] += error_of([&](const Moments& m) { return m.covariance[a][b]; });
  }
}

/// Lines that are one, of a Jordan block, have the mean of what they correspond to.
void join_blocks(const std::vector<SpectralLine>& lines, std::vector<Complex>& others) {
  constexpr double same = 1e-9;
  for (std::size_t first = 0, last = 0; first < lines.size(); first = last) {
    const Complex value = lines[first].eigenvalue;
    Complex sum = 0.0;
    for (last = first; last < lines.size() && std::abs(lines[last].eigenvalue - value) <= same * std::abs(value);
         ++last)
      sum += others[last];
    for (std::size_t k = first; k < last; ++k) others[k] = sum / static_cast<double>(last - first);
  }
}

void add_grid_errors_of_lines(const GridStudy& study, StationaryState& state) {
  std::vector<std::vector<Complex>> lines;
  constexpr double safety = 3.0;
  for (std::size_t k = 0; k < study.grids(); ++k) {
    lines.push_back(matched(state.spectrum, study.state(k).spectrum));
    join_blocks(state.spectrum, lines.back());
  }
  for (std::size_t line = 0; line < state.spectrum.size(); ++line)
    state.spectrum[line].error +=
        study.error(safety, [&](std::size_t k) { return std::abs(lines[k][line] - lines[k + 1][line]); });
}

void add_grid_errors(const StationaryProblem& problem, StationaryState& state) {
  const bool is_known = problem.is_gibbs();
  if (is_known) add_distance_from_gibbs(problem, state);
  if (is_known && state.spectrum.empty()) return;
  GridStudy study(problem, state);
  if (study.run()) {
    if (!is_known) {
      state.space_error_estimate = study.density();
      add_grid_errors_of_moments(study, state);
    }
    add_grid_errors_of_lines(study, state);
    return;
  }
  if (!is_known) state.space_error_estimate = unknown;
  for (SpectralLine& line : state.spectrum) line.error = unknown;
}

/// What passes each wall that the process has not, per time.
class WallFlux {
 public:
  WallFlux(const PhaseMesh& mesh, double friction) : mesh_(mesh), plane_(mesh.plane(0)), friction_(friction) {}

  /// Calls visit(cell, speed · width, θ or v of the wall, axis) for each cell at such a wall.
  template <class Visit>
  void each(const Visit& visit) const {
    const int rows = mesh_.theta_cells();
    const int columns = mesh_.velocity_cells();
    for (int j = 0; j < columns; ++j) {
      const double speed = std::abs(plane_.velocity.center(j)) * plane_.velocity.width();
      if (mesh_.walls().lower == ThetaBoundary::open)
        visit(0, j, speed, plane_.theta.lower, 0, plane_.velocity.center(j) < 0.0);
      if (mesh_.walls().upper == ThetaBoundary::open)
        visit(rows - 1, j, speed, plane_.theta.upper, 0, plane_.velocity.center(j) > 0.0);
    }
    for (int i = 0; i < rows; ++i) {
      visit(i, 0, friction_ * std::abs(plane_.velocity.lower) * plane_.theta.width(), plane_.velocity.lower, 1, true);
      visit(i, columns - 1, friction_ * std::abs(plane_.velocity.upper) * plane_.theta.width(), plane_.velocity.upper,
            1, true);
    }
  }

  std::size_t cell(int i, int j) const {
    return static_cast<std::size_t>(i) * static_cast<std::size_t>(mesh_.velocity_cells()) + static_cast<std::size_t>(j);
  }

 private:
  const PhaseMesh& mesh_;
  const PhasePlane& plane_;
  double friction_;
};

/// What walls cut off, to first order: twice what passes them while a disturbance relaxes.
void add_box_errors(const StationaryProblem& problem, StationaryState& state) {
  const double rate = slowest_rate(state.spectrum, problem.relaxation_time(), problem.known_crossings());
  const Moments m = moments_of(problem.mesh, state.density);
  const WallFlux walls(problem.mesh, problem.model.gamma());
  double sum = 0.0;
  double passing = 0.0;
  // Velocities are replaced as fast as friction makes them.
  const double fast = std::max(rate, problem.model.gamma());
  const auto add = [&](double flow, const Vector2& z) {
    const Vector2 lost{flow / rate, flow / fast};
    for (std::size_t a = 0; a < 2; ++a) {
      state.mean_error[a] += lost[a] * std::abs(z[a]);
      for (std::size_t b = 0; b < 2; ++b)
        state.covariance_error[a][b] += std::min(lost[a], lost[b]) * std::abs(z[a] * z[b]);
    }
  };
  walls.each([&](int i, int j, double speed, double wall, std::size_t axis, bool leaves) {
    const double flux = leaves ? speed * std::max(0.0, state.density[walls.cell(i, j)]) : 0.0;
    passing += flux;
    sum += flux / (axis == 0 ? rate : fast);
    add(flux, {axis == 0 ? wall - m.mean[0] : problem.plane().theta.center(i) - m.mean[0],
               axis == 1 ? wall - m.mean[1] : problem.plane().velocity.center(j) - m.mean[1]});
  });
  constexpr double rounding = 1e-14;  // of the mass, per relaxation time
  const double leak = state.leak - passing;
  if (leak * problem.relaxation_time() > rounding) {
    const PhasePlane& plane = problem.plane();
    add(leak, {std::max(plane.theta.upper - m.mean[0], m.mean[0] - plane.theta.lower),
               std::max(plane.velocity.upper - m.mean[1], m.mean[1] - plane.velocity.lower)});
    sum += leak / rate;
  }
  state.box_error_estimate = 2.0 * sum;
}

/// The same for an eigenvalue: of a process that is reversible but for v → −v, with p as the weight of its modes.
double box_error(const StationaryProblem& problem, const std::vector<double>& density, const Mode& mode) {
  const PhaseMesh& mesh = problem.mesh;
  const double peak = *std::max_element(density.begin(), density.end());
  const int columns = mesh.velocity_cells();
  const auto product = [&](std::size_t cell) {
    const std::size_t j = cell % static_cast<std::size_t>(columns);
    const std::size_t reversed = cell - j + static_cast<std::size_t>(columns) - 1 - j;
    constexpr double least = 1e-40;
    if (!(density[cell] > least * peak)) return Complex(0.0, 0.0);
    return mode.vector[static_cast<Eigen::Index>(cell)] * mode.vector[static_cast<Eigen::Index>(reversed)] /
           density[cell];
  };
  Complex overlap = 0.0;
  double size = 0.0;
  for (std::size_t cell = 0; cell < density.size(); ++cell) {
    overlap += product(cell);
    size += std::abs(product(cell));
  }
  const WallFlux walls(mesh, problem.model.gamma());
  double flux = 0.0;
  walls.each([&](int i, int j, double speed, double, std::size_t, bool) {
    flux += speed * std::abs(product(walls.cell(i, j)));
  });
  constexpr double least_overlap = 0.03;  // less is the cancellation of a nearly defective mode
  return flux / (std::max(std::abs(overlap), least_overlap * size) * mesh.plane(0).cell_area());
}

void drop_what_is_unknown(StationaryState& state) {
  std::vector<SpectralLine> lines;
  std::vector<Mode> modes;
  for (std::size_t k = 0; k < state.spectrum.size(); ++k) {
    const SpectralLine& line = state.spectrum[k];
    if (!(line.eigenvalue.real() < 0.0) || !(line.error <= std::abs(line.eigenvalue))) continue;
    lines.push_back(line);
    modes.push_back(std::move(state.modes[k]));
    modes.back().line = line;
  }
  const std::size_t dropped = state.spectrum.size() - lines.size();
  if (dropped > 0) {
    state.warnings.push_back(fmt::format("{} of {} eigenvalues are left out: their errors are as large as they are",
                                         dropped, state.spectrum.size()));
  }
  state.spectrum = std::move(lines);
  state.modes = std::move(modes);
}

void judge(const StationaryProblem& problem, StationaryState& state) {
  const double total = state.total_error();
  const double limits = std::max(problem.options.tolerance, state.space_error_estimate + state.box_error_estimate);
  if (!state.converged) return;
  if (!(state.error_estimate <= limits)) {
    state.failure = fmt::format("the error of the step, {:.1e}, is more than the tolerance {:.1e}",
                                state.error_estimate, problem.options.tolerance);
  } else if (!(state.box_error_estimate <= largest_error)) {
    state.failure = fmt::format(
        "the box does not hold it: probability leaves at a rate of {:.2g} per time, that is {:.2g} while "
        "it relaxes; there is no stationary state between these walls",
        state.leak, 0.5 * state.box_error_estimate);
  } else if (!(total <= largest_error)) {
    state.failure = std::isnan(total)
                        ? "the error of the grid could not be estimated: no other grid converged"
                        : fmt::format("the grid is too coarse: its error is {:.1e}", state.space_error_estimate);
  }
  state.converged = state.failure.empty();
}

void warn_of_limits(const StationaryProblem& problem, StationaryState& state) {
  constexpr double worth_telling = 1e-6;
  const double most = std::max(problem.options.tolerance, worth_telling);
  if (state.space_error_estimate > most) {
    state.warnings.push_back(fmt::format(
        "the grid limits the accuracy of the stationary state: its error is about {:.1e}; use more cells{}",
        state.space_error_estimate,
        problem.tables.kinks[0] > 0.0 ? " (the force jumps: it falls with the second power of their number)" : ""));
  }
  if (state.box_error_estimate > most) {
    state.warnings.push_back(
        fmt::format("the box limits the accuracy of the stationary state: what it cuts off is about {:.1e}; widen it",
                    state.box_error_estimate));
  }
}

/// What an error of the density may do to its moments.
void add_step_errors(const StationaryProblem& problem, StationaryState& state) {
  const Moments m = moments_of(problem.mesh, state.density);
  for (std::size_t a = 0; a < 2; ++a) {
    state.mean_error[a] += state.error_estimate * std::sqrt(m.covariance[a][a]);
    for (std::size_t b = 0; b < 2; ++b)
      state.covariance_error[a][b] += state.error_estimate * std::sqrt(m.covariance[a][a] * m.covariance[b][b]);
  }
}

}  // namespace

double extrapolated_error(const std::vector<double>& differences, const std::vector<double>& spacing,
                          double most_order) {
  const auto step = [&](std::size_t k, double order) {
    return std::pow(spacing[k + 1], order) - std::pow(spacing[k], order);
  };
  for (const double difference : differences) {
    if (!(difference >= 0.0)) return unknown;
  }
  if (differences.size() == 1) return differences[0] / step(0, 1.0);
  double low = 0.5;
  double high = most_order;
  for (int turn = 0; turn < 60; ++turn) {
    const double order = 0.5 * (low + high);
    (differences[1] * step(0, order) > differences[0] * step(1, order) ? low : high) = order;
  }
  // A difference that happens to vanish says nothing.
  return std::max(differences[0] / step(0, low), differences[1] / step(1, 1.5 * most_order));
}

void estimate_errors(const StationaryProblem& problem, StationaryState& state) {
  if (state.converged) {
    add_step_errors(problem, state);
    add_grid_errors(problem, state);
    add_box_errors(problem, state);
    for (std::size_t k = 0; k < state.spectrum.size(); ++k) {
      // The walls of the map are those of one step, which box_error() knows roughly.
      constexpr double spread = 5.0;  // a mode lives further out than the density
      const double of_density = spread * state.box_error_estimate * std::abs(state.spectrum[k].eigenvalue);
      state.spectrum[k].error +=
          box_error(problem, state.density, state.modes[k]) + (problem.is_map() ? of_density : 0.0);
    }
    judge(problem, state);
    warn_of_limits(problem, state);
  }
  drop_what_is_unknown(state);
}

}  // namespace underdamp
