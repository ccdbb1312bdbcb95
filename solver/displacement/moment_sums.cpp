#include "solver/displacement/moment_sums.hpp"

#include "meshes/cell_index.hpp"

namespace underdamp {
namespace {

constexpr std::size_t count = 13;  // of the numbers in MomentSums

/// Of each number of MomentSums, in their order, what Σ f, Σ y f and Σ y² f of line i contribute.
std::array<std::array<double, 3>, count> factors_of_line(const ScaledPlane& s, std::size_t i, double center) {
  const double gamma = s.tables.friction[0];
  const double force = s.tables.force[i];
  const double slope = s.slope[i];
  const double bend = s.bend[i];
  const double gust = s.gust[i];
  const double diffusion = s.tables.diffusion[i];
  const double x = s.plane.theta.center(static_cast<int>(i)) - center;
  const double stiffness = slope + gamma * gamma;
  const double turn = -gamma * (slope + stiffness);  // of y in φ_4
  return {{{1.0, 0.0, 0.0},
           {x, 0.0, 0.0},
           {0.0, 1.0, 0.0},
           {force, -gamma, 0.0},
           {-gamma * force, stiffness, 0.0},
           {stiffness * force, turn, bend},
           {x * x, 0.0, 0.0},
           {0.0, x, 0.0},
           {x * force, -x * gamma, 1.0},
           {2.0 * diffusion - x * gamma * force, 3.0 * force + x * stiffness, -3.0 * gamma},
           {3.0 * force * force - 6.0 * gamma * diffusion + x * stiffness * force,
            2.0 * gust - 10.0 * gamma * force + x * turn, 4.0 * slope + 7.0 * gamma * gamma + x * bend},
           {0.0, 0.0, 1.0},
           {s.tables.loss[i], 0.0, 0.0}}};
}

MomentSums scaled(std::span<const double, count> sums, double area) {
  MomentSums result;
  auto next = sums.begin();
  const auto take = [&](double& number) { number = area * *next++; };
  take(result.mass);
  for (double& number : result.position) take(number);
  take(result.square);
  for (double& number : result.spread) take(number);
  take(result.velocity_square);
  take(result.potential);
  return result;
}

}  // namespace

void MomentSums::add(double factor, const MomentSums& other) {
  mass += factor * other.mass;
  for (std::size_t n = 0; n < position.size(); ++n) position[n] += factor * other.position[n];
  square += factor * other.square;
  for (std::size_t n = 0; n < spread.size(); ++n) spread[n] += factor * other.spread[n];
  velocity_square += factor * other.velocity_square;
  potential += factor * other.potential;
}

MomentReader::MomentReader(Backend& backend, const PhaseMesh& mesh, const std::vector<ScaledPlane>& planes,
                           std::span<const double> center)
    : backend_(backend) {
  const CellIndex cell(mesh);
  MomentLaw law;
  law.sums.resize(count);
  for (std::size_t p = 0; p < planes.size(); ++p) {
    area_.push_back(planes[p].plane.cell_area());
    for (std::size_t i = 0; i < cell.rows(); ++i) {
      const auto factors = factors_of_line(planes[p], i, center[p]);
      for (std::size_t k = 0; k < count; ++k) law.sums[k].push_back(factors[k]);
    }
  }
  plan_ = backend.reductions().plan_moments(mesh, law);
}

std::vector<MomentSums> MomentReader::read(const Field& field) const {
  const auto sums = backend_.reductions().sum_moments(field, *plan_);
  std::vector<MomentSums> result;
  for (std::size_t p = 0; p < area_.size(); ++p)
    result.push_back(scaled(std::span<const double, count>(sums.data() + p * count, count), area_[p]));
  return result;
}

MomentSums moment_sums(const ScaledPlane& plane, std::span<const double> values, double center) {
  const CellIndex cell(plane.plane);
  std::array<double, count> sums{};
  for (std::size_t i = 0; i < cell.rows(); ++i) {
    LineMoments line{};
    for (std::size_t j = 0; j < cell.columns(); ++j) {
      const double y = plane.plane.velocity.center(static_cast<int>(j));
      const double f = values[cell(i, j)];
      line.mass += f;
      line.velocity += f * y;
      line.velocity_squared += f * y * y;
    }
    const auto factors = factors_of_line(plane, i, center);
    for (std::size_t k = 0; k < count; ++k) {
      const auto& [of_mass, of_velocity, of_square] = factors[k];
      sums[k] += of_mass * line.mass + of_velocity * line.velocity + of_square * line.velocity_squared;
    }
  }
  return scaled(sums, plane.plane.cell_area());
}

}  // namespace underdamp
