#include "solver/run/report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "generated/version.hpp"
#include "solver/io/progress.hpp"
#include "solver/step/memory.hpp"

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

Json interval_json(const std::optional<Interval>& interval) {
  if (!interval) return "auto";
  return Json::array({interval->lower, interval->upper});
}

Json spectrum_json(const LossSpec& loss) {
  Json json{{"kind", "spectrum"}};
  if (!loss.formula.empty()) json["formula"] = loss.formula;
  if (loss.law) {
    json["law"] = "power";
    json["alpha"] = loss.law->alpha;
    json["min"] = loss.law->smallest;
    json["max"] = loss.law->largest;
    json["count"] = loss.law->count;
    json["parameters"] = loss.law->parameters;
    return json;
  }
  json["negative"] = loss.drops_negative ? "drop" : "refuse";
  if (!loss.file.empty()) {
    json["file"] = loss.file;
    json["column"] = loss.column;
    if (!loss.weight_column.empty()) json["weight_column"] = loss.weight_column;
  } else {
    json["eigenvalues"] = loss.eigenvalues;
    json["weights"] = loss.weights;
  }
  return json;
}

Json loss_json(const LossSpec& loss) {
  switch (loss.kind) {
    case LossKind::quadratic:
      return {{"kind", "quadratic"}, {"hessian", loss.hessian}, {"minimum", loss.minimum}};
    case LossKind::polynomial:
      return {{"kind", "polynomial"}, {"coefficients", loss.coefficients}};
    case LossKind::expression:
      return {{"kind", "expression"}, {"formula", loss.formula}};
    case LossKind::table:
      return {{"kind", "table"}, {"file", loss.file}, {"columns", loss.columns}};
    case LossKind::spectrum:
      return spectrum_json(loss);
    case LossKind::dataset:
      break;
  }
  Json modes = loss.modes;
  if (loss.modes.empty()) modes = "all";
  return {{"kind", "dataset"},
          {"file", loss.file},
          {"target", loss.target},
          {"standardize", loss.standardize},
          {"modes", modes}};
}

Json noise_json(const NoiseSpec& noise) {
  switch (noise.kind) {
    case NoiseKind::hessian:
      return {{"kind", "hessian"}, {"sigma2", noise.sigma2}};
    case NoiseKind::isotropic:
      return {{"kind", "isotropic"}, {"sigma2", noise.sigma2}};
    case NoiseKind::constant:
      return {{"kind", "constant"}, {"covariance", Json::array({Json::array({noise.covariance})})}};
    case NoiseKind::expression:
      return {{"kind", "expression"}, {"formula", noise.formula}};
    case NoiseKind::table:
      return {{"kind", "table"}, {"file", noise.file}, {"columns", noise.columns}};
    case NoiseKind::dataset:
      return {{"kind", "dataset"}};
    case NoiseKind::temperature:
      break;
  }
  return nullptr;
}

Json gaussian_json(const InitialSpec& initial) {
  Json json{{"kind", "gaussian"}};
  if (initial.mean) json["mean"] = *initial.mean;
  if (initial.covariance) json["covariance"] = *initial.covariance;
  return json;
}

Json initial_json(const InitialSpec& initial) {
  switch (initial.kind) {
    case InitialKind::gaussian:
      return gaussian_json(initial);
    case InitialKind::stationary:
      return {{"kind", "stationary"}};
    case InitialKind::uniform:
      return {
          {"kind", "uniform"}, {"theta", interval_json(initial.theta)}, {"velocity", interval_json(initial.velocity)}};
    case InitialKind::file:
      break;
  }
  return {{"kind", "file"}, {"file", initial.file}};
}

Json evolve_json(const EvolveSpec& evolve) {
  Json json{{"until", evolve.until}};
  if (evolve.steps) json["steps"] = *evolve.steps;
  json["precision"] = name_of(evolve.precision);
  json["tolerance"] = evolve.tolerance;
  if (evolve.step) json["step"] = *evolve.step;
  if (evolve.every) {
    json["every"] = *evolve.every;
  } else {
    json["frames"] = evolve.frames.value_or(1);
  }
  json["positivity"] = evolve.limit_positivity ? "limit" : "none";
  return json;
}

