#include "solver/coupled/pair_marginals.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/contract/noise_directions.hpp"
#include "meshes/barycentric.hpp"
#include "meshes/error.hpp"

namespace underdamp {
namespace {

constexpr int stencil_points = 13;
constexpr int stencil_reach = stencil_points / 2;

/// Cells of a picture that a point is put on, and its shares.
struct Deposit {
  int first = 0;
  int count = 0;
  std::array<double, stencil_points> share{};
};

/// None if the point lies outside; at a centre that cell has it all.
Deposit deposit_on(const Axis& axis, double x) {
  const double position = (x - axis.lower) / axis.width() - 0.5;
  Deposit deposit;
  if (!(position > -0.5 && position < axis.cells - 0.5)) return deposit;
  const double nearest = std::round(position);
  if (std::abs(position - nearest) < 1e-9) {
    deposit = {static_cast<int>(nearest), 1, {1.0}};
    return deposit;
  }
  deposit.count = std::min(stencil_points, axis.cells);
  deposit.first = std::clamp(static_cast<int>(nearest) - stencil_reach, 0, axis.cells - deposit.count);
  std::array<double, stencil_points> weight{1.0};  // (−1)^q binom(n − 1, q)
  for (std::size_t q = 1; q < weight.size(); ++q)
    weight[q] = -weight[q - 1] * static_cast<double>(deposit.count - static_cast<int>(q)) / static_cast<double>(q);
  const auto shares = barycentric_shares(
      static_cast<std::size_t>(deposit.count),
      [&](std::size_t q) { return position - deposit.first - static_cast<double>(q); },
      [&](std::size_t q) { return weight[q]; });
  std::copy(shares.begin(), shares.end(), deposit.share.begin());
  return deposit;
}

/// picture[i][j] += value, spread along both axes.
void add(std::vector<double>& picture, int columns, const Deposit& x, const Deposit& y, double value) {
  for (int i = 0; i < x.count; ++i) {
    double* const row = picture.data() + static_cast<std::ptrdiff_t>(x.first + i) * columns + y.first;
    const double share = value * x.share[static_cast<std::size_t>(i)];
    for (int j = 0; j < y.count; ++j) row[j] += share * y.share[static_cast<std::size_t>(j)];
  }
}

/// Derivative along one axis of a picture by differences of eighth order, zero beyond it.
std::vector<double> derivative(const std::vector<double>& picture, int rows, int columns, bool along_rows,
                               double width) {
  constexpr std::array<double, 4> weights{0.8, -0.2, 4.0 / 105.0, -1.0 / 280.0};
  std::vector<double> result(picture.size());
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      const auto at = [&](int step) {
        const int r = along_rows ? i + step : i;
        const int c = along_rows ? j : j + step;
        return r >= 0 && r < rows && c >= 0 && c < columns ? picture[static_cast<std::size_t>(r * columns + c)] : 0.0;
      };
      double sum = 0.0;
      for (int k = 1; k <= 4; ++k) sum += weights[static_cast<std::size_t>(k) - 1] * (at(k) - at(-k));
      result[static_cast<std::size_t>(i * columns + j)] = sum / width;
    }
  }
  return result;
}

void subtract(std::vector<double>& from, const std::vector<double>& what) {
  for (std::size_t c = 0; c < from.size(); ++c) from[c] -= what[c];
}

}  // namespace

/// Projections of every line: of each v_b on its picture axis Σ w p, w = 1, v_1, … v_d of the user.
struct PairMarginals::Profiles {
  std::vector<double> values;
  int parameters = 0;
  int rows = 0;
  std::vector<int> first_bin;  ///< of each v_b among all bins
  int bins = 0;

  /// w: 0, or the number of a velocity from 1.
  double at(long line, int w, int b, int bin) const {
    return values[static_cast<std::size_t>(line * rows + w * bins + first_bin[static_cast<std::size_t>(b)] + bin)];
  }
};

PairMarginals::PairMarginals(Backend& backend, const PhaseSpace& space, const GridAxes& axes,
                             const CoupledTables& tables)
    : backend_(backend), space_(space), grid_(axes), tables_(tables) {
  require(space.problems() == 1, "pairs are read off one problem");
  const int d = space.parameters();
  for (long line = 0; line < space.shape().theta_cells; ++line) {
    theta_.push_back(axes.theta(theta_center(space, 0, line)));
    ParameterVector force(d);
    ParameterMatrix noise(d, d);
    for (int i = 0; i < d; ++i) {
      force[i] = tables.force[static_cast<std::size_t>(line * d + i)];
      for (int j = 0; j < d; ++j)
        noise(i, j) = tables.diffusion[static_cast<std::size_t>(line * entries_of(d) + entry_of(d, i, j))];
    }
    force_.push_back(axes.matrix * force);
    noise_.push_back(axes.matrix * noise * axes.matrix.transpose());
  }
  for (long j = 0; j < space.shape().velocity_cells; ++j) {
    const auto at = axis_positions(space.shape().axes.velocity, d, j);
    ParameterVector w(d);
    for (int k = 0; k < d; ++k) {
      const auto axis = static_cast<std::size_t>(k);
      w[k] = space.problem(0).velocity[axis].center(at[axis]);
    }
    velocity_.push_back(axes.matrix * w);
  }
  choose_axes();
  plan_ = backend.phase_sums().plan_projection(space, projection());
}

