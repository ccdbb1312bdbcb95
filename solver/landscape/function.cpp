#include "solver/landscape/function.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <muParser.h>

#include "solver/io/diagnostics.hpp"
#include "solver/landscape/central_difference.hpp"
#include "solver/landscape/formula.hpp"
#include "solver/landscape/not_a_knot.hpp"

namespace underdamp {
namespace {

class Polynomial final : public Function {
 public:
  explicit Polynomial(std::vector<double> coefficients) : coefficients_(std::move(coefficients)) {}
  double value(double theta) const override { return evaluate(coefficients_, theta); }
  double derivative(double theta) const override { return evaluate(differentiated(coefficients_), theta); }
  double second_derivative(double theta) const override {
    return evaluate(differentiated(differentiated(coefficients_)), theta);
  }
  std::string describe() const override { return "the polynomial"; }

 private:
  static double evaluate(const std::vector<double>& c, double x) {
    double sum = 0.0;
    for (std::size_t n = c.size(); n-- > 0;) sum = sum * x + c[n];
    return sum;
  }
  static std::vector<double> differentiated(const std::vector<double>& c) {
    std::vector<double> result;
    for (std::size_t n = 1; n < c.size(); ++n) result.push_back(static_cast<double>(n) * c[n]);
    return result;
  }
  std::vector<double> coefficients_;
};

class Quadratic final : public Function {
 public:
  Quadratic(double hessian, double minimum) : hessian_(hessian), minimum_(minimum) {}
  double value(double theta) const override { return 0.5 * hessian_ * (theta - minimum_) * (theta - minimum_); }
  double derivative(double theta) const override { return hessian_ * (theta - minimum_); }
  double second_derivative(double) const override { return hessian_; }
  std::string describe() const override { return "the quadratic"; }

 private:
  double hessian_;
  double minimum_;
};

/// muParser keeps the variable by address, so that evaluation changes it: hence mutable, and one object per thread.
class Expression final : public Function {
 public:
  Expression(const std::string& formula, std::optional<double> eigenvalue) : formula_(formula) {
    parser_.DefineVar("x", &x_);
    if (eigenvalue) parser_.DefineConst("h", *eigenvalue);
    const double start = x_;
    read_formula(parser_, formula, "x");
    if (x_ != start) refuse("", "", "\"" + shortened(formula) + "\" changes x", "write the right-hand side only");
  }
  double value(double theta) const override {
    x_ = theta;
    return parser_.Eval();
  }
  std::string describe() const override { return "the formula \"" + shortened(formula_) + "\""; }

 private:
  std::string formula_;
  mutable double x_ = 0.5;
  mutable mu::Parser parser_;
};

/// Cubic spline (not_a_knot.hpp). Outside the knots it continues as a straight line; a density never gets there, the
/// box ends at the knots.
class Spline final : public Function {
 public:
  Spline(std::vector<double> x, std::vector<double> y, std::string description)
      : x_(std::move(x)),
        y_(std::move(y)),
        description_(std::move(description)),
        second_(NotAKnot(x_).second_derivatives(y_)) {}

  double value(double theta) const override {
    const double inside = std::clamp(theta, x_.front(), x_.back());
    const Piece p = piece(inside);
    const double cubic = p.a * y_[p.i] + p.b * y_[p.i + 1] +
                         ((p.a * p.a * p.a - p.a) * p.left + (p.b * p.b * p.b - p.b) * p.right) * p.h * p.h / 6.0;
    return cubic + (theta - inside) * derivative(inside);
  }
  double derivative(double theta) const override {
    const Piece p = piece(std::clamp(theta, x_.front(), x_.back()));
    return (y_[p.i + 1] - y_[p.i]) / p.h +
           ((1.0 - 3.0 * p.a * p.a) * p.left + (3.0 * p.b * p.b - 1.0) * p.right) * p.h / 6.0;
  }
  double second_derivative(double theta) const override {
    if (theta < x_.front() || theta > x_.back()) return 0.0;
    const Piece p = piece(theta);
    return p.a * p.left + p.b * p.right;
  }
  std::optional<Interval> domain() const override { return Interval{x_.front(), x_.back()}; }
  std::string describe() const override { return description_; }

 private:
  struct Piece {
    std::size_t i;
    double h, a, b, left, right;  // a, b: weights of the two knots; left, right: second derivatives there
  };
  Piece piece(double theta) const {
    const auto upper = std::upper_bound(x_.begin() + 1, x_.end() - 1, theta);
    const auto i = static_cast<std::size_t>(upper - x_.begin()) - 1;
    const double h = x_[i + 1] - x_[i];
    const double b = (theta - x_[i]) / h;
    return {i, h, 1.0 - b, b, second_[static_cast<Eigen::Index>(i)], second_[static_cast<Eigen::Index>(i) + 1]};
  }

  std::vector<double> x_;
  std::vector<double> y_;
  std::string description_;
  Eigen::VectorXd second_;
};

}  // namespace

double Function::derivative(double theta) const {
  return central_difference([&](double x) { return value(theta + x); }, length_);
}

double Function::second_derivative(double theta) const {
  return central_difference([&](double x) { return derivative(theta + x); }, length_);
}

std::unique_ptr<Function> make_polynomial(std::vector<double> coefficients) {
  return std::make_unique<Polynomial>(std::move(coefficients));
}

std::unique_ptr<Function> make_quadratic(double hessian, double minimum) {
  return std::make_unique<Quadratic>(hessian, minimum);
}

std::unique_ptr<Function> make_expression(const std::string& formula, std::optional<double> eigenvalue) {
  return std::make_unique<Expression>(formula, eigenvalue);
}

std::unique_ptr<Function> make_spline(std::vector<double> abscissas, std::vector<double> ordinates,
                                      const std::string& description) {
  return std::make_unique<Spline>(std::move(abscissas), std::move(ordinates), description);
}

std::unique_ptr<Function> make_table(const CsvTable& table, const std::array<std::string, 2>& columns) {
  const auto values = table.numbers({columns[0], columns[1]});
  const std::vector<double>& x = values[0];
  if (x.size() < 4) {
    refuse(table.path(), "", fmt::format("a cubic spline needs four rows, there are {}", x.size()), "add rows");
  }
  if (x.size() > most_spline_points) {
    refuse(table.path(), "",
           fmt::format("a table of {} rows is too long, the limit is {}", x.size(), most_spline_points),
           "use fewer rows: a cubic spline goes through them");
  }
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  Diagnostics problems(10);
  std::vector<double> sorted_x, sorted_y;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const double abscissa = x[order[k]];
    if (k > 0 && !(abscissa > x[order[k - 1]])) {
      problems.add(table.place(order[k]), "",
                   fmt::format("{} = {} was given before, in {}", columns[0], abscissa, table.place(order[k - 1])),
                   "keep one row for each value");
    }
    sorted_x.push_back(abscissa);
    sorted_y.push_back(values[1][order[k]]);
  }
  problems.throw_if_any();
  auto spline = make_spline(std::move(sorted_x), std::move(sorted_y), "the table " + table.path());
  const Interval known = *spline->domain();
  if (!std::isfinite(spline->second_derivative(known.lower)) || !std::isfinite(spline->value(known.upper))) {
    refuse(table.path(), "", "the values are too large for a spline", "use other units");
  }
  spline->set_length((known.upper - known.lower) / 10.0);
  return spline;
}

}  // namespace underdamp
