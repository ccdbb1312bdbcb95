#pragma once
#include <complex>
#include <functional>
#include <vector>

#include "solver/factored_generator.hpp"

namespace underdamp {

struct Eigenpair {
  std::complex<double> value;
  Eigen::VectorXcd vector;  ///< in the order of elimination
};

/// The `wanted` eigenpairs of the generator that are nearest to `shift`, by Arnoldi iteration on (L_h − σ)⁻¹; those of
/// them that converged, nearest first. Those that decay faster than `fastest`, given the eigenvalues that have
/// converged, are not waited for.
std::vector<Eigenpair> eigenpairs_near(const ComplexShiftedInverse& inverse, std::complex<double> shift, int wanted,
                                       const std::function<double(const std::vector<std::complex<double>>&)>& fastest,
                                       const Eigen::VectorXcd& start);

}  // namespace underdamp