PairMarginals::~PairMarginals() = default;

/// Cells at least as wide as any step of the grid makes along the coordinate, over all that the grid reaches.
void PairMarginals::choose_axes() {
  const int d = space_.parameters();
  const PhaseBox& box = space_.problem(0);
  for (int coordinate = 0; coordinate < 2 * d; ++coordinate) {
    const bool is_theta = coordinate < d;
    const auto& axes = is_theta ? box.theta : box.velocity;
    const int row = is_theta ? coordinate : coordinate - d;
    double width = 0.0;
    double lower = is_theta ? grid_.origin[row] : 0.0;
    double upper = lower;
    int used = 0;
    for (int k = 0; k < d; ++k) {
      const double share = grid_.matrix(row, k);
      const Axis& axis = axes[static_cast<std::size_t>(k)];
      if (share != 0.0) ++used;
      width = std::max(width, std::abs(share) * axis.width());
      lower += std::min(share * axis.lower, share * axis.upper);
      upper += std::max(share * axis.lower, share * axis.upper);
    }
    const int cells = used == 1 ? static_cast<int>(std::lround((upper - lower) / width))
                                : std::max(16, static_cast<int>((upper - lower) / width));
    axes_.push_back({lower, upper, cells});
  }
}

BlockProjection PairMarginals::projection() const {
  const int d = space_.parameters();
  std::vector<std::vector<std::pair<int, double>>> rows;
  for (int w = 0; w <= d; ++w) {
    for (int b = 0; b < d; ++b) {
      const Axis& axis = axes_[static_cast<std::size_t>(d + b)];
      const std::size_t first = rows.size();
      rows.resize(first + static_cast<std::size_t>(axis.cells));
      for (std::size_t j = 0; j < velocity_.size(); ++j) {
        const Deposit deposit = deposit_on(axis, velocity_[j][b]);
        const double weight = w == 0 ? 1.0 : velocity_[j][w - 1];
        for (int q = 0; q < deposit.count; ++q) {
          rows[first + static_cast<std::size_t>(deposit.first + q)].emplace_back(
              static_cast<int>(j), weight * deposit.share[static_cast<std::size_t>(q)]);
        }
      }
    }
  }
  BlockProjection projection;
  projection.row_begin.push_back(0);
  for (const auto& row : rows) {
    for (const auto& [cell, weight] : row) {
      projection.cell.push_back(cell);
      projection.weight.push_back(weight);
    }
    projection.row_begin.push_back(static_cast<int>(projection.cell.size()));
  }
  return projection;
}

std::vector<PairMarginal> PairMarginals::of(const Field& density, const std::vector<std::array<int, 2>>& pairs) const {
  const int d = space_.parameters();
  Profiles profiles;
  profiles.parameters = d;
  for (int b = 0; b < d; ++b) {
    profiles.first_bin.push_back(profiles.bins);
    profiles.bins += axes_[static_cast<std::size_t>(d + b)].cells;
  }
  profiles.rows = (d + 1) * profiles.bins;
  const bool needs_profiles = std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair[0] < d; });
  if (needs_profiles) profiles.values = backend_.phase_sums().project_blocks(density, *plan_);
  std::vector<PairMarginal> result;
  for (const auto& [a, b] : pairs) {
    require(a >= 0 && a < b && b < 2 * d, "a pair has two different coordinates, the first one before the second");
    PairMarginal pair = b < d ? positions(profiles, a, b) : a < d ? mixed(profiles, a, b) : velocities(density, a, b);
    pair.first = a;
    pair.second = b;
    pair.x = axis(a);
    pair.y = axis(b);
    const double scale = space_.problem(0).cell_volume() / (pair.x.width() * pair.y.width());
    for (auto* values : {&pair.density, &pair.current_x, &pair.current_y}) {
      for (double& value : *values) value *= scale;
    }
    if (tables_.dynamics == Dynamics::sgd) pair.current_x = pair.current_y = {};
    result.push_back(std::move(pair));
  }
  return result;
}

