#include "solver/displacement/slow_flow.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Dense>
#include <Eigen/Eigenvalues>
#include <unsupported/Eigen/MatrixFunctions>

#include "solver/step/memory.hpp"

namespace underdamp {
namespace {

using Vector = OrderedGenerator::Vector;

constexpr Eigen::Index most_solutions = 60;

/// Size of the numbers that are compared: of the field that they are sums over, so that what cancels does not count.
double scale_of(const std::vector<MomentSums>& sums) {
  double scale = 0.0;
  for (const MomentSums& s : sums) scale = std::max({scale, std::abs(s.position[0]), std::abs(s.square)});
  return scale;
}

double difference(const std::vector<MomentSums>& a, const std::vector<MomentSums>& b) {
  double worst = 0.0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double d = std::max(std::abs(a[k].position[0] - b[k].position[0]), std::abs(a[k].square - b[k].square));
    if (std::isnan(d)) return d;
    worst = std::max(worst, d);
  }
  return worst;
}

/// Basis of the Krylov space and the projection of (σ − L)⁻¹ on it.
class Krylov {
 public:
  explicit Krylov(const Vector& start) : norm_(start.norm()) {
    basis_.push_back(start / norm_);
    hessenberg_.setZero(most_solutions + 1, most_solutions);
  }

  /// One more vector; false if the space is complete.
  bool extend(const ShiftedInverse& inverse) {
    const auto m = static_cast<Eigen::Index>(basis_.size()) - 1;
    Vector next = -inverse.solve(basis_.back());
    const double before = next.norm();
    for (int pass = 0; pass < 2; ++pass) {  // once more, or rounding would leave the basis oblique
      for (Eigen::Index k = 0; k <= m; ++k) {
        const double h = basis_[static_cast<std::size_t>(k)].dot(next);
        hessenberg_(k, m) += h;
        next -= h * basis_[static_cast<std::size_t>(k)];
      }
    }
    size_ = m + 1;
    hessenberg_(m + 1, m) = next.norm();
    if (!(next.norm() > 1e-13 * before)) return false;
    basis_.push_back(next / next.norm());
    return true;
  }

  Eigen::Index size() const { return size_; }
  const Vector& vector(Eigen::Index k) const { return basis_[static_cast<std::size_t>(k)]; }

  /// Coordinates of e^{tL} f on the basis.
  std::vector<Vector> states(double shift, const std::vector<double>& times) const {
    const Eigen::MatrixXd projected = hessenberg_.topLeftCorner(size_, size_);
    const Eigen::MatrixXd identity = Eigen::MatrixXd::Identity(size_, size_);
    const Eigen::MatrixXd generator = shift * identity - projected.partialPivLu().solve(identity);
    // Nothing grows under L; what rounding and the rest of the space make grow here must not.
    const Eigen::ComplexSchur<Eigen::MatrixXd> schur(generator);
    Eigen::MatrixXcd triangle = schur.matrixT();
    for (Eigen::Index k = 0; k < size_; ++k) {
      if (triangle(k, k).real() > 0.0) triangle(k, k) = {0.0, triangle(k, k).imag()};
    }
    const Eigen::VectorXcd start = schur.matrixU().adjoint().col(0) * norm_;
    std::vector<Vector> all;
    Eigen::VectorXcd state = start;
    Eigen::MatrixXcd propagator;
    double before = 0.0;
    double step = 0.0;
    for (const double t : times) {
      if (!(std::abs(t - before - step) <= 1e-12 * t)) {  // most steps are equal
        step = t - before;
        propagator = (step * triangle).exp();
      }
      state = propagator * state;
      before = t;
      all.push_back((schur.matrixU() * state).real());
    }
    return all;
  }

 private:
  double norm_;
  Eigen::Index size_ = 0;
  std::vector<Vector> basis_;
  Eigen::MatrixXd hessenberg_;
};

}  // namespace

SlowTimes slow_times(double rest, double friction) {
  constexpr double ratio = 1.06;
  constexpr double decays = 40.0;  // what oscillates or follows the velocity falls like e^{−γt/2}, or faster
  SlowTimes times;
  double t = 1.0;
  for (; t < rest && t * friction < decays; t += 1.0) times.time.push_back(t);
  times.first_slow = times.time.size();
  for (; t < 0.999 * rest; t = std::max(t + 1.0, t * ratio)) times.time.push_back(t);
  times.time.push_back(rest);
  return times;
}

bool SlowFlow::fits(const ScaledPlane& plane, const DeviceDescription& device) {
  return generator_fits({1, plane.plane.theta.cells, plane.plane.velocity.cells}, device);
}

SlowFlow::SlowFlow(const ScaledPlane& plane, double rate, const std::function<void()>& poll)
    : plane_(plane),
      shift_(2.0 * rate),
      generator_(plane.mesh(), plane.tables),
      inverse_(generator_.matrix(), shift_, poll) {}

std::optional<std::vector<MomentSums>> SlowFlow::moments(const std::vector<double>& field, double center,
                                                         const std::vector<double>& times, double tolerance) {
  Krylov space(generator_.ordered(field));
  std::vector<MomentSums> basis_moments;
  const auto moments_of = [&](const std::vector<Vector>& states) {
    std::vector<MomentSums> sums(states.size());
    for (std::size_t k = 0; k < states.size(); ++k) {
      for (Eigen::Index b = 0; b < states[k].size(); ++b)
        sums[k].add(states[k][b], basis_moments[static_cast<std::size_t>(b)]);
    }
    return sums;
  };
  std::vector<double> looked_at;  // enough to see that the space is large enough
  for (double t = times.front(); t < times.back(); t *= 3.0) looked_at.push_back(t);
  looked_at.push_back(times.back());
  std::vector<MomentSums> before;
  int agreements = 0;
  for (bool complete = false; space.size() < most_solutions;) {
    const Vector values = generator_.unordered(space.vector(space.size()));
    basis_moments.push_back(moment_sums(plane_, {values.data(), static_cast<std::size_t>(values.size())}, center));
    complete = !space.extend(inverse_);
    if (space.size() % 2 != 0 && !complete) continue;
    const auto now = moments_of(space.states(shift_, looked_at));
    const bool agrees = !before.empty() && difference(now, before) <= tolerance * scale_of(now);
    agreements = agrees ? agreements + 1 : 0;
    if (complete || agreements == 2) {
      const auto states = space.states(shift_, times);
      Vector last = Vector::Zero(generator_.matrix().rows());
      for (Eigen::Index b = 0; b < states.back().size(); ++b) last += states.back()[b] * space.vector(b);
      const Vector unordered = generator_.unordered(last);
      last_field_.assign(unordered.data(), unordered.data() + unordered.size());
      return moments_of(states);
    }
    before = now;
  }
  return std::nullopt;
}

}  // namespace underdamp
