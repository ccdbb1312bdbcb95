#include "solver/stationary/grid_study.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "meshes/cell_index.hpp"
#include "meshes/error.hpp"
#include "solver/model/resampling.hpp"
#include "solver/stationary/stationary_methods.hpp"

namespace underdamp {
namespace {

/// Even or odd as before: what lies on a face, or in the middle of a cell, stays there.
int scaled(int cells, double factor) {
  const int half = static_cast<int>(std::lround(0.5 * (cells * factor - cells % 2)));
  return std::max(2 * half + cells % 2, PhaseMesh::minimum_cells + cells % 2);
}

std::vector<double> on(const PhaseMesh& to, const PhaseMesh& from, const std::vector<double>& values) {
  return resampled(values, from.plane(0), to.plane(0), from.walls().is_periodic() ? Beyond::around : Beyond::smoothly,
                   Beyond::smoothly);
}

}  // namespace

double extrapolated_error(const std::vector<double>& differences, const std::vector<double>& spacing,
                          double most_order) {
  const auto step = [&](std::size_t k, double order) {
    return std::pow(spacing[k + 1], order) - std::pow(spacing[k], order);
  };
  for (const double difference : differences) {
    if (!(difference >= 0.0)) return std::numeric_limits<double>::quiet_NaN();
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

bool GridStudy::run() {
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

bool GridStudy::add(double factor) {
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

StationaryMethod GridStudy::method() const {
  if (state_.method == "direct") return StationaryMethod::direct;
  return state_.method == "evolve" ? StationaryMethod::evolve : StationaryMethod::arnoldi;
}

std::vector<Eigen::VectorXcd> GridStudy::modes_on(const PhaseMesh& mesh) const {
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

double GridStudy::distance(const Grid& fine, const Grid& coarse) {
  const auto values = on(coarse.mesh, fine.mesh, fine.state->density);
  const auto weights = theta_weights(coarse.mesh);
  const CellIndex cell(coarse.mesh);
  double sum = 0.0;
  for (std::size_t k = 0; k < values.size(); ++k)
    sum += weights[cell.row(k)] * std::abs(values[k] - coarse.state->density[k]);
  return sum * coarse.mesh.plane(0).cell_area();
}

}  // namespace underdamp
