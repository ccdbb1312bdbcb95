#include "solver/coupled/coupled_tables.hpp"

#include <cmath>

#include "meshes/error.hpp"
#include "solver/io/diagnostics.hpp"

namespace underdamp {

ParameterVector theta_center(const PhaseSpace& space, int problem, long cell) {
  const int d = space.parameters();
  const auto positions = axis_positions(space.shape().axes.theta, d, cell);
  ParameterVector center(d);
  for (int k = 0; k < d; ++k) {
    const auto axis = static_cast<std::size_t>(k);
    center[k] = space.problem(problem).theta[axis].center(positions[axis]);
  }
  return center;
}

CoupledTables tabulate(const CoupledModel& model, const GridAxes& axes, const PhaseSpace& space) {
  require(space.problems() == 1, "tables hold one problem");
  const LinearProcess linearized = model.linearized();
  CoupledTables tables;
  tables.dynamics = model.dynamics();
  tables.parameters = model.parameters();
  tables.friction = model.process().gamma;
  tables.learning_rate = model.process().learning_rate;
  tables.momentum = model.process().momentum;
  tables.relaxation_time = linearized.relaxation_time();
  tables.rate = linearized.fastest_rate();
  const Eigen::Index d = tables.parameters;
  ParameterMatrix noise;
  for (long cell = 0; cell < space.shape().theta_cells; ++cell) {
    const ParameterVector theta = axes.theta(theta_center(space, 0, cell));
    tables.loss.push_back(model.loss(theta));
    const ParameterVector force = axes.inverse * model.force(theta);
    if (!std::isfinite(tables.loss.back()) || !force.allFinite()) {
      refuse("", "loss", model.process().loss->describe() + " is not finite at " + place_text(theta),
             "use a smaller box, or another loss");
    }
    if (cell == 0 || !model.has_constant_noise())
      noise = axes.inverse * model.diffusion(theta) * axes.inverse.transpose();
    for (Eigen::Index i = 0; i < d; ++i) {
      tables.force.push_back(force[i]);
      for (Eigen::Index j = i; j < d; ++j) {
        // Axes that the noise follows leave rounding beside the diagonal, which would cost a sweep.
        const double entry = 0.5 * (noise(i, j) + noise(j, i));
        const double scale = std::sqrt(std::abs(noise(i, i) * noise(j, j)));
        tables.diffusion.push_back(i != j && std::abs(entry) < 1e-14 * scale ? 0.0 : entry);
      }
    }
  }
  return tables;
}

BlockVelocityLaw CoupledTables::velocity_law(double duration, bool keep_mass) const {
  BlockVelocityLaw law;
  law.contraction = {std::exp(-friction * duration)};
  const double of_force = -std::expm1(-friction * duration) / friction;
  const double of_noise = -std::expm1(-2.0 * friction * duration) / friction;
  law.kick.reserve(force.size());
  for (const double f : force) law.kick.push_back(of_force * f);
  law.covariance.reserve(diffusion.size());
  for (const double entry : diffusion) law.covariance.push_back(of_noise * entry);
  law.keep_mass = keep_mass;
  return law;
}

BlockVelocityLaw CoupledTables::sgd_law(bool keep_mass) const {
  return {{momentum}, force, diffusion, keep_mass};
}

}  // namespace underdamp
