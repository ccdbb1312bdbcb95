#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/model/initial_state.hpp"
#include "solver/model/tables.hpp"

/// Numbers read off a density (docs/method.md, section 7).
namespace underdamp {

struct Observables {
  double mass = 0.0;
  double cell_sum = 0.0;   ///< Σ p h_θ h_v: the mass, but for theta_weights()
  double magnitude = 0.0;  ///< Σ |p| h_θ h_v: more than cell_sum if values are negative
  Vector2 mean{};          ///< of (θ, v), of the normalised density
  Matrix2 covariance{};
  double expected_loss = 0.0;       ///< E L_λ
  double entropy = 0.0;             ///< −∫ p ln p
  double entropy_production = 0.0;  ///< ∫ J_irr² / (D p), 1/time
  double minimum = 0.0;             ///< smallest cell value
  std::array<int, 2> minimum_cell{};
  Departed departed;  ///< probability lost through each wall
};

/// Reads densities of one mesh, on the device: numbers of planes are all that comes to the host.
class Observer {
 public:
  /// Keeps references to the backend and the mesh.
  Observer(Backend& backend, const PhaseMesh& mesh, const Tables& tables);

  /// Of each plane. The entropy production leaves out cells below 1e-14 of the mean density of the box.
  std::vector<Observables> observe(const Field& density) const;

 private:
  Backend& backend_;
  const PhaseMesh& mesh_;
  std::unique_ptr<RowSumPlan> plan_;
};

/// The same of one density.
std::vector<Observables> observe(Backend& backend, const PhaseMesh& mesh, const Tables& tables, const Field& density);

/// What scales a density of one plane so that its plain sum over the cells, times their area, is the probability: those
/// who read pictures and marginals add up cells. 1 unless a force acts at a reflecting wall (theta_weights()).
double factor_adding_up(const PhaseMesh& mesh, const std::vector<double>& density);
/// The density so scaled.
std::vector<double> adding_up(const PhaseMesh& mesh, std::vector<double> density);

/// ∫ p dv at the θ cell centres of plane p, and ∫ p dθ at the v cell centres, both adding up as above.
struct Marginals {
  std::vector<double> theta;
  std::vector<double> velocity;
};
std::vector<Marginals> marginals(Backend& backend, const PhaseMesh& mesh, const Field& density);

}  // namespace underdamp
