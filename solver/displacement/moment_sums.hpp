#pragma once
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/model/scaled_plane.hpp"

/// Sums over a field that a displacement is made of, all linear in the field and free of derivatives of it
/// (docs/method.md, section 15). With the generator's adjoint L† and φ_{n+1} = L†φ_n,
///
///   φ_0 = x − c,  φ_1 = y,  φ_2 = F − γy,  φ_3 = F'y − γF + γ²y,  φ_4 = y(F''y − γF') + (F − γy)(F' + γ²),
///
/// Σ φ_n f is the n-th derivative in time of Σ (x − c) f; ψ_n likewise those of E (x − c) y of a density, (70),
///
///   ψ_0 = (x − c) y,  ψ_1 = y² + (x − c) φ_2,  ψ_2 = 3yφ_2 + 2D + (x − c) φ_3,
///   ψ_3 = 3F'y² + 2D'y + 3φ_2 (F − 2γy) − 6γD + yφ_3 + (x − c) φ_4.
namespace underdamp {

struct MomentSums {
  double mass = 0.0;
  std::array<double, 5> position{};  ///< Σ φ_n f, n = 0 … 4
  double square = 0.0;               ///< Σ (x − c)² f
  std::array<double, 4> spread{};    ///< Σ ψ_n f, ψ_0 = (x − c) y, n = 0 … 3
  double velocity_square = 0.0;      ///< Σ y² f
  double potential = 0.0;            ///< Σ k (L − L*) f

  /// Adds `factor` times other sums.
  void add(double factor, const MomentSums& other);
};

/// Reads the fields of a batch: the factors of its lines are on the device, only the sums of planes come back.
class MomentReader {
 public:
  /// `center`: c of each plane. Keeps a reference to the backend.
  MomentReader(Backend& backend, const PhaseMesh& mesh, const std::vector<ScaledPlane>& planes,
               std::span<const double> center);

  /// Of each plane.
  std::vector<MomentSums> read(const Field& field) const;

 private:
  Backend& backend_;
  std::vector<double> area_;
  std::unique_ptr<MomentPlan> plan_;
};

/// Of a field in the memory of the host.
MomentSums moment_sums(const ScaledPlane& plane, std::span<const double> values, double center);

}  // namespace underdamp
