#include "kernels/contract/noise_directions.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Dense>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

using Vector = Eigen::Vector3i;
using Superbase = std::array<Vector, 4>;
using Matrix = Eigen::Matrix3d;

/// ρ may be as negative as this share of the largest eigenvalue.
constexpr double negative_share = 0.2;

struct Pair {
  int i, j, k, l;  ///< two vectors of a superbase, and the two others
};
constexpr std::array<Pair, 6> pairs{
    {{0, 1, 2, 3}, {0, 2, 1, 3}, {0, 3, 1, 2}, {1, 2, 0, 3}, {1, 3, 0, 2}, {2, 3, 0, 1}}};

double rho(const Matrix& c, const Superbase& base, const Pair& pair) {
  const auto of = [&](int i) -> Eigen::Vector3d { return base[static_cast<std::size_t>(i)].cast<double>(); };
  return -of(pair.i).dot(c * of(pair.j));
}

double smallest_rho(const Matrix& c, const Superbase& base) {
  double smallest = rho(c, base, pairs[0]);
  for (const Pair& pair : pairs) smallest = std::min(smallest, rho(c, base, pair));
  return smallest;
}

/// (−v_i, v_j, v_i + v_k, v_i + v_l)
Superbase turned(const Superbase& base, const Pair& pair) {
  const auto of = [&](int i) { return base[static_cast<std::size_t>(i)]; };
  return {-of(pair.i), of(pair.j), of(pair.k) + of(pair.i), of(pair.l) + of(pair.i)};
}

Superbase stopped_superbase(const Matrix& c, double largest) {
  Superbase best{};
  double best_rho = 0.0;
  for (int signs = 0; signs < 4; ++signs) {
    const Vector x = Vector::UnitX();
    const Vector y = (signs & 1) != 0 ? Vector(-Vector::UnitY()) : Vector(Vector::UnitY());
    const Vector z = (signs & 2) != 0 ? Vector(-Vector::UnitZ()) : Vector(Vector::UnitZ());
    const Superbase base{x, y, z, Vector(-x - y - z)};
    const double smallest = smallest_rho(c, base);
    if (signs == 0 || smallest > best_rho) {
      best = base;
      best_rho = smallest;
    }
  }
  constexpr int most_turns = 100;  // Σ v_iᵀ C v_i falls with each
  for (int turn = 0; turn < most_turns && smallest_rho(c, best) < -negative_share * largest; ++turn) {
    const Pair worst = *std::min_element(
        pairs.begin(), pairs.end(), [&](const Pair& a, const Pair& b) { return rho(c, best, a) < rho(c, best, b); });
    best = turned(best, worst);
  }
  return best;
}

Matrix matrix_of(const SymmetricEntries& entries) {
  Matrix c;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) c(i, j) = entries[static_cast<std::size_t>(entry_of(3, i, j))];
  }
  return c;
}

/// Adds ρ along e, which may be an axis.
void add(std::vector<NoiseDirection>& directions, Vector e, double variance) {
  for (int k = 0; k < 3; ++k) {  // the first entry that is not 0 is positive
    if (e[k] == 0) continue;
    if (e[k] < 0) e = -e;
    break;
  }
  const std::array<int, most_parameters> direction{e[0], e[1], e[2]};
  for (NoiseDirection& known : directions) {
    if (known.direction == direction) {
      known.variance += variance;
      return;
    }
  }
  directions.push_back({direction, variance});
}

void add_selling(const SymmetricEntries& covariance, std::vector<NoiseDirection>& directions) {
  const Matrix c = matrix_of(covariance);
  const Eigen::Vector3d eigenvalues = Eigen::SelfAdjointEigenSolver<Matrix>(c, Eigen::EigenvaluesOnly).eigenvalues();
  if (!(eigenvalues[1] >= eigenvalues[2] / 100.0)) {
    throw Error(ExitCode::bad_input, "the noise of three parameters has nearly rank one, and not along an axis",
                "noise",
                "leave grid.axes = \"auto\", so that the axes follow the noise, or give all directions some noise");
  }
  const Superbase base = stopped_superbase(c, eigenvalues[2]);
  for (const Pair& pair : pairs) {
    const auto of = [&](int i) { return base[static_cast<std::size_t>(i)]; };
    add(directions, of(pair.k).cross(of(pair.l)), rho(c, base, pair));
  }
}

}  // namespace

std::vector<NoiseDirection> noise_directions(const SymmetricEntries& covariance, int parameters) {
  std::vector<NoiseDirection> directions(static_cast<std::size_t>(parameters));
  const auto entry = [&](int i, int j) { return covariance[static_cast<std::size_t>(entry_of(parameters, i, j))]; };
  std::vector<std::array<int, 2>> correlated;
  for (int i = 0; i < parameters; ++i) {
    directions[static_cast<std::size_t>(i)].direction[static_cast<std::size_t>(i)] = 1;
    for (int j = i + 1; j < parameters; ++j) {
      if (entry(i, j) != 0.0) correlated.push_back({i, j});
    }
  }
  if (correlated.size() > 1) {
    add_selling(covariance, directions);
    return directions;
  }
  for (int i = 0; i < parameters; ++i) directions[static_cast<std::size_t>(i)].variance = entry(i, i);
  for (const auto& [i, j] : correlated) {
    const double c = entry(i, j);
    NoiseDirection diagonal{{}, std::abs(c)};
    diagonal.direction[static_cast<std::size_t>(i)] = 1;
    diagonal.direction[static_cast<std::size_t>(j)] = c > 0.0 ? 1 : -1;
    directions[static_cast<std::size_t>(i)].variance -= std::abs(c);
    directions[static_cast<std::size_t>(j)].variance -= std::abs(c);
    directions.push_back(diagonal);
  }
  return directions;
}

}  // namespace underdamp
