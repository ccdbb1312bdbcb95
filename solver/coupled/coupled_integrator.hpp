#pragma once
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/coupled/coupled_sums.hpp"
#include "solver/coupled/coupled_tables.hpp"
#include "solver/coupled/phase_grid_error.hpp"
#include "solver/step/integrator.hpp"
#include "solver/step/window.hpp"

/// Time integration of one problem of several coupled parameters (docs/method.md, section 16): that of planes
/// (solver/step/integrator.hpp) with the memory of five fields whatever the number of levels.
///
///   density, the level on its way, Σ a_l P_l, Σ d_l P_l for the estimate, and the signed field of errors; with a fixed
///   step the density and its copy
namespace underdamp {

struct CoupledIntegratorOptions {
  double tolerance = 1e-6;     ///< L1 error per unit of relaxation time
  std::optional<double> step;  ///< fixed Strang step
  Positivity positivity = Positivity::none;
  bool keep_mass = false;  ///< velocity sweeps give back what left through the walls of v
};

/// Fields that it takes at the most.
int fields_of_coupled(const CoupledIntegratorOptions& options, Dynamics dynamics);

class CoupledIntegrator {
 public:
  /// `axes` are the coordinates of the grid that `tables` belong to.
  CoupledIntegrator(Backend& backend, PhaseSpace space, CoupledTables tables, CoupledIntegratorOptions options);
  ~CoupledIntegrator();

  /// Starts from a density, shape().cells() values; time 0.
  void start(std::span<const double> density);
  /// Advances to `time`, of the map to the nearest whole step. `poll` as in Integrator. Throws Error (numerical) if the
  /// density is not finite any more.
  void advance(double time, const std::function<void(double now)>& poll);

  double time() const { return time_; }
  const Field& density() const { return *density_; }
  const PhaseSpace& space() const { return space_; }
  const CoupledTables& tables() const { return tables_; }
  const IntegratorStatistics& statistics() const { return statistics_; }
  ErrorEstimate error() const;
  CoupledSums observe() const;
  /// What left through the walls, as probability.
  Departed departed() const;

  struct FirstWindow {
    double length;
    int levels;
  };
  FirstWindow first_window(double time) const;

 private:
  class Planner;
  struct Attempt;

  void advance_sgd(double time, const std::function<void(double)>& poll);
  void advance_fixed(double time, const std::function<void(double)>& poll);
  void advance_extrapolated(double time, const std::function<void(double)>& poll);
  void cross(Window& window, int levels, Attempt& attempt, const std::function<void(double)>& poll);
  void add_level(int level, int levels);
  bool judge(double length, int levels, Attempt& attempt);
  void accept(const Attempt& attempt, Window& window);
  void measure();
  std::vector<double> profile(const Field& field) const;
  void require_finite(double value) const;
  FirstWindow best_window(double remaining, double largest_growth) const;
  void guess_outlook();

  Backend& backend_;
  PhaseSpace space_;
  CoupledTables tables_;
  CoupledIntegratorOptions options_;
  double volume_;  ///< of a cell
  std::unique_ptr<Planner> planner_;
  std::unique_ptr<BlockSumPlan> sums_;
  std::unique_ptr<BlockSumPlan> profile_;  ///< sums of each line by which levels are compared
  std::unique_ptr<Field> density_;
  std::unique_ptr<Field> level_;
  std::unique_ptr<Field> sum_;
  std::unique_ptr<Field> difference_;
  std::unique_ptr<Field> error_;
  std::unique_ptr<Field> copy_;  ///< with a fixed step: that with twice the step
  std::unique_ptr<Window> window_;
  double time_ = 0.0;
  double initial_mass_ = 1.0;
  PhaseShape shape_;
  PhaseGridError grid_error_;
  double interference_ = 0.0;        ///< part of the grid's error by which runs of other steps differ
  double interference_share_ = 0.0;  ///< of the grid's error of one crossing
  double step_error_ = 0.0;          ///< of a fixed step
  IntegratorStatistics statistics_;
  /// Error of a window of `length` with k levels over its tolerance, k = 0 … 6.
  double outlook_length_ = 0.0;
  std::array<double, most_levels + 1> outlook_{};
};

}  // namespace underdamp
