#include "solver/run/resolved_spec.hpp"

#include <map>

namespace underdamp {
namespace {

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

}  // namespace

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

}  // namespace underdamp
