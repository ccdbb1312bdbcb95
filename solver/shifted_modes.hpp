#pragma once
#include <complex>
#include <vector>

#include "solver/factored_generator.hpp"

namespace underdamp {

struct Eigenpair {
  std::complex<double> value;
  Eigen::VectorXcd vector;  ///< in the order of elimination
};

/// The `wanted` eigenpairs of the generator that are nearest to `shift`, by Arnoldi iteration on (L_h − σ)⁻¹; those of
/// them that converged, nearest first.
std::vector<Eigenpair> eigenpairs_near(const ComplexShiftedInverse& inverse, std::complex<double> shift, int wanted,
                                       const Eigen::VectorXcd& start);

}  // namespace underdamp
