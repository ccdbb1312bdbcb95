#pragma once
#include <Eigen/Core>

#include "solver/landscape/surface.hpp"

namespace underdamp {

/// Of z = (θ1 … θd, v1 … vd).
using PhaseVector = Eigen::Matrix<double, Eigen::Dynamic, 1, 0, 2 * most_parameters, 1>;
using PhaseMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, 2 * most_parameters, 2 * most_parameters>;

/// Mean and covariance of z.
struct PhaseMoments {
  PhaseVector mean;
  PhaseMatrix covariance;
};

/// diag(T, T): of z where T is of θ and of v alike.
inline PhaseMatrix twice(const ParameterMatrix& t) {
  const Eigen::Index d = t.rows();
  PhaseMatrix both = PhaseMatrix::Zero(2 * d, 2 * d);
  both.topLeftCorner(d, d) = t;
  both.bottomRightCorner(d, d) = t;
  return both;
}

}  // namespace underdamp
