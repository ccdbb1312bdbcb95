#include "solver/run/cell_fields.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace underdamp {
namespace {

/// Vectors (x, y, 0) of all cells; a missing component is 0.
std::vector<double> vectors(const std::vector<double>* x, const std::vector<double>* y, std::size_t cells) {
  std::vector<double> values(3 * cells, 0.0);
  for (std::size_t k = 0; k < cells; ++k) {
    if (x != nullptr) values[3 * k] = (*x)[k];
    if (y != nullptr) values[3 * k + 1] = (*y)[k];
  }
  return values;
}

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

CellFields::CellFields(Backend& backend, const Model& model, int p, PhaseMesh mesh, Tables tables)
    : backend_(backend), kappa_(model.derived(p).kappa), mesh_(std::move(mesh)), tables_(std::move(tables)) {}

void CellFields::compute_currents(const std::vector<double>& density) {
  if (!generator_) {
    generator_ = backend_.generators().plan_generator(mesh_, {tables_.friction, tables_.force, tables_.diffusion});
    field_ = backend_.fields().allocate(mesh_.shape());
  }
  backend_.fields().upload(density, *field_);
  currents_ = backend_.generators().cell_currents(*generator_, *field_);
}

CellArray CellFields::array_of(OutputField field, const std::vector<double>& density) {
  const std::size_t cells = density.size();
  switch (field) {
    case OutputField::current: {
      std::vector<double> velocity(cells);
      for (std::size_t k = 0; k < cells; ++k) velocity[k] = currents_.reversible[k] + currents_.irreversible[k];
      return {"current", 3, vectors(&currents_.theta, &velocity, cells)};
    }
    case OutputField::current_reversible:
      return {"current_reversible", 3, vectors(&currents_.theta, &currents_.reversible, cells)};
    case OutputField::current_irreversible:
      return {"current_irreversible", 3, vectors(nullptr, &currents_.irreversible, cells)};
    case OutputField::modified_loss:
      return {"modified_loss", 1, modified_loss(density, kappa_)};
    case OutputField::stream_function:
      return {"stream_function", 1,
              stream_function(currents_.theta, mesh_.theta_cells(), mesh_.plane(0).velocity.width(),
                              mesh_.velocity_cells())};
    case OutputField::density:
    case OutputField::generator:
      break;
  }
  return {"density", 1, density};
}

std::vector<CellArray> CellFields::arrays(const std::vector<double>& density, const std::vector<OutputField>& fields) {
  const auto needs_currents = [](OutputField field) {
    return field == OutputField::current || field == OutputField::current_reversible ||
           field == OutputField::current_irreversible || field == OutputField::stream_function;
  };
  if (std::any_of(fields.begin(), fields.end(), needs_currents)) compute_currents(density);
  std::vector<CellArray> result{array_of(OutputField::density, density)};
  for (const OutputField field : fields) {
    if (field == OutputField::density || field == OutputField::generator) continue;
    result.push_back(array_of(field, density));
    if (field == OutputField::modified_loss) result.push_back({"mask", 1, density_mask(density)});
  }
  return result;
}

}  // namespace underdamp
