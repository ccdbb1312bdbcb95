#include "solver/landscape/tensor_spline.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/io/diagnostics.hpp"
#include "solver/landscape/function.hpp"
#include "solver/landscape/not_a_knot.hpp"

namespace underdamp {
namespace {

/// Values and their second derivatives along every set of axes: array `mask` has them along the axes whose bit is set.
class TensorSpline final : public Surface {
 public:
  TensorSpline(std::vector<std::vector<double>> knots, std::vector<double> values, std::string description)
      : knots_(std::move(knots)), description_(std::move(description)) {
    stride_.assign(knots_.size(), 1);
    for (std::size_t k = knots_.size() - 1; k-- > 0;) stride_[k] = stride_[k + 1] * knots_[k + 1].size();
    arrays_.resize(std::size_t{1} << knots_.size());
    arrays_[0] = std::move(values);
    for (std::size_t k = 0; k < knots_.size(); ++k) {
      const NotAKnot spline(knots_[k]);
      const std::size_t bit = std::size_t{1} << k;
      for (std::size_t mask = 0; mask < bit; ++mask) arrays_[mask | bit] = along(k, spline, arrays_[mask]);
    }
  }

  int parameters() const override { return static_cast<int>(knots_.size()); }
  double value(const ParameterVector& theta) const override {
    const ParameterVector inside = clamped(theta);
    const double there = derivative(inside, {});
    return inside == theta ? there : there + gradient(inside).dot(theta - inside);
  }
  ParameterVector gradient(const ParameterVector& theta) const override {
    const ParameterVector inside = clamped(theta);
    ParameterVector result(theta.size());
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      Orders orders{};
      orders[static_cast<std::size_t>(k)] = 1;
      result[k] = derivative(inside, orders);
    }
    return result;
  }
  ParameterMatrix hessian(const ParameterVector& theta) const override {
    const ParameterVector inside = clamped(theta);
    ParameterMatrix result(theta.size(), theta.size());
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      for (Eigen::Index l = 0; l < theta.size(); ++l) {
        Orders orders{};
        ++orders[static_cast<std::size_t>(k)];
        ++orders[static_cast<std::size_t>(l)];
        result(k, l) = derivative(inside, orders);
      }
    }
    return result;
  }
  std::vector<Interval> domain() const override {
    std::vector<Interval> known;
    for (const auto& axis : knots_) known.push_back({axis.front(), axis.back()});
    return known;
  }
  std::string describe() const override { return description_; }

 private:
  using Orders = std::array<int, most_parameters>;

  ParameterVector clamped(ParameterVector theta) const {
    for (std::size_t k = 0; k < knots_.size(); ++k) {
      double& x = theta[static_cast<Eigen::Index>(k)];
      x = std::clamp(x, knots_[k].front(), knots_[k].back());
    }
    return theta;
  }

  /// Second derivatives along axis k of what is given on the grid.
  std::vector<double> along(std::size_t k, const NotAKnot& spline, const std::vector<double>& values) const {
    const std::size_t n = knots_[k].size();
    std::vector<double> result(values.size());
    std::vector<double> line(n);
    for (std::size_t first = 0; first < values.size(); ++first) {
      if (first / stride_[k] % n != 0) continue;
      for (std::size_t i = 0; i < n; ++i) line[i] = values[first + i * stride_[k]];
      const Eigen::VectorXd second = spline.second_derivatives(line);
      for (std::size_t i = 0; i < n; ++i) result[first + i * stride_[k]] = second[static_cast<Eigen::Index>(i)];
    }
    return result;
  }

  /// Σ over the corners of a cell of the grid and over values and second derivatives along each axis.
  double derivative(const ParameterVector& theta, const Orders& orders) const {
    const std::size_t d = knots_.size();
    std::array<SplinePiece, most_parameters> pieces{};
    for (std::size_t k = 0; k < d; ++k) pieces[k] = spline_piece(knots_[k], theta[static_cast<Eigen::Index>(k)]);
    double sum = 0.0;
    for (std::size_t corner = 0; corner < (std::size_t{1} << d); ++corner) {
      std::size_t at = 0;
      for (std::size_t k = 0; k < d; ++k) at += (pieces[k].i + (corner >> k & 1U)) * stride_[k];
      for (std::size_t mask = 0; mask < arrays_.size(); ++mask) {
        double share = 1.0;
        for (std::size_t k = 0; k < d; ++k) {
          const auto& shares = (mask >> k & 1U) != 0 ? pieces[k].of_second : pieces[k].of_value;
          share *= shares[orders[k]][corner >> k & 1U];
        }
        sum += share * arrays_[mask][at];
      }
    }
    return sum;
  }

  std::vector<std::vector<double>> knots_;
  std::vector<std::size_t> stride_;
  std::vector<std::vector<double>> arrays_;
  std::string description_;
};