/// (θ_a, θ_b): J = ∫ v p.
PairMarginal PairMarginals::positions(const Profiles& profiles, int a, int b) const {
  const Axis& x = axis(a);
  const Axis& y = axis(b);
  const auto cells = static_cast<std::size_t>(x.cells) * static_cast<std::size_t>(y.cells);
  PairMarginal pair;
  for (auto* values : {&pair.density, &pair.current_x, &pair.current_y}) values->assign(cells, 0.0);
  // Σ over the bins of one velocity is that over all velocities, but for what lies outside its picture.
  const int bins = axis(profiles.parameters).cells;
  for (std::size_t line = 0; line < theta_.size(); ++line) {
    const Deposit on_x = deposit_on(x, theta_[line][a]);
    const Deposit on_y = deposit_on(y, theta_[line][b]);
    std::array<double, 3> sum{};
    for (int bin = 0; bin < bins; ++bin) {
      sum[0] += profiles.at(static_cast<long>(line), 0, 0, bin);
      sum[1] += profiles.at(static_cast<long>(line), a + 1, 0, bin);
      sum[2] += profiles.at(static_cast<long>(line), b + 1, 0, bin);
    }
    add(pair.density, y.cells, on_x, on_y, sum[0]);
    add(pair.current_x, y.cells, on_x, on_y, sum[1]);
    add(pair.current_y, y.cells, on_x, on_y, sum[2]);
  }
  return pair;
}

/// (θ_a, v_b): J_θ = ∫ v_a p, J_v = ∫ (F_b − γ v_b) p − ∂_v ∫ D_bb p.
PairMarginal PairMarginals::mixed(const Profiles& profiles, int a, int second) const {
  const Axis& x = axis(a);
  const Axis& y = axis(second);
  const int b = second - profiles.parameters;
  const auto cells = static_cast<std::size_t>(x.cells) * static_cast<std::size_t>(y.cells);
  PairMarginal pair;
  std::vector<double> diffused(cells, 0.0);
  for (auto* values : {&pair.density, &pair.current_x, &pair.current_y}) values->assign(cells, 0.0);
  Deposit on_y{0, 1, {1.0}};
  for (std::size_t line = 0; line < theta_.size(); ++line) {
    const Deposit on_x = deposit_on(x, theta_[line][a]);
    const double force = force_[line][b];
    const double noise = noise_[line](b, b);
    for (int bin = 0; bin < y.cells; ++bin) {
      on_y.first = bin;
      const double p = profiles.at(static_cast<long>(line), 0, b, bin);
      add(pair.density, y.cells, on_x, on_y, p);
      add(pair.current_x, y.cells, on_x, on_y, profiles.at(static_cast<long>(line), a + 1, b, bin));
      add(pair.current_y, y.cells, on_x, on_y,
          force * p - tables_.friction * profiles.at(static_cast<long>(line), b + 1, b, bin));
      add(diffused, y.cells, on_x, on_y, noise * p);
    }
  }
  subtract(pair.current_y, derivative(diffused, x.cells, y.cells, false, y.width()));
  return pair;
}

/// (v_a, v_b): J_a = ∫ (F_a − γ v_a) p − ∂_a ∫ D_aa p − ∂_b ∫ D_ab p, and the same of b.
PairMarginal PairMarginals::velocities(const Field& density, int first, int second) const {
  const int d = space_.parameters();
  const int a = first - d;
  const int b = second - d;
  std::vector<std::vector<double>> weights(6, std::vector<double>(theta_.size(), 1.0));
  for (std::size_t line = 0; line < theta_.size(); ++line) {
    weights[1][line] = force_[line][a];
    weights[2][line] = force_[line][b];
    weights[3][line] = noise_[line](a, a);
    weights[4][line] = noise_[line](a, b);
    weights[5][line] = noise_[line](b, b);
  }
  const auto columns = backend_.phase_sums().weighted_columns(density, weights);
  const Axis& x = axis(first);
  const Axis& y = axis(second);
  const auto cells = static_cast<std::size_t>(x.cells) * static_cast<std::size_t>(y.cells);
  PairMarginal pair;
  std::array<std::vector<double>, 3> diffused;
  for (auto* values : {&pair.density, &pair.current_x, &pair.current_y, &diffused[0], &diffused[1], &diffused[2]})
    values->assign(cells, 0.0);
  const std::size_t count = velocity_.size();
  for (std::size_t j = 0; j < count; ++j) {
    const Deposit on_x = deposit_on(x, velocity_[j][a]);
    const Deposit on_y = deposit_on(y, velocity_[j][b]);
    const auto sum = [&](std::size_t w) { return columns[w * count + j]; };
    add(pair.density, y.cells, on_x, on_y, sum(0));
    add(pair.current_x, y.cells, on_x, on_y, sum(1) - tables_.friction * velocity_[j][a] * sum(0));
    add(pair.current_y, y.cells, on_x, on_y, sum(2) - tables_.friction * velocity_[j][b] * sum(0));
    for (std::size_t e = 0; e < 3; ++e) add(diffused[e], y.cells, on_x, on_y, sum(3 + e));
  }
  subtract(pair.current_x, derivative(diffused[0], x.cells, y.cells, true, x.width()));
  subtract(pair.current_x, derivative(diffused[1], x.cells, y.cells, false, y.width()));
  subtract(pair.current_y, derivative(diffused[1], x.cells, y.cells, true, x.width()));
  subtract(pair.current_y, derivative(diffused[2], x.cells, y.cells, false, y.width()));
  return pair;
}

}  // namespace underdamp
