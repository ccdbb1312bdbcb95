#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "solver/stationary/krylov_space.hpp"
#include "solver/stationary/nested_dissection.hpp"
#include "solver/stationary/shifted_modes.hpp"

/// Eigenvalues next to a shift, and the order in which the generator is eliminated for them.
namespace underdamp {
namespace {

using Complex = std::complex<double>;
using Eigen::MatrixXd;
using Eigen::VectorXcd;
using Eigen::VectorXd;

/// Eigenvalues −1, −2, … −n, but for −3 and −4, instead of which there are −3 ± 5i; not normal.
MatrixXd matrix_of(int n) {
  MatrixXd a = MatrixXd::Zero(n, n);
  for (int k = 0; k < n; ++k) {
    a(k, k) = -1.0 - k;
    if (k + 1 < n) a(k, k + 1) = 0.3;
  }
  a(3, 3) = -3.0;
  a(2, 3) = 5.0;
  a(3, 2) = -5.0;
  return a;
}

std::function<VectorXd(const VectorXd&)> inverse_at(double shift, int n) {
  const MatrixXd inverse = (matrix_of(n) - shift * MatrixXd::Identity(n, n)).inverse();
  return [inverse](const VectorXd& vector) -> VectorXd { return inverse * vector; };
}
std::function<VectorXcd(const VectorXcd&)> inverse_at(Complex shift, int n) {
  const Eigen::MatrixXcd inverse = (matrix_of(n).cast<Complex>() - shift * Eigen::MatrixXcd::Identity(n, n)).inverse();
  return [inverse](const VectorXcd& vector) -> VectorXcd { return inverse * vector; };
}

void expect_eigenpairs(const ShiftedModes& modes, int n) {
  for (const Eigenpair& pair : modes.pairs) {
    const VectorXcd rest = matrix_of(n).cast<Complex>() * pair.vector - pair.value * pair.vector;
    EXPECT_LE(rest.norm(), 1e-5 * pair.vector.norm()) << pair.value;
  }
}

TEST(KrylovSpace, ByHand) {
  // diag(2, −1) and (1, 1): after two steps the space is whole.
  KrylovSpace<double> space([](const VectorXd& v) -> VectorXd { return Eigen::Vector2d(2.0 * v[0], -v[1]); },
                            Eigen::Vector2d(1.0, 1.0), 2);
  space.grow(1);
  EXPECT_NEAR(space.value(0).real(), 0.5, 1e-14);  // (1, 1)·(2, −1)/2
  EXPECT_NEAR(space.residual(0), 1.5 / 0.5, 1e-13);  // (2, −1) − ½(1, 1) = 1.5 (1, −1), of norm 1.5 √2, over √2
  space.grow(5);
  EXPECT_TRUE(space.is_full());
  ASSERT_EQ(space.size(), 2);
  EXPECT_NEAR(space.value(0).real(), 2.0, 1e-14);
  EXPECT_NEAR(space.value(1).real(), -1.0, 1e-14);
  EXPECT_NEAR(std::abs(space.vector(0)[1]), 0.0, 1e-14);
  EXPECT_LE(space.residual(0), 1e-13);
}

TEST(KrylovSpace, EndsWhereNothingIsFinite) {
  KrylovSpace<double> space([](const VectorXd& v) -> VectorXd { return v * std::numeric_limits<double>::quiet_NaN(); },
                            VectorXd::Ones(8), 6);
  space.grow(6);
  EXPECT_TRUE(space.is_full());
  EXPECT_EQ(space.size(), 0);
}

TEST(ShiftedModes, NearestToZero) {
  constexpr int n = 40;
  const ShiftedModes modes = modes_next_to(0.1, {5, {}, {}}, inverse_at(0.1, n), VectorXd::Ones(n));
  EXPECT_TRUE(modes.complete);
  // −1, −2, −5, −3 ± 5i at 1.1, 2.1, 5.1 and 5.9; of the pair the upper one.
  ASSERT_EQ(modes.pairs.size(), 4U);
  EXPECT_NEAR(modes.pairs[0].value.real(), -1.0, 1e-6);
  EXPECT_NEAR(modes.pairs[1].value.real(), -2.0, 1e-6);
  EXPECT_NEAR(modes.pairs[2].value.real(), -5.0, 1e-6);
  EXPECT_NEAR(std::abs(modes.pairs[3].value - Complex(-3.0, 5.0)), 0.0, 1e-5);
  expect_eigenpairs(modes, n);
}

TEST(ShiftedModes, NextToAFrequency) {
  constexpr int n = 40;
  const Complex shift(0.0, 5.0);
  const ShiftedModes modes = modes_next_to(shift, {1, {}, {}}, inverse_at(shift, n), VectorXcd::Ones(n));
  EXPECT_TRUE(modes.complete);
  ASSERT_EQ(modes.pairs.size(), 1U);
  EXPECT_NEAR(std::abs(modes.pairs[0].value - Complex(-3.0, 5.0)), 0.0, 1e-8);
  expect_eigenpairs(modes, n);
}

TEST(ShiftedModes, WhatDecaysFastIsNotWaitedFor) {
  constexpr int n = 40;
  const auto all = modes_next_to(0.1, {12, {}, {}}, inverse_at(0.1, n), VectorXd::Ones(n));
  const auto slow = modes_next_to(0.1, {12, {}, [](const std::vector<Complex>&) { return 2.5; }}, inverse_at(0.1, n),
                                  VectorXd::Ones(n));
  EXPECT_TRUE(slow.complete);
  EXPECT_LT(slow.pairs.size(), all.pairs.size());
  ASSERT_GE(slow.pairs.size(), 2U);
  EXPECT_NEAR(slow.pairs[1].value.real(), -2.0, 1e-6);
}

TEST(ShiftedModes, EndWhenTheKnownOnesAreFound) {
  constexpr int n = 60;
  int applied = 0;
  const auto counted = [&](const VectorXd& vector) {
    ++applied;
    return inverse_at(0.1, n)(vector);
  };
  VectorXd start = VectorXd::Zero(n);
  start[0] = 1.0;
  start[1] = -0.2;  // nearly in the space of −1 and −2
  start[30] = 1e-3;
  const ModeSearch known{20, {-1.05, -1.9}, {}};
  const ShiftedModes modes = modes_next_to(0.1, known, counted, start);
  EXPECT_TRUE(modes.complete);
  EXPECT_LE(applied, 15);
  ASSERT_GE(modes.pairs.size(), 2U);
  EXPECT_NEAR(modes.pairs[0].value.real(), -1.0, 1e-6);
  EXPECT_NEAR(modes.pairs[1].value.real(), -2.0, 1e-5);
  // Two that are expected in one place are two.
  applied = 0;
  const ShiftedModes twice = modes_next_to(0.1, {20, {-1.0, -1.0}, {}}, counted, start);
  EXPECT_GT(applied, 15);
  EXPECT_TRUE(twice.complete);  // by the twenty nearest
}

TEST(NestedDissection, IsAPermutation) {
  for (const ConnectedGrid& walls :
       {ConnectedGrid{67, 40, 4, 3}, ConnectedGrid{67, 40, 4, 3, true}, ConnectedGrid{67, 40, 4, 3, false, 4, 0},
        ConnectedGrid{67, 40, 4, 3, false, 4, 28}, ConnectedGrid{20, 40, 4, 3, false, 20, 20},
        ConnectedGrid{16, 16, 4, 3, false, 0, 16}}) {
    for (const int more : {0, 1}) {
      ConnectedGrid grid = walls;
      grid.velocity_cells += more;
      const int cells = grid.theta_cells * grid.velocity_cells;
      const auto order = nested_dissection(grid);
      EXPECT_EQ(order.size(), static_cast<std::size_t>(cells));
      EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), static_cast<std::size_t>(cells));
      EXPECT_EQ(*std::max_element(order.begin(), order.end()), cells - 1);
    }
  }
}

