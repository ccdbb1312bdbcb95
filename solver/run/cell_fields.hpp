#pragma once
#include <string>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/io/vtk_file.hpp"
#include "solver/model/model.hpp"
#include "solver/model/tables.hpp"
#include "solver/spec/spec.hpp"

namespace underdamp {

/// Cells whose density is below this share of the peak are masked: ln p means nothing there.
inline constexpr double mask_floor = 1e-14;

/// Ψ = −κ⁻¹ ln p, the modified loss (docs/method.md, eq. 41). Below mask_floor of the peak the value there, so that it
/// is finite everywhere.
std::vector<double> modified_loss(const std::vector<double>& density, double kappa);
/// 1 where the modified loss means something, 0 elsewhere.
std::vector<double> density_mask(const std::vector<double>& density);

/// ψ at the cell centres with J = (∂_v ψ, −∂_θ ψ), from J_θ on them (eq. 40): the integral over v from the lower wall,
/// of eighth order. Means something where the density is stationary.
std::vector<double> stream_function(const std::vector<double>& current_theta, int theta_cells, double velocity_width,
                                    int velocity_cells);

/// Fields of one plane, computed from its density.
class CellFields {
 public:
  /// Mesh and tables of plane p alone.
  CellFields(Backend& backend, const Model& model, int p, PhaseMesh mesh, Tables tables);

  /// The arrays of `fields`, density first, in that order; with a "mask" if the modified loss is among them. The
  /// generator is none of them.
  std::vector<CellArray> arrays(const std::vector<double>& density, const std::vector<OutputField>& fields);

 private:
  void compute_currents(const std::vector<double>& density);
  CellArray array_of(OutputField field, const std::vector<double>& density);

  Backend& backend_;
  double kappa_;
  PhaseMesh mesh_;
  Tables tables_;
  std::unique_ptr<GeneratorPlan> generator_;
  std::unique_ptr<Field> field_;
  CurrentArrays currents_;
};

}  // namespace underdamp
