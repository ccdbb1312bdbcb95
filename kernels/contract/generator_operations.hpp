#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/contract/field_operations.hpp"
#include "kernels/contract/generator_matrix.hpp"
#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// Coefficients of the generator: J_v = force·p − friction·v p − diffusion ∂_v p.
struct GeneratorCoefficients {
  std::span<const double> friction;   ///< [plane] γ, 1/time
  std::span<const double> force;      ///< [line] −k L'_λ, velocity/time
  std::span<const double> diffusion;  ///< [line] D, velocity²/time
};

/// Parts of the current that are asked for.
struct CurrentParts {
  bool theta = false;
  bool velocity = false;
  bool reversible = false;
  bool irreversible = false;
};

/// Current at the cell centres of a plane, one number per cell in the order of FieldView (docs/method.md, eq. 39);
/// nothing where it was not asked for.
struct CurrentArrays {
  std::vector<double> theta;         ///< J_θ = v p, all of it reversible
  std::vector<double> velocity;      ///< J_v = J_v,rev + J_v,irr
  std::vector<double> reversible;    ///< J_v,rev = f p
  std::vector<double> irreversible;  ///< J_v,irr = −γ v p − D ∂_v p
};

class GeneratorPlan : public DeviceObject {
  using DeviceObject::DeviceObject;
};
class MatrixPlan : public DeviceObject {
  using DeviceObject::DeviceObject;
};

/// The generator L_h of finite volumes, matrix-free and as a sparse matrix, and currents.
class GeneratorOperations {
 public:
  virtual ~GeneratorOperations() = default;

  virtual std::unique_ptr<GeneratorPlan> plan_generator(const PhaseMesh& mesh,
                                                        const GeneratorCoefficients& coefficients) = 0;
  /// to = L_h from = −∇_h·J_h(from).
  virtual void apply_generator(const GeneratorPlan& plan, const Field& from, Field& to) = 0;
  /// Of one plane of `density` times `factor`. Only the parts that are asked for come to the host.
  virtual CurrentArrays cell_currents(const GeneratorPlan& plan, const Field& density, int plane,
                                      const CurrentParts& parts, double factor) = 0;
  /// A sparse matrix whose size is the number of cells of the fields it is to multiply (cuSPARSE on a GPU). In float32
  /// it throws Error (bad_input).
  virtual std::unique_ptr<MatrixPlan> plan_matrix(const SparseMatrix& matrix) = 0;
  virtual void multiply(const MatrixPlan& matrix, const Field& from, Field& to) = 0;
};

}  // namespace underdamp
