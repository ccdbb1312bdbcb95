#include "solver/coupled/grid_axes.hpp"

#include <algorithm>

#include <Eigen/Dense>

#include "meshes/error.hpp"

namespace underdamp {

PhaseMoments GridAxes::to_user(const PhaseMoments& grid) const {
  const Eigen::Index d = origin.size();
  const PhaseMatrix t = twice(matrix);
  PhaseMoments user{t * grid.mean, t * grid.covariance * t.transpose()};
  user.mean.head(d) += origin;
  return user;
}

PhaseMoments GridAxes::to_grid(const PhaseMoments& user) const {
  const Eigen::Index d = origin.size();
  const PhaseMatrix t = twice(inverse);
  PhaseVector mean = user.mean;
  mean.head(d) -= origin;
  return {t * mean, t * user.covariance * t.transpose()};
}

GridAxes given_axes(int parameters) {
  const ParameterMatrix one = ParameterMatrix::Identity(parameters, parameters);
  return {one, one, ParameterVector::Zero(parameters)};
}

GridAxes axes_of(const ParameterMatrix& matrix, const ParameterVector& origin) {
  const Eigen::FullPivLU<ParameterMatrix> factor(matrix);
  if (!matrix.allFinite() || !factor.isInvertible() || factor.rcond() < 1e-10) {
    throw Error(ExitCode::bad_input, "the axes do not span the space of the parameters", "grid.axes",
                "give as many independent columns as there are parameters");
  }
  return {matrix, factor.inverse(), origin};
}

GridAxes diagonal_axes(const CoupledModel& model) {
  const Eigen::Index d = model.parameters();
  const LinearProcess process = model.linearized();
  if (!process.is_stable()) return axes_of(ParameterMatrix::Identity(d, d), model.minimum());
  const PhaseMatrix covariance = process.stationary_covariance();
  const ParameterMatrix of_theta = covariance.topLeftCorner(d, d);
  ParameterMatrix of_v = covariance.bottomRightCorner(d, d);
  // A direction that hardly moves must not make an axis endless.
  const double least = 1e-10 * covariance.trace();
  of_v += std::max(least, 1e-300) * ParameterMatrix::Identity(d, d);
  const ParameterMatrix root = Eigen::LLT<ParameterMatrix>(of_v).matrixL();  // Cov v = L Lᵀ, w' = L⁻¹ v has Cov 1
  const ParameterMatrix half = root.triangularView<Eigen::Lower>().solve(of_theta);
  const ParameterMatrix whitened = root.triangularView<Eigen::Lower>().solve(ParameterMatrix(half.transpose()));
  const Eigen::SelfAdjointEigenSolver<ParameterMatrix> modes(0.5 * (whitened + ParameterMatrix(whitened.transpose())));
  ParameterMatrix matrix(d, d);
  for (Eigen::Index k = 0; k < d; ++k) {
    ParameterVector axis = root * modes.eigenvectors().col(d - 1 - k);
    Eigen::Index largest = 0;
    axis.cwiseAbs().maxCoeff(&largest);
    if (axis[largest] < 0.0) axis = -axis;  // which way an axis points is not left to chance
    matrix.col(k) = axis;
  }
  return axes_of(matrix, model.minimum());
}

}  // namespace underdamp
