#pragma once
#include <vector>

#include "solver/model/gaussian.hpp"
#include "solver/stationary/stationary_problem.hpp"

namespace underdamp {

/// Mean and covariance of a density at the cell centres of the one plane of a mesh.
Moments moments_of(const PhaseMesh& mesh, const std::vector<double>& density);

/// Moments of exp(−(v²/2 + k L_λ)/T) in the range of θ, by Gauss' rule on parts of the cells, in which a kink matters
/// less than in the sums over them.
Moments gibbs_moments(const StationaryProblem& problem);

}  // namespace underdamp
