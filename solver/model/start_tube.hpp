#pragma once
#include <limits>
#include <vector>

#include "solver/model/gaussian.hpp"
#include "solver/model/linear_covariance.hpp"
#include "solver/model/model.hpp"
#include "solver/model/region.hpp"

/// What the start meets on its way (docs/method.md, section 6).
namespace underdamp {

/// Deterministic flow of points of the start, and the covariance that noise adds along each path.
class StartTube {
 public:
  StartTube(const Spec& spec, const Model& model, int p);

  /// Follows the flow for a time, or until nothing changes any more.
  Region follow(double duration);

  double highest_energy() const { return energy_; }

 private:
  static constexpr long longest = 20000;

  struct Path {
    Vector2 z;               ///< θ, v
    Covariances noise{};     ///< from noise alone
    double curvature = 0.0;  ///< of the loss at z; a formula takes its time for it
  };

  /// What is beyond an open wall of the spec does not come back, and its way does not concern the box.
  bool has_left(const Path& path) const { return path.z[0] < lowest_ || path.z[0] > highest_; }

  Vector2 slope(const Vector2& z) const { return {z[1], model_.force(p_, z[0]) - model_.gamma() * z[1]}; }

  void langevin_step(Path& path, double dt) const;
  void sgd_step(Path& path) const;
  void record();

  const Model& model_;
  int p_;
  bool has_edge_;
  double lowest_ = -std::numeric_limits<double>::infinity();  ///< θ at open walls
  double highest_ = std::numeric_limits<double>::infinity();
  std::vector<Path> paths_;
  Region region_{};
  double energy_ = 0.0;
};

}  // namespace underdamp
