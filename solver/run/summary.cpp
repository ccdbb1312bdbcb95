#include "solver/run/summary.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include "generated/version.hpp"
#include "solver/run/dropped_noise.hpp"
#include "solver/spec/spec_words.hpp"

namespace underdamp {
namespace {

/// Key of an object that stands, until unmark(), for a list with one value for each plane: other lists may be as long.
constexpr const char* plane_mark = "one value for each plane";

/// A number for one plane, a marked list for several; what is not finite becomes null.
template <class Value>
Json per_plane(int planes, const Value& value) {
  if (planes == 1) return value(0);
  Json list = Json::array();
  for (int p = 0; p < planes; ++p) list.push_back(value(p));
  return {{plane_mark, std::move(list)}};
}

/// Puts lists in the place of marked ones, and their names (JSON pointers) into `names`.
void unmark(Json& json, const std::string& name, Json& names) {
  if (!json.is_object()) return;
  if (json.contains(plane_mark)) {
    Json list = std::move(json[plane_mark]);
    json = std::move(list);
    names.push_back(name);
    return;
  }
  for (auto& [key, value] : json.items()) unmark(value, name + "/" + key, names);
}

/// A copy with one value in the place of the lists of these names; the lists are not copied, for every plane has one.
Json of_plane(const Json& json, const std::string& name, const std::set<std::string>& lists, std::size_t plane) {
  if (lists.count(name) != 0) return json.at(plane);
  if (!json.is_object()) return json;
  Json copy = Json::object();
  for (const auto& [key, value] : json.items()) copy[key] = of_plane(value, name + "/" + key, lists, plane);
  return copy;
}

Json eigenvalues_json(const StationaryState& state) {
  Json list = Json::array();
  for (const SpectralLine& line : state.spectrum) {
    list.push_back(Json::array({line.eigenvalue.real(), line.eigenvalue.imag()}));
  }
  return list;
}

/// Estimated errors of the eigenvalues, relative to their size; null where there is none.
Json eigenvalue_errors_json(const StationaryState& state) {
  Json list = Json::array();
  for (const SpectralLine& line : state.spectrum)
    list.push_back(line.error > 0.0 ? Json(line.error / std::abs(line.eigenvalue)) : Json(nullptr));
  return list;
}

/// Wells behind barriers, if there are several.
Json wells_json(const StationaryState& state) {
  Json list = Json::array();
  for (std::size_t w = 0; w < state.wells.size(); ++w) {
    const Well& well = state.wells[w];
    list.push_back({{"minimum", well.bottom},
                    {"theta", Json::array({well.lower, well.upper})},
                    {"barrier", well.barrier},
                    {"probability", state.well_shares[w]}});
  }
  return list;
}

Json driven_json(const std::optional<DrivenState>& driven) {
  if (!driven) return nullptr;
  const PowerBalance& power = driven->power;
  Json json{{"mean_force", power.mean_force},
            {"mean_velocity", power.mean_velocity},
            {"mean_velocity_error", driven->mean_velocity_error},
            {"current", driven->current}};
  if (!driven->has_balance) return json;
  json["friction_power"] = power.friction;
  json["noise_power"] = power.noise;
  json["driving_power"] = power.drive();
  if (driven->entropy_production) json["entropy_production"] = *driven->entropy_production;
  return json;
}

Json stationary_json(const std::vector<StationaryResult>& results) {
  const auto each = [&](auto&& value) {
    return per_plane(static_cast<int>(results.size()),
                     [&](int p) { return Json(value(results[static_cast<std::size_t>(p)])); });
  };
  using Result = const StationaryResult&;
  Json json{{"method", each([](Result r) { return r.state.method; })},
            {"reason", each([](Result r) { return r.state.reason; })},
            {"converged", each([](Result r) { return r.state.converged; })},
            {"residual", each([](Result r) { return r.state.residual; })},
            {"error_estimate", each([](Result r) { return r.state.error_estimate; })},
            {"space_error_estimate", each([](Result r) { return r.state.space_error_estimate; })},
            {"box_error_estimate", each([](Result r) { return r.state.box_error_estimate; })},
            {"seconds", each([](Result r) { return r.state.seconds; })},
            {"applications", each([](Result r) { return r.state.applications; })},
            {"eigenvalues", each([](Result r) { return eigenvalues_json(r.state); })},
            {"eigenvalue_errors", each([](Result r) { return eigenvalue_errors_json(r.state); })},
            {"mean", each([](Result r) { return r.observables.mean; })},
            {"mean_error", each([](Result r) { return r.state.mean_error; })},
            {"covariance", each([](Result r) { return r.observables.covariance; })},
            {"covariance_error", each([](Result r) { return r.state.covariance_error; })},
            {"expected_loss", each([](Result r) { return r.observables.expected_loss; })},
            {"entropy", each([](Result r) { return r.observables.entropy; })},
            {"entropy_production", each([](Result r) { return r.observables.entropy_production; })},
            {"wells", each([](Result r) { return wells_json(r.state); })}};
  if (std::any_of(results.begin(), results.end(), [](Result r) { return r.driven.has_value(); }))
    json["driven"] = each([](Result r) { return driven_json(r.driven); });
  return json;
}

Json ensemble_json(const std::vector<EnsembleResult>& results) {
  const auto each = [&](auto&& value) {
    return per_plane(static_cast<int>(results.size()),
                     [&](int p) { return Json(value(results[static_cast<std::size_t>(p)])); });
  };
  using Result = const EnsembleResult&;
  return {{"particles", each([](Result r) { return r.options.particles; })},
          {"seed", each([](Result r) { return r.options.seed; })},
          {"integrator", each([](Result r) { return integrator_words().name_of(r.options.integrator); })},
          {"step", each([](Result r) { return r.options.step; })},
          {"seconds", each([](Result r) { return r.seconds; })},
          {"p_value", each([](Result r) { return r.comparison.p_value; })},
          {"l1", each([](Result r) { return r.comparison.l1.value; })},
          {"l1_expected", each([](Result r) { return r.comparison.l1.expected; })},
          {"g_p_value", each([](Result r) { return r.comparison.g.p_value; })},
          {"mean", each([](Result r) { return r.sample.moments.mean; })},
          {"mean_error", each([](Result r) { return r.sample.moments.mean_error; })},
          {"covariance", each([](Result r) {
             const auto& c = r.sample.moments.covariance;
             return Matrix2{{{c[0], c[1]}, {c[1], c[2]}}};
           })},
          {"covariance_error", each([](Result r) {
             const auto& c = r.sample.moments.covariance_error;
             return Matrix2{{{c[0], c[1]}, {c[1], c[2]}}};
           })}};
}

/// Entries of summary.json that differ from run to run.
constexpr std::array measured_by_a_clock{"/solver_seconds",     "/wall_seconds",     "/cell_steps_per_second",
                                         "/stationary/seconds", "/ensemble/seconds", "/displacement/seconds"};

Json derived_values(const Model& model) {
  const int planes = model.planes();
  const auto value = [&](double Derived::*member) {
    return per_plane(planes, [&](int p) { return Json(model.derived(p).*member); });
  };
  return {{"k", value(&Derived::k)},         {"gamma", value(&Derived::gamma)},
          {"zeta", value(&Derived::zeta)},   {"std_theta", value(&Derived::std_theta)},
          {"std_v", value(&Derived::std_v)}, {"kappa", value(&Derived::kappa)},
          {"omega", value(&Derived::omega)}, {"relaxation_time", value(&Derived::relaxation_time)}};
}

/// The entry of plane p.
template <class List>
const auto& at(const List& list, int p) {
  return list[static_cast<std::size_t>(p)];
}

void add_box(Json& json, const Simulation& simulation) {
  const int planes = simulation.mesh().planes();
  json["box"] = {{"theta", per_plane(planes,
                                     [&](int p) {
                                       const Axis& a = simulation.mesh().plane(p).theta;
                                       return Json::array({a.lower, a.upper});
                                     })},
                 {"velocity", per_plane(planes,
                                        [&](int p) {
                                          const Axis& a = simulation.mesh().plane(p).velocity;
                                          return Json::array({a.lower, a.upper});
                                        })},
                 {"reason", per_plane(planes, [&](int p) { return Json(at(simulation.box_reasons(), p)); })}};
}

/// How much was computed, and until when.
void add_effort(Json& json, const Simulation& simulation, double wall_seconds, double time) {
  const int planes = simulation.mesh().planes();
  const FieldShape shape = simulation.mesh().shape();
  const double cells = static_cast<double>(shape.theta_cells) * shape.velocity_cells;
  const auto statistics = simulation.statistics();
  double plane_steps = 0.0;
  for (const auto& s : statistics) plane_steps += static_cast<double>(s.strang_steps);
  json["solver_seconds"] = simulation.solver_seconds();
  json["wall_seconds"] = wall_seconds;
  json["steps"] = per_plane(planes, [&](int p) { return Json(at(statistics, p).strang_steps); });
  json["windows"] = per_plane(planes, [&](int p) { return Json(at(statistics, p).windows); });
  json["rejected_windows"] = per_plane(planes, [&](int p) { return Json(at(statistics, p).rejected); });
  json["cells"] = static_cast<long>(cells);
  json["planes"] = planes;
  json["cell_steps_per_second"] =
      simulation.solver_seconds() > 0.0 ? plane_steps * cells / simulation.solver_seconds() : 0.0;
  json["time"] = time;
  if (planes > 1) json["plane_time"] = per_plane(planes, [&](int p) { return Json(simulation.time_of(p)); });
}

void add_errors(Json& json, const Simulation& simulation, const RunSummary& run) {
  const int planes = simulation.mesh().planes();
  auto errors = simulation.errors();
  if (!simulation.spec().evolve) {
    for (std::size_t p = 0; p < run.stationary.size(); ++p) errors[p].time = run.stationary[p].state.error_estimate;
  }
  json["time_error_estimate"] = per_plane(planes, [&](int p) { return Json(at(errors, p).time); });
  json["rounding_error_estimate"] = per_plane(planes, [&](int p) { return Json(at(errors, p).rounding); });
  json["space_error_estimate"] = per_plane(planes, [&](int p) { return Json(at(errors, p).space); });
  json["accuracy_limited_by"] = per_plane(planes, [&](int p) {
    const ErrorEstimate& e = at(errors, p);
    if (e.rounding > std::max(e.space, e.time)) return Json("rounding");
    return Json(e.space > e.time ? "grid" : "step");
  });
}

void add_observables(Json& json, const Simulation& simulation, const Frame& last) {
  const int planes = simulation.mesh().planes();
  const auto observable = [&](auto&& member) {
    return per_plane(planes, [&](int p) { return Json(member(at(last.observables, p))); });
  };
  json["mass"] = observable([](const Observables& o) { return o.mass; });
  json["leak"] = {{"theta_min", observable([](const Observables& o) { return o.departed.theta[0].lower; })},
                  {"theta_max", observable([](const Observables& o) { return o.departed.theta[0].upper; })},
                  {"v_min", observable([](const Observables& o) { return o.departed.velocity[0].lower; })},
                  {"v_max", observable([](const Observables& o) { return o.departed.velocity[0].upper; })}};
  json["escaped"] = per_plane(planes, [&](int p) {
    const Escape escape = escape_of(simulation.model(), simulation.mesh(), p);
    const Departed departed = at(last.observables, p).departed;
    return Json((escape.lower ? departed.theta[0].lower : 0.0) + (escape.upper ? departed.theta[0].upper : 0.0));
  });
  json["minimum"] = observable([](const Observables& o) { return o.minimum; });
  json["mean"] = observable([](const Observables& o) { return o.mean; });
  json["covariance"] = observable([](const Observables& o) { return o.covariance; });
  json["expected_loss"] = observable([](const Observables& o) { return o.expected_loss; });
  json["entropy"] = observable([](const Observables& o) { return o.entropy; });
  json["entropy_production"] = observable([](const Observables& o) { return o.entropy_production; });
}

}  // namespace

Json summary(const Simulation& simulation, const Frame& last, const RunSummary& run) {
  Json json;
  json["version"] = version;
  json["commit"] = commit;
  json["state"] = run.state;
  json["device"] = simulation.backend().describe().name;
  json["spec"] = resolved_spec(simulation.spec());
  json["spec_hash"] = run.spec_hash;
  json["derived"] = derived_values(simulation.model());
  if (Json dropped = dropped_noise(simulation.model()); !dropped.is_null()) json["dropped_noise"] = std::move(dropped);
  add_box(json, simulation);
  add_effort(json, simulation, run.wall_seconds, last.time);
  add_errors(json, simulation, run);
  add_observables(json, simulation, last);
  if (!run.stationary.empty()) json["stationary"] = stationary_json(run.stationary);
  if (!run.ensemble.empty()) json["ensemble"] = ensemble_json(run.ensemble);
  if (!run.displacement.is_null()) json["displacement"] = run.displacement;
  json["warnings"] = run.warnings;
  json["timing"] = run.timing;
  name_clock_keys(json);
  Json names = Json::array();
  unmark(json, "", names);
  if (simulation.mesh().planes() > 1) json["per_plane"] = std::move(names);
  return json;
}

void name_clock_keys(Json& json) {
  Json& keys = json["timing"]["keys"] = Json::array();
  for (const char* key : measured_by_a_clock) {
    if (json.contains(Json::json_pointer(key))) keys.push_back(key);
  }
}

PlaneSummaries::PlaneSummaries(const Json& whole, const std::vector<std::string>& names)
    : whole_(whole), spec_(whole.at("spec")), of_planes_(names.size()) {
  for (const char* key : {"eigenvalues", "weights"}) {
    const auto list = spec_["loss"].find(key);
    if (list != spec_["loss"].end() && list->size() > longest_list) *list = "as in ../summary.json";
  }
  for (const Json& name : whole.at("per_plane")) lists_.insert(name.get<std::string>());
  std::map<std::string, std::size_t> planes;
  for (std::size_t p = 0; p < names.size(); ++p) planes[names[p]] = p;
  for (const Json& entry : whole.at("warnings")) {
    const auto text = entry.get<std::string>();
    const auto plane = planes.find(text.substr(0, text.find(": ")));
    (plane == planes.end() ? warnings_ : of_planes_[plane->second]).push_back(text);
  }
}

Json PlaneSummaries::of(int plane) const {
  const auto index = static_cast<std::size_t>(plane);
  Json json = Json::object();
  for (const auto& [key, value] : whole_.items()) {
    if (key == "per_plane" || key == "displacement") continue;  // the second is that of all planes together
    if (key == "warnings") {
      json[key] = warnings_;
      for (const std::string& text : of_planes_[index]) json[key].push_back(text);
    } else if (key == "spec") {
      json[key] = spec_;
    } else {
      json[key] = of_plane(value, "/" + key, lists_, index);
    }
  }
  json["planes"] = 1;
  return json;
}

}  // namespace underdamp
