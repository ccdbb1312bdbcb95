#include "solver/run/cell_fields.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace underdamp {
namespace {

double floor_of(const std::vector<double>& density) {
  return mask_floor * *std::max_element(density.begin(), density.end());
}

/// Integrals of one line: point values f_j → ∫ from the lower wall to the centre of cell j. Beyond the walls f = 0.
class LineIntegral {
 public:
  explicit LineIntegral(int cells) : cells_(cells), at_face_(static_cast<std::size_t>(cells) + 1) {}

  void operator()(const double* f, double width, double* integral) {
    at_face_[0] = 0.0;
    for (int j = 0; j < cells_; ++j) at_face_[index(j + 1)] = at_face_[index(j)] + width * cell_mean(f, j);
    for (int j = 0; j < cells_; ++j) integral[j] = at_centre(j);
  }

 private:
  static std::size_t index(int j) { return static_cast<std::size_t>(j); }

  /// Mean over cell j: δ/(2 asinh(δ/2)) f = (1 + δ²/24 − 17 δ⁴/5760 + 367 δ⁶/967680) f.
  double cell_mean(const double* f, int j) const {
    const auto at = [&](int c) { return c >= 0 && c < cells_ ? f[c] : 0.0; };
    const double pair1 = at(j - 1) + at(j + 1);
    const double pair2 = at(j - 2) + at(j + 2);
    const double pair3 = at(j - 3) + at(j + 3);
    const double second = pair1 - 2.0 * f[j];
    const double fourth = pair2 - 4.0 * pair1 + 6.0 * f[j];
    const double sixth = pair3 - 6.0 * pair2 + 15.0 * pair1 - 20.0 * f[j];
    return f[j] + second / 24.0 - 17.0 / 5760.0 * fourth + 367.0 / 967680.0 * sixth;
  }

  /// Eighth-order interpolation between faces; constant beyond the walls, where f = 0.
  double at_centre(int j) const {
    constexpr std::array<double, 4> weight{1225.0 / 2048.0, -245.0 / 2048.0, 49.0 / 2048.0, -5.0 / 2048.0};
    double sum = 0.0;
    for (int m = 0; m < 4; ++m) {
      sum += weight[index(m)] * (at_face_[index(std::max(j - m, 0))] + at_face_[index(std::min(j + 1 + m, cells_))]);
    }
    return sum;
  }

  int cells_;
  std::vector<double> at_face_;
};

}  // namespace

std::vector<double> modified_loss(const std::vector<double>& density, double kappa) {
  const double floor = floor_of(density);
  std::vector<double> values;
  values.reserve(density.size());
  for (const double p : density) values.push_back(-std::log(std::max(p, floor)) / kappa);
  return values;
}

std::vector<double> density_mask(const std::vector<double>& density) {
  const double floor = floor_of(density);
  std::vector<double> values;
  values.reserve(density.size());
  for (const double p : density) values.push_back(p >= floor ? 1.0 : 0.0);
  return values;
}

std::vector<double> stream_function(const std::vector<double>& current_theta, int theta_cells, double velocity_width,
                                    int velocity_cells) {
  std::vector<double> values(current_theta.size());
  LineIntegral integrate(velocity_cells);
  for (int i = 0; i < theta_cells; ++i) {
    const auto first = static_cast<std::size_t>(i) * static_cast<std::size_t>(velocity_cells);
    integrate(current_theta.data() + first, velocity_width, values.data() + first);
  }
  return values;
}

std::size_t CellState::bytes() const {
  return (density.size() + currents.theta.size() + currents.velocity.size() + currents.reversible.size() +
          currents.irreversible.size()) *
         sizeof(double);
}

CurrentParts current_parts(const std::vector<OutputField>& fields) {
  const auto has = [&](OutputField field) { return std::find(fields.begin(), fields.end(), field) != fields.end(); };
  CurrentParts parts;
  parts.theta = has(OutputField::current) || has(OutputField::current_reversible) || has(OutputField::stream_function);
  parts.velocity = has(OutputField::current);
  parts.reversible = has(OutputField::current_reversible);
  parts.irreversible = has(OutputField::current_irreversible);
  return parts;
}

bool has_any(const CurrentParts& parts) {
  return parts.theta || parts.velocity || parts.reversible || parts.irreversible;
}

CurrentArrays currents_of(Backend& backend, const PhaseMesh& mesh, const Tables& tables,
                          const std::vector<double>& density, const CurrentParts& parts) {
  if (!has_any(parts)) return {};
  const auto plan = backend.generators().plan_generator(mesh, {tables.friction, tables.force, tables.diffusion});
  const auto field = backend.fields().allocate(mesh.shape());
  backend.fields().upload(density, *field);
  return backend.generators().cell_currents(*plan, *field, 0, parts, 1.0);
}

CellFields::CellFields(CellState state, const PhasePlane& plane, double kappa, const std::vector<OutputField>& fields)
    : state_(std::move(state)) {
  add(OutputField::density, plane, kappa);
  for (const OutputField field : fields) {
    if (field != OutputField::density && field != OutputField::generator) add(field, plane, kappa);
  }
}

void CellFields::add_numbers(std::string name, std::vector<double> values) {
  derived_.push_back(std::move(values));
  arrays_.push_back({std::move(name), {derived_.back()}});
}

void CellFields::add(OutputField field, const PhasePlane& plane, double kappa) {
  const CurrentArrays& currents = state_.currents;
  switch (field) {
    case OutputField::density:
      arrays_.push_back({"density", {state_.density}});
      break;
    case OutputField::current:
      arrays_.push_back({"current", {currents.theta, currents.velocity, {}}});
      break;
    case OutputField::current_reversible:
      arrays_.push_back({"current_reversible", {currents.theta, currents.reversible, {}}});
      break;
    case OutputField::current_irreversible:
      arrays_.push_back({"current_irreversible", {{}, currents.irreversible, {}}});
      break;
    case OutputField::modified_loss:
      add_numbers("modified_loss", modified_loss(state_.density, kappa));
      add_numbers("mask", density_mask(state_.density));
      break;
    case OutputField::stream_function:
      add_numbers("stream_function",
                  stream_function(currents.theta, plane.theta.cells, plane.velocity.width(), plane.velocity.cells));
      break;
    case OutputField::generator:
      break;
  }
}

}  // namespace underdamp
