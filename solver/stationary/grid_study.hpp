#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "solver/stationary/stationary_problem.hpp"
#include "solver/stationary/stationary_state.hpp"

/// What a grid costs a stationary state (docs/method.md, section 10).
namespace underdamp {

/// Error on the grid whose spacing is 1, from the differences between grids k and k + 1 of the given spacings, fine to
/// coarse: with two differences the order that explains both is carried on, at least a half and at most `most_order`,
/// and the coarser one alone at half as much again as that; with one the first order is assumed.
double extrapolated_error(const std::vector<double>& differences, const std::vector<double>& spacing,
                          double most_order);

/// The same state on two or three grids of one box, by one method: the one that is judged among them.
class GridStudy {
 public:
  GridStudy(const StationaryProblem& problem, const StationaryState& state) : problem_(problem), state_(state) {
    grids_.push_back({1.0, problem.mesh, &state});
  }

  /// False if no other grid could be solved.
  bool run();

  std::size_t grids() const { return grids_.size(); }
  const PhaseMesh& mesh(std::size_t k) const { return grids_[k].mesh; }
  const StationaryState& state(std::size_t k) const { return *grids_[k].state; }

  double density() const {
    constexpr double safety = 1.5;
    return error(safety, [&](std::size_t k) { return distance(grids_[k], grids_[k + 1]); });
  }

  /// Error of what differs by difference(k) between grids k and k + 1, from fine to coarse.
  template <class Difference>
  double error(double safety, const Difference& difference) const {
    std::vector<double> spacing;
    std::vector<double> differences;
    for (std::size_t k = 0; k < grids_.size(); ++k) {
      spacing.push_back(grids_[k].spacing);
      if (k + 1 < grids_.size()) differences.push_back(difference(k));
    }
    // Where the force jumps a grid that happens to meet the jump says little of another one.
    const double most_order = problem_.tables.kinks[0] > 0.0 ? 2.0 : 12.0;
    return safety * extrapolated_error(differences, spacing, most_order);
  }

 private:
  struct Grid {
    double spacing;  ///< of cells, relative to those of the state that is judged
    PhaseMesh mesh;
    const StationaryState* state;
  };

  /// The state on so many times the cells; false if it could not be found.
  bool add(double factor);

  StationaryMethod method() const;

  std::vector<Eigen::VectorXcd> modes_on(const PhaseMesh& mesh) const;

  /// L1, on the cells of the coarser one.
  static double distance(const Grid& fine, const Grid& coarse);

  const StationaryProblem& problem_;
  const StationaryState& state_;
  std::vector<std::unique_ptr<StationaryState>> others_;
  std::vector<Grid> grids_;
};

}  // namespace underdamp
