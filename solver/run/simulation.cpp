#include "solver/run/simulation.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "meshes/seconds_since.hpp"
#include "solver/model/wells.hpp"
#include "solver/step/memory.hpp"

namespace underdamp {
namespace {

/// θ_min, θ_max, v_min, v_max of every plane.
std::vector<double> boxes_of(const PhaseMesh& mesh) {
  std::vector<double> boxes;
  for (int p = 0; p < mesh.planes(); ++p) {
    const PhasePlane& plane = mesh.plane(p);
    boxes.insert(boxes.end(), {plane.theta.lower, plane.theta.upper, plane.velocity.lower, plane.velocity.upper});
  }
  return boxes;
}

IntegratorOptions options_of(const Spec& spec) {
  IntegratorOptions options;
  if (spec.evolve) {
    options.tolerance = spec.evolve->tolerance;
    options.step = spec.evolve->step;
    options.positivity = spec.evolve->limit_positivity ? Positivity::limit : Positivity::none;
  }
  return options;
}

}  // namespace

Escape escape_of(const Model& model, const PhaseMesh& mesh, int p) {
  const Axis& axis = mesh.plane(p).theta;
  return model.escape(p, {axis.lower, axis.upper}, mesh.walls());
}

Precision precision_of_run(const Spec& spec) {
  return spec.evolve ? spec.evolve->precision : Precision::float64;
}

std::vector<std::string> precision_warnings(const Spec& spec) {
  if (precision_of_run(spec) == Precision::float64 || spec.dynamics == Dynamics::sgd || spec.evolve->step ||
      spec.evolve->tolerance >= smallest_float32_tolerance) {
    return {};
  }
  return {fmt::format(
      "float32 cannot meet evolve.tolerance = {:.2g}: it counts as {:.2g}; use precision = \"float64\" for less",
      spec.evolve->tolerance, smallest_float32_tolerance)};
}

Simulation::Simulation(const Spec& spec, Backend& backend, double largest_loss, const std::function<void(double)>& poll)
    : spec_(spec), backend_(backend) {
  const Precision precision = backend_.describe().precision;
  if (precision != precision_of_run(spec_)) {
    throw Error(ExitCode::bad_input, fmt::format("the device computes in {}", name_of(precision)),
                spec_.place("evolve.precision"),
                fmt::format("set evolve.precision = \"{}\", or leave it out for float64", name_of(precision)));
  }
  model_ = std::make_unique<Model>(spec_);
  mesh_ = std::make_unique<PhaseMesh>(make_mesh(spec_, *model_, &box_reasons_, poll));
  require_memory(spec_, mesh_->shape(), backend_.describe());
  tables_ = std::make_unique<Tables>(tabulate(spec_, *model_, *mesh_));
  auto options = options_of(spec_);
  options.largest_loss = largest_loss;
  std::vector<Escape> escape;
  for (int p = 0; p < mesh_->planes(); ++p) escape.push_back(escape_of(*model_, *mesh_, p));
  if (backend_.describe().kind == DeviceKind::cuda) {
    options.escape = escape;
    groups_.push_back(std::make_unique<Integrator>(backend_, *mesh_, *tables_, options));
    return;
  }
  const auto levels = std::make_shared<LevelFields>(backend_, mesh_->only(0).shape());
  for (int p = 0; p < mesh_->planes(); ++p) {
    options.escape = {escape[static_cast<std::size_t>(p)]};
    groups_.push_back(std::make_unique<Integrator>(backend_, mesh_->only(p), tables_->only(p), options, levels));
  }
}

std::vector<double> Simulation::frame_times() const {
  std::vector<double> times;
  if (!spec_.evolve) return times;
  const EvolveSpec& evolve = *spec_.evolve;
  if (evolve.steps && spec_.dynamics == Dynamics::sgd) {  // whole SGD steps
    const long frames = std::min<long>(evolve.frames.value_or(1), *evolve.steps);
    const double eta = model_->learning_rate();
    if (evolve.every) {
      const long stride = std::max<long>(1, std::lround(*evolve.every / eta));
      for (long step = stride; step < *evolve.steps; step += stride) times.push_back(static_cast<double>(step) * eta);
      times.push_back(evolve.until);
    } else {
      for (long f = 1; f <= frames; ++f) times.push_back(static_cast<double>(*evolve.steps * f / frames) * eta);
    }
    return times;
  }
  if (evolve.every) {
    for (long f = 1; static_cast<double>(f) * *evolve.every < evolve.until * (1.0 - 1e-12); ++f) {
      times.push_back(static_cast<double>(f) * *evolve.every);
    }
    times.push_back(evolve.until);
    return times;
  }
  const int frames = evolve.frames.value_or(1);
  for (int f = 1; f <= frames; ++f) times.push_back(evolve.until * f / frames);
  return times;
}

void Simulation::start() {
  const bool together = groups_.size() == 1;
  std::vector<double> all;
  for (int p = 0; p < mesh_->planes(); ++p) {
    const auto density = initial_density(spec_, *model_, *mesh_, p);
    if (together) {
      all.insert(all.end(), density.begin(), density.end());
    } else {
      groups_[static_cast<std::size_t>(p)]->start(density);
    }
  }
  if (together) groups_[0]->start(all);
  solver_seconds_ = 0.0;
}

void Simulation::advance(double time, const std::function<void(double)>& poll) {
  auto begin = std::chrono::steady_clock::now();
  const double from = this->time();
  const auto count = static_cast<double>(groups_.size());
  try {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      groups_[g]->advance(time, [&](double now) {
        solver_seconds_ += seconds_since(begin);
        begin = std::chrono::steady_clock::now();
        poll(from + (static_cast<double>(g) * (time - from) + (now - from)) / count);
        begin = std::chrono::steady_clock::now();
      });
    }
    backend_.synchronize();
  } catch (...) {
    solver_seconds_ += seconds_since(begin);
    throw;
  }
  solver_seconds_ += seconds_since(begin);
}

