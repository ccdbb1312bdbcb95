#include "solver/coupled/coupled_sums.hpp"

#include <cmath>

#include "kernels/contract/noise_directions.hpp"

namespace underdamp {
namespace {

double middle_of(const Axis& axis) {
  return 0.5 * (axis.lower + axis.upper);
}

/// v_k from the middle of the box at every v cell.
std::vector<std::vector<double>> velocities(const PhaseSpace& space) {
  const int d = space.parameters();
  std::vector<std::vector<double>> result(static_cast<std::size_t>(d));
  for (long j = 0; j < space.shape().velocity_cells; ++j) {
    const auto at = axis_positions(space.shape().axes.velocity, d, j);
    for (std::size_t k = 0; k < result.size(); ++k) {
      const Axis& axis = space.problem(0).velocity[k];
      result[k].push_back(axis.center(at[k]) - middle_of(axis));
    }
  }
  return result;
}

std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> result(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) result[i] = a[i] * b[i];
  return result;
}

/// −∂F_k/∂θ_l in every line, by differences of its neighbours.
std::vector<double> stiffness(const PhaseSpace& space, const CoupledTables& tables, int k, int l) {
  const auto axis = static_cast<std::size_t>(l);
  const Axis& theta = space.problem(0).theta[axis];
  const auto d = static_cast<std::size_t>(space.parameters());
  long stride = 1;
  for (int m = l + 1; m < space.parameters(); ++m) stride *= space.theta_cells(m);
  std::vector<double> result;
  for (long line = 0; line < space.shape().theta_cells; ++line) {
    const long i = line / stride % theta.cells;
    const long below = i > 0 ? line - stride : line;
    const long above = i + 1 < theta.cells ? line + stride : line;
    const auto force = [&](long at) {
      return tables.force[static_cast<std::size_t>(at) * d + static_cast<std::size_t>(k)];
    };
    result.push_back(-(force(above) - force(below)) / (static_cast<double>((above - below) / stride) * theta.width()));
  }
  return result;
}

/// Builds the law and reads the sums, in one order.
template <class Take>
void for_each_sum(int d, const Take& take) {
  const int pairs = entries_of(d);
  const int squares = 1 + d;  // first quantity v_k v_l
  const int entropy = squares + pairs;
  const int theta_pairs = d;  // first factor θ_k θ_l
  const int loss = theta_pairs + pairs;
  const int noise = loss + 1;
  const int slope = noise + pairs;
  take(RowTerm(0));
  for (int k = 0; k < d; ++k) take(RowTerm(0, k));
  for (int k = 0; k < d; ++k) take(RowTerm(1 + k));
  for (int e = 0; e < pairs; ++e) take(RowTerm(0, theta_pairs + e));
  for (int k = 0; k < d; ++k) {
    for (int l = 0; l < d; ++l) take(RowTerm(1 + l, k));
  }
  for (int e = 0; e < pairs; ++e) take(RowTerm(squares + e));
  take(RowTerm(0, loss));
  take(RowTerm(entropy));
  for (int e = 0; e < pairs; ++e) take(RowTerm(0, noise + e));
  for (int e = 0; e < d * d; ++e) take(RowTerm(0, slope + e));
}

/// The sums one after the other.
class SumReader {
 public:
  SumReader(const std::vector<double>& sums, double scale) : next_(sums.begin()), scale_(scale) {}
  double operator()() { return *next_++ * scale_; }

 private:
  std::vector<double>::const_iterator next_;
  double scale_;
};

}  // namespace

