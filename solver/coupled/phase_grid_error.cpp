#include "solver/coupled/phase_grid_error.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <Eigen/Dense>
#include <unsupported/Eigen/MatrixFunctions>

#include "kernels/contract/noise_directions.hpp"
#include "meshes/error.hpp"

namespace underdamp {
namespace {

/// Fluctuations of neighbouring cells cancel, and the noise smooths them: so much is left of them. Measured on random
/// linear cases, 1/22 (docs/method.md, section 16).
constexpr double felt_fluctuation = 1.0 / 28.0;

/// What sweeps along different directions leave does not add up altogether: measured on the same cases.
constexpr double agreement = 0.75;

/// What a Gaussian of so many cells² leaves of a pattern that repeats with the fraction of `per_cell` j, j the cell.
double smoothed_pattern(double per_cell, double variance) {
  const double distance = std::abs(per_cell - std::round(per_cell));
  return std::exp(-0.5 * std::max(0.0, variance) * std::pow(2.0 * std::numbers::pi * distance, 2));
}

/// Traces of the same number and order: to += weight · from.
template <class Traces>
void add(Traces& to, double weight, const Traces& from) {
  if (to.empty()) {
    to = from;
    for (auto& trace : to) trace.symbol.fill(0.0);
  }
  for (std::size_t t = 0; t < to.size(); ++t) {
    for (std::size_t i = 0; i < symbol_size; ++i) to[t].symbol[i] += weight * from[t].symbol[i];
  }
}

PhaseVector unit(Eigen::Index n, Eigen::Index k) {
  PhaseVector e = PhaseVector::Zero(n);
  e[k] = 1.0;
  return e;
}

PhaseMatrix inverse_of(const PhaseMatrix& covariance) {
  // A floor on the eigenvalues: what is thinner than a tenth of a cell is hopeless anyway.
  const Eigen::SelfAdjointEigenSolver<PhaseMatrix> modes(covariance);
  const PhaseVector inverse = modes.eigenvalues().cwiseMax(0.01).cwiseInverse();
  return modes.eigenvectors() * inverse.asDiagonal() * modes.eigenvectors().transpose();
}

}  // namespace

/// dz/dt = A z in cells.
PhaseMatrix PhaseGridError::rate_matrix(const PhaseShape& shape) const {
  const Eigen::Index d = ratio_.size();
  PhaseMatrix a = PhaseMatrix::Zero(2 * d, 2 * d);
  a.topRightCorner(d, d) = ratio_.asDiagonal();
  a.bottomLeftCorner(d, d) = -shape.stiffness;
  a.bottomRightCorner(d, d) = -friction_ * ParameterMatrix::Identity(d, d);
  return a;
}

PhaseGridError::Traces PhaseGridError::of_drifts(const PhaseShape& shape, double duration) const {
  const Eigen::Index d = ratio_.size();
  Traces traces;
  for (Eigen::Index k = 0; k < d; ++k) {
    const double per_cell = duration * ratio_[k];
    const double deviation = std::sqrt(std::max(0.0, shape.covariance(d + k, d + k)));
    const SweepError error = remap_error(per_cell * shape.velocity[k], per_cell * deviation);
    traces.push_back({unit(2 * d, k), error.mean, error.fluctuation});
  }
  return traces;
}

/// Contractions and axis kernels, then three places for other directions.
PhaseGridError::Traces PhaseGridError::of_velocity(const PhaseShape& shape, double contraction,
                                                   const ParameterMatrix& variance) const {
  const Eigen::Index d = ratio_.size();
  SymmetricEntries c{};
  for (Eigen::Index i = 0; i < d; ++i) {
    for (Eigen::Index j = i; j < d; ++j)
      c[static_cast<std::size_t>(entry_of(static_cast<int>(d), static_cast<int>(i), static_cast<int>(j)))] =
          variance(i, j);
  }
  const auto directions = noise_directions(c, static_cast<int>(d));
  Traces traces;
  for (std::size_t e = 0; e < directions.size(); ++e) {
    const auto k = static_cast<Eigen::Index>(e);
    const bool is_axis = k < d;
    const SweepError kernel = kernel_error(directions[e].variance, is_axis ? contraction : 1.0);
    Trace trace{PhaseVector::Zero(2 * d), kernel.mean, kernel.fluctuation};
    for (Eigen::Index i = 0; i < d; ++i) trace.direction[d + i] = directions[e].direction[static_cast<std::size_t>(i)];
    if (is_axis && contraction > 0.0) {
      const double stretch = 1.0 / contraction - 1.0;
      const double deviation = std::sqrt(std::max(0.0, shape.covariance(d + k, d + k)));
      const SweepError remap = remap_error(stretch * shape.velocity[k], stretch * deviation);
      const double left = smoothed_pattern(stretch, variance(k, k));
      for (std::size_t i = 0; i < symbol_size; ++i) {
        trace.symbol[i] += remap.mean[i];
        trace.fluctuation[i] = std::hypot(trace.fluctuation[i], left * remap.fluctuation[i]);
      }
    }
    traces.push_back(trace);
  }
  return traces;
}

PhaseGridError::Traces PhaseGridError::of_velocity(const PhaseShape& shape, double duration) const {
  const ParameterMatrix variance = -std::expm1(-2.0 * friction_ * duration) / friction_ * shape.diffusion;
  return of_velocity(shape, std::exp(-friction_ * duration), variance);
}

/// All sweeps of a window crossed in `steps` steps: drifts, then velocity sweeps, as if all took place in its middle.
PhaseGridError::Traces PhaseGridError::of_level(const PhaseShape& shape, double length, int steps) const {
  const double step = length / steps;
  Traces drifts;
  Traces velocity;
  add(drifts, steps, of_drifts(shape, step));
  add(velocity, 2.0, of_velocity(shape, step / 2.0));
  if (steps > 1) add(velocity, steps - 1.0, of_velocity(shape, step));
  drifts.insert(drifts.end(), velocity.begin(), velocity.end());
  return drifts;
}

void PhaseGridError::cross_window(const PhaseShape& shape, double length, const LevelWeights& weights, int levels) {
  Traces all;
  Traces finest;
  for (int l = 1; l <= levels; ++l) {
    finest = of_level(shape, length, l);
    add(all, weights[static_cast<std::size_t>(l) - 1], finest);
  }
  // The filter takes what is as short as a cell along θ out of the correction (docs/method.md, eq. 24).
  const Eigen::Index d = ratio_.size();
  for (std::size_t t = 0; t < static_cast<std::size_t>(d); ++t) {
    for (std::size_t i = 0; i < symbol_size; ++i) {
      const double omega = std::numbers::pi * (static_cast<double>(i) + 0.5) / static_cast<double>(symbol_size);
      const double filter = 1.0 - std::pow(std::sin(omega / 2.0), 20);
      all[t].symbol[i] = finest[t].symbol[i] + filter * (all[t].symbol[i] - finest[t].symbol[i]);
    }
  }
  const PhaseMatrix rate = rate_matrix(shape);
  const PhaseMatrix half = Eigen::MatrixXd(Eigen::MatrixXd(rate * (length / 2.0)).exp());
  take(half * half, half, std::move(all), shape.covariance);
  remember_fluctuations(shape, length, weights, levels);
}

/// Of the last step of each level: its drifts and its last half sweep.
void PhaseGridError::remember_fluctuations(const PhaseShape& shape, double length, const LevelWeights& weights,
                                           int levels) {
  const PhaseMatrix inverse = inverse_of(shape.covariance);
  double squares = 0.0;
  for (int l = 1; l <= levels; ++l) {
    const double step = length / l;
    double of_level = 0.0;
    for (const Trace& trace : of_velocity(shape, step / 2.0)) of_level += norm_of(trace, trace.fluctuation, inverse);
    const Traces drifts = of_drifts(shape, step);
    for (std::size_t t = 0; t < drifts.size(); ++t) {
      const auto k = static_cast<Eigen::Index>(t);
      const double variance = -std::expm1(-friction_ * step) / friction_ * shape.diffusion(k, k);
      of_level += smoothed_pattern(step * ratio_[k], variance) * norm_of(drifts[t], drifts[t].fluctuation, inverse);
    }
    squares += std::pow(weights[static_cast<std::size_t>(l) - 1] * of_level, 2);
  }
  fluctuation_ = felt_fluctuation * std::sqrt(squares);
}

void PhaseGridError::take_steps(const PhaseShape& shape, double step, long count) {
  const PhaseMatrix rate = rate_matrix(shape);
  const PhaseMatrix half = Eigen::MatrixXd(Eigen::MatrixXd(rate * (step / 2.0)).exp());
  const Traces traces = of_level(shape, step, 1);
  for (long s = 0; s < count; ++s) take(half * half, half, traces, shape.covariance);
  remember_fluctuations(shape, step, {1.0}, 1);
}

void PhaseGridError::take_sgd_steps(const PhaseShape& shape, double learning_rate, double momentum, long count) {
  const Eigen::Index d = ratio_.size();
  PhaseMatrix map = PhaseMatrix::Identity(2 * d, 2 * d);
  PhaseMatrix drift = map;
  drift.topRightCorner(d, d) = learning_rate * ratio_.asDiagonal().toDenseMatrix();
  map.bottomRightCorner(d, d) *= momentum;
  map.bottomLeftCorner(d, d) = -shape.stiffness;
  Traces traces = of_velocity(shape, momentum, shape.diffusion);
  for (Trace& trace : traces) trace.direction = PhaseVector(drift * trace.direction);
  const Traces drifts = of_drifts(shape, learning_rate);
  traces.insert(traces.end(), drifts.begin(), drifts.end());
  const PhaseMatrix one = PhaseMatrix::Identity(2 * d, 2 * d);
  for (long s = 0; s < count; ++s) take(drift * map, one, traces, shape.covariance);
  const PhaseMatrix inverse = inverse_of(shape.covariance);
  fluctuation_ = 0.0;
  for (const Trace& trace : traces) fluctuation_ += felt_fluctuation * norm_of(trace, trace.fluctuation, inverse);
}

/// Old traces are carried by `flow`, new ones by `middle` from where their sweeps took place.
void PhaseGridError::take(const PhaseMatrix& flow, const PhaseMatrix& middle, Traces traces,
                          const PhaseMatrix& covariance) {
  constexpr std::size_t most = 48;
  for (Traces& crossing : crossings_) {
    for (Trace& trace : crossing) trace.direction = PhaseVector(flow * trace.direction);
  }
  for (Trace& trace : traces) trace.direction = PhaseVector(middle * trace.direction);
  crossings_.push_back(std::move(traces));
  if (crossings_.size() > most) merge_oldest(covariance);
}

/// The older half in pairs: what was left along nearly the same directions counts along that which feels it more.
void PhaseGridError::merge_oldest(const PhaseMatrix& covariance) {
  const PhaseMatrix inverse = inverse_of(covariance);
  std::vector<Traces> kept;
  const std::size_t pairs = crossings_.size() / 4;
  for (std::size_t c = 0; c < 2 * pairs; c += 2) {
    Traces& first = crossings_[c];
    Traces& second = crossings_[c + 1];
    if (first.size() != second.size()) {  // the noise has changed its directions
      kept.push_back(std::move(first));
      kept.push_back(std::move(second));
      continue;
    }
    for (std::size_t t = 0; t < first.size(); ++t) {
      const auto felt = [&](const Trace& trace) { return trace.direction.dot(inverse * trace.direction); };
      for (std::size_t i = 0; i < symbol_size; ++i) first[t].symbol[i] += second[t].symbol[i];
      if (felt(second[t]) > felt(first[t])) first[t].direction = second[t].direction;
    }
    kept.push_back(std::move(first));
  }
  for (std::size_t c = 2 * pairs; c < crossings_.size(); ++c) kept.push_back(std::move(crossings_[c]));
  crossings_ = std::move(kept);
}

double PhaseGridError::norm_of(const Trace& trace, const ErrorSymbol& symbol, const PhaseMatrix& inverse) {
  const double squared = trace.direction.dot(inverse * trace.direction);
  // A direction that has become short in deviations sees long waves only: nothing is left of it.
  constexpr double widest = 12.0;
  const double deviation = squared > 0.0 ? 1.0 / std::sqrt(squared) : widest;
  return deviation >= widest ? 0.0 : error_norm(symbol, deviation);
}

double PhaseGridError::norm(const PhaseMatrix& covariance) const {
  const PhaseMatrix inverse = inverse_of(covariance);
  double sum = fluctuation_;
  for (const Traces& crossing : crossings_) {
    for (const Trace& trace : crossing) sum += norm_of(trace, trace.symbol, inverse);
  }
  return agreement * sum;
}

double PhaseGridError::of_window(const PhaseShape& shape, double length, int levels) const {
  const PhaseMatrix inverse = inverse_of(shape.covariance);
  double sum = 0.0;
  for (const Trace& trace : of_level(shape, length, levels)) sum += norm_of(trace, trace.symbol, inverse);
  return sum;
}

void PhaseGridError::exchange(StateList& list) {
  list(friction_);
  list(fluctuation_);
  const auto exchange_vector = [&](auto& vector) {
    std::vector<double> values(vector.data(), vector.data() + vector.size());
    list(values);
    if (!list.reading()) return;
    if (values.size() > static_cast<std::size_t>(2 * most_parameters)) damaged_state("a grid error has too many axes");
    vector.resize(static_cast<Eigen::Index>(values.size()));
    std::copy(values.begin(), values.end(), vector.data());
  };
  exchange_vector(ratio_);
  list.sequence(crossings_, [&](Traces& crossing) {
    list.sequence(crossing, [&](Trace& trace) {
      exchange_vector(trace.direction);
      list(trace.symbol);
      list(trace.fluctuation);
    });
  });
}

}  // namespace underdamp
