#include "validation/circle_solution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <Eigen/LU>

namespace underdamp {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// Derivative of the trigonometric interpolant at an odd number of points of a circle.
Matrix derivative_matrix(int points, double length) {
  Matrix d = Matrix::Zero(points, points);
  for (int i = 0; i < points; ++i) {
    for (int j = 0; j < points; ++j) {
      if (i == j) continue;
      const double angle = std::numbers::pi * (i - j) / points;
      d(i, j) = ((i - j) % 2 == 0 ? 1.0 : -1.0) * std::numbers::pi / (length * std::sin(angle));
    }
  }
  return d;
}

/// The hierarchy with c_n = 0 beyond `orders`:
/// 0 = −w(√n c'_{n−1} + √(n+1) c'_{n+1}) + √n F c_{n−1}/w − γ n c_n + √(n(n−1)) (D/w² − γ) c_{n−2}.
class Hierarchy {
 public:
  Hierarchy(const Model& model, int p, const Interval& circle, int points)
      : friction_(model.gamma()), derivative_(derivative_matrix(points, circle.upper - circle.lower)) {
    solution_.lower = circle.lower;
    solution_.length = circle.upper - circle.lower;
    force_.resize(points);
    noise_.resize(points);
    for (int i = 0; i < points; ++i) {
      const double theta = circle.lower + solution_.length * i / points;
      force_[i] = model.force(p, theta);
      noise_[i] = model.diffusion(p, theta);
    }
    // The same whatever the number of points, so that coefficients can be compared.
    double hottest = 0.0;
    constexpr int samples = 1000;
    for (int s = 0; s < samples; ++s)
      hottest = std::max(hottest, model.diffusion(p, circle.lower + solution_.length * s / samples));
    solution_.width = std::sqrt(hottest / friction_);
  }

  CircleSolution solve(int orders) {
    eliminate(orders);
    const auto points = force_.size();
    // Its rows add up to 0: any of them may give way to ∫ c_0 = 1.
    Matrix last = derivative_ * from_one_[1];
    Vector right = Vector::Zero(points);
    last.row(0).setConstant(solution_.length / static_cast<double>(points));
    right[0] = 1.0;
    auto& c = solution_.coefficients;
    c.assign(1, last.partialPivLu().solve(right));
    for (int n = 1; n <= orders; ++n) {
      const auto k = static_cast<std::size_t>(n);
      Vector next = from_one_[k] * c[k - 1];
      if (n > 1 && varies()) next += from_two_[k] * c[k - 2];
      c.push_back(std::move(next));
    }
    return solution_;
  }

 private:
  bool varies() const { return noise_.maxCoeff() - noise_.minCoeff() > 1e-13 * noise_.maxCoeff(); }

  /// c_n = from_one[n] c_{n−1} + from_two[n] c_{n−2}, from the highest order down.
  void eliminate(int orders) {
    const auto points = force_.size();
    const double w = solution_.width;
    from_one_.assign(static_cast<std::size_t>(orders) + 2, Matrix::Zero(points, points));
    from_two_ = from_one_;
    for (int n = orders; n >= 1; --n) {
      const auto k = static_cast<std::size_t>(n);
      const double root = std::sqrt(static_cast<double>(n));
      const Matrix above = -w * std::sqrt(n + 1.0) * derivative_;
      Matrix right(points, varies() ? 2 * points : points);
      right.leftCols(points) = -w * root * derivative_;
      right.leftCols(points).diagonal() += root / w * force_;
      if (varies()) {
        right.leftCols(points) += above * from_two_[k + 1];
        right.rightCols(points) =
            (std::sqrt(n * (n - 1.0)) * (noise_.array() / (w * w) - friction_)).matrix().asDiagonal();
      }
      Matrix left = -above * from_one_[k + 1];
      left.diagonal().array() += friction_ * n;
      const Matrix solved = left.partialPivLu().solve(right);
      from_one_[k] = solved.leftCols(points);
      if (varies()) from_two_[k] = solved.rightCols(points);
    }
  }

