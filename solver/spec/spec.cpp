#include "solver/spec/spec.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace underdamp {

std::string Spec::place(const std::string& key) const {
  if (const auto found = where.find(key); found != where.end()) return found->second;
  if (const auto dot = key.rfind('.'); dot != std::string::npos) return place(key.substr(0, dot));
  return file + ":1:1";
}

Interval Spec::search_window() const {
  if (grid.theta) return *grid.theta;
  Interval window{-1.0, 1.0};
  if (initial.kind == InitialKind::gaussian && initial.mean) {
    const double reach = initial.covariance ? 7.0 * std::sqrt((*initial.covariance)[0][0]) : 0.0;
    window.lower = std::min(window.lower, (*initial.mean)[0] - reach);
    window.upper = std::max(window.upper, (*initial.mean)[0] + reach);
  }
  return window;
}

bool Spec::has_float64_pictures() const {
  constexpr double small_picture = 512.0 * 512.0;  // cells
  return output.float64.value_or(static_cast<double>(grid.cells[0]) * grid.cells[1] <= small_picture);
}

std::string Spec::loss_key() const {
  switch (loss.kind) {
    case LossKind::quadratic:
      return "loss.hessian";
    case LossKind::polynomial:
      return "loss.coefficients";
    case LossKind::expression:
      return "loss.formula";
    case LossKind::spectrum:
      if (!loss.formula.empty()) return "loss.formula";
      return loss.law ? "loss.law" : loss.file.empty() ? "loss.eigenvalues" : "loss.file";
    case LossKind::table:
    case LossKind::dataset:
      break;
  }
  return "loss.file";
}

std::string Spec::noise_key() const {
  switch (noise.kind) {
    case NoiseKind::hessian:
    case NoiseKind::isotropic:
      return "noise.sigma2";
    case NoiseKind::constant:
      return "noise.covariance";
    case NoiseKind::expression:
      return "noise.formula";
    case NoiseKind::table:
      return "noise.file";
    case NoiseKind::temperature:
      return "langevin.temperature";
    case NoiseKind::dataset:
      break;
  }
  return "noise.kind";
}

void refuse(const Spec& spec, const std::string& key, std::string problem, std::string remedy) {
  refuse(spec.place(key), key, std::move(problem), std::move(remedy));
}

}  // namespace underdamp
