#include "solver/stationary/shifted_modes.hpp"

#include <algorithm>
#include <limits>

#include "solver/stationary/krylov_space.hpp"

namespace underdamp {
namespace {

using Complex = std::complex<double>;

/// One search: a Krylov space that grows until it holds what is looked for.
template <class Scalar>
class Search {
 public:
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;

  Search(Scalar shift, const ModeSearch& search, const std::function<Vector(const Vector&)>& inverse,
         const Vector& start, double tolerance)
      : shift_(shift),
        search_(search),
        tolerance_(search.known.empty() ? tolerance : enough_to_compare),
        space_(inverse, start, std::min<Eigen::Index>(start.size() - 1, std::max(most, 8 * search.wanted))) {}

  ShiftedModes run() {
    space_.grow(search_.known.empty() ? search_.wanted + between_looks : between_looks);
    while (!is_complete() && !space_.is_full()) space_.grow(between_looks);
    ShiftedModes modes;
    modes.complete = is_complete();
    for (std::size_t k = 0; k < static_cast<std::size_t>(space_.size()); ++k) {
      const bool is_asked_for = k < count() || !search_.known.empty();
      if (!is_asked_for || !has_converged(k) || is_conjugate_of_last(k)) continue;
      const Complex found = value(k);
      const bool is_lower = std::is_same_v<Scalar, double> && found.imag() < 0.0;
      modes.pairs.push_back({is_lower ? std::conj(found) : found,
                             is_lower ? Eigen::VectorXcd(space_.vector(k).conjugate()) : space_.vector(k)});
    }
    return modes;
  }

 private:
  static constexpr int most = 120;
  static constexpr double enough_to_compare = 1e-7;
  static constexpr Eigen::Index between_looks = 3;

  Complex value(std::size_t k) const { return shift_ + 1.0 / space_.value(k); }
  bool has_converged(std::size_t k) const { return space_.residual(k) <= tolerance_; }
  bool is_conjugate_of_last(std::size_t k) const {
    return std::is_same_v<Scalar, double> && k > 0 && value(k).imag() != 0.0 &&
           space_.value(k) == std::conj(space_.value(k - 1));
  }
  std::size_t count() const {
    return std::min(static_cast<std::size_t>(search_.wanted), static_cast<std::size_t>(space_.size()));
  }
  bool is_complete() const { return (!search_.known.empty() && has_known()) || has_nearest(); }

  bool has_nearest() const {
    std::vector<Complex> converged;
    for (std::size_t k = 0; k < count(); ++k) {
      if (has_converged(k)) converged.push_back(value(k));
    }
    const double decay = search_.fastest ? search_.fastest(converged) : std::numeric_limits<double>::infinity();
    constexpr double rough = 1e-2;  // good enough to tell how fast it decays
    for (std::size_t k = 0; k < count(); ++k) {
      const bool matters = !(space_.residual(k) <= rough) || -value(k).real() < decay;
      if (matters && !has_converged(k)) return false;
    }
    return space_.size() >= search_.wanted;
  }

  /// Has each of them converged as an eigenvalue of its own?
  bool has_known() const {
    constexpr double near = 0.1;
    std::vector<bool> taken(static_cast<std::size_t>(space_.size()), false);
    return std::all_of(search_.known.begin(), search_.known.end(), [&](Complex known) {
      for (std::size_t k = 0; k < taken.size(); ++k) {
        if (taken[k] || !has_converged(k) || std::abs(value(k) - known) > near * std::abs(known)) continue;
        taken[k] = true;
        return true;
      }
      return false;
    });
  }

  Scalar shift_;
  const ModeSearch& search_;
  double tolerance_;
  KrylovSpace<Scalar> space_;
};

}  // namespace

ShiftedModes modes_next_to(Complex shift, const ModeSearch& search,
                           const std::function<Eigen::VectorXcd(const Eigen::VectorXcd&)>& inverse,
                           const Eigen::VectorXcd& start) {
  constexpr double tolerance = 1e-9;
  return Search<Complex>(shift, search, inverse, start, tolerance).run();
}

ShiftedModes modes_next_to(double shift, const ModeSearch& search,
                           const std::function<Eigen::VectorXd(const Eigen::VectorXd&)>& inverse,
                           const Eigen::VectorXd& start) {
  constexpr double tolerance = 1e-7;
  return Search<double>(shift, search, inverse, start, tolerance).run();
}

}  // namespace underdamp
