#include "kernels/tables/wall_stencils.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <Eigen/Dense>
#include <boost/math/quadrature/gauss.hpp>
#include <unsupported/Eigen/MatrixFunctions>

#include "kernels/tables/generator_stencil.hpp"
#include "kernels/tables/remap.hpp"

namespace underdamp {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

constexpr int degree = 4;

/// σ in units of the largest damping that it gives, 1/(time of one cell): enough that what a step leaves at the scale
/// of the grid stays near where it was made; the error of resolved data does not feel it.
constexpr double knot_damping = 4.0;

/// Cells beyond those that are kept: what reaches further has fallen by 0.607 per cell, the decay of the inverse mass
/// matrix of these splines.
constexpr int decay_cells = 30;

/// Splines of degree 4 on [0, cells], as many as there are cells: their knots are the edges of the cells but for the
/// two next to either end.
class SplineSpace {
 public:
  explicit SplineSpace(int cells) : cells_(cells) {
    knots_.assign(degree + 1, 0.0);
    for (int e = degree / 2 + 1; e < cells - degree / 2; ++e) knots_.push_back(e);
    knots_.insert(knots_.end(), degree + 1, static_cast<double>(cells));
  }

  int dimension() const { return cells_; }

  /// Values of a derivative of all basis functions at x; at a knot, the limit from the right (at the end from the
  /// left).
  Vector values(double x, int derivative) const {
    Vector result(cells_);
    for (int k = 0; k < cells_; ++k) result[k] = value(k, degree, x, derivative);
    return result;
  }

  std::vector<double> breaks() const {
    std::vector<double> distinct = knots_;
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    return distinct;
  }

 private:
  double knot(int k) const { return knots_[static_cast<std::size_t>(k)]; }

  /// Cox-de Boor recursion.
  double value(int k, int order, double x, int derivative) const {
    if (x < knot(k) || x > knot(k + order + 1)) return 0.0;
    const double left = knot(k + order) - knot(k);
    const double right = knot(k + order + 1) - knot(k + 1);
    if (order == 0) {
      const bool is_last = x == cells_ && knot(k + 1) == cells_;
      return knot(k) < knot(k + 1) && x >= knot(k) && (x < knot(k + 1) || is_last) ? 1.0 : 0.0;
    }
    if (derivative > 0) {
      return order * ((left > 0.0 ? value(k, order - 1, x, derivative - 1) / left : 0.0) -
                      (right > 0.0 ? value(k + 1, order - 1, x, derivative - 1) / right : 0.0));
    }
    return (left > 0.0 ? (x - knot(k)) / left * value(k, order - 1, x, 0) : 0.0) +
           (right > 0.0 ? (knot(k + order + 1) - x) / right * value(k + 1, order - 1, x, 0) : 0.0);
  }