const char* field_name(OutputField field) {
  switch (field) {
    case OutputField::density:
      return "density";
    case OutputField::current:
      return "current";
    case OutputField::modified_loss:
      return "modified_loss";
    case OutputField::current_reversible:
      return "current_reversible";
    case OutputField::current_irreversible:
      return "current_irreversible";
    case OutputField::stream_function:
      return "stream_function";
    case OutputField::generator:
      break;
  }
  return "generator";
}

Json output_json(const Spec& spec) {
  Json fields = Json::array();
  for (const OutputField field : spec.output.fields) fields.push_back(field_name(field));
  return {{"directory", spec.output.directory},
          {"fields", fields},
          {"precision", spec.has_float64_pictures() ? "float64" : "float32"}};
}

const char* method_name(StationaryMethod method) {
  switch (method) {
    case StationaryMethod::automatic:
      return "auto";
    case StationaryMethod::arnoldi:
      return "arnoldi";
    case StationaryMethod::direct:
      return "direct";
    case StationaryMethod::evolve:
      break;
  }
  return "evolve";
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

const char* integrator_name(EnsembleIntegrator integrator) {
  switch (integrator) {
    case EnsembleIntegrator::splitting:
      return "splitting";
    case EnsembleIntegrator::euler:
      return "euler";
    case EnsembleIntegrator::sgd:
      break;
  }
  return "sgd";
}

Json ensemble_json(const std::vector<EnsembleResult>& results) {
  const auto each = [&](auto&& value) {
    return per_plane(static_cast<int>(results.size()),
                     [&](int p) { return Json(value(results[static_cast<std::size_t>(p)])); });
  };
  using Result = const EnsembleResult&;
  return {{"particles", each([](Result r) { return r.options.particles; })},
          {"seed", each([](Result r) { return r.options.seed; })},
          {"integrator", each([](Result r) { return integrator_name(r.options.integrator); })},
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

Json displacement_json(const DisplacementSpec& displacement) {
  static const std::map<DisplacementStart, const char*> names{{DisplacementStart::stationary, "stationary"},
                                                              {DisplacementStart::cold, "cold"},
                                                              {DisplacementStart::initial, "initial"}};
  Json json{{"start", names.at(displacement.start)}, {"until", displacement.until}};
  if (displacement.steps) json["steps"] = *displacement.steps;
  if (displacement.from) json["from"] = *displacement.from;
  json["points"] = displacement.points;
  json["tolerance"] = displacement.tolerance;
  if (displacement.fit) json["fit"] = interval_json(displacement.fit);
  return json;
}

const char* boundary_name(ThetaBoundary boundary) {
  switch (boundary) {
    case ThetaBoundary::open:
      return "open";
    case ThetaBoundary::periodic:
      return "periodic";
    case ThetaBoundary::reflecting:
      break;
  }
  return "reflecting";
}

Json walls_json(const ThetaWalls& walls) {
  if (walls.lower == walls.upper) return boundary_name(walls.lower);
  return Json::array({boundary_name(walls.lower), boundary_name(walls.upper)});
}

/// Cell-steps per second of one core that the estimate of the run time counts with (benchmarks/results).
constexpr double nominal_rate = 1.5e8;

/// Entries of summary.json that differ from run to run.
constexpr std::array measured_by_a_clock{"/solver_seconds",     "/wall_seconds",     "/cell_steps_per_second",
                                         "/stationary/seconds", "/ensemble/seconds", "/displacement/seconds"};

double estimated_seconds(const Simulation& simulation) {
  const auto windows = simulation.first_windows();
  if (windows.empty()) return 0.0;
  const double cells = static_cast<double>(simulation.mesh().shape().cells());
  const double time = simulation.spec().evolve->until;
  double steps = 0.0;
  for (const auto& window : windows) {
    const double per_window = window.levels == 1 ? (simulation.spec().evolve->step ? 1.5 : 1.0)
                                                 : 0.5 * window.levels * (window.levels + 1) + 2.0;
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

}  // namespace

Json resolved_spec(const Spec& spec) {
  Json json{{"title", spec.title}, {"dynamics", spec.dynamics == Dynamics::sgd ? "sgd" : "langevin"}};
  if (spec.optimizer) {
    json["optimizer"] = {{"learning_rate", spec.optimizer->learning_rate},
                         {"momentum", spec.optimizer->momentum},
                         {"batch_size", spec.optimizer->batch_size},
                         {"weight_decay", spec.optimizer->weight_decay}};
  }
  if (spec.langevin) {
    json["langevin"] = {{"friction", spec.langevin->friction}};
    if (spec.langevin->temperature) json["langevin"]["temperature"] = *spec.langevin->temperature;
  }
  json["loss"] = loss_json(spec.loss);
  if (const Json noise = noise_json(spec.noise); !noise.is_null()) json["noise"] = noise;
  json["grid"] = {{"cells", spec.grid.cells},
                  {"theta", interval_json(spec.grid.theta)},
                  {"velocity", interval_json(spec.grid.velocity)},
                  {"theta_boundary", walls_json(spec.grid.walls)}};
  json["initial"] = initial_json(spec.initial);
  if (spec.evolve) json["evolve"] = evolve_json(*spec.evolve);
  if (spec.stationary) {
    json["stationary"] = {{"method", method_name(spec.stationary->method)},
                          {"tolerance", spec.stationary->tolerance},
                          {"modes", spec.stationary->modes}};
  }
  if (spec.ensemble) {
    json["ensemble"] = {{"particles", spec.ensemble->particles},
                        {"seed", spec.ensemble->seed},
                        {"integrator", integrator_name(spec.ensemble->integrator)}};
    if (spec.ensemble->step) json["ensemble"]["step"] = *spec.ensemble->step;
    json["ensemble"]["sampling"] = spec.ensemble->sampling == BatchSampling::epochs ? "epochs" : "replacement";
    json["ensemble"]["runs"] = spec.ensemble->runs;
  }
  json["checkpoint"] = {{"every_seconds", spec.checkpoint.every_seconds}};
  if (spec.displacement) json["displacement"] = displacement_json(*spec.displacement);
  json["output"] = output_json(spec);
  return json;
}

Json dropped_noise(const Model& model) {
  const NoiseCoupling* noise = model.dropped_noise();
  if (noise == nullptr) return nullptr;
  return {{"largest_correlation", noise->correlation}, {"between_modes", Json::array({noise->first, noise->second})}};
}

std::string dropped_noise_text(const Json& dropped) {
  return fmt::format(
      "  noise          gradients of modes {} and {} are correlated by {:.2g}, more than those of any other two: "
      "planes leave that out. Each mode,\n                 and sums over modes "
      "such as displacements, are right without it; "
      "what two modes do at once is not\n",
      dropped["between_modes"][0].get<int>(), dropped["between_modes"][1].get<int>(),
      dropped["largest_correlation"].get<double>());
}

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
                        method_name(spec.stationary->method), spec.stationary->modes, spec.stationary->tolerance);
  }
  return text;
}

Json summary(const Simulation& simulation, const Frame& last, const RunSummary& run) {
  const int planes = simulation.mesh().planes();
  const FieldShape shape = simulation.mesh().shape();
  const double cells = static_cast<double>(shape.theta_cells) * shape.velocity_cells;
  const auto statistics = simulation.statistics();
  auto errors = simulation.errors();
  if (!simulation.spec().evolve) {
    for (std::size_t p = 0; p < run.stationary.size(); ++p) errors[p].time = run.stationary[p].state.error_estimate;
  }
  const auto at = [](const auto& list, int p) -> const auto& {
    return list[static_cast<std::size_t>(p)];
  };
  const auto observable = [&](auto&& member) {
    return per_plane(planes, [&](int p) { return Json(member(at(last.observables, p))); });
  };
  double plane_steps = 0.0;
  for (const auto& s : statistics) plane_steps += static_cast<double>(s.strang_steps);

  Json json;
  json["version"] = version;
  json["commit"] = commit;
  json["state"] = run.state;
  json["device"] = simulation.backend().describe().name;
  json["spec"] = resolved_spec(simulation.spec());
  json["spec_hash"] = run.spec_hash;
  json["derived"] = derived_values(simulation.model());
  if (Json dropped = dropped_noise(simulation.model()); !dropped.is_null()) json["dropped_noise"] = std::move(dropped);
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
  json["solver_seconds"] = simulation.solver_seconds();
  json["wall_seconds"] = run.wall_seconds;
  json["steps"] = per_plane(planes, [&](int p) { return Json(at(statistics, p).strang_steps); });
  json["windows"] = per_plane(planes, [&](int p) { return Json(at(statistics, p).windows); });
  json["rejected_windows"] = per_plane(planes, [&](int p) { return Json(at(statistics, p).rejected); });
  json["cells"] = static_cast<long>(cells);
  json["planes"] = planes;
  json["cell_steps_per_second"] =
      simulation.solver_seconds() > 0.0 ? plane_steps * cells / simulation.solver_seconds() : 0.0;
  json["time"] = last.time;
  if (planes > 1) json["plane_time"] = per_plane(planes, [&](int p) { return Json(simulation.time_of(p)); });
  json["time_error_estimate"] = per_plane(planes, [&](int p) { return Json(at(errors, p).time); });
  json["rounding_error_estimate"] = per_plane(planes, [&](int p) { return Json(at(errors, p).rounding); });
  json["space_error_estimate"] = per_plane(planes, [&](int p) { return Json(at(errors, p).space); });
  json["accuracy_limited_by"] = per_plane(planes, [&](int p) {
    const ErrorEstimate& e = at(errors, p);
    if (e.rounding > std::max(e.space, e.time)) return Json("rounding");
    return Json(e.space > e.time ? "grid" : "step");
  });
  json["mass"] = observable([](const Observables& o) { return o.mass; });
  json["leak"] = {{"theta_min", observable([](const Observables& o) { return o.departed.theta_min; })},
                  {"theta_max", observable([](const Observables& o) { return o.departed.theta_max; })},
                  {"v_min", observable([](const Observables& o) { return o.departed.velocity_min; })},
                  {"v_max", observable([](const Observables& o) { return o.departed.velocity_max; })}};
  json["escaped"] = per_plane(planes, [&](int p) {
    const Escape escape = escape_of(simulation.model(), simulation.mesh(), p);
    const Departed departed = at(last.observables, p).departed;
    return Json((escape.lower ? departed.theta_min : 0.0) + (escape.upper ? departed.theta_max : 0.0));
  });
  json["minimum"] = observable([](const Observables& o) { return o.minimum; });
  json["mean"] = observable([](const Observables& o) { return o.mean; });
  json["covariance"] = observable([](const Observables& o) { return o.covariance; });
  json["expected_loss"] = observable([](const Observables& o) { return o.expected_loss; });
  json["entropy"] = observable([](const Observables& o) { return o.entropy; });
  json["entropy_production"] = observable([](const Observables& o) { return o.entropy_production; });
  if (!run.stationary.empty()) json["stationary"] = stationary_json(run.stationary);
  if (!run.ensemble.empty()) json["ensemble"] = ensemble_json(run.ensemble);
  if (!run.displacement.is_null()) json["displacement"] = run.displacement;
  json["warnings"] = run.warnings;
  json["timing"] = run.timing;
  name_clock_keys(json);
  Json names = Json::array();
  unmark(json, "", names);
  if (planes > 1) json["per_plane"] = std::move(names);
  return json;
}

void name_clock_keys(Json& json) {
  Json& keys = json["timing"]["keys"] = Json::array();
  for (const char* key : measured_by_a_clock) {
    if (json.contains(Json::json_pointer(key))) keys.push_back(key);
  }
}

Json plane_summary(const Json& whole, int plane) {
  std::set<std::string> lists;
  for (const Json& name : whole.at("per_plane")) lists.insert(name.get<std::string>());
  Json json = Json::object();
  for (const auto& [key, value] : whole.items()) {
    if (key == "per_plane" || key == "displacement") continue;  // the second is that of all planes together
    json[key] = of_plane(value, "/" + key, lists, static_cast<std::size_t>(plane));
  }
  json["planes"] = 1;
  return json;
}

}  // namespace underdamp