/// The different values of a column, in order.
std::vector<double> knots_of(std::vector<double> column) {
  std::sort(column.begin(), column.end());
  column.erase(std::unique(column.begin(), column.end()), column.end());
  return column;
}

constexpr std::size_t no_row = static_cast<std::size_t>(-1);

/// Row of each point of the grid.
std::vector<std::size_t> rows_of_grid(const CsvTable& table, const std::vector<std::string>& names,
                                      const std::vector<std::vector<double>>& columns,
                                      const std::vector<std::vector<double>>& knots) {
  std::size_t points = 1;
  for (const auto& axis : knots) points *= axis.size();
  std::vector<std::size_t> rows(points, no_row);
  Diagnostics problems(10);
  for (std::size_t row = 0; row < table.rows(); ++row) {
    std::size_t at = 0;
    std::string where;
    for (std::size_t k = 0; k < knots.size(); ++k) {
      const double x = columns[k][row];
      at = at * knots[k].size() +
           static_cast<std::size_t>(std::lower_bound(knots[k].begin(), knots[k].end(), x) - knots[k].begin());
      where += fmt::format("{}{} = {}", k > 0 ? ", " : "", names[k], x);
    }
    if (rows[at] != no_row) {
      problems.add(table.place(row), "", fmt::format("{} was given before, in {}", where, table.place(rows[at])),
                   "keep one row for each point");
    }
    rows[at] = row;
  }
  problems.throw_if_any();
  return rows;
}

void require_grid(const CsvTable& table, const std::vector<std::string>& names,
                  const std::vector<std::vector<double>>& knots) {
  double points = 1.0;
  for (std::size_t k = 0; k < knots.size(); ++k) {
    points *= static_cast<double>(knots[k].size());
    if (knots[k].size() < 4) {
      refuse(table.path(), "",
             fmt::format("a cubic spline needs four different values of {}, there are {}", names[k], knots[k].size()),
             "add points");
    }
  }
  if (points > static_cast<double>(most_spline_points)) {
    refuse(table.path(), "",
           fmt::format("its values make a grid of {:.3g} points, the limit is {}: are they those of a regular grid?",
                       points, most_spline_points),
           "give every combination of the values of each axis once");
  }
  if (static_cast<double>(table.rows()) < points) {
    std::string sizes;
    for (std::size_t k = 0; k < knots.size(); ++k) sizes += fmt::format("{}{}", k > 0 ? " × " : "", knots[k].size());
    refuse(table.path(), "",
           fmt::format("{} rows do not fill the grid of {} points that their values make", table.rows(), sizes),
           "give every combination of the values of each axis once");
  }
}

}  // namespace

std::unique_ptr<Surface> make_tensor_spline(std::vector<std::vector<double>> knots, std::vector<double> values,
                                            const std::string& description) {
  require(!knots.empty() && knots.size() <= static_cast<std::size_t>(most_parameters), "a table has one to three axes");
  std::size_t points = 1;
  double length = 0.0;
  for (const auto& axis : knots) {
    require(axis.size() >= 4, "a cubic spline needs four knots");
    points *= axis.size();
    length = std::max(length, (axis.back() - axis.front()) / 10.0);
  }
  require(values.size() == points, "a table has a value for each point of its grid");
  auto spline = std::make_unique<TensorSpline>(std::move(knots), std::move(values), description);
  spline->set_length(length);
  return spline;
}

std::vector<std::shared_ptr<const Surface>> make_surface_tables(const CsvTable& table,
                                                                const std::vector<std::string>& axes,
                                                                const std::vector<std::string>& columns) {
  std::vector<std::string> names = axes;
  names.insert(names.end(), columns.begin(), columns.end());
  const auto numbers = table.numbers(names);
  std::vector<std::vector<double>> knots;
  for (std::size_t k = 0; k < axes.size(); ++k) knots.push_back(knots_of(numbers[k]));
  require_grid(table, axes, knots);
  const auto rows = rows_of_grid(table, axes, numbers, knots);
  std::vector<std::shared_ptr<const Surface>> surfaces;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    std::vector<double> values;
    for (const std::size_t row : rows) values.push_back(numbers[axes.size() + c][row]);
    surfaces.push_back(make_tensor_spline(knots, std::move(values), "the table " + table.path()));
    ParameterVector middle(static_cast<Eigen::Index>(axes.size()));
    for (std::size_t k = 0; k < axes.size(); ++k)
      middle[static_cast<Eigen::Index>(k)] = 0.5 * (knots[k].front() + knots[k].back());
    if (!std::isfinite(surfaces.back()->value(middle)) || !surfaces.back()->hessian(middle).allFinite())
      refuse(table.path(), "", "the values of " + columns[c] + " are too large for a spline", "use other units");
  }
  return surfaces;
}

}  // namespace underdamp
