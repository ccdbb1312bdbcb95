#include "solver/stationary/refinement.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <Eigen/Dense>

namespace underdamp {
namespace {

using Complex = std::complex<double>;
using Vector = Eigen::VectorXd;

/// GMRES without restart: x with ‖A x − b‖₂ ≤ tolerance ‖b‖₂, A given by its product, or as near as so many products
/// come, or as rounding lets them.
template <class Product>
Vector gmres(const Product& product, const Vector& right, double tolerance, Eigen::Index most) {
  const double size = right.norm();
  if (size == 0.0) return Vector::Zero(right.size());
  std::vector<Vector> basis{right / size};
  Eigen::MatrixXd hessenberg = Eigen::MatrixXd::Zero(most + 1, most);
  Vector y;
  std::vector<double> residuals;
  const auto stagnates = [&] {  // before it is small it does so for a while
    constexpr double small = 3e-3;
    constexpr std::size_t turns = 4;
    constexpr double least_gain = 0.8;
    const std::size_t n = residuals.size();
    return n > turns && residuals.back() < small * size && !(residuals.back() < least_gain * residuals[n - 1 - turns]);
  };
  for (Eigen::Index k = 0; k < most; ++k) {
    Vector next = product(basis.back());
    for (std::size_t i = 0; i < basis.size(); ++i) {
      const double overlap = basis[i].dot(next);
      hessenberg(static_cast<Eigen::Index>(i), k) = overlap;
      next -= overlap * basis[i];
    }
    const double rest = next.norm();
    hessenberg(k + 1, k) = rest;
    const Eigen::MatrixXd h = hessenberg.topLeftCorner(k + 2, k + 1);
    Vector target = Vector::Zero(k + 2);
    target[0] = size;
    y = h.colPivHouseholderQr().solve(target);
    residuals.push_back((h * y - target).norm());
    if (residuals.back() <= tolerance * size || !(rest > 0.0) || stagnates()) break;
    basis.push_back(next / rest);
  }
  Vector x = Vector::Zero(right.size());
  for (Eigen::Index i = 0; i < y.size(); ++i) x += y[i] * basis[static_cast<std::size_t>(i)];
  return x;
}

}  // namespace

Refinement::Refinement(const StationaryProblem& problem, Inverse inverse, const std::optional<PropagationPlan>& plan)
    : problem_(problem), inverse_(std::move(inverse)), space_(problem) {
  const double longest = std::min(longest_window(problem.mesh, problem.tables), 0.8 / problem.tables.rate[0]);
  plan_ = {longest, 1, most_levels};
  if (plan) plan_.length = std::min(plan->length, longest);
  propagator_ =
      std::make_unique<Propagator>(problem_.backend, problem_.mesh, problem_.tables, plan_.length, 1, plan_.levels);
}

/// ‖L⁻¹ e‖₁ of what changes the density per time, but for the shares of the wells where they are known beforehand.
double Refinement::spread(const Vector& defect) {
  Vector error = inverse_(defect);
  const auto columns = static_cast<Eigen::Index>(problem_.mesh.velocity_cells());
  for (const Well& well : wells_) {
    double share = 0.0;
    double mass = 0.0;
    const auto each_row = [&](const auto& visit) {
      for (int i = 0; i < problem_.mesh.theta_cells(); ++i) {
        if (well.holds(problem_.plane().theta.center(i))) visit(i * columns);
      }
    };
    each_row([&](Eigen::Index first) {
      share += error.segment(first, columns).sum();
      mass += shape_.segment(first, columns).sum();
    });
    each_row(
        [&](Eigen::Index first) { error.segment(first, columns) -= share / mass * shape_.segment(first, columns); });
  }
  return space_.norm(error);
}

/// (Φ_H − 1) x / H.
Vector Refinement::change(const Vector& vector) {
  problem_.poll();
  ++applications_;
  return (space_.propagated(*propagator_, vector) - vector) / plan_.length;
}

/// The inverse of (e^{HL} − 1)/H, as far as L⁻¹ − H/2 is that: to second order in H L.
Vector Refinement::preconditioned(const Vector& right) {
  return inverse_(right) - 0.5 * plan_.length * right;
}

void Refinement::choose_windows(const Vector& density) {
  constexpr int most_turns = 5;
  for (int turn = 0;; ++turn) {
    step_error_ = spread(space_.window_defect(*propagator_, density) / plan_.length);
    if (turn == most_turns || step_error_ <= problem_.options.tolerance) return;
    const double before = plan_.length;
    plan_.length *= std::clamp(std::pow(0.3 * problem_.options.tolerance / step_error_, 0.5 / plan_.levels), 0.5, 0.9);
    auto shorter =
        std::make_unique<Propagator>(problem_.backend, problem_.mesh, problem_.tables, plan_.length, 1, plan_.levels);
    const double error = spread(space_.window_defect(*shorter, density) / plan_.length);
    if (!(error < step_error_)) {  // rounding, or the grid
      plan_.length = before;
      return;
    }
    propagator_ = std::move(shorter);
  }
}

bool Refinement::refine(Vector& density) {
  shape_ = density;
  if (problem_.known_crossings() > 0) wells_ = problem_.wells();
  choose_windows(density);
  const Vector wrong = change(density);
  const auto without_mass = [&](const Vector& vector) -> Vector { return vector - density * space_.mass(vector); };
  constexpr double tolerance = 1e-4;  // of what the grid has made wrong in L_h
  constexpr Eigen::Index most_products = 40;
  const Vector solution = gmres([&](const Vector& vector) { return without_mass(change(preconditioned(vector))); },
                                without_mass(-wrong), tolerance, most_products);
  Vector corrected = density + preconditioned(solution);
  corrected /= space_.mass(corrected);
  const Vector rest = change(corrected);
  const double gained = space_.mass(rest);
  residual_ = space_.norm(rest - gained * corrected);
  constexpr double enough = 0.05;
  step_error_ += spread(without_mass(rest));
  // What grows along a slow mode of a grid that is too coarse is no correction.
  constexpr double largest_error = 1e-3;
  const double negative = space_.norm(corrected.cwiseMin(0.0));
  if (!(residual_ <= enough * space_.norm(wrong)) || !(step_error_ + negative <= largest_error)) return false;
  density = corrected;
  return true;
}

void Refinement::refine(const Vector& gibbs, SpectralLine& line, const Eigen::VectorXcd& vector) {
  const Eigen::Index columns = problem_.mesh.velocity_cells();
  // What the grid has made of φ in the tails would drown all else if divided by p; no slow mode lives there.
  constexpr double least = 1e-7;
  const double floor = least * gibbs.maxCoeff();
  Eigen::VectorXcd left(vector.size());
  for (Eigen::Index k = 0; k < vector.size(); ++k) {
    const Eigen::Index j = k % columns;
    left[k] = gibbs[k] > floor ? vector[k - j + columns - 1 - j] / gibbs[k] : 0.0;
  }
  const auto product = [&](const Vector& re, const Vector& im) {
    return (left.transpose() * (re.cast<Complex>() + Complex(0.0, 1.0) * im.cast<Complex>()))(0);
  };
  const Vector re = vector.real();
  const Vector im = vector.imag();
  const Complex overlap = product(re, im);
  const double size = (left.cwiseAbs().transpose() * vector.cwiseAbs())(0);
  constexpr double nearly_defective = 1e-3;
  if (!(std::abs(overlap) > nearly_defective * size)) return;
  const auto change_of = [&](const Vector& part) -> Vector { return part.isZero(0.0) ? part : change(part); };
  // μ − 1, whose digits a slow mode needs.
  const Complex growth = plan_.length * product(change_of(re), change_of(im)) / overlap;
  const auto defect_of = [&](const Vector& part) -> Vector {
    return part.isZero(0.0) ? part : space_.window_defect(*propagator_, part);
  };
  const double defect = std::abs(product(defect_of(re), defect_of(im)) / overlap) / plan_.length;
  const double modulus = std::log1p(2.0 * growth.real() + std::norm(growth)) / 2.0;
  Complex value = Complex(modulus, std::arg(1.0 + growth)) / plan_.length;
  const double turn = 2.0 * std::numbers::pi / plan_.length;
  value += Complex(0.0, turn * std::round((line.eigenvalue.imag() - value.imag()) / turn));
  constexpr double nearby = 0.2;
  const double slow = 0.02 / problem_.relaxation_time();  // slower ones may be anything
  if (!(std::abs(value - line.eigenvalue) <= std::max(nearby * std::abs(line.eigenvalue), slow))) return;
  line.eigenvalue = value;
  line.error = defect;
}

}  // namespace underdamp
