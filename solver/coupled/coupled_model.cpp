#include "solver/coupled/coupled_model.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <Eigen/Dense>

#include "meshes/error.hpp"
#include "solver/io/diagnostics.hpp"

namespace underdamp {
namespace {

double smallest_eigenvalue(const ParameterMatrix& matrix) {
  return Eigen::SelfAdjointEigenSolver<ParameterMatrix>(matrix, Eigen::EigenvaluesOnly).eigenvalues()[0];
}

}  // namespace

void CoupledProcess::take_optimizer(const OptimizerSpec& optimizer) {
  learning_rate = optimizer.learning_rate;
  momentum = optimizer.momentum;
  batch_size = optimizer.batch_size;
  weight_decay = optimizer.weight_decay;
  const double scale = learning_rate * (1.0 + momentum);
  k = 2.0 / scale;
  gamma = 2.0 * (1.0 - momentum) / scale;
  diffusion_per_noise = 2.0 / (scale * (1.0 + momentum) * batch_size);
}

std::string place_text(const ParameterVector& theta) {
  std::string text;
  for (Eigen::Index k = 0; k < theta.size(); ++k)
    text += fmt::format("{}x{} = {:.6g}", k > 0 ? ", " : "", k + 1, theta[k]);
  return text;
}

CoupledModel::CoupledModel(CoupledProcess process, const ParameterVector& guess) : process_(std::move(process)) {
  require(process_.loss && process_.noise, "a process needs a loss and a noise");
  require(guess.size() == process_.loss->parameters(), "the minimum is searched among the parameters of the loss");
  find_minimum(guess);
  static_cast<void>(diffusion(minimum_));
}

double CoupledModel::loss(const ParameterVector& theta) const {
  return process_.loss->value(theta) + 0.5 * process_.weight_decay * theta.squaredNorm();
}
ParameterVector CoupledModel::gradient(const ParameterVector& theta) const {
  return process_.loss->gradient(theta) + process_.weight_decay * theta;
}
ParameterMatrix CoupledModel::hessian(const ParameterVector& theta) const {
  return process_.loss->hessian(theta) + process_.weight_decay * ParameterMatrix::Identity(theta.size(), theta.size());
}

ParameterVector CoupledModel::force(const ParameterVector& theta) const {
  return (process_.dynamics == Dynamics::sgd ? -1.0 : -process_.k) * gradient(theta);
}

ParameterMatrix CoupledModel::diffusion(const ParameterVector& theta) const {
  const ParameterMatrix noise = process_.noise->value(theta);
  const double largest = noise.cwiseAbs().maxCoeff();
  if (!noise.allFinite() || smallest_eigenvalue(noise) < -1e-12 * largest) {
    refuse("", "noise",
           noise.allFinite() ? fmt::format("{} has a negative eigenvalue, {:.3g}, at {}", process_.noise->describe(),
                                           smallest_eigenvalue(noise), place_text(theta))
                             : fmt::format("{} is not finite at {}", process_.noise->describe(), place_text(theta)),
           "give a covariance: symmetric, without negative eigenvalues");
  }
  return (process_.dynamics == Dynamics::sgd ? 1.0 / process_.batch_size : process_.diffusion_per_noise) * noise;
}

/// Newton's method with a trust in descent: where the Hessian is not positive its eigenvalues count by their modulus,
/// and a step that does not lower the loss is halved.
void CoupledModel::find_minimum(const ParameterVector& guess) {
  constexpr int most_steps = 200;
  ParameterVector at = guess;
  for (int step = 0; step < most_steps; ++step) {
    const ParameterVector slope = gradient(at);
    const Eigen::SelfAdjointEigenSolver<ParameterMatrix> solver(hessian(at));
    const double largest = solver.eigenvalues().cwiseAbs().maxCoeff();
    if (!slope.allFinite() || !(largest > 0.0)) break;
    const auto curvature = solver.eigenvalues().cwiseAbs().cwiseMax(1e-8 * largest);
    const ParameterMatrix& modes = solver.eigenvectors();
    const ParameterVector newton =
        -(modes * (modes.transpose() * slope).cwiseQuotient(ParameterVector(curvature)).matrix());
    double share = 1.0;
    const double before = loss(at);
    while (share > 1e-12 && !(loss(at + share * newton) <= before)) share /= 2.0;
    at += share * newton;
    if (share * newton.norm() <= 1e-13 * (1.0 + at.norm()) || share <= 1e-12) break;
  }
  minimum_ = at;
  hessian_ = hessian(at);
  if (!hessian_.allFinite() || !(smallest_eigenvalue(hessian_) > 0.0)) {
    refuse("", "loss", fmt::format("no minimum was found: the search ended at {}", place_text(at)),
           "give a start near a minimum, or add weight_decay");
  }
}

LinearProcess CoupledModel::linearized() const {
  if (process_.dynamics == Dynamics::sgd) {
    return LinearProcess::sgd(hessian_, process_.momentum, process_.learning_rate, diffusion(minimum_), minimum_);
  }
  return LinearProcess::langevin(process_.k * hessian_, process_.gamma, diffusion(minimum_), minimum_);
}

}  // namespace underdamp
