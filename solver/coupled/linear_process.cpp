#include "solver/coupled/linear_process.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/Dense>
#include <unsupported/Eigen/MatrixFunctions>

#include "meshes/error.hpp"

namespace underdamp {
namespace {

/// A of the flow, or M of the map, of d parameters, by blocks.
PhaseMatrix by_blocks(const ParameterMatrix& tt, const ParameterMatrix& tv, const ParameterMatrix& vt,
                      const ParameterMatrix& vv) {
  const Eigen::Index d = tt.rows();
  PhaseMatrix matrix(2 * d, 2 * d);
  matrix.topLeftCorner(d, d) = tt;
  matrix.topRightCorner(d, d) = tv;
  matrix.bottomLeftCorner(d, d) = vt;
  matrix.bottomRightCorner(d, d) = vv;
  return matrix;
}

PhaseMatrix symmetric(const PhaseMatrix& m) {
  return 0.5 * (m + PhaseMatrix(m.transpose()));
}

}  // namespace

LinearProcess::LinearProcess(bool is_map, double step, PhaseMatrix matrix, PhaseMatrix noise,
                             const ParameterVector& minimum)
    : is_map_(is_map), step_(step), matrix_(std::move(matrix)), noise_(std::move(noise)) {
  const Eigen::Index d = minimum.size();
  center_ = PhaseVector::Zero(2 * d);
  center_.head(d) = minimum;
  slowest_rate_ = std::numeric_limits<double>::infinity();
  const auto eigenvalues = Eigen::EigenSolver<PhaseMatrix>(matrix_, false).eigenvalues();
  for (Eigen::Index i = 0; i < eigenvalues.size(); ++i) {
    const std::complex<double> rate = is_map ? std::log(eigenvalues[i]) / step : eigenvalues[i];
    slowest_rate_ = std::min(slowest_rate_, -rate.real());
    // A map may forget at once: its rate is that of one step then.
    fastest_rate_ = std::max(fastest_rate_, is_map ? std::min(std::abs(rate), 1.0 / step) : std::abs(rate));
  }
}

LinearProcess LinearProcess::langevin(const ParameterMatrix& stiffness, double friction,
                                      const ParameterMatrix& diffusion, const ParameterVector& minimum) {
  const Eigen::Index d = minimum.size();
  const ParameterMatrix zero = ParameterMatrix::Zero(d, d);
  const ParameterMatrix one = ParameterMatrix::Identity(d, d);
  return {false, 0.0, by_blocks(zero, one, -stiffness, -friction * one), by_blocks(zero, zero, zero, 2.0 * diffusion),
          minimum};
}

LinearProcess LinearProcess::sgd(const ParameterMatrix& hessian, double momentum, double learning_rate,
                                 const ParameterMatrix& step_covariance, const ParameterVector& minimum) {
  const Eigen::Index d = minimum.size();
  const ParameterMatrix one = ParameterMatrix::Identity(d, d);
  const double eta = learning_rate;
  // θ' = θ + η v', v' = β v − H θ + ξ.
  return {true, eta, by_blocks(one - eta * hessian, eta * momentum * one, -hessian, momentum * one),
          by_blocks(eta * eta * step_covariance, eta * step_covariance, eta * step_covariance, step_covariance),
          minimum};
}

/// A C + C Aᵀ + N = 0, or C = M C Mᵀ + N, as linear equations of its entries.
PhaseMatrix LinearProcess::stationary_covariance() const {
  require(is_stable(), "a process that does not relax has no stationary state");
  const Eigen::Index n = matrix_.rows();
  Eigen::MatrixXd equations = Eigen::MatrixXd::Zero(n * n, n * n);
  Eigen::VectorXd right(n * n);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < n; ++j) {
      const Eigen::Index row = i * n + j;
      right[row] = noise_(i, j);
      for (Eigen::Index k = 0; k < n; ++k) {
        if (is_map_) {
          for (Eigen::Index l = 0; l < n; ++l) equations(row, k * n + l) -= matrix_(i, k) * matrix_(j, l);
        } else {
          equations(row, k * n + j) -= matrix_(i, k);
          equations(row, i * n + k) -= matrix_(j, k);
        }
      }
      if (is_map_) equations(row, row) += 1.0;
    }
  }
  const Eigen::VectorXd entries = equations.partialPivLu().solve(right);
  PhaseMatrix covariance(n, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < n; ++j) covariance(i, j) = entries[i * n + j];
  }
  return symmetric(covariance);
}

PhaseMatrix LinearProcess::flow(double time) const {
  if (!is_map_) return Eigen::MatrixXd(Eigen::MatrixXd(matrix_ * time).exp());
  PhaseMatrix result = PhaseMatrix::Identity(matrix_.rows(), matrix_.cols());
  PhaseMatrix power = matrix_;
  for (auto steps = std::lround(time / step_); steps > 0; steps /= 2) {
    if (steps % 2 != 0) result = PhaseMatrix(result * power);
    power = PhaseMatrix(power * power);
  }
  return result;
}

/// By Van Loan (1978): the exponential of [[−A, N], [0, Aᵀ]] t holds flow and noise. The map by doubling.
PhaseMatrix LinearProcess::noise_of(double time) const {
  const Eigen::Index n = matrix_.rows();
  PhaseMatrix noise = PhaseMatrix::Zero(n, n);
  if (is_map_) {
    PhaseMatrix power = matrix_;
    PhaseMatrix of_power = noise_;
    for (auto steps = std::lround(time / step_); steps > 0; steps /= 2) {
      if (steps % 2 != 0) noise = PhaseMatrix(power * noise * power.transpose() + of_power);
      of_power = PhaseMatrix(power * of_power * power.transpose() + of_power);
      power = PhaseMatrix(power * power);
    }
    return symmetric(noise);
  }
  // Short pieces, so that the growing exponential of −A stays tame, then doubled.
  int doublings = 0;
  for (double part = time * fastest_rate_; part > 1.0; part /= 2.0) ++doublings;
  const double piece = std::ldexp(time, -doublings);
  Eigen::MatrixXd block = Eigen::MatrixXd::Zero(2 * n, 2 * n);
  block.topLeftCorner(n, n) = -matrix_;
  block.topRightCorner(n, n) = noise_;
  block.bottomRightCorner(n, n) = matrix_.transpose();
  const Eigen::MatrixXd exponential = Eigen::MatrixXd(block * piece).exp();
  PhaseMatrix power = exponential.bottomRightCorner(n, n).transpose();
  noise = PhaseMatrix(power * exponential.topRightCorner(n, n));
  for (int k = 0; k < doublings; ++k) {
    noise = PhaseMatrix(power * noise * power.transpose() + noise);
    power = PhaseMatrix(power * power);
  }
  return symmetric(noise);
}

PhaseMoments LinearProcess::after(double time, const PhaseMoments& start) const {
  const PhaseMatrix m = flow(time);
  return {PhaseVector(center_ + m * (start.mean - center_)),
          symmetric(m * start.covariance * m.transpose() + noise_of(time))};
}

PhaseVector conditional_deviations(const PhaseMatrix& covariance) {
  const Eigen::Index n = covariance.rows();
  const Eigen::LLT<PhaseMatrix> factor(covariance);
  if (factor.info() != Eigen::Success) return PhaseVector::Zero(n);
  const PhaseMatrix inverse = factor.solve(PhaseMatrix::Identity(n, n));
  return inverse.diagonal().cwiseInverse().cwiseSqrt();
}

}  // namespace underdamp
