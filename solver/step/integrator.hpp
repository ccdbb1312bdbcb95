#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/io/state.hpp"
#include "solver/model/model.hpp"
#include "solver/model/tables.hpp"
#include "solver/step/grid_error.hpp"
#include "solver/step/window.hpp"

/// Time integration of a batch of planes. A numerical analyst should read this file and integrator.cpp first
/// (docs/method.md, section 4).
///
///   Langevin, tolerance   windows of length H, each crossed with 1, 2, … K Strang steps V(τ/2) X(τ) V(τ/2), τ = H/l,
///                         and extrapolated in τ²; window and K follow from the estimated error
///   Langevin, fixed step  V(τ/2) X(τ) V(τ) X(τ) … V(τ/2), next to a copy with twice the step that estimates the error
///   SGD                   the map itself: V then X, no error in time
namespace underdamp {

/// Tolerances below this cannot be met in float32: a smaller one is treated as this one (docs/method.md, section 5).
inline constexpr double smallest_float32_tolerance = 1e-5;

struct IntegratorOptions {
  double tolerance = 1e-6;     ///< L1 error per unit of relaxation time
  std::optional<double> step;  ///< fixed Strang step
  Positivity positivity = Positivity::limit;
  double largest_loss = 1.0;  ///< share of the mass that may leave the box; more is an Error (numerical)
  /// [plane] what leaves there counts neither as lost nor as error; empty: nowhere.
  std::vector<Escape> escape;
};

/// What has left a plane through walls that should have held it.
double lost_of(const Departed& departed, const Escape& escape);

/// What the integration of one plane has cost and how wrong it may be, in L1.
struct ErrorEstimate {
  double time = 0.0;      ///< of the step, with the share of grid and walls by which two runs of other steps differ
  double step = 0.0;      ///< of the step alone
  double space = 0.0;     ///< of the grid
  double rounding = 0.0;  ///< of the arithmetic
};

struct IntegratorStatistics {
  long strang_steps = 0;  ///< taken, copies and rejected windows included; SGD: map steps
  long windows = 0;       ///< accepted
  long rejected = 0;
};

class Integrator {
 public:
  /// `levels`: shared with integrators that advance one after the other; null for its own.
  Integrator(Backend& backend, PhaseMesh mesh, Tables tables, IntegratorOptions options,
             std::shared_ptr<LevelFields> levels = nullptr);
  ~Integrator();

  /// Starts from a density, shape().cells() values; time 0.
  void start(std::span<const double> density);

  /// Advances to `time`. `poll` is called between sweeps of the field often enough for a progress bar; what it throws
  /// ends the integration at the last accepted density. Throws Error (numerical) if the density is not finite any more.
  void advance(double time, const std::function<void(double now)>& poll);

  double time() const { return time_; }
  const Field& density() const { return *density_; }
  const PhaseMesh& mesh() const { return mesh_; }
  const Tables& tables() const { return tables_; }
  const IntegratorStatistics& statistics() const { return statistics_; }
  std::vector<ErrorEstimate> errors() const;
  /// [plane] Share of the mass of the start that scaling has given back so far, and how much of it rounding explains.
  const std::vector<double>& restored_mass() const { return restored_mass_; }
  double explained_by_rounding() const;

  /// Everything that later steps depend on (integrator_state.cpp), under names that begin with `prefix`. save() may be
  /// called from `poll`; after restore() the next advance(), to the same time, goes on as if nothing had happened, bit
  /// for bit. What is added to the state of this class is added there.
  void save(StateWriter& to, const std::string& prefix);
  void restore(const StateReader& from, const std::string& prefix);

  /// Step that a run up to `time` would begin with: window length and number of levels (SGD: η and 1).
  struct FirstWindow {
    double length;
    int levels;
  };
  FirstWindow first_window(double time) const;

 private:
  /// Rounding of that many steps stays below a tenth of the promised 1e-12.
  static constexpr long steps_between_restorations = 64;
  struct Attempt;

  void advance_sgd(double time, const std::function<void(double)>& poll);
  void advance_fixed(double time, const std::function<void(double)>& poll);
  void advance_extrapolated(double time, const std::function<void(double)>& poll);
  void cross(Window& window, int level, Attempt& attempt);
  bool try_window(Window& window, int levels, Attempt& attempt, const std::function<void(double)>& poll);
  bool judge(double length, int levels, Attempt& attempt);
  void accept(const Attempt& attempt, Window& window);
  void measure_shape();
  double sweep_rounding() const;
  void add_rounding(double duration, double sweeps);
  void absorb_created(Field& field);
  double lost(const Departed& departed, std::size_t plane) const {
    return lost_of(departed, plane < options_.escape.size() ? options_.escape[plane] : Escape{});
  }
  void restore_mass();
  void exchange(StateList& list);
  void require_finite(double value);
  std::vector<double> level_norm(int count, std::span<const double> coefficients);

  Backend& backend_;
  PhaseMesh mesh_;
  Tables tables_;
  IntegratorOptions options_;
  Precision precision_ = Precision::float64;
  double time_ = 0.0;
  double reached_ = 0.0;  ///< what the last complete advance() was asked for
  std::unique_ptr<Field> density_;
  std::unique_ptr<Field> error_;  ///< signed estimate of the error of density_
  std::unique_ptr<Field> copy_;   ///< with a fixed step: that with twice the step
  std::shared_ptr<LevelFields> levels_;
  std::unique_ptr<Window> window_;
  RecentWindows windows_;                       ///< of a fixed step
  std::unique_ptr<VelocityPlan> map_velocity_;  ///< of the map
  std::unique_ptr<DriftPlan> map_drift_;
  long restored_ = 0;                  ///< statistics_.strang_steps when restore_mass was last called
  std::vector<double> restored_mass_;  ///< [plane]
  double lost_ = 0.0;                  ///< largest share of the mass of a plane that has left the box
  std::vector<double> initial_mass_;   ///< [plane] Σ p at the start
  std::vector<ErrorEstimate> errors_;
  std::unique_ptr<RowSumPlan> shape_plan_;
  std::vector<double> spread_;         ///< [plane] distance and narrowness of the start, in stationary deviations
  std::vector<DensityShape> shape_;    ///< [plane] of the density at time_
  std::vector<GridError> grid_error_;  ///< [plane]
  std::vector<double> roughness_;      ///< [plane] part of a step's grid error that depends on the steps, L1
  std::vector<double> interference_;   ///< [plane] roughness_ accumulated
  std::vector<double> rounding_;       ///< [plane] mean square of the rounding error, L1
  IntegratorStatistics statistics_;

  /// Error of a window of `length` crossed with k levels, over its tolerance, for k = 3 … 6; largest over the planes.
  struct Outlook {
    double length = 0.0;
    std::vector<double> ratio;
  };
  Outlook outlook_;
  std::optional<FirstWindow> planned_;  ///< the window that is being crossed

  /// Where a run with a fixed step is between two frames.
  struct Stretch {
    double begin = 0.0;
    bool in_copy = false;  ///< the copy is on its way, the density has arrived
    long done = 0;         ///< steps of the one that is on its way
  };
  std::optional<Stretch> stretch_;

  Outlook first_outlook() const;
  FirstWindow best_window(double remaining, const Outlook& outlook, double largest_growth) const;
};

}  // namespace underdamp
