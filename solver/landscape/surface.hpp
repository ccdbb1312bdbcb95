#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "meshes/axis.hpp"
#include "meshes/field_shape.hpp"

/// Functions of several parameters θ1 … θd: losses L(θ), and symmetric matrices Σ(θ) of gradient noise.
namespace underdamp {

using ParameterVector = Eigen::Matrix<double, Eigen::Dynamic, 1, 0, most_parameters, 1>;
using ParameterMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, most_parameters, most_parameters>;

class Surface {
 public:
  virtual ~Surface() = default;
  virtual int parameters() const = 0;
  virtual double value(const ParameterVector& theta) const = 0;
  /// The defaults are central differences of order 8 at the scale `length()`, at ever smaller ones near a kink: for
  /// smooth functions right to 1e-11 of their scale, the Hessian to 1e-8.
  virtual ParameterVector gradient(const ParameterVector& theta) const;
  virtual ParameterMatrix hessian(const ParameterVector& theta) const;
  /// Where the function is known, along each axis; empty: everywhere.
  virtual std::vector<Interval> domain() const { return {}; }
  virtual std::string describe() const = 0;
  /// Length over which the function varies; numerical derivatives step a fraction of it.
  double length() const { return length_; }
  void set_length(double length) { length_ = length; }

 private:
  double length_ = 1.0;
};

/// (θ − m)ᵀ H (θ − m) / 2, H symmetric.
std::unique_ptr<Surface> make_quadratic_surface(const ParameterMatrix& hessian, const ParameterVector& minimum);

/// A formula in x1 … xd. Throws SpecError if it is not one (formula.hpp).
std::unique_ptr<Surface> make_surface_expression(const std::string& formula, int parameters);

/// A symmetric d × d matrix as a function of θ.
class MatrixSurface {
 public:
  virtual ~MatrixSurface() = default;
  virtual ParameterMatrix value(const ParameterVector& theta) const = 0;
  virtual bool is_constant() const { return false; }
  virtual std::vector<Interval> domain() const { return {}; }
  virtual std::string describe() const = 0;
};

std::unique_ptr<MatrixSurface> make_constant_matrix(const ParameterMatrix& matrix);

/// Of entries that are surfaces, upper triangle row by row: 11, 12, …, 22, …
std::unique_ptr<MatrixSurface> make_matrix_of(std::vector<std::shared_ptr<const Surface>> entries);

}  // namespace underdamp
