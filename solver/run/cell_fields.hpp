#pragma once
#include <string>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/io/vtk_file.hpp"
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

/// Density and currents of one plane: what comes from the device for a picture.
struct CellState {
  std::vector<double> density;
  CurrentArrays currents;

  std::size_t bytes() const;
};

/// Parts of the current that the arrays of `fields` are made of.
CurrentParts current_parts(const std::vector<OutputField>& fields);
bool has_any(const CurrentParts& parts);

/// Currents of a density of one plane that is not on the device; mesh and tables of that plane alone.
CurrentArrays currents_of(Backend& backend, const PhaseMesh& mesh, const Tables& tables,
                          const std::vector<double>& density, const CurrentParts& parts);

/// The arrays of a picture of one plane. Needs no device: any thread may make them.
class CellFields {
 public:
  /// The arrays of `fields`, density first, in that order; with a "mask" if the modified loss is among them. The
  /// generator is none of them.
  CellFields(CellState state, const PhasePlane& plane, double kappa, const std::vector<OutputField>& fields);
  CellFields(const CellFields&) = delete;
  CellFields& operator=(const CellFields&) = delete;

  /// Valid as long as this lives.
  const std::vector<CellArray>& arrays() const { return arrays_; }

 private:
  void add(OutputField field, const PhasePlane& plane, double kappa);
  void add_numbers(std::string name, std::vector<double> values);

  CellState state_;
  std::vector<std::vector<double>> derived_;
  std::vector<CellArray> arrays_;
};

}  // namespace underdamp
