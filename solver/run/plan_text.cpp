#include "solver/run/plan_text.hpp"

#include <cmath>

#include <fmt/format.h>

#include "solver/io/progress.hpp"
#include "solver/run/dropped_noise.hpp"
#include "solver/spec/spec_words.hpp"
#include "solver/step/memory.hpp"
#include "solver/step/window_choice.hpp"

namespace underdamp {
namespace {

/// Cell-steps per second of one core that the estimate of the run time counts with (benchmarks/results).
constexpr double nominal_rate = 1.5e8;

double estimated_seconds(const Simulation& simulation) {
  const auto windows = simulation.first_windows();
  if (windows.empty()) return 0.0;
  const double cells = static_cast<double>(simulation.mesh().shape().cells());
  const double time = simulation.spec().evolve->until;
  double steps = 0.0;
  for (const auto& window : windows) {
    const double per_window =
        window.levels == 1 ? (simulation.spec().evolve->step ? 1.5 : 1.0) : window_work(window.levels);
    steps += std::ceil(time / window.length) * per_window;
  }
  return steps / static_cast<double>(windows.size()) * cells / nominal_rate /
         simulation.backend().describe().concurrency;
}

std::string describe_plane(const Simulation& simulation, int p) {
  const Model& model = simulation.model();
  const Derived d = model.derived(p);
  const PhasePlane& plane = simulation.mesh().plane(p);
  const Resolution r = resolution(plane, model.stationary_covariance(p));
  std::string text;
  if (!model.plane(p).name.empty()) {
    text += fmt::format("\n{} (Hessian eigenvalue {:.6g})\n", model.plane(p).name, model.plane(p).eigenvalue);
  }
  text += fmt::format("  minimum        theta = {:.6g}, curvature {:.6g}{}\n", model.plane(p).minimum,
                      model.plane(p).curvature,
                      model.plane(p).is_thermal
                          ? " (of a parabola with the thermal width of the well: the loss is flat there, or has a kink)"
                          : "");
  text += fmt::format("  damping        zeta = {:.4g} ({}), omega = {:.5g}, relaxation time {:.4g}\n", d.zeta,
                      d.zeta < 1.0 ? "oscillates" : "does not oscillate", d.omega, d.relaxation_time);
  text += fmt::format("  stationary     std theta = {:.5g}, std v = {:.5g}\n", d.std_theta, d.std_v);
  if (model.is_driven(p)) {
    text += fmt::format("  driven         mean force {:.5g} around the circle, running state at v = {:.5g}\n",
                        model.mean_force(p), model.mean_force(p) / model.gamma());
  }
  text += fmt::format("  box            theta [{:.5g}, {:.5g}], v [{:.5g}, {:.5g}]\n", plane.theta.lower,
                      plane.theta.upper, plane.velocity.lower, plane.velocity.upper);
  text += fmt::format("                 {}\n", simulation.box_reasons()[static_cast<std::size_t>(p)]);
  text +=
      fmt::format("  resolution     {:.1f} cells per std of theta, {:.1f} of v (stationary)\n", r.theta, r.velocity);
  return text;
}

}  // namespace

std::string describe_plan(const Simulation& simulation) {
  const Spec& spec = simulation.spec();
  const Derived d = simulation.model().derived(0);
  const FieldShape shape = simulation.mesh().shape();
  std::string text = spec.title + "\n";
  text += fmt::format("  dynamics       {}, k = {:.6g}, gamma = {:.6g}, kappa = {:.6g}\n",
                      spec.dynamics == Dynamics::sgd ? "the SGD map" : "Langevin", d.k, d.gamma, d.kappa);
  text += fmt::format("  device         {}\n", simulation.backend().describe().name);
  text += fmt::format("  grid           {} × {} cells{}\n", shape.theta_cells, shape.velocity_cells,
                      shape.planes > 1 ? fmt::format(", {} planes", shape.planes) : "");
  for (int p = 0; p < shape.planes; ++p) text += describe_plane(simulation, p);
  if (shape.planes > 1) text += "\n";
  if (const Json dropped = dropped_noise(simulation.model()); !dropped.is_null()) text += dropped_noise_text(dropped);
  if (spec.evolve) {
    const auto window = simulation.first_windows().front();
    text += fmt::format("  evolve         until t = {:.6g}{}, {} frames\n", spec.evolve->until,
                        spec.evolve->steps ? fmt::format(" ({} SGD steps)", *spec.evolve->steps) : "",
                        simulation.frame_times().size());
    if (window.levels > 1) {
      text += fmt::format("  step           begins with windows of {:.4g}, {} levels, tolerance {:.2g}\n",
                          window.length, window.levels, spec.evolve->tolerance);
    } else {
      text += fmt::format("  step           {:.6g}, fixed\n", window.length);
    }
    const std::size_t bytes = evolution_bytes(spec, shape, simulation.backend().describe());
    text += fmt::format("  precision      {}\n", name_of(spec.evolve->precision));
    text += fmt::format("  memory         up to {:.3g} MiB for fields\n", static_cast<double>(bytes) / 1048576.0);
    text += fmt::format("  time           about {} (a rough guess)\n", duration_text(estimated_seconds(simulation)));
  }
  if (spec.stationary) {
    text += fmt::format("  stationary     method {}, {} eigenvalues, tolerance {:.2g}\n",
                        method_words().name_of(spec.stationary->method), spec.stationary->modes,
                        spec.stationary->tolerance);
  }
  return text;
}

}  // namespace underdamp
