#pragma once
#include <complex>
#include <functional>
#include <vector>

#include <Eigen/Core>

namespace underdamp {

struct Eigenpair {
  std::complex<double> value;
  Eigen::VectorXcd vector;  ///< in the order of elimination
};

struct ShiftedModes {
  std::vector<Eigenpair> pairs;  ///< those that converged, nearest to the shift first; of conjugate pairs the upper one
  bool complete = false;         ///< all that were looked for have
};

/// What is looked for next to a shift: the `wanted` nearest ones, or `known` eigenvalues of another grid if they are
/// found before, to a tenth of each.
struct ModeSearch {
  int wanted = 1;
  std::vector<std::complex<double>> known;
  /// Rate of decay, given the eigenvalues that have converged, beyond which eigenvalues are not waited for.
  std::function<double(const std::vector<std::complex<double>>&)> fastest;
};

/// Eigenpairs of the generator next to a shift, by Arnoldi iteration on (L_h − σ)⁻¹, given as a function, from `start`.
ShiftedModes modes_next_to(std::complex<double> shift, const ModeSearch& search,
                           const std::function<Eigen::VectorXcd(const Eigen::VectorXcd&)>& inverse,
                           const Eigen::VectorXcd& start);
/// The same next to a real shift.
ShiftedModes modes_next_to(double shift, const ModeSearch& search,
                           const std::function<Eigen::VectorXd(const Eigen::VectorXd&)>& inverse,
                           const Eigen::VectorXd& start);

}  // namespace underdamp