void Simulation::save(StateWriter& to) {
  std::vector<double> times;
  for (int p = 0; p < mesh_->planes(); ++p) times.push_back(time_of(p));
  to.numbers("evolution/boxes", boxes_of(*mesh_), {static_cast<std::size_t>(mesh_->planes()), 4});
  to.numbers("evolution/plane_time", times);
  to.numbers("evolution/solver_seconds", std::array{solver_seconds_});
  for (std::size_t g = 0; g < groups_.size(); ++g) groups_[g]->save(to, fmt::format("evolution/group_{}/", g + 1));
}

void Simulation::restore(const StateReader& from) {
  const auto seconds = from.numbers("evolution/solver_seconds");
  if (from.has(fmt::format("evolution/group_{}/numbers", groups_.size() + 1)) || seconds.size() != 1)
    damaged_state("the planes are grouped in another way");
  if (from.numbers("evolution/boxes") != boxes_of(*mesh_))
    damaged_state("its boxes are not those of this run; was it written on another machine?");
  solver_seconds_ = seconds[0];
  for (std::size_t g = 0; g < groups_.size(); ++g) groups_[g]->restore(from, fmt::format("evolution/group_{}/", g + 1));
}

double Simulation::time() const {
  double earliest = groups_.front()->time();
  for (const auto& group : groups_) earliest = std::min(earliest, group->time());
  return earliest;
}

double Simulation::time_of(int p) const {
  return groups_.size() == 1 ? groups_[0]->time() : groups_[static_cast<std::size_t>(p)]->time();
}

Frame Simulation::observe(int index) {
  Frame frame{index, time(), {}};
  observers_.resize(groups_.size());
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const Integrator& group = *groups_[g];
    if (!observers_[g]) observers_[g] = std::make_unique<Observer>(backend_, group.mesh(), group.tables());
    const auto part = observers_[g]->observe(group.density());
    frame.observables.insert(frame.observables.end(), part.begin(), part.end());
  }
  return frame;
}

StationaryState Simulation::solve_stationary(int p, const std::function<void()>& poll) const {
  return underdamp::solve_stationary({backend_, *model_, p, mesh_->only(p), tables_->only(p), *spec_.stationary, poll});
}

Observables Simulation::observe_density(int p, const std::vector<double>& density) const {
  const PhaseMesh mesh = mesh_->only(p);
  const auto field = backend_.fields().allocate(mesh.shape());
  backend_.fields().upload(density, *field);
  return underdamp::observe(backend_, mesh, tables_->only(p), *field)[0];
}

std::vector<double> Simulation::density(int p) const {
  const bool together = groups_.size() == 1;
  const Integrator& group = *groups_[together ? 0 : static_cast<std::size_t>(p)];
  std::vector<double> values(FieldShape{1, mesh_->theta_cells(), mesh_->velocity_cells()}.cells());
  backend_.fields().download_planes(group.density(), together ? p : 0, 1, values);
  return values;
}