  int cells_;
  std::vector<double> knots_;
};

/// Both equations for the values at the cell centres of a strip next to the wall; nothing comes in from its far end.
struct WallStrip {
  Matrix incoming;  ///< A of ∂_s u = A u
  Matrix outgoing;
  Matrix crossing;  ///< what the incoming column brings
  Vector weights;   ///< ∫ u = w·u
};

WallStrip make_strip(int cells) {
  const SplineSpace space(cells);
  const int n = space.dimension();
  Matrix mass = Matrix::Zero(n, n);
  Matrix slope = Matrix::Zero(n, n);  // ∫ q' u
  Vector integral = Vector::Zero(n);
  const auto breaks = space.breaks();
  using Quadrature = boost::math::quadrature::gauss<double, degree + 1>;  // exact for products of two splines
  const auto add = [&](double x, double weight) {
    const Vector value = space.values(x, 0);
    const Vector derivative = space.values(x, 1);
    mass += weight * value * value.transpose();
    slope += weight * derivative * value.transpose();
    integral += weight * value;
  };
  Matrix jumps(static_cast<Eigen::Index>(breaks.size()) - 2, n);
  for (std::size_t b = 0; b + 1 < breaks.size(); ++b) {
    const double middle = 0.5 * (breaks[b] + breaks[b + 1]);
    const double half = 0.5 * (breaks[b + 1] - breaks[b]);
    for (std::size_t k = 0; k < Quadrature::abscissa().size(); ++k) {
      const double at = half * Quadrature::abscissa()[k];
      add(middle + at, half * Quadrature::weights()[k]);
      if (at > 0.0) add(middle - at, half * Quadrature::weights()[k]);
    }
    // The fourth derivative is constant between knots.
    const auto row = static_cast<Eigen::Index>(b);
    const Vector fourth = space.values(middle, degree);
    if (row < jumps.rows()) jumps.row(row) = -fourth.transpose();
    if (row > 0) jumps.row(row - 1) += fourth.transpose();
  }
  const Vector wall = space.values(0.0, 0);
  const Vector far = space.values(cells, 0);
  const Matrix damping = jumps.transpose() * jumps;
  const Eigen::GeneralizedSelfAdjointEigenSolver<Matrix> largest(damping, mass, Eigen::EigenvaluesOnly);
  const double sigma = knot_damping / largest.eigenvalues().maxCoeff();
  Matrix at_centres(n, n);
  for (int c = 0; c < n; ++c) at_centres.row(c) = space.values(c + 0.5, 0).transpose();
  const Eigen::PartialPivLU<Matrix> to_splines(at_centres);
  const Eigen::LLT<Matrix> inverse_mass(mass);
  const Matrix coefficients = to_splines.inverse();
  const auto operator_of = [&](const Matrix& form) {
    return Matrix(at_centres * inverse_mass.solve(form) * coefficients);
  };
  WallStrip strip;
  strip.incoming = operator_of(-slope - wall * wall.transpose() - sigma * damping);
  strip.outgoing = operator_of(slope - far * far.transpose() - sigma * damping);
  strip.crossing = operator_of(wall * wall.transpose());
  strip.weights = coefficients.transpose() * integral;
  return strip;
}

/// Leaves `sources` entries of rows of a strip; the rest, which alternates in sign and has hardly any effect on
/// resolved data, is put on the last ones kept such that polynomials of degree 5 are mapped as before.
class Shortening {
 public:
  Shortening(int cells, int sources) : sources_(sources), last_(std::min(12, sources)), powers_(6, cells) {
    for (int s = 0; s < cells; ++s) {
      const double x = (s + 0.5) / sources;
      for (int k = 0; k < powers_.rows(); ++k) powers_(k, s) = std::pow(x, k);
    }
    const Matrix basis = powers_.middleCols(sources - last_, last_);
    spread_ = basis.completeOrthogonalDecomposition().pseudoInverse();
  }

  void append(const Eigen::RowVectorXd& row, std::vector<double>& to) const {
    const Vector lost = powers_.rightCols(powers_.cols() - sources_) * row.tail(powers_.cols() - sources_).transpose();
    Eigen::RowVectorXd kept = row.head(sources_);
    kept.tail(last_) += (spread_ * lost).transpose();
    to.insert(to.end(), kept.data(), kept.data() + kept.size());
  }

 private:
  int sources_;
  int last_;
  Matrix powers_;
  Matrix spread_;
};

WallRows shortened(const Matrix& incoming, const Matrix& outgoing, const Matrix& crossing, int incoming_rows,
                   int outgoing_rows, int sources) {
  WallRows rows{sources, incoming_rows, outgoing_rows, {}, {}, {}};
  const Shortening shorten(static_cast<int>(incoming.cols()), sources);
  for (int r = 0; r < incoming_rows; ++r) shorten.append(incoming.row(r), rows.incoming);
  for (int r = 0; r < outgoing_rows; ++r) shorten.append(outgoing.row(r), rows.outgoing);
  for (int r = 0; r < outgoing_rows; ++r) shorten.append(crossing.row(r), rows.crossing);
  return rows;
}

/// Adds to the outgoing rows, smoothly on the last ones, what makes Σ w of all rows the flux through the faces that
/// follow them.
void balance(WallRows& rows, std::vector<double> weights, bool weights_begin_at_wall) {
  if (!weights_begin_at_wall) std::reverse(weights.begin(), weights.end());
  const int count = rows.outgoing_rows;
  const auto entry = [&](int row, int s) { return static_cast<std::size_t>(row * rows.sources + s); };
  const auto weight = [&](int row) { return weights[static_cast<std::size_t>(row)]; };
  std::vector<double> bump(static_cast<std::size_t>(count), 0.0);
  double total = 0.0;
  for (int k = 0; k < std::min(4, count); ++k) {
    bump[static_cast<std::size_t>(count - 1 - k)] = std::pow(std::sin(std::numbers::pi * (k + 1) / 5.0), 2);
    total += bump[static_cast<std::size_t>(count - 1 - k)] * weight(count - 1 - k);
  }
  for (int s = 0; s < rows.sources; ++s) {
    // The face beyond the last row lies between rows count − 1 and count; upwind is inside for the outgoing column.
    const int m = s - count;
    const bool reaches = m >= -generator_theta_reach && m < generator_theta_reach;
    double own = reaches ? -theta_face_weight(m, true) : 0.0;
    double other = reaches ? theta_face_weight(m, false) : 0.0;
    for (int row = 0; row < count; ++row) {
      own -= weight(row) * rows.outgoing[entry(row, s)];
      other -= weight(row) * (rows.incoming[entry(row, s)] + rows.crossing[entry(row, s)]);
    }
    for (int row = 0; row < count; ++row) {
      rows.outgoing[entry(row, s)] += own * bump[static_cast<std::size_t>(row)] / total;
      rows.crossing[entry(row, s)] += other * bump[static_cast<std::size_t>(row)] / total;
    }
  }
}

}  // namespace