/// Entries below the diagonal of the factor of a matrix that connects the cells as `grid` says, eliminated in an order.
long fill_of(const ConnectedGrid& grid, const std::vector<int>& order) {
  const int rows = grid.velocity_cells;
  std::vector<int> place(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) place[static_cast<std::size_t>(order[k])] = static_cast<int>(k);
  std::vector<std::set<int>> later(order.size());  // by place
  const auto connect = [&](int i, int j, int k, int l) {
    if (k < 0 || k >= grid.theta_cells || l < 0 || l >= rows) return;
    const int a = place[static_cast<std::size_t>(i * rows + j)];
    const int b = place[static_cast<std::size_t>(k * rows + l)];
    if (a != b) later[static_cast<std::size_t>(std::min(a, b))].insert(std::max(a, b));
  };
  for (int i = 0; i < grid.theta_cells; ++i) {
    for (int j = 0; j < rows; ++j) {
      for (int d = 1; d <= grid.theta_reach; ++d) connect(i, j, i + d, j);
      for (int d = 1; d <= grid.velocity_reach; ++d) connect(i, j, i, j + d);
      for (int k = 0; k < grid.theta_cells; ++k) {
        const bool both_lower = i < grid.lower_zone && k < grid.lower_zone;
        const bool both_upper = std::min(i, k) >= grid.theta_cells - grid.upper_zone;
        if (!both_lower && !both_upper) continue;
        connect(i, j, k, j);
        connect(i, j, k, rows - 1 - j);
      }
    }
  }
  long fill = 0;
  for (std::size_t k = 0; k < later.size(); ++k) {
    fill += static_cast<long>(later[k].size());
    if (later[k].empty()) continue;
    const int parent = *later[k].begin();
    later[static_cast<std::size_t>(parent)].insert(std::next(later[k].begin()), later[k].end());
  }
  return fill;
}

TEST(NestedDissection, FillsLessIfItKnowsOfMirrors) {
  const ConnectedGrid open{48, 48, 4, 3};
  ConnectedGrid mirrors = open;
  mirrors.lower_zone = mirrors.upper_zone = 4;
  const long unaware = fill_of(mirrors, nested_dissection(open));
  const long aware = fill_of(mirrors, nested_dissection(mirrors));
  EXPECT_LT(static_cast<double>(aware), 0.9 * static_cast<double>(unaware));
  // By columns: a band of 4 · 48 entries in each.
  std::vector<int> columns(48 * 48);
  for (std::size_t k = 0; k < columns.size(); ++k) columns[k] = static_cast<int>(k);
  EXPECT_LT(static_cast<double>(fill_of(open, nested_dissection(open))),
            0.7 * static_cast<double>(fill_of(open, columns)));
}

}  // namespace
}  // namespace underdamp
