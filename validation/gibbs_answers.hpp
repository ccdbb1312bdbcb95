#pragma once
#include <vector>

#include "meshes/phase_mesh.hpp"
#include "solver/model/gaussian.hpp"
#include "solver/model/model.hpp"

namespace underdamp {

/// The state exp(−(v²/2 + k L_λ)/T) of constant noise, where nothing drives, by quadrature in θ: between closed walls,
/// or on a circle, over the box; through an open wall ten boxes further, as far as the loss is known and finite.
struct GibbsState {
  double temperature = 0.0;  ///< T
  double lowest = 0.0;       ///< k L_λ, which densities count from
  double weight = 0.0;       ///< ∫ exp(−(k L_λ − lowest)/T) dθ
  double beyond = 0.0;       ///< share of it outside the box
  double mean = 0.0;         ///< E θ
  double variance = 0.0;     ///< Var θ
};
GibbsState gibbs_state(const Model& model, int p, const PhaseMesh& mesh);

/// At the cell centres of a mesh of one plane, in the order of FieldView.
std::vector<double> density_of(const GibbsState& state, const Model& model, int p, const PhasePlane& plane);

}  // namespace underdamp
