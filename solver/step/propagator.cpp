#include "solver/step/propagator.hpp"

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
    map_velocity_ = backend_.sweeps().plan_velocity(mesh_, tables_.sgd_law());
    const std::vector<double> duration(static_cast<std::size_t>(mesh_.planes()), tables_.learning_rate);
    map_drift_ = backend_.sweeps().plan_drift(mesh_, duration);
    return;
  }
  window_ = std::make_unique<Window>(backend_, mesh_, tables_, length_);
  discarded_ = backend_.fields().allocate(mesh_.shape());
}

void Propagator::cross(const Field& field) {
  for (int level = 1; level <= levels_; ++level) window_->cross(field, fields_.level(level), level, Positivity::none);
  steps_ += levels_ * (levels_ + 1) / 2;
}

void Propagator::apply(Field& field) {
  for (int w = 0; w < windows_; ++w) {
    if (tables_.dynamics == Dynamics::sgd) {
      backend_.sweeps().velocity(field, field, *map_velocity_, Positivity::none);
      backend_.sweeps().drift(field, *map_drift_, Positivity::none);
      ++steps_;
      continue;
    }
    cross(field);
    const auto weights = extrapolation_weights(1, levels_);
    const LevelWeights none{};
    const std::vector<double> scale(static_cast<std::size_t>(mesh_.planes()), 0.0);
    const auto used = static_cast<std::size_t>(levels_);
    backend_.sweeps().extrapolate(mesh_, fields_.first(levels_), std::span(weights).first(used),
                                  std::span(none).first(used), scale, *discarded_, field, Positivity::none);
  }
}

std::vector<Propagator::Column> Propagator::last_columns() {
  const auto norms = [&](int count) {
    const auto weights = difference_weights(count);
    return backend_.reductions().combination_norm(fields_.first_const(count),
                                                  std::span(weights).first(static_cast<std::size_t>(count)));
  };
  const auto last = norms(levels_);
  const auto before = norms(levels_ - 1);
  std::vector<Column> columns;
  for (std::size_t p = 0; p < last.size(); ++p) {
    const double area = mesh_.plane(static_cast<int>(p)).cell_area();
    const double norm = area * last[p];
    columns.push_back({std::min(1.0, levels_ * levels_ * norm / std::max(area * before[p], 1e-300)), norm});
  }
  return columns;
}

double Propagator::window_error(const Field& field) {
  return window_errors(field)[0];
}

std::vector<double> Propagator::window_errors(const Field& field) {
  std::vector<double> errors(static_cast<std::size_t>(mesh_.planes()), 0.0);
  if (tables_.dynamics == Dynamics::sgd) return errors;
  cross(field);
  const auto columns = last_columns();
  for (std::size_t p = 0; p < errors.size(); ++p) errors[p] = columns[p].share * columns[p].norm;
  return errors;
}

void Propagator::window_defect(const Field& field, Field& defect) {
  backend_.fields().fill_zero(defect);
  if (tables_.dynamics == Dynamics::sgd) return;
  cross(field);
  const double share = last_columns()[0].share;
  const auto weights = difference_weights(levels_);
  const LevelWeights none{};
  const auto used = static_cast<std::size_t>(levels_);
  const std::vector<double> scale(static_cast<std::size_t>(mesh_.planes()), share);
  backend_.sweeps().extrapolate(mesh_, fields_.first(levels_), std::span(none).first(used),
                                std::span(weights).first(used), scale, defect, *discarded_, Positivity::none);
}

}  // namespace underdamp
