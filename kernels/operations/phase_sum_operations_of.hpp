#pragma once
#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "kernels/bodies/block_sums.hpp"
#include "kernels/contract/phase_sum_operations.hpp"
#include "kernels/operations/operations.hpp"
#include "kernels/operations/plane_sums.hpp"
#include "kernels/operations/sum_plans.hpp"

namespace underdamp {

template <class Launcher>
struct DeviceBlockSumPlan final : BlockSumPlan {
  template <class T>
  using Place = typename PlanMemory<Launcher>::template Place<T>;

  DeviceBlockSumPlan(const void* maker, const FieldShape& s) : BlockSumPlan(maker), shape(s) {}
  FieldShape shape;
  PlanMemory<Launcher> memory;
  int functions = 0;
  int sums = 0;
  bool linear = false;
  Place<double> of_velocity;
  Place<double> factors;
  Place<int> first_term;
  Place<RowTerm> terms;

  int stride() const { return functions + 3; }
};

template <class Launcher>
std::unique_ptr<BlockSumPlan> make_block_sum_plan(DeviceContext<Launcher>& context, const PhaseSpace& space,
                                                  const BlockSumLaw& law) {
  const FieldShape shape = space.shape();
  require_law({law.factors, law.sums}, shape, law.quantities());
  auto plan = std::make_unique<DeviceBlockSumPlan<Launcher>>(&context, shape);
  std::vector<double> of_velocity;
  for (const auto& function : law.of_velocity) {
    require_size(function.size(), as_size(shape.columns()));
    of_velocity.insert(of_velocity.end(), function.begin(), function.end());
  }
  std::vector<double> factors;
  for (const auto& factor : law.factors) factors.insert(factors.end(), factor.begin(), factor.end());
  std::vector<int> first_term{0};
  std::vector<RowTerm> terms;
  for (const auto& sum : law.sums) {
    terms.insert(terms.end(), sum.begin(), sum.end());
    first_term.push_back(static_cast<int>(terms.size()));
  }
  plan->functions = static_cast<int>(law.of_velocity.size());
  plan->sums = static_cast<int>(law.sums.size());
  plan->linear = law.linear;
  plan->of_velocity = plan->memory.add(std::move(of_velocity));
  plan->factors = plan->memory.add(std::move(factors));
  plan->first_term = plan->memory.add(std::move(first_term));
  plan->terms = plan->memory.add(std::move(terms));
  plan->memory.send(context);
  return plan;
}

template <class Launcher>
struct DeviceBlockProjectionPlan final : BlockProjectionPlan {
  template <class T>
  using Place = typename PlanMemory<Launcher>::template Place<T>;

  DeviceBlockProjectionPlan(const void* maker, const FieldShape& s) : BlockProjectionPlan(maker), shape(s) {}
  FieldShape shape;
  PlanMemory<Launcher> memory;
  int rows = 0;
  Place<int> row_begin;
  Place<int> cell;
  Place<double> weight;
};

template <class Launcher>
std::unique_ptr<BlockProjectionPlan> make_projection_plan(DeviceContext<Launcher>& context, const PhaseSpace& space,
                                                          const BlockProjection& projection) {
  const FieldShape shape = space.shape();
  require(projection.rows() >= 1, "a projection needs a row");
  require(std::is_sorted(projection.row_begin.begin(), projection.row_begin.end()) &&
              projection.row_begin.front() == 0 &&
              static_cast<std::size_t>(projection.row_begin.back()) == projection.cell.size(),
          "the rows of a projection are not those of its entries");
  require_size(projection.weight.size(), projection.cell.size());
  for (const int cell : projection.cell)
    require(cell >= 0 && cell < shape.velocity_cells, "a projection names no such cell");
  auto plan = std::make_unique<DeviceBlockProjectionPlan<Launcher>>(&context, shape);
  plan->rows = projection.rows();
  plan->row_begin = plan->memory.add(projection.row_begin);
  plan->cell = plan->memory.add(projection.cell);
  plan->weight = plan->memory.add(projection.weight);
  plan->memory.send(context);
  return plan;
}

/// Sums over fields of several parameters, once for every device.
template <class Launcher>
class PhaseSumOperationsOf final : public PhaseSumOperations {
 public:
  explicit PhaseSumOperationsOf(DeviceContext<Launcher>& context) : context_(context), launcher_(&context.launcher()) {}

  std::unique_ptr<BlockSumPlan> plan_block_sums(const PhaseSpace& space, const BlockSumLaw& law) override {
    const auto scope = context_.begin_apart("plan block sums");
    return make_block_sum_plan(context_, space, law);
  }

