#pragma once
#include <array>
#include <cstddef>
#include <optional>
#include <vector>

/// E|x(t) − x(0)|² and autocorrelations of one problem as functions of time (docs/method.md, section 15).
namespace underdamp {

/// Polynomial through the value and the first `order` − 1 derivatives at 0 and at h, in Newton's form with repeated
/// nodes.
class TwoPointPolynomial {
 public:
  static constexpr std::size_t most = 5;

  /// `left` and `right`: at least `order` numbers, order ≤ 5.
  TwoPointPolynomial(const double* left, const double* right, std::size_t order, double h);

  /// Value, first and second derivative.
  std::array<double, 3> at(double x) const;

 private:
  std::size_t order_;
  double h_;
  std::array<double, 2 * most> coefficient_{};
};

/// What the fields give at one time: each number with its derivatives in time.
struct CurveSample {
  double time = 0.0;
  std::array<double, 5> displacement{};  ///< E|x(t) − x(0)|²
  std::array<double, 5> correlation{};   ///< Cov(x(0), x(t))
  std::array<double, 4> velocity{};      ///< Cov(y(0), y(t)); not used where −d²/dt² of `correlation` gives it
  /// Little happens since the sample before, and the time is long: higher derivatives times powers of it are noise.
  bool is_slow = false;
};

/// The first moments of a life that begins at rest in a minimum, before the density can be resolved: of the linearised
/// process dx = y dt, dy = −(stiffness x + friction y) dt + √(2 diffusion) dW.
struct LinearSpread {
  double stiffness = 1.0;
  double friction = 1.0;
  double diffusion = 1.0;

  /// Var x, Cov(x, y) and Var y; without cancellation at any time up to about 1/√stiffness and 1/friction.
  std::array<double, 3> covariance(double time) const;
  /// Var x and its first four derivatives.
  std::array<double, 5> spread(double time) const;
};

class DisplacementCurve {
 public:
  enum class Kind {
    stationary,  ///< the velocity correlation is −d²/dt² of the other, and half of that of the displacement
    initial,
    cold,  ///< a start without spread: no correlations
  };

  /// Samples by increasing time, the first at 0 (`cold`: where the linearised process ends). `step` > 0: those of a
  /// map, at whole steps. `relaxed`: nothing changes after the last one; else the curve ends there.
  DisplacementCurve(Kind kind, std::vector<CurveSample> samples, double step, bool relaxed,
                    std::optional<LinearSpread> early = std::nullopt);

  struct Value {
    double displacement = 0.0;
    double exponent = 0.0;  ///< d ln displacement / d ln t
    double correlation = 0.0;
    double velocity_correlation = 0.0;
  };
  /// Between samples by the polynomial through both and their derivatives: of ninth degree, or third where it is slow.
  Value at(double time) const;

  double last_time() const { return samples_.back().time; }
  bool relaxed() const { return relaxed_; }
  const std::vector<CurveSample>& samples() const { return samples_; }

 private:
  Value at_step(double time) const;
  Value after_relaxation() const;

  Kind kind_;
  std::vector<CurveSample> samples_;
  std::vector<TwoPointPolynomial> displacement_;  ///< between samples k and k + 1
  std::vector<TwoPointPolynomial> correlation_;   ///< the same, if there is one
  double step_;
  bool relaxed_;
  std::optional<LinearSpread> early_;
};

}  // namespace underdamp