  double friction_;
  Matrix derivative_;
  Vector force_;
  Vector noise_;
  CircleSolution solution_;
  std::vector<Matrix> from_one_;
  std::vector<Matrix> from_two_;
};

/// He_n(y) √φ(y)/√n!, n = 0, 1, …: times another √φ they are what p is made of, and the recursion does not overflow.
std::vector<double> hermite_functions(double y, std::size_t count) {
  std::vector<double> h(count);
  h[0] = std::pow(2.0 * std::numbers::pi, -0.25) * std::exp(-0.25 * y * y);
  if (count > 1) h[1] = y * h[0];
  for (std::size_t n = 1; n + 1 < count; ++n) {
    const auto order = static_cast<double>(n);
    h[n + 1] = (y * h[n] - std::sqrt(order) * h[n - 1]) / std::sqrt(order + 1.0);
  }
  return h;
}

/// Values of the trigonometric interpolant at other places, given in circles, as a matrix.
Matrix interpolation_matrix(const std::vector<double>& places, int points) {
  Matrix m(static_cast<Eigen::Index>(places.size()), points);
  for (Eigen::Index i = 0; i < m.rows(); ++i) {
    for (int j = 0; j < points; ++j) {
      const double angle = std::numbers::pi * (places[static_cast<std::size_t>(i)] - static_cast<double>(j) / points);
      const double below = std::sin(angle);
      m(i, j) = std::abs(below) < 1e-14 ? 1.0 : std::sin(points * angle) / (points * below);
    }
  }
  return m;
}

double l1_distance(const PhasePlane& plane, const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += std::abs(a[k] - b[k]);
  return sum * plane.cell_area();
}

}  // namespace

double CircleSolution::mean_velocity() const {
  return width * coefficients[1].mean() * length;
}
double CircleSolution::mean_square_velocity() const {
  return width * width * (std::sqrt(2.0) * coefficients[2].mean() + coefficients[0].mean()) * length;
}

std::vector<double> CircleSolution::density(const PhasePlane& plane) const {
  const int points = static_cast<int>(coefficients[0].size());
  const auto orders = static_cast<Eigen::Index>(coefficients.size());
  Matrix c(points, orders);
  for (Eigen::Index n = 0; n < orders; ++n) c.col(n) = coefficients[static_cast<std::size_t>(n)];
  std::vector<double> places;
  for (int i = 0; i < plane.theta.cells; ++i) places.push_back((plane.theta.center(i) - lower) / length);
  const Matrix rows = interpolation_matrix(places, points) * c;
  std::vector<double> values(static_cast<std::size_t>(plane.theta.cells) *
                             static_cast<std::size_t>(plane.velocity.cells));
  for (int j = 0; j < plane.velocity.cells; ++j) {
    const double y = plane.velocity.center(j) / width;
    const auto h = hermite_functions(y, coefficients.size());
    const double weight = std::pow(2.0 * std::numbers::pi, -0.25) * std::exp(-0.25 * y * y) / width;
    const Vector column = weight * (rows * Eigen::Map<const Vector>(h.data(), orders));
    for (int i = 0; i < plane.theta.cells; ++i) {
      values[static_cast<std::size_t>(i) * static_cast<std::size_t>(plane.velocity.cells) +
             static_cast<std::size_t>(j)] = column[i];
    }
  }
  return values;
}

std::optional<CircleSolution> circle_solution(const Model& model, int p, const PhasePlane& plane) {
  constexpr double aim = 1e-10;
  constexpr double largest_error = 1e-6;
  constexpr double largest_density_error = 1e-4;
  constexpr int most_points = 97;  // weak friction wants orders, narrow wells want points
  constexpr int most_orders = 320;
  const Interval circle{plane.theta.lower, plane.theta.upper};
  int points = 33;
  int orders = 40;
  CircleSolution result = Hierarchy(model, p, circle, points).solve(orders);
  std::vector<double> density = result.density(plane);
  result.error = std::numeric_limits<double>::infinity();
  while (orders < most_orders && !(std::max(result.error, 0.1 * result.density_error) <= aim)) {
    points = std::min((points * 3 / 2) | 1, most_points);
    orders *= 2;
    CircleSolution finer = Hierarchy(model, p, circle, points).solve(orders);
    const double speed = finer.mean_square_velocity();
    finer.error = std::max(std::abs(finer.mean_velocity() - result.mean_velocity()) / std::sqrt(speed),
                           std::abs(speed - result.mean_square_velocity()) / speed);
    std::vector<double> finer_density = finer.density(plane);
    finer.density_error = l1_distance(plane, density, finer_density);
    result = std::move(finer);
    density = std::move(finer_density);
  }
  if (!(result.error <= largest_error) || !(result.density_error <= largest_density_error)) return std::nullopt;
  return result;
}

}  // namespace underdamp
