#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/model/box.hpp"
#include "solver/model/initial_state.hpp"
#include "solver/model/model.hpp"
#include "solver/run/observables.hpp"
#include "solver/spec/spec.hpp"
#include "solver/stationary/stationary.hpp"
#include "solver/step/integrator.hpp"

namespace underdamp {

/// Below this many cells per standard deviation results lose their accuracy; a warning says so.
inline constexpr double fewest_cells_per_deviation = 4.0;
/// Mass that leaves the box: above the first a warning, above the second an error.
inline constexpr double leak_warning = 1e-8;
inline constexpr double leak_error = 1e-3;

/// Precision that the backend of a spec must have.
Precision precision_of_run(const Spec& spec);
/// What the precision that the spec asks for cannot do.
std::vector<std::string> precision_warnings(const Spec& spec);

/// Everything about one plane at one output time.
struct Frame {
  int index = 0;  ///< 0: the start
  double time = 0.0;
  std::vector<Observables> observables;  ///< [plane]
};

/// Share of its mass that scaling has given back to a plane, and how much of it rounding explains.
struct RestoredMass {
  double share = 0.0;
  double explained = 0.0;
};

/// A spec on its mesh and device, ready to be evolved.
///
/// On a GPU all planes advance together, one launch for the batch. On the host each plane is a group of its own: it
/// stays in the cache and takes the window that suits it; they take turns with the levels of a window. All planes meet
/// at every frame.
class Simulation {
 public:
  /// Builds model, mesh and start. Throws Error (bad_input) for everything that is wrong with them, before any memory
  /// is taken; Error (device) if the device cannot hold the fields. `largest_loss`: share of the mass that may leave
  /// the box before the evolution stops with an Error (numerical). `poll` is called while boxes are chosen, with the
  /// share that is done; what it throws ends the work.
  Simulation(const Spec& spec, Backend& backend, double largest_loss = leak_error,
             const std::function<void(double)>& poll = {});

  const Spec& spec() const { return spec_; }
  const Model& model() const { return *model_; }
  const PhaseMesh& mesh() const { return *mesh_; }
  const Tables& tables() const { return *tables_; }
  const std::vector<std::string>& box_reasons() const { return box_reasons_; }
  Backend& backend() const { return backend_; }

  /// Times of the frames after the start; the last is the end of the run.
  std::vector<double> frame_times() const;

  /// Puts the start on the device.
  void start();

  /// Advances all planes to `time`; `poll` is told the time reached, counted over the groups. The time that it takes is
  /// none of the solver's.
  void advance(double time, const std::function<void(double)>& poll);

  /// Reads the observables of all planes.
  Frame observe(int index);

  /// Stationary state of plane p, as the spec's [stationary] asks for it. Needs no start() or advance().
  StationaryState solve_stationary(int p, const std::function<void()>& poll) const;
  /// Observables of a density of plane p that was not evolved.
  Observables observe_density(int p, const std::vector<double>& density) const;

  /// Density of plane p, in the order of FieldView.
  std::vector<double> density(int p) const;
  /// Currents of plane p, of its density times `factor`, computed where the density lies.
  CurrentArrays currents(int p, const CurrentParts& parts, double factor);
  std::vector<Marginals> marginals() const;  ///< [plane]

  /// Time that all planes have reached; between frames the planes of a host advance one after the other.
  double time() const;
  double time_of(int p) const;
  std::vector<ErrorEstimate> errors() const;             ///< [plane]
  std::vector<RestoredMass> restored_mass() const;       ///< [plane]
  std::vector<IntegratorStatistics> statistics() const;  ///< [plane]
  double solver_seconds() const { return solver_seconds_; }

  /// Everything that the evolution depends on, and the boxes; may be called from `poll`.
  void save(StateWriter& to);
  /// Instead of start(). Throws Error (input_output) if the state is that of another mesh or device.
  void restore(const StateReader& from);

  /// Window that the run begins with, of each group.
  std::vector<Integrator::FirstWindow> first_windows() const;

 private:
  Spec spec_;
  Backend& backend_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<PhaseMesh> mesh_;
  std::unique_ptr<Tables> tables_;
  std::vector<std::string> box_reasons_;
  std::vector<std::unique_ptr<Integrator>> groups_;
  std::vector<std::unique_ptr<Observer>> observers_;        ///< [group]; made when first asked for
  std::vector<std::unique_ptr<GeneratorPlan>> generators_;  ///< [group], for currents; made when first asked for
  double solver_seconds_ = 0.0;
};

/// Cells per standard deviation that a start or a stationary state has on the mesh: of the marginals, and of its
/// narrowest direction, which lies across a correlation (lengths counted in cells on both axes).
struct Resolution {
  double theta = 0.0;
  double velocity = 0.0;
  double narrowest = 0.0;
};
Resolution resolution(const PhasePlane& plane, const Matrix2& covariance);

/// Walls of a plane that hold nothing.
Escape escape_of(const Model& model, const PhaseMesh& mesh, int p);

/// Warnings about the resolution of a plane, before it runs.
std::vector<std::string> resolution_warnings(const Spec& spec, const Model& model, const PhaseMesh& mesh, int p);
/// Warnings about mass that left plane p. `step_error`: estimated L1 error of the step; less than that says nothing
/// about the box.
std::vector<std::string> leak_warnings(const Model& model, const PhaseMesh& mesh, int p, const Departed& departed,
                                       double step_error);

/// What a frame shows about walls that leak and grids that are too coarse for the tolerance, of all planes.
std::vector<std::string> accuracy_warnings(const Simulation& simulation, const Frame& frame);

}  // namespace underdamp
