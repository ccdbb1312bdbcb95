#include "solver/landscape/surface.hpp"

#include <array>
#include <cmath>

#include <fmt/format.h>
#include <muParser.h>

#include "meshes/error.hpp"
#include "solver/io/diagnostics.hpp"
#include "solver/landscape/central_difference.hpp"
#include "solver/landscape/formula.hpp"

namespace underdamp {
namespace {

class QuadraticSurface final : public Surface {
 public:
  QuadraticSurface(ParameterMatrix hessian, ParameterVector minimum)
      : hessian_(std::move(hessian)), minimum_(std::move(minimum)) {}
  int parameters() const override { return static_cast<int>(minimum_.size()); }
  double value(const ParameterVector& theta) const override {
    return 0.5 * (theta - minimum_).dot(hessian_ * (theta - minimum_));
  }
  ParameterVector gradient(const ParameterVector& theta) const override { return hessian_ * (theta - minimum_); }
  ParameterMatrix hessian(const ParameterVector&) const override { return hessian_; }
  std::string describe() const override { return "the quadratic"; }

 private:
  ParameterMatrix hessian_;
  ParameterVector minimum_;
};

/// muParser keeps the variables by address, so that evaluation changes them: hence mutable, and one object per thread.
class SurfaceExpression final : public Surface {
 public:
  SurfaceExpression(const std::string& formula, int parameters) : formula_(formula), parameters_(parameters) {
    x_.fill(start);
    for (int k = 0; k < parameters; ++k) parser_.DefineVar(fmt::format("x{}", k + 1), &x_[static_cast<std::size_t>(k)]);
    read_formula(parser_, formula, parameters == 1 ? "x1" : fmt::format("x1 … x{}", parameters));
    for (const double x : x_) {
      if (x != start)
        refuse("", "", "\"" + shortened(formula) + "\" changes a variable", "write the right-hand side only");
    }
  }
  int parameters() const override { return parameters_; }
  double value(const ParameterVector& theta) const override {
    for (int k = 0; k < parameters_; ++k) x_[static_cast<std::size_t>(k)] = theta[k];
    return parser_.Eval();
  }
  std::string describe() const override { return "the formula \"" + shortened(formula_) + "\""; }

 private:
  static constexpr double start = 0.5;
  std::string formula_;
  int parameters_;
  mutable std::array<double, most_parameters> x_{};
  mutable mu::Parser parser_;
};

class ConstantMatrix final : public MatrixSurface {
 public:
  explicit ConstantMatrix(ParameterMatrix matrix) : matrix_(std::move(matrix)) {}
  ParameterMatrix value(const ParameterVector&) const override { return matrix_; }
  bool is_constant() const override { return true; }
  std::string describe() const override { return "the constant matrix"; }

 private:
  ParameterMatrix matrix_;
};

class MatrixOfSurfaces final : public MatrixSurface {
 public:
  explicit MatrixOfSurfaces(std::vector<std::shared_ptr<const Surface>> entries) : entries_(std::move(entries)) {
    require(!entries_.empty(), "a matrix needs entries");
    const auto d = static_cast<std::size_t>(entries_.front()->parameters());
    require(entries_.size() == d * (d + 1) / 2, "a symmetric matrix has d(d+1)/2 entries");
  }
  ParameterMatrix value(const ParameterVector& theta) const override {
    const Eigen::Index d = theta.size();
    ParameterMatrix matrix(d, d);
    auto entry = entries_.begin();
    for (Eigen::Index i = 0; i < d; ++i) {
      for (Eigen::Index j = i; j < d; ++j) matrix(i, j) = matrix(j, i) = (*entry++)->value(theta);
    }
    return matrix;
  }
  std::vector<Interval> domain() const override { return entries_.front()->domain(); }
  std::string describe() const override { return entries_.front()->describe(); }

 private:
  std::vector<std::shared_ptr<const Surface>> entries_;
};

}  // namespace

ParameterVector Surface::gradient(const ParameterVector& theta) const {
  ParameterVector result(theta.size());
  ParameterVector at = theta;
  for (Eigen::Index k = 0; k < theta.size(); ++k) {
    result[k] = central_difference(
        [&](double x) {
          at[k] = theta[k] + x;
          return value(at);
        },
        length_);
    at[k] = theta[k];
  }
  return result;
}

ParameterMatrix Surface::hessian(const ParameterVector& theta) const {
  const Eigen::Index d = theta.size();
  ParameterMatrix result(d, d);
  ParameterVector at = theta;
  for (Eigen::Index k = 0; k < d; ++k) {
    for (Eigen::Index l = 0; l < d; ++l) {
      result(k, l) = central_difference(
          [&](double x) {
            at[k] = theta[k] + x;
            return gradient(at)[l];
          },
          length_);
    }
    at[k] = theta[k];
  }
  return 0.5 * (result + ParameterMatrix(result.transpose()));
}

std::unique_ptr<Surface> make_quadratic_surface(const ParameterMatrix& hessian, const ParameterVector& minimum) {
  require(hessian.rows() == hessian.cols() && hessian.rows() == minimum.size(), "a Hessian is d × d, its minimum d");
  return std::make_unique<QuadraticSurface>(hessian, minimum);
}

std::unique_ptr<Surface> make_surface_expression(const std::string& formula, int parameters) {
  require(parameters >= 1 && parameters <= most_parameters, "a surface has one, two or three parameters");
  return std::make_unique<SurfaceExpression>(formula, parameters);
}

std::unique_ptr<MatrixSurface> make_constant_matrix(const ParameterMatrix& matrix) {
  return std::make_unique<ConstantMatrix>(matrix);
}

std::unique_ptr<MatrixSurface> make_matrix_of(std::vector<std::shared_ptr<const Surface>> entries) {
  return std::make_unique<MatrixOfSurfaces>(std::move(entries));
}

}  // namespace underdamp