CurrentArrays Simulation::currents(int p, const CurrentParts& parts, double factor) {
  const bool together = groups_.size() == 1;
  const std::size_t g = together ? 0 : static_cast<std::size_t>(p);
  const Integrator& group = *groups_[g];
  generators_.resize(groups_.size());
  if (!generators_[g]) {
    const Tables& t = group.tables();
    generators_[g] = backend_.generators().plan_generator(group.mesh(), {t.friction, t.force, t.diffusion});
  }
  return backend_.generators().cell_currents(*generators_[g], group.density(), together ? p : 0, parts, factor);
}

std::vector<Marginals> Simulation::marginals() const {
  std::vector<Marginals> all;
  for (const auto& group : groups_) {
    auto part = underdamp::marginals(backend_, group->mesh(), group->density());
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  return all;
}

std::vector<ErrorEstimate> Simulation::errors() const {
  if (!spec_.evolve) return std::vector<ErrorEstimate>(static_cast<std::size_t>(mesh_->planes()));
  std::vector<ErrorEstimate> all;
  for (const auto& group : groups_) {
    const auto part = group->errors();
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

std::vector<RestoredMass> Simulation::restored_mass() const {
  std::vector<RestoredMass> all;
  for (const auto& group : groups_) {
    for (const double share : group->restored_mass()) all.push_back({share, group->explained_by_rounding()});
  }
  return all;
}

std::vector<IntegratorStatistics> Simulation::statistics() const {
  std::vector<IntegratorStatistics> all;
  for (const auto& group : groups_) {
    for (int p = 0; p < group->mesh().planes(); ++p) all.push_back(group->statistics());
  }
  return all;
}

std::vector<Integrator::FirstWindow> Simulation::first_windows() const {
  std::vector<Integrator::FirstWindow> windows;
  const auto times = frame_times();
  if (times.empty()) return windows;
  for (const auto& group : groups_) windows.push_back(group->first_window(times.front()));
  return windows;
}

Resolution resolution(const PhasePlane& plane, const Matrix2& covariance) {
  const double theta = std::sqrt(covariance[0][0]) / plane.theta.width();
  const double velocity = std::sqrt(covariance[1][1]) / plane.velocity.width();
  const double mixed = covariance[0][1] / (plane.theta.width() * plane.velocity.width());
  // The smaller eigenvalue of the covariance in cells, as determinant over the larger one.
  const double sum = theta * theta + velocity * velocity;
  const double difference = theta * theta - velocity * velocity;
  const double larger = 0.5 * (sum + std::hypot(difference, 2.0 * mixed));
  const double determinant = theta * theta * velocity * velocity - mixed * mixed;
  return {theta, velocity, larger > 0.0 ? std::sqrt(std::max(determinant, 0.0) / larger) : 0.0};
}

/// Beyond an open wall of a box for a stationary state.
void append_wells_outside(const Model& model, const PhaseMesh& mesh, int p, std::vector<std::string>& warnings) {
  if (mesh.walls().is_periodic()) return;
  const Interval inside{mesh.plane(p).theta.lower, mesh.plane(p).theta.upper};
  const auto check = [&](ThetaBoundary wall, double direction) {
    if (wall != ThetaBoundary::open) return;
    for (const DistantWell& well : wells_beyond(model, p, inside, direction, model.domain(p), least_well_weight)) {
      if (well.is_bottomless) {
        warnings.push_back(fmt::format(
            "{}beyond the box the loss falls without end, at theta = {:.4g} still: there is no stationary state, and "
            "what is called one is so only between these walls",
            model.plane(p).named("", ": "), well.bottom));
        continue;
      }
      warnings.push_back(fmt::format(
          "{}the box leaves out a well at theta = {:.4g}, whose Gibbs weight is {:.1e} of that inside: what is called "
          "stationary is so only between these walls; widen grid.theta to hold it",
          model.plane(p).named("", ": "), well.bottom, well.weight));
    }
  };
  check(mesh.walls().lower, -1.0);
  check(mesh.walls().upper, 1.0);
}

std::vector<std::string> resolution_warnings(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p) {
  std::vector<std::string> warnings;
  const auto check = [&](const std::string& which, const Matrix2& covariance) {
    const Resolution r = resolution(mesh.plane(p), covariance);
    const auto axis = [&](const char* name, double cells, int present) {
      if (cells >= fewest_cells_per_deviation) return;
      warnings.push_back(fmt::format(
          "{}{} has {:.2g} cells per standard deviation of {}, fewer than {:.0f}: use about {:.0f} {} cells",
          model.plane(p).named("", ": "), which, cells, name, fewest_cells_per_deviation,
          std::ceil(present * 1.5 * fewest_cells_per_deviation / cells), name));
    };
    axis("theta", r.theta, mesh.theta_cells());
    axis("velocity", r.velocity, mesh.velocity_cells());
    if (r.narrowest >= fewest_cells_per_deviation || std::min(r.theta, r.velocity) < fewest_cells_per_deviation) return;
    const double more = 1.5 * fewest_cells_per_deviation / r.narrowest;
    warnings.push_back(fmt::format(
        "{}{} has {:.2g} cells per standard deviation across its narrow direction (theta and v are correlated by "
        "{:.3f}), fewer "
        "than {:.0f}: use about {:.0f} x {:.0f} cells",
        model.plane(p).named("", ": "), which, r.narrowest,
        covariance[0][1] / std::sqrt(covariance[0][0] * covariance[1][1]), fewest_cells_per_deviation,
        std::ceil(mesh.theta_cells() * more), std::ceil(mesh.velocity_cells() * more)));
  };
  check("the stationary state", model.stationary_covariance(p));
  if (spec.stationary) append_wells_outside(model, mesh, p, warnings);
  if (spec.evolve) {
    const double outside = start_share_outside(spec, model, mesh, p);
    if (outside > leak_warning) {
      warnings.push_back(fmt::format("{}{:.1e} of the start lies outside the box and is cut off: widen the box",
                                     model.plane(p).named("", ": "), outside));
    }
  }
  if (spec.evolve && spec.initial.kind != InitialKind::stationary)
    check("the start", initial_moments(spec, model, p).covariance);
  return warnings;
}

/// Steps too long throw out up to this share of their own error, measured on boxes that nothing can leave.
constexpr double share_thrown_out = 0.05;

std::vector<std::string> leak_warnings(const Model& model, const PhaseMesh& mesh, int p, const Departed& departed,
                                       double step_error) {
  std::vector<std::string> warnings;
  const Escape escape = escape_of(model, mesh, p);
  const auto check = [&](const char* wall, double lost, const Axis& axis, bool upper) {
    if (!(lost > std::max(leak_warning, share_thrown_out * step_error))) return;
    if (&axis == &mesh.plane(p).theta && (upper ? escape.upper : escape.lower)) {
      warnings.push_back(
          fmt::format("{}{:.4g} of the probability has left for good through {} = {:.4g}, where the loss holds nothing",
                      model.plane(p).named("", ": "), lost, wall, upper ? axis.upper : axis.lower));
      return;
    }
    const double bound = upper ? axis.upper : axis.lower;
    const double wider = bound + (upper ? 0.2 : -0.2) * axis.length();
    const auto table = model.domain(p);
    const bool ends_with_table =
        table && &axis == &mesh.plane(p).theta && bound == (upper ? table->upper : table->lower);
    warnings.push_back(fmt::format("{}{:.2e} of the probability left the box through {} = {:.4g}: {} to about {:.4g}",
                                   model.plane(p).named("", ": "), lost, wall, bound,
                                   ends_with_table ? "the table ends there, extend it" : "widen it", wider));
  };
  check("theta_min", departed.theta[0].lower, mesh.plane(p).theta, false);
  check("theta_max", departed.theta[0].upper, mesh.plane(p).theta, true);
  check("v_min", departed.velocity[0].lower, mesh.plane(p).velocity, false);
  check("v_max", departed.velocity[0].upper, mesh.plane(p).velocity, true);
  return warnings;
}

namespace {

/// With which the error of the grid falls.
const char* power_of_cells(const Simulation& simulation, std::size_t p) {
  if (simulation.tables().kinks[p] > 0.0) return "second (the force jumps)";
  return simulation.mesh().walls().any_pressed() ? "fifth (a force acts at a reflecting wall)" : "eleventh";
}

}  // namespace

std::vector<std::string> accuracy_warnings(const Simulation& simulation, const Frame& frame) {
  const auto errors = simulation.errors();
  std::vector<std::string> warnings;
  for (std::size_t p = 0; p < frame.observables.size(); ++p) {
    const auto leaks = leak_warnings(simulation.model(), simulation.mesh(), static_cast<int>(p),
                                     frame.observables[p].departed, errors[p].step);
    warnings.insert(warnings.end(), leaks.begin(), leaks.end());
  }
  for (std::size_t p = 0; p < errors.size(); ++p) {
    if (!(errors[p].space > simulation.spec().evolve->tolerance)) continue;
    warnings.push_back(fmt::format(
        "{}the grid limits the accuracy, not the step: its error is about {:.1e}, more than the tolerance {:.1e}; "
        "it falls with the {} power of the number of cells",
        simulation.model().plane(static_cast<int>(p)).named("", ": "), errors[p].space,
        simulation.spec().evolve->tolerance, power_of_cells(simulation, p)));
  }
  return warnings;
}

}  // namespace underdamp
