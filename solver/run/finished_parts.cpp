#include "solver/run/finished_parts.hpp"

#include <fmt/format.h>

namespace underdamp {
namespace {

void exchange(StateList& list, Observables& o) {
  list(o.mass);
  list(o.cell_sum);
  list(o.magnitude);
  list(o.mean);
  list(o.covariance);
  list(o.expected_loss);
  list(o.entropy);
  list(o.entropy_production);
  list(o.minimum);
  list(o.minimum_cell);
  for (double* part : {&o.departed.theta[0].lower, &o.departed.theta[0].upper, &o.departed.velocity[0].lower,
                       &o.departed.velocity[0].upper, &o.departed.created})
    list(*part);
}

void exchange(StateList& list, SpectralLine& line) {
  double real = line.eigenvalue.real();
  double imaginary = line.eigenvalue.imag();
  list(real);
  list(imaginary);
  line.eigenvalue = {real, imaginary};
  list(line.error);
  list(line.aliased);
}

void exchange(StateList& list, DrivenState& driven) {
  PowerBalance& power = driven.power;
  for (double* part : {&power.mean_force, &power.mean_velocity, &power.friction, &power.noise,
                       &driven.mean_velocity_error, &driven.current})
    list(*part);
  list(driven.has_balance);
  list.optional(driven.entropy_production, [&](double& value) { list(value); });
}

void exchange(StateList& list, StationaryResult& result) {
  StationaryState& state = result.state;
  list(state.converged);
  list(state.residual);
  list(state.error_estimate);
  list(state.space_error_estimate);
  list(state.box_error_estimate);
  list(state.mean_error);
  list(state.covariance_error);
  list(state.leak);
  list.sequence(state.wells, [&](Well& well) {
    for (double* part : {&well.lower, &well.upper, &well.bottom, &well.barrier, &well.weight}) list(*part);
  });
  list(state.well_shares);
  list(state.seconds);
  list(state.applications);
  list.sequence(state.spectrum, [&](SpectralLine& line) { exchange(list, line); });
  exchange(list, result.observables);
  list.optional(result.driven, [&](DrivenState& driven) { exchange(list, driven); });
}

/// The options follow from the spec.
void exchange(StateList& list, EnsembleResult& result) {
  list(result.seconds);
  ParticleMoments& moments = result.sample.moments;
  list(moments.count);
  list(moments.mean);
  list(moments.mean_error);
  list(moments.covariance);
  list(moments.covariance_error);
  SampleComparison& comparison = result.comparison;
  list(comparison.g.statistic);
  list(comparison.g.degrees);
  list(comparison.g.p_value);
  list(comparison.l1.value);
  list(comparison.l1.expected);
  list(comparison.l1.deviation);
  list(comparison.p_value);
}

template <class Result>
void save_list(const std::vector<Result>& results, StateWriter& to, const std::string& name) {
  StateList list;
  std::vector<Result> copy = results;
  list.sequence(copy, [&](Result& result) { exchange(list, result); });
  to.numbers(name, list.values());
}

template <class Result>
void restore_list(std::vector<Result>& results, const StateReader& from, const std::string& name) {
  StateList list(from.numbers(name));
  list.sequence(results, [&](Result& result) { exchange(list, result); });
  list.finish();
}

std::string stationary_name(std::size_t p, const char* what) {
  return fmt::format("finished/stationary_{}/{}", p + 1, what);
}

}  // namespace

void FinishedParts::save(StateWriter& to) const {
  save_list(stationary, to, "finished/stationary");
  for (std::size_t p = 0; p < stationary.size(); ++p) {
    const StationaryState& state = stationary[p].state;
    to.text(stationary_name(p, "method"), state.method);
    to.text(stationary_name(p, "reason"), state.reason);
    to.text(stationary_name(p, "failure"), state.failure);
    to.text(stationary_name(p, "warnings"), fmt::format("{}", fmt::join(state.warnings, "\n")));
  }
  save_list(ensemble, to, "finished/ensemble");
  to.text("finished/displacement", displacement.dump());
}

void FinishedParts::restore(const StateReader& from) {
  restore_list(stationary, from, "finished/stationary");
  for (std::size_t p = 0; p < stationary.size(); ++p) {
    StationaryState& state = stationary[p].state;
    state.method = from.text(stationary_name(p, "method"));
    state.reason = from.text(stationary_name(p, "reason"));
    state.failure = from.text(stationary_name(p, "failure"));
    const std::string warnings = from.text(stationary_name(p, "warnings"));
    for (std::size_t begin = 0; begin < warnings.size();) {
      const std::size_t end = std::min(warnings.find('\n', begin), warnings.size());
      state.warnings.push_back(warnings.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  restore_list(ensemble, from, "finished/ensemble");
  displacement = Json::parse(from.text("finished/displacement"), nullptr, false);
  if (displacement.is_discarded()) damaged_state("the displacement cannot be read");
}

}  // namespace underdamp
