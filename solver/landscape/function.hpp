#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "meshes/axis.hpp"
#include "solver/io/csv.hpp"

/// Functions of one parameter θ: losses L(θ) and gradient-noise variances Σ(θ).
namespace underdamp {

class Function {
 public:
  virtual ~Function() = default;
  virtual double value(double theta) const = 0;
  /// First and second derivative; the defaults are central differences of order 8 at the scale `length()`,
  /// at ever smaller ones near a kink.
  virtual double derivative(double theta) const;
  virtual double second_derivative(double theta) const;
  /// Where the function is known; absent: everywhere.
  virtual std::optional<Interval> domain() const { return std::nullopt; }
  /// For messages, such as "formula \"x^2\"".
  virtual std::string describe() const = 0;
  /// Length over which the function varies; numerical derivatives step a fraction of it.
  double length() const { return length_; }
  void set_length(double length) { length_ = length; }

 private:
  double length_ = 1.0;
};

inline constexpr std::size_t most_coefficients = 257;         ///< of a polynomial: degree 256
inline constexpr std::size_t most_spline_points = 1'000'000;  ///< rows of a table

/// Σ_n c_n θ^n.
std::unique_ptr<Function> make_polynomial(std::vector<double> coefficients);

/// h (θ − m)² / 2.
std::unique_ptr<Function> make_quadratic(double hessian, double minimum);

/// A formula in x; given an `eigenvalue`, also in h, which stands for it. Throws SpecError if it is not one
/// (formula.hpp).
std::unique_ptr<Function> make_expression(const std::string& formula, std::optional<double> eigenvalue = std::nullopt);

/// Cubic spline (not-a-knot) through points with strictly increasing abscissas, at least four of them.
std::unique_ptr<Function> make_spline(std::vector<double> abscissas, std::vector<double> ordinates,
                                      const std::string& description);

/// The spline through two columns of a CSV file; rows may come in any order. Throws SpecError naming file and line.
std::unique_ptr<Function> make_table(const CsvTable& table, const std::array<std::string, 2>& columns);

}  // namespace underdamp
