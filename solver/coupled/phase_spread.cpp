#include "solver/coupled/phase_spread.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <Eigen/Dense>

#include "kernels/contract/random.hpp"

namespace underdamp {
namespace {

/// Lower-triangular factor of a covariance that may be singular.
PhaseMatrix root_of(const PhaseMatrix& covariance) {
  const Eigen::SelfAdjointEigenSolver<PhaseMatrix> modes(covariance);
  const PhaseVector widths = modes.eigenvalues().cwiseMax(0.0).cwiseSqrt();
  return modes.eigenvectors() * widths.asDiagonal();
}
ParameterMatrix root_of(const ParameterMatrix& covariance) {
  const Eigen::SelfAdjointEigenSolver<ParameterMatrix> modes(covariance);
  const ParameterVector widths = modes.eigenvalues().cwiseMax(0.0).cwiseSqrt();
  return modes.eigenvectors() * widths.asDiagonal();
}

/// Gaussian numbers of one particle and step, a fresh address for every two.
class GaussianNumbers {
 public:
  GaussianNumbers(std::uint64_t particle, std::uint32_t step) : particle_(particle), step_(step) {}
  double operator()() {
    if (has_second_) {
      has_second_ = false;
      return second_;
    }
    constexpr std::uint64_t seed = 20260101;
    const GaussianPair pair =
        gaussian_pair(random_words(seed, random_stream(RandomPurpose::pilot, number_++), particle_, step_));
    has_second_ = true;
    second_ = pair.b;
    return pair.a;
  }

 private:
  std::uint64_t particle_;
  std::uint32_t step_;
  std::uint32_t number_ = 0;
  bool has_second_ = false;
  double second_ = 0.0;
};

/// Particles in the coordinates of the user, one after the other: z = (θ, v).
class Pilot {
 public:
  Pilot(const CoupledModel& model, const PhaseMoments& start) : model_(model) {
    const PhaseMatrix root = root_of(start.covariance);
    PhaseVector normal(start.mean.size());
    for (std::uint64_t p = 0; p < particles; ++p) {
      GaussianNumbers next(p, 0);
      for (Eigen::Index i = 0; i < normal.size(); ++i) normal[i] = next();
      z_.push_back(PhaseVector(start.mean + root * normal));
    }
  }

  /// V(τ/2) X(τ) V(τ/2) of the Langevin equation, or a step of the map.
  void step(std::uint32_t number, double duration) {
    const bool is_map = model_.dynamics() == Dynamics::sgd;
    for (std::uint64_t p = 0; p < particles; ++p) {
      GaussianNumbers next(p, number + 1);
      if (is_map) {
        kick(z_[p], model_.process().momentum, 1.0, 1.0, next);
        drift(z_[p], model_.process().learning_rate);
        continue;
      }
      const double gamma = model_.process().gamma;
      const double e = std::exp(-0.5 * gamma * duration);
      const double noise = std::sqrt(-std::expm1(-gamma * duration) / gamma);
      kick(z_[p], e, (1.0 - e) / gamma, noise, next);
      drift(z_[p], duration);
      kick(z_[p], e, (1.0 - e) / gamma, noise, next);
    }
  }

  PhaseSpread spread(const GridAxes& axes) const {
    const Eigen::Index n = z_.front().size();
    const PhaseMatrix to_grid = twice(axes.inverse);
    std::vector<PhaseVector> inside;
    PhaseVector mean = PhaseVector::Zero(n);
    PhaseMatrix second = PhaseMatrix::Zero(n, n);
    for (PhaseVector z : z_) {
      z.head(n / 2) -= axes.origin;
      inside.push_back(PhaseVector(to_grid * z));
      mean += inside.back() / static_cast<double>(particles);
      second += inside.back() * inside.back().transpose() / static_cast<double>(particles);
    }
    PhaseSpread spread;
    spread.narrowest = conditional_deviations(second - mean * mean.transpose());
    constexpr std::array<double, 4> shares{0.001, 0.01, 0.99, 0.999};
    std::vector<double> values(particles);
    for (PhaseVector& quantile : spread.quantile) quantile.resize(n);
    for (Eigen::Index i = 0; i < n; ++i) {
      for (std::size_t p = 0; p < particles; ++p) values[p] = inside[p][i];
      std::sort(values.begin(), values.end());
      for (std::size_t q = 0; q < shares.size(); ++q)
        spread.quantile[q][i] = values[static_cast<std::size_t>(shares[q] * static_cast<double>(particles))];
    }
    return spread;
  }

