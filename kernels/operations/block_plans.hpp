#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/bodies/drift_sweep.hpp"
#include "kernels/bodies/velocity_block.hpp"
#include "kernels/operations/plan_memory.hpp"
#include "kernels/tables/drift_table.hpp"
#include "kernels/tables/rounding.hpp"
#include "kernels/tables/velocity_block_table.hpp"

/// Coefficients of the sweeps of several parameters on a device.
namespace underdamp {

template <class Launcher>
struct DeviceAxesDriftPlan final : DriftPlan {
  using Real = typename Launcher::Real;
  DeviceAxesDriftPlan(const void* maker, const FieldShape& of) : DriftPlan(maker, of) {}

  PlanMemory<Launcher> memory;
  std::vector<DriftView<Real>> views;  ///< of each θ axis
  std::vector<ThetaWalls> walls;
};

template <class Launcher>
std::unique_ptr<DriftPlan> make_drift_plan(DeviceContext<Launcher>& context, const PhaseSpace& space,
                                           std::span<const double> duration) {
  using Real = typename Launcher::Real;
  require_size(duration.size(), static_cast<std::size_t>(space.problems()));
  auto plan = std::make_unique<DeviceAxesDriftPlan<Launcher>>(&context, space.shape());
  std::vector<std::function<DriftView<Real>()>> views;
  for (int k = 0; k < space.parameters(); ++k) {
    require(!space.walls(k).any_reflecting(), "reflecting walls hold one parameter only");
    plan->walls.push_back(space.walls(k));
    DriftTable table = make_drift_table(space, k, duration);
    const auto weights = plan->memory.add(std::vector<Real>(rounded_stencils<Real>(table)));
    const auto offset = plan->memory.add(std::move(table.offset));
    views.push_back([&memory = plan->memory, offset, weights, stride = table.weight_stride] {
      return DriftView<Real>{memory.at(offset), memory.at(weights), stride};
    });
  }
  plan->memory.send(context);
  for (const auto& view : views) plan->views.push_back(view());
  return plan;
}

template <class Launcher>
struct DeviceBlockVelocityPlan final : VelocityPlan {
  using Real = typename Launcher::Real;
  DeviceBlockVelocityPlan(const void* maker, const FieldShape& of) : VelocityPlan(maker, of) {}

  PlanMemory<Launcher> memory;
  VelocityBlockView<Real> view{};
  bool keeps_mass = false;
};

/// Weights of a table in the precision of the sweeps, each stencil rounded so that its sum stays.
template <class Real>
std::vector<Real> rounded_kernels(const VelocityBlockTable& table) {
  std::vector<Real> weights = rounded<Real>(table.weights);
  if constexpr (!std::is_same_v<Real, double>) {
    for (const BlockPass& pass : table.passes) {
      const long first = pass.weights + kernel_padding;
      round_stencil(table.weights.data() + first, pass.count, 1, weights.data() + first);
    }
  }
  return weights;
}

template <class Launcher>
std::unique_ptr<VelocityPlan> make_velocity_plan(DeviceContext<Launcher>& context, const PhaseSpace& space,
                                                 const BlockVelocityLaw& law) {
  using Real = typename Launcher::Real;
  using Contraction = ContractionOfBlock<Real>;
  const VelocityBlockTable table = make_velocity_block_table(space, law, Launcher::block_lanes);
  auto plan = std::make_unique<DeviceBlockVelocityPlan<Launcher>>(&context, space.shape());
  plan->taps = table.taps();
  plan->keeps_mass = law.keep_mass;
  PlanMemory<Launcher>& memory = plan->memory;
  std::vector<std::function<Contraction()>> contractions;
  for (const BlockContraction& c : table.contractions) {
    contractions.push_back([&memory, taps = c.taps, lower_count = c.lower_count, upper_first = c.upper_first,
                            first = memory.add(c.first), count = memory.add(c.count),
                            weights = memory.add(rounded<Real>(c.weights)), lower = memory.add(rounded<Real>(c.lower)),
                            upper = memory.add(rounded<Real>(c.upper))] {
      return Contraction{taps,
                         lower_count,
                         upper_first,
                         memory.at(first),
                         memory.at(count),
                         memory.at(weights),
                         memory.at(lower),
                         memory.at(upper)};
    });
  }
  std::vector<PassOfBlock> passes;
  for (const BlockPass& pass : table.passes) {
    passes.push_back({{pass.direction[0], pass.direction[1], pass.direction[2]}, pass.first, pass.count, pass.weights});
  }
  const auto contraction_of = memory.add(table.contraction_of);
  const auto contraction_views = memory.template reserve<Contraction>(contractions.size());
  const auto first_pass = memory.add(table.first_pass);
  const auto pass_views = memory.add(passes);
  const auto weights = memory.add(rounded_kernels<Real>(table));
  memory.send(context);
  std::vector<Contraction> views;
  for (const auto& view : contractions) views.push_back(view());
  memory.put(context, contraction_views, views);
  plan->view = {memory.at(contraction_of), memory.at(contraction_views), memory.at(first_pass), memory.at(pass_views),
                memory.at(weights)};
  return plan;
}

}  // namespace underdamp