BlockSumLaw coupled_sum_law(const PhaseSpace& space, const CoupledTables& tables) {
  const int d = space.parameters();
  const auto v = velocities(space);
  BlockSumLaw law;
  law.of_velocity.emplace_back(v.front().size(), 1.0);
  for (const auto& of_axis : v) law.of_velocity.push_back(of_axis);
  for (std::size_t k = 0; k < v.size(); ++k) {
    for (std::size_t l = k; l < v.size(); ++l) law.of_velocity.push_back(product(v[k], v[l]));
  }
  std::vector<std::vector<double>> theta(static_cast<std::size_t>(d));
  for (long line = 0; line < space.shape().theta_cells; ++line) {
    const ParameterVector center = theta_center(space, 0, line);
    for (int k = 0; k < d; ++k) {
      const auto axis = static_cast<std::size_t>(k);
      theta[axis].push_back(center[k] - middle_of(space.problem(0).theta[axis]));
    }
  }
  law.factors = theta;
  for (std::size_t k = 0; k < theta.size(); ++k) {
    for (std::size_t l = k; l < theta.size(); ++l) law.factors.push_back(product(theta[k], theta[l]));
  }
  law.factors.push_back(tables.loss);
  const auto pairs = static_cast<std::size_t>(entries_of(d));
  for (std::size_t e = 0; e < pairs; ++e) {
    std::vector<double> entry;
    for (std::size_t line = 0; line < tables.loss.size(); ++line) entry.push_back(tables.diffusion[line * pairs + e]);
    law.factors.push_back(std::move(entry));
  }
  for (int k = 0; k < d; ++k) {
    for (int l = 0; l < d; ++l) law.factors.push_back(stiffness(space, tables, k, l));
  }
  for_each_sum(d, [&](const RowTerm& term) { law.sums.push_back({term}); });
  return law;
}

CoupledSums coupled_sums(const PhaseSpace& space, const RowSums& all) {
  const int d = space.parameters();
  const PhaseBox& box = space.problem(0);
  CoupledSums result;
  const double mass = all.sums.front();
  result.mass = mass * box.cell_volume();
  SumReader next(all.sums, 1.0 / mass);
  static_cast<void>(next());
  PhaseVector mean(2 * d);
  PhaseVector width(2 * d);
  for (int i = 0; i < 2 * d; ++i) {
    mean[i] = next();
    width[i] =
        i < d ? box.theta[static_cast<std::size_t>(i)].width() : box.velocity[static_cast<std::size_t>(i - d)].width();
  }
  PhaseMatrix second(2 * d, 2 * d);
  const auto symmetric = [&](int first) {
    for (int k = 0; k < d; ++k) {
      for (int l = k; l < d; ++l) second(first + k, first + l) = second(first + l, first + k) = next();
    }
  };
  symmetric(0);
  for (int k = 0; k < d; ++k) {
    for (int l = 0; l < d; ++l) second(k, d + l) = second(d + l, k) = next();
  }
  symmetric(d);
  result.moments.covariance = second - mean * mean.transpose();
  result.moments.mean = mean;
  for (int i = 0; i < 2 * d; ++i) {
    result.moments.mean[i] +=
        middle_of(i < d ? box.theta[static_cast<std::size_t>(i)] : box.velocity[static_cast<std::size_t>(i - d)]);
  }
  result.expected_loss = next();
  // −Σ p ln p times the volume of a cell, of p itself.
  result.entropy = next() * mass * box.cell_volume();
  PhaseShape& shape = result.shape;
  shape.covariance = width.cwiseInverse().asDiagonal() * result.moments.covariance * width.cwiseInverse().asDiagonal();
  shape.velocity = result.moments.mean.tail(d).cwiseQuotient(width.tail(d));
  shape.diffusion = ParameterMatrix(d, d);
  for (int k = 0; k < d; ++k) {
    for (int l = k; l < d; ++l) shape.diffusion(k, l) = shape.diffusion(l, k) = next() / (width[d + k] * width[d + l]);
  }
  shape.stiffness = ParameterMatrix(d, d);
  for (int k = 0; k < d; ++k) {
    for (int l = 0; l < d; ++l) shape.stiffness(k, l) = next() * width[l] / width[d + k];
  }
  result.minimum = all.smallest.front().value;
  result.minimum_cell =
      static_cast<long>(all.smallest.front().row) * space.shape().velocity_cells + all.smallest.front().column;
  return result;
}

BlockSumLaw profile_law(const PhaseSpace& space) {
  const auto v = velocities(space);
  BlockSumLaw law;
  law.of_velocity.emplace_back(v.front().size(), 1.0);
  for (const auto& of_axis : v) law.of_velocity.push_back(of_axis);
  law.sums = {{RowTerm(0)}};
  law.linear = true;
  return law;
}

}  // namespace underdamp
