#include "solver/propagator.hpp"

#include <algorithm>

namespace underdamp {

Propagator::Propagator(Backend& backend, const PhaseMesh& mesh, const Tables& tables, double length, int windows,
                       int levels)
    : backend_(backend),
      mesh_(mesh),
      tables_(tables),
      length_(length),
      windows_(windows),
      levels_(levels),
      fields_(backend, mesh.shape()) {
  if (tables_.dynamics == Dynamics::sgd) {
    map_velocity_ = backend_.plan_velocity(mesh_, tables_.sgd_law());
    const std::vector<double> duration(static_cast<std::size_t>(mesh_.planes()), tables_.learning_rate);
    map_drift_ = backend_.plan_drift(mesh_, duration);
    return;
  }
  window_ = std::make_unique<Window>(backend_, mesh_, tables_, length_);
  unused_error_ = backend_.allocate(mesh_.shape());
}

void Propagator::cross(const Field& field) {
  for (int level = 1; level <= levels_; ++level) window_->cross(field, fields_.level(level), level, Positivity::none);
  steps_ += levels_ * (levels_ + 1) / 2;
}

void Propagator::apply(Field& field) {
  for (int w = 0; w < windows_; ++w) {
    if (tables_.dynamics == Dynamics::sgd) {
      backend_.velocity(field, field, *map_velocity_, Positivity::none);
      backend_.drift(field, *map_drift_, Positivity::none);
      ++steps_;
      continue;
    }
    cross(field);
    const auto weights = extrapolation_weights(1, levels_);
    const LevelWeights none{};
    const std::vector<double> scale(static_cast<std::size_t>(mesh_.planes()), 0.0);
    const auto used = static_cast<std::size_t>(levels_);
    backend_.extrapolate(mesh_, fields_.first(levels_), std::span(weights).first(used), std::span(none).first(used),
                         scale, *unused_error_, field, Positivity::none);
  }
}

Propagator::Column Propagator::last_column(std::size_t plane) {
  const double area = mesh_.plane(static_cast<int>(plane)).cell_area();
  const auto norm = [&](int count) {
    const auto weights = difference_weights(count);
    return area * backend_.combination_norm(fields_.first_const(count),
                                            std::span(weights).first(static_cast<std::size_t>(count)))[plane];
  };
  const double last = norm(levels_);
  return {std::min(1.0, levels_ * levels_ * last / std::max(norm(levels_ - 1), 1e-300)), last};
}

double Propagator::window_error(const Field& field) {
  if (tables_.dynamics == Dynamics::sgd) return 0.0;
  cross(field);
  const Column column = last_column(0);
  return column.share * column.norm;
}

std::vector<double> Propagator::window_errors(const Field& field) {
  std::vector<double> errors(static_cast<std::size_t>(mesh_.planes()), 0.0);
  if (tables_.dynamics == Dynamics::sgd) return errors;
  cross(field);
  for (std::size_t p = 0; p < errors.size(); ++p) {
    const Column column = last_column(p);
    errors[p] = column.share * column.norm / mesh_.plane(static_cast<int>(p)).cell_area();
  }
  return errors;
}

void Propagator::window_defect(const Field& field, Field& defect) {
  backend_.fill_zero(defect);
  if (tables_.dynamics == Dynamics::sgd) return;
  cross(field);
  const double share = last_column(0).share;
  const auto weights = difference_weights(levels_);
  const LevelWeights none{};
  const auto used = static_cast<std::size_t>(levels_);
  const std::vector<double> scale(static_cast<std::size_t>(mesh_.planes()), share);
  backend_.extrapolate(mesh_, fields_.first(levels_), std::span(none).first(used), std::span(weights).first(used),
                       scale, defect, *unused_error_, Positivity::none);
}

}  // namespace underdamp
