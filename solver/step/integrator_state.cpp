#include "meshes/error.hpp"
#include "solver/step/integrator.hpp"

/// What an integrator hands over to a checkpoint. Left out is what follows from the spec (tables, options) and what the
/// next window fills anew (levels).
namespace underdamp {
namespace {

void save_field(Backend& backend, const Field& field, StateWriter& to, const std::string& name) {
  const FieldShape& shape = field.shape();
  std::vector<double> cells(shape.cells());
  backend.fields().download(field, cells);
  to.numbers(name, cells,
             {static_cast<std::size_t>(shape.planes), static_cast<std::size_t>(shape.theta_cells),
              static_cast<std::size_t>(shape.velocity_cells)});
  to.numbers(name + "_departed", backend.fields().departed_parts(field));
}

void restore_field(Backend& backend, const StateReader& from, const std::string& name, Field& field) {
  const std::vector<double> cells = from.numbers(name);
  if (cells.size() != field.shape().cells()) damaged_state(name + " has another number of cells");
  backend.fields().upload(cells, field);
  backend.fields().restore_departed(from.numbers(name + "_departed"), field);
}

void exchange_shape(StateList& list, DensityShape& shape) {
  list(shape.covariance);
  list(shape.velocity);
  list(shape.stiffness);
  list(shape.diffusion);
  list(shape.roughness);
}

}  // namespace

/// All small numbers, in one order for both directions.
void Integrator::exchange(StateList& list) {
  list(time_);
  list(reached_);
  list(restored_);
  list(restored_mass_);
  list(lost_);
  list(initial_mass_);
  list(spread_);
  list(roughness_);
  list(interference_);
  list(rounding_);
  list(statistics_.strang_steps);
  list(statistics_.windows);
  list(statistics_.rejected);
  list.sequence(errors_, [&](ErrorEstimate& e) {
    list(e.time);
    list(e.step);
    list(e.space);
  });
  list.sequence(shape_, [&](DensityShape& shape) { exchange_shape(list, shape); });
  list.sequence(grid_error_, [&](GridError& error) { error.exchange(list); });
  list(outlook_.length);
  list(outlook_.ratio);
  list.optional(planned_, [&](FirstWindow& window) {
    list(window.length);
    list(window.levels);
  });
  list.optional(stretch_, [&](Stretch& stretch) {
    list(stretch.begin);
    list(stretch.in_copy);
    list(stretch.done);
  });
  double length = window_ ? window_->length() : 0.0;
  list(length);
  if (!list.reading()) return;
  window_.reset();
  if (length > 0.0) window_ = std::make_unique<Window>(backend_, mesh_, tables_, length);
}

void Integrator::save(StateWriter& to, const std::string& prefix) {
  StateList list;
  exchange(list);
  to.numbers(prefix + "numbers", list.values());
  save_field(backend_, *density_, to, prefix + "density");
  if (error_) save_field(backend_, *error_, to, prefix + "error");
  if (copy_) save_field(backend_, *copy_, to, prefix + "copy");
}

void Integrator::restore(const StateReader& from, const std::string& prefix) {
  StateList list(from.numbers(prefix + "numbers"));
  exchange(list);
  list.finish();
  const bool known_levels = !planned_ || (planned_->levels >= fewest_levels && planned_->levels <= most_levels);
  if (!known_levels || (!outlook_.ratio.empty() && outlook_.ratio.size() != most_levels + 1))
    damaged_state(prefix + "numbers is of another extrapolation");
  const auto planes = static_cast<std::size_t>(mesh_.planes());
  for (const std::size_t count :
       {initial_mass_.size(), spread_.size(), roughness_.size(), interference_.size(), rounding_.size(), errors_.size(),
        shape_.size(), grid_error_.size(), restored_mass_.size()}) {
    if (count != planes) damaged_state(prefix + "numbers is of another number of planes");
  }
  restore_field(backend_, from, prefix + "density", *density_);
  error_.reset();
  if (from.has(prefix + "error")) {
    error_ = backend_.fields().allocate(mesh_.shape());
    restore_field(backend_, from, prefix + "error", *error_);
  }
  if (copy_) restore_field(backend_, from, prefix + "copy", *copy_);
}

}  // namespace underdamp