std::vector<double> wall_weights(int rows) {
  static const Vector all = make_strip(2 * decay_cells).weights;
  const Shortening shorten(static_cast<int>(all.size()) / 2, rows);
  std::vector<double> weights;
  shorten.append(all.head(all.size() / 2).transpose().array() - 1.0, weights);
  for (double& weight : weights) weight += 1.0;
  return weights;
}

int wall_zone(const PhaseMesh& mesh) {
  constexpr int wanted = 16;
  return std::clamp(mesh.theta_cells() / 4, remap_reach + 1, wanted);
}

std::vector<double> theta_weights(const PhaseMesh& mesh) {
  std::vector<double> weights(static_cast<std::size_t>(mesh.theta_cells()), 1.0);
  if (!mesh.walls().any_pressed()) return weights;
  const auto at_wall = wall_weights(wall_zone(mesh));
  for (std::size_t row = 0; row < at_wall.size(); ++row) {
    if (mesh.walls().lower_pressed) weights[row] = at_wall[row];
    if (mesh.walls().upper_pressed) weights[weights.size() - 1 - row] = at_wall[row];
  }
  return weights;
}

int wall_generator_reach(const PhaseMesh& mesh) {
  constexpr int wanted = 28;
  return std::min(wanted, mesh.theta_cells());
}

WallRows wall_generator(const PhaseMesh& mesh) {
  if (!mesh.walls().any_pressed()) return {};
  const int rows = wall_zone(mesh);
  const int sources = wall_generator_reach(mesh);
  const WallStrip strip = make_strip(sources + decay_cells);
  WallRows result = shortened(strip.incoming, strip.outgoing, strip.crossing, rows, rows, sources);
  balance(result, theta_weights(mesh), mesh.walls().lower_pressed);
  return result;
}

std::vector<WallRows> wall_shifts(double first, double increment, std::span<const int> outgoing_rows, int incoming_rows,
                                  int sources) {
  const double furthest = first + increment * static_cast<double>(outgoing_rows.size());
  const WallStrip strip = make_strip(sources + static_cast<int>(std::ceil(furthest)) + decay_cells);
  const Eigen::Index n = strip.incoming.rows();
  Matrix both = Matrix::Zero(2 * n, 2 * n);
  both.topLeftCorner(n, n) = strip.incoming;
  both.bottomLeftCorner(n, n) = strip.crossing;
  both.bottomRightCorner(n, n) = strip.outgoing;
  const Matrix start = (first * both).exp();
  const Matrix step = (increment * both).exp();
  const Matrix step_in = step.topLeftCorner(n, n);
  const Matrix step_cross = step.bottomLeftCorner(n, n);
  const Matrix step_out = step.bottomRightCorner(n, n);
  const int most = *std::max_element(outgoing_rows.begin(), outgoing_rows.end());
  Matrix incoming = start.topLeftCorner(incoming_rows, n);
  Matrix crossing = start.block(n, 0, most, n);
  Matrix outgoing = start.block(n, n, most, n);
  std::vector<WallRows> shifts;
  for (const int rows : outgoing_rows) {
    if (!shifts.empty()) {
      incoming = incoming * step_in;
      crossing = crossing * step_in + outgoing * step_cross;
      outgoing = outgoing * step_out;
    }
    shifts.push_back(shortened(incoming, outgoing, crossing, incoming_rows, rows, sources));
  }
  return shifts;
}

}  // namespace underdamp