  RowSums sum_blocks(const Field& field, const BlockSumPlan& plan) override {
    const auto scope = context_.begin_apart("sum blocks");
    const auto& p = launch_blocks(field, plan);
    const int problems = p.shape.planes;
    context_.resize(smallest_, as_size(problems));
    launch_plane_sums(*launcher_, SmallestOfBlocks{lines_.data(), p.stride(), p.shape.theta_cells, smallest_.data()},
                      problems);
    context_.resize(results_, as_size(problems) * as_size(p.sums));
    const SumRows rows{lines_.data(),          p.stride(),
                       p.shape.theta_cells,    p.shape.lines(),
                       p.memory.at(p.factors), p.memory.at(p.first_term),
                       p.memory.at(p.terms),   p.sums,
                       results_.data()};
    launch_plane_sums(*launcher_, rows, problems);
    return {context_.received(results_, as_size(problems) * as_size(p.sums)),
            context_.received(smallest_, as_size(problems))};
  }

  std::vector<double> block_profile(const Field& field, const BlockSumPlan& plan) override {
    const auto scope = context_.begin_apart("block profile");
    const auto& p = launch_blocks(field, plan);
    const auto all = context_.received(lines_, as_size(p.shape.lines()) * as_size(p.stride()));
    std::vector<double> profile;
    for (auto line = all.begin(); line != all.end(); line += p.stride())
      profile.insert(profile.end(), line, line + p.functions + 1);
    return profile;
  }

  std::unique_ptr<BlockProjectionPlan> plan_projection(const PhaseSpace& space,
                                                       const BlockProjection& projection) override {
    const auto scope = context_.begin_apart("plan projection");
    return make_projection_plan(context_, space, projection);
  }

  std::vector<double> project_blocks(const Field& field, const BlockProjectionPlan& plan) override {
    const auto scope = context_.begin_apart("project blocks");
    const auto& p = context_.template plan_for<DeviceBlockProjectionPlan<Launcher>>(plan, field.shape());
    const std::size_t numbers = as_size(p.shape.lines()) * as_size(p.rows);
    context_.resize(lines_, numbers);
    launcher_->for_each_line("project lines", p.shape.lines(),
                             ProjectLines<Real>{context_.device(field).const_view(), p.memory.at(p.row_begin),
                                                p.memory.at(p.cell), p.memory.at(p.weight), p.rows, lines_.data()});
    return context_.received(lines_, numbers);
  }

  std::vector<double> weighted_columns(const Field& field, std::span<const std::vector<double>> weights) override {
    const auto scope = context_.begin_apart("weighted columns");
    const FieldShape& shape = field.shape();
    std::vector<double> result;
    constexpr std::size_t most = WeightedColumns<Real>::most;
    for (std::size_t first = 0; first < weights.size(); first += most) {
      const std::size_t count = std::min(most, weights.size() - first);
      std::vector<double> all;
      for (const auto& of_line : weights.subspan(first, count)) {
        require_size(of_line.size(), as_size(shape.lines()));
        all.insert(all.end(), of_line.begin(), of_line.end());
      }
      context_.send(all, weights_);
      context_.resize(results_, count * as_size(shape.columns()));
      launcher_->for_each_column(
          "weighted columns", shape.columns(),
          WeightedColumns<Real>{context_.device(field).cells(), weights_.data(), static_cast<int>(count), shape.lines(),
                                shape.theta_cells, shape.velocity_cells, shape.columns(), results_.data()});
      const auto sums = context_.received(results_, count * as_size(shape.columns()));
      result.insert(result.end(), sums.begin(), sums.end());
    }
    return result;
  }

 private:
  using Real = typename Launcher::Real;
  using Plan = DeviceBlockSumPlan<Launcher>;

  const Plan& launch_blocks(const Field& field, const BlockSumPlan& plan) {
    const auto& p = context_.template plan_for<Plan>(plan, field.shape());
    context_.resize(lines_, as_size(p.shape.lines()) * as_size(p.stride()));
    launcher_->for_each_line("sum blocks", p.shape.lines(),
                             SumBlocks<Real>{context_.device(field).const_view(), p.memory.at(p.of_velocity),
                                             p.shape.planes, p.functions, p.linear, lines_.data()});
    return p;
  }

  DeviceContext<Launcher>& context_;
  Launcher* launcher_;
  typename Launcher::template Array<double> lines_;
  typename Launcher::template Array<double> weights_;
  typename Launcher::template Array<double> results_;
  typename Launcher::template Array<PlaneSmallest> smallest_;
};

template <class Launcher>
std::unique_ptr<PhaseSumOperations> make_phase_sum_operations(DeviceContext<Launcher>& context) {
  return std::make_unique<PhaseSumOperationsOf<Launcher>>(context);
}

}  // namespace underdamp