 private:
  static constexpr std::size_t particles = 4096;

  static void drift(PhaseVector& z, double duration) {
    const Eigen::Index d = z.size() / 2;
    z.head(d) += duration * z.tail(d);
  }
  void kick(PhaseVector& z, double contraction, double of_force, double of_noise, GaussianNumbers& next) const {
    const Eigen::Index d = z.size() / 2;
    const ParameterVector theta = z.head(d);
    if (root_.size() == 0 || !model_.has_constant_noise()) root_ = root_of(model_.diffusion(theta));
    ParameterVector normal(d);
    for (Eigen::Index k = 0; k < d; ++k) normal[k] = next();
    z.tail(d) = contraction * z.tail(d) + of_force * model_.force(theta) + of_noise * root_ * normal;
  }

  const CoupledModel& model_;
  std::vector<PhaseVector> z_;
  mutable ParameterMatrix root_;  ///< of D where that is constant
};

}  // namespace

double PhaseSpread::lower(Eigen::Index i, double reach) const {
  const double slope = (quantile[1][i] - quantile[0][i]) / (deviations[1] - deviations[0]);
  return quantile[0][i] + (-reach - deviations[0]) * slope;
}
double PhaseSpread::upper(Eigen::Index i, double reach) const {
  const double slope = (quantile[3][i] - quantile[2][i]) / (deviations[3] - deviations[2]);
  return quantile[3][i] + (reach - deviations[3]) * slope;
}

PhaseSpread spread_of(const PhaseMoments& gaussian) {
  const PhaseVector widths = gaussian.covariance.diagonal().cwiseMax(0.0).cwiseSqrt();
  PhaseSpread spread;
  spread.narrowest = conditional_deviations(gaussian.covariance);
  for (std::size_t q = 0; q < spread.quantile.size(); ++q)
    spread.quantile[q] = gaussian.mean + PhaseSpread::deviations[q] * widths;
  return spread;
}

std::vector<PhaseSpread> spread_on_the_way(const LinearProcess& process, const GridAxes& axes,
                                           const PhaseMoments& start, double until) {
  constexpr int samples = 400;
  std::vector<PhaseSpread> way{spread_of(axes.to_grid(start))};
  PhaseMoments now = start;
  const double step = until / samples;
  for (int i = 1; i <= samples; ++i) {
    // Of the map whole steps: some of them may be none.
    now = process.after(process.is_map() ? i * step : step, process.is_map() ? start : now);
    way.push_back(spread_of(axes.to_grid(now)));
  }
  return way;
}

std::vector<PhaseSpread> spread_of_pilot(const CoupledModel& model, const GridAxes& axes, const PhaseMoments& start,
                                         double until) {
  constexpr double angle = 0.25;  // of the fastest rate in a step
  constexpr double most_steps = 2000.0;
  constexpr int most_samples = 40;
  const LinearProcess linearized = model.linearized();
  const bool is_map = model.dynamics() == Dynamics::sgd;
  const double wanted = is_map ? until / model.process().learning_rate : until * linearized.fastest_rate() / angle;
  const auto steps = static_cast<std::uint32_t>(std::clamp(std::ceil(wanted - 1e-9), 1.0, most_steps));
  Pilot pilot(model, start);
  std::vector<PhaseSpread> way{pilot.spread(axes)};
  const std::uint32_t every = std::max<std::uint32_t>(1, steps / most_samples);
  for (std::uint32_t s = 0; s < steps; ++s) {
    pilot.step(s, until / steps);
    if ((s + 1) % every == 0 || s + 1 == steps) way.push_back(pilot.spread(axes));
  }
  PhaseVector narrowest = way.front().narrowest;
  for (const PhaseSpread& met : spread_on_the_way(linearized, axes, start, until))
    narrowest = narrowest.cwiseMin(met.narrowest);
  for (PhaseSpread& met : way) met.narrowest = met.narrowest.cwiseMin(narrowest);
  return way;
}

}  // namespace underdamp
