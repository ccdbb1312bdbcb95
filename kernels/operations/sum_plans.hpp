#pragma once
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/bodies/moments.hpp"
#include "kernels/bodies/plane_sums.hpp"
#include "kernels/operations/plan_memory.hpp"

namespace underdamp {

/// Of each plane v of cell centre 0 and h_v.
inline std::vector<double> velocity_origins(const PhaseMesh& mesh) {
  std::vector<double> origins;
  for (int p = 0; p < mesh.planes(); ++p) origins.push_back(mesh.plane(p).velocity.center(0));
  return origins;
}
inline std::vector<double> velocity_widths(const PhaseMesh& mesh) {
  std::vector<double> widths;
  for (int p = 0; p < mesh.planes(); ++p) widths.push_back(mesh.plane(p).velocity.width());
  return widths;
}

/// What the plans of sums over lines have in common.
template <class Launcher, class Plan>
struct DeviceSumPlan : Plan {
  template <class T>
  using Place = typename PlanMemory<Launcher>::template Place<T>;

  DeviceSumPlan(const void* maker, const FieldShape& s) : Plan(maker), shape(s) {}
  FieldShape shape;
  PlanMemory<Launcher> memory;
  int sums = 0;
  Place<double> factors;
  Place<double> velocity_origin;
  Place<double> velocity_width;

  /// v of cell centre 0 and h_v of each plane.
  void add_velocities(const PhaseMesh& mesh) {
    velocity_origin = memory.add(velocity_origins(mesh));
    velocity_width = memory.add(velocity_widths(mesh));
  }
};

template <class Launcher>
using DeviceMomentPlan = DeviceSumPlan<Launcher, MomentPlan>;

template <class Launcher>
struct DeviceRowSumPlan final : DeviceSumPlan<Launcher, RowSumPlan> {
  using Base = DeviceSumPlan<Launcher, RowSumPlan>;
  template <class T>
  using Place = typename Base::template Place<T>;
  using Base::Base;
  using Base::memory;
  using Base::shape;

  Place<int> first_term;
  Place<RowTerm> terms;
  // What lines are made of besides v.
  Place<double> friction;
  Place<double> diffusion;
  Place<double> from_middle;
  bool dissipates = false;
  double floor = 0.0;

  DissipationView dissipation() const {
    return {memory.at(friction), dissipates ? memory.at(diffusion) : nullptr, floor};
  }
  SumRows view(const double* lines, int stride) const {
    return {lines,
            stride,
            shape.theta_cells,
            shape.lines(),
            memory.at(this->factors),
            memory.at(first_term),
            memory.at(terms),
            this->sums,
            nullptr};
  }
};

inline void require_law(const RowSumLaw& law, const FieldShape& shape, int quantities) {
  for (const auto& factor : law.factors) require_size(factor.size(), as_size(shape.lines()));
  require(!law.sums.empty(), "a law of row sums needs one");
  for (const auto& terms : law.sums) {
    require(!terms.empty(), "a row sum needs a term");
    for (const RowTerm& term : terms) {
      require(term.quantity >= 0 && term.quantity < quantities, "a line has no such quantity");
      for (const int factor : term.factors)
        require(factor >= -1 && factor < static_cast<int>(law.factors.size()), "a row sum names no such factor");
    }
  }
}

template <class Launcher>
std::unique_ptr<RowSumPlan> make_row_sum_plan(DeviceContext<Launcher>& context, const PhaseMesh& mesh,
                                              const RowSumLaw& law, const Dissipation& dissipation) {
  const FieldShape shape = mesh.shape();
  constexpr int quantities = sizeof(LineShape) / sizeof(double);  // LineSums has as many and two that are no sums
  require_law(law, shape, quantities);
  const auto planes = static_cast<std::size_t>(shape.planes);
  auto plan = std::make_unique<DeviceRowSumPlan<Launcher>>(&context, shape);
  plan->dissipates = !dissipation.diffusion.empty();
  plan->floor = dissipation.floor;
  if (plan->dissipates) require_size(dissipation.diffusion.size(), as_size(shape.lines()));
  if (plan->dissipates || !dissipation.friction.empty()) require_size(dissipation.friction.size(), planes);
  std::vector<double> all_factors;
  for (const auto& factor : law.factors) all_factors.insert(all_factors.end(), factor.begin(), factor.end());
  std::vector<int> first_term{0};
  std::vector<RowTerm> terms;
  for (const auto& sum : law.sums) {
    terms.insert(terms.end(), sum.begin(), sum.end());
    first_term.push_back(static_cast<int>(terms.size()));
  }
  std::vector<double> friction(dissipation.friction.begin(), dissipation.friction.end());
  friction.resize(planes, 0.0);
  std::vector<double> from_middle;
  for (int j = 0; j < shape.velocity_cells; ++j)
    from_middle.push_back(static_cast<double>(j) - 0.5 * static_cast<double>(shape.velocity_cells - 1));
  plan->sums = static_cast<int>(law.sums.size());
  plan->factors = plan->memory.add(std::move(all_factors));
  plan->first_term = plan->memory.add(std::move(first_term));
  plan->terms = plan->memory.add(std::move(terms));
  plan->add_velocities(mesh);
  plan->friction = plan->memory.add(std::move(friction));
  plan->diffusion = plan->memory.add(std::vector<double>(dissipation.diffusion.begin(), dissipation.diffusion.end()));
  plan->from_middle = plan->memory.add(std::move(from_middle));
  plan->memory.send(context);
  return plan;
}

template <class Launcher>
std::unique_ptr<MomentPlan> make_moment_plan(DeviceContext<Launcher>& context, const PhaseMesh& mesh,
                                             const MomentLaw& law) {
  require(!law.sums.empty(), "a law of moments needs a sum");
  auto plan = std::make_unique<DeviceMomentPlan<Launcher>>(&context, mesh.shape());
  std::vector<double> factors;
  for (const auto& sum : law.sums) {
    require_size(sum.size(), as_size(mesh.shape().lines()));
    for (const auto& of_line : sum) factors.insert(factors.end(), of_line.begin(), of_line.end());
  }
  plan->sums = static_cast<int>(law.sums.size());
  plan->factors = plan->memory.add(std::move(factors));
  plan->add_velocities(mesh);
  plan->memory.send(context);
  return plan;
}

}  // namespace underdamp
