#pragma once
#include <array>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/model/tables.hpp"

/// One window of the extrapolated splitting (docs/method.md, eqs. 22-24): what the integrator and the stationary solver
/// share.
namespace underdamp {

inline constexpr int fewest_levels = 3;
inline constexpr int most_levels = 6;

/// Coefficients of a combination of levels 1 … 6.
using LevelWeights = std::array<double, most_levels>;

/// a_l of T_KK = Σ a_l P_l, l = first … count, zero elsewhere.
LevelWeights extrapolation_weights(int first, int count);
/// T_KK − T_{K,K−1}: the difference of the last two columns.
LevelWeights difference_weights(int count);

/// Longest window that the sweeps of any level bear: friction must not contract a line by more than e, and no cell may
/// be carried from one reflecting wall to the other, or further than a wall on which a force acts bears in one sweep.
double longest_window(const PhaseMesh& mesh, const Tables& tables);

/// Densities at the end of a window, by number of steps; allocated when first needed, shared by windows of any length.
class LevelFields {
 public:
  LevelFields(Backend& backend, const FieldShape& shape) : backend_(backend), shape_(shape) {}
  /// Level 1 … 6.
  Field& level(int number);
  /// Levels that are there.
  int count() const { return static_cast<int>(fields_.size()); }
  /// Pointers to levels 1 … count.
  std::vector<Field*> first(int count);
  std::vector<const Field*> first_const(int count);

 private:
  Backend& backend_;
  FieldShape shape_;
  std::vector<std::unique_ptr<Field>> fields_;
};

/// Makes the coefficients of the sweeps of one problem.
class SweepPlanner {
 public:
  virtual ~SweepPlanner() = default;
  virtual std::unique_ptr<VelocityPlan> velocity(double duration) const = 0;
  virtual std::unique_ptr<DriftPlan> drift(double duration) const = 0;
};

/// A window of one length: its sweep coefficients, each built when it is first needed.
class Window {
 public:
  /// Keeps references to mesh and tables, or to the planner.
  Window(Backend& backend, const PhaseMesh& mesh, const Tables& tables, double length);
  Window(Backend& backend, const SweepPlanner& planner, double length)
      : backend_(backend), planner_(&planner), length_(length) {}

  double length() const { return length_; }

  /// V(H/m). A level of l steps needs m = l inside and m = 2l at its ends.
  const VelocityPlan& velocity(int m);
  /// X(H/m).
  const DriftPlan& drift(int m);

  /// `to` = `count` steps of length H/level from `from`; they may be the same. Half sweeps of neighbouring steps are
  /// one sweep.
  void take_steps(const Field& from, Field& to, int level, long count, Positivity positivity);
  /// `to` = the window crossed in `level` steps from `from`.
  void cross(const Field& from, Field& to, int level, Positivity positivity) {
    take_steps(from, to, level, level, positivity);
  }

 private:
  Backend& backend_;
  std::unique_ptr<SweepPlanner> own_planner_;
  const SweepPlanner* planner_;
  double length_;
  std::map<int, std::unique_ptr<VelocityPlan>> velocity_;
  std::map<int, std::unique_ptr<DriftPlan>> drift_;
  std::map<std::tuple<const Field*, Field*, int, long, Positivity>, std::unique_ptr<Sequence>> sequences_;
};

/// Windows of the lengths that were used last. Frames of equal length in time differ in their last bits, and so do the
/// steps between them: a handful of windows serves them all, each with exactly its length.
class RecentWindows {
 public:
  RecentWindows(Backend& backend, const PhaseMesh& mesh, const Tables& tables)
      : backend_(backend), mesh_(mesh), tables_(tables) {}

  Window& of(double length);

 private:
  static constexpr std::size_t most = 6;

  Backend& backend_;
  const PhaseMesh& mesh_;
  const Tables& tables_;
  std::vector<std::unique_ptr<Window>> windows_;  ///< the last one first
};

}  // namespace underdamp
