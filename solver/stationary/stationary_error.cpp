#include "solver/stationary/stationary_error.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

#include <fmt/format.h>

#include "meshes/cell_index.hpp"
#include "solver/stationary/box_error.hpp"
#include "solver/stationary/grid_study.hpp"
#include "solver/stationary/stationary_moments.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
/// A state, or a line of the spectrum, that is more wrong than this is not one.
constexpr double largest_error = 0.05;

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

/// Where exp(−(v²/2 + k L_λ)/T) is stationary the error of the density is known.
void add_distance_from_gibbs(const StationaryProblem& problem, StationaryState& state) {
  const PhasePlane& plane = problem.plane();
  const auto gibbs = gibbs_density(problem.model, problem.p, problem.mesh);
  const auto weights = theta_weights(problem.mesh);
  const CellIndex cell(plane);
  double distance = 0.0;
  for (std::size_t k = 0; k < gibbs.size(); ++k)
    distance += weights[cell.row(k)] * std::abs(state.density[k] - gibbs[k]) * plane.cell_area();
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
