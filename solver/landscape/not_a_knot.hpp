#pragma once
#include <memory>
#include <vector>

#include <Eigen/Core>

namespace underdamp {

/// Second derivatives at the knots of cubic splines with continuous third derivative at the second and the last but one
/// knot. Unknowns are the second derivatives M_i: h_{i−1} M_{i−1} + 2 (h_{i−1} + h_i) M_i + h_i M_{i+1} = 6 (s_i −
/// s_{i−1}), s_i the slopes of the chords. Factored once for all ordinates on the same knots.
class NotAKnot {
 public:
  /// At least four knots, strictly increasing.
  explicit NotAKnot(std::vector<double> knots);
  ~NotAKnot();

  Eigen::VectorXd second_derivatives(const std::vector<double>& ordinates) const;
  const std::vector<double>& knots() const { return x_; }

 private:
  struct Factors;
  std::vector<double> x_;
  std::unique_ptr<Factors> factors_;
};

/// Shares of the knots i, i + 1 of a cubic spline at x: value = Σ value_share · y + second_share · M, and the same of
/// its first two derivatives, [derivative][knot].
struct SplinePiece {
  std::size_t i = 0;
  double of_value[3][2]{};
  double of_second[3][2]{};
};
/// x inside the knots.
SplinePiece spline_piece(const std::vector<double>& knots, double x);

}  // namespace underdamp
