#include "solver/run.hpp"

#include <chrono>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "generated/version.hpp"
#include "meshes/error.hpp"
#include "solver/checkpoint.hpp"
#include "solver/ensemble.hpp"
#include "solver/evolve.hpp"
#include "solver/output.hpp"
#include "solver/progress.hpp"
#include "solver/vtk_writer.hpp"

namespace underdamp {
namespace {

struct Interrupted {};

class Run {
 public:
  Run(const Spec& spec, Backend& backend, const RunOptions& options)
      : options_(options),
        simulation_(spec, backend),
        directory_(options.output.empty() ? std::filesystem::path(spec.output.directory) : options.output) {
    if (!spec.evolve && !spec.stationary) {
      throw Error(ExitCode::bad_input, "there is nothing to do: neither [evolve] nor [stationary]", spec.file + ":1:1",
                  "add [evolve] with until = … or steps = …, or a table [stationary], which may be empty");
    }
    for (int p = 0; p < simulation_.mesh().planes(); ++p) {
      add_warnings(resolution_warnings(spec, simulation_.model(), simulation_.mesh(), p));
    }
    if (!has_vtk()) add_warnings({"this build has no VTK: no pictures are written"});
    if (spec.evolve) simulation_.start();
  }

  RunResult execute() {
    RunOutput output(simulation_, directory_);
    std::filesystem::remove(directory_ / "checkpoint.h5");
    RunResult result;
    std::string state = "finished";
    try {
      if (simulation_.spec().evolve) evolve(output);
    } catch (const Interrupted&) {
      state = "interrupted";
      result.was_interrupted = true;
      save("interrupted");
      last_ = simulation_.observe(frames_);
    } catch (const Error& error) {
      if (error.code() != ExitCode::numerical) throw;
      fail(error, output);
    }
    if (simulation_.spec().evolve) check_accuracy();
    if (!result.was_interrupted) result.was_interrupted = !extract(output);
    if (result.was_interrupted) state = "interrupted";
    result.summary = summary(unconverged_.empty() ? state : "failed");
    output.finish(result.summary);
    if (!unconverged_.empty()) {
      throw Error(
          ExitCode::numerical, unconverged_, simulation_.spec().place("stationary"),
          "loosen stationary.tolerance, ask for fewer modes, use more cells, or another method; what was found is in " +
              (directory_ / "summary.json").string());
    }
    result.directory = directory_;
    result.main_file = output.main_file();
    return result;
  }

 private:
  void evolve(RunOutput& output) {
    Progress progress(simulation_.spec().name, simulation_.spec().evolve->until, options_.quiet);
    last_ = simulation_.observe(0);
    output.write_frame(last_);
    for (const double time : simulation_.frame_times()) {
      simulation_.advance(time, [&](double now) {
        if (options_.interrupted != nullptr && *options_.interrupted != 0) throw Interrupted{};
        progress.update(now);
      });
      last_ = simulation_.observe(++frames_);
      require_healthy();
      output.write_frame(last_);
    }
  }

  /// What is read off the generator: its matrix, stationary states and spectra. False if it was interrupted.
  bool extract(RunOutput& output) {
    const Spec& spec = simulation_.spec();
    const int planes = simulation_.mesh().planes();
    try {
      for (int p = 0; p < planes && spec.output.has(OutputField::generator); ++p) output.write_generator(p);
      for (int p = 0; p < planes && spec.stationary; ++p) solve_stationary(p, output);
      for (int p = 0; p < planes && spec.ensemble && spec.evolve; ++p) run_particles(p, output);
    } catch (const Interrupted&) {
      drop_incomplete();
      return false;
    } catch (const Error& error) {
      if (error.code() != ExitCode::numerical) throw;
      drop_incomplete();
      unconverged_ = error.what();
      add_warnings({unconverged_});
    }
    return true;
  }

  /// A list of some of the planes would be taken for one of all. Without evolution the observables are those of the
  /// stationary states; of those not found nothing is known.
  void drop_incomplete() {
    const auto planes = static_cast<std::size_t>(simulation_.mesh().planes());
    if (ensemble_.size() < planes) ensemble_.clear();
    if (stationary_.size() == planes) return;
    stationary_.clear();
    if (simulation_.spec().evolve) return;
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    Observables none;
    for (double* value : {&none.mass, &none.expected_loss, &none.entropy, &none.entropy_production, &none.minimum})
      *value = unknown;
    none.mean = {unknown, unknown};
    none.covariance = {{{unknown, unknown}, {unknown, unknown}}};
    last_.observables.assign(static_cast<std::size_t>(simulation_.mesh().planes()), none);
  }

  void solve_stationary(int p, RunOutput& output) {
    const std::string& name = simulation_.model().plane(p).name;
    const std::string prefix = name.empty() ? "" : name + ": ";
    Progress progress(prefix + "stationary state", 0.0, options_.quiet);
    StationaryState state = simulation_.solve_stationary(p, [&] {
      if (options_.interrupted != nullptr && *options_.interrupted != 0) throw Interrupted{};
      progress.update(0.0);
    });
    for (const auto& text : state.warnings) add_warnings({prefix + text});
    if (!state.converged && unconverged_.empty()) {
      unconverged_ =
          fmt::format("{}the stationary state did not converge: method {}, residual {:.1e}, estimated error {:.1e}",
                      prefix, state.method, state.residual, state.error_estimate);
      add_warnings({unconverged_});
    }
    output.write_stationary(p, state);
    state.modes.clear();  // eigenvectors of a batch would fill the memory
    const Observables observables = simulation_.observe_density(p, state.density);
    stationary_.push_back({std::move(state), observables});
    if (!simulation_.spec().evolve) last_.observables.push_back(observables);
  }

  /// Particles from the same start to the same end.
  void run_particles(int p, RunOutput& output) {
    const Model& model = simulation_.model();
    const std::string& name = model.plane(p).name;
    Progress progress(name.empty() ? "particles" : name + ": particles", 1.0, options_.quiet);
    const auto begin = std::chrono::steady_clock::now();
    EnsembleResult result;
    result.options = ensemble_options(simulation_.spec(), model, simulation_.mesh(), p);
    const std::vector<double> times{simulation_.spec().evolve->until};
    const auto samples = run_ensemble(simulation_.backend(), model, simulation_.mesh(), p,
                                      particle_start(simulation_.spec(), model, simulation_.mesh(), p), result.options,
                                      times, [&](double share) {
                                        if (options_.interrupted != nullptr && *options_.interrupted != 0)
                                          throw Interrupted{};
                                        progress.update(share);
                                      });
    result.sample = samples.front();
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const std::vector<double> density = simulation_.density(p);
    result.comparison = compare(simulation_.mesh().plane(p), simulation_.mesh().boundary(), density, result.sample);
    output.write_ensemble(p, density, result.sample);
    ensemble_.push_back(std::move(result));
  }

  /// Saves the state, writes everything that is known, and reports what went wrong as precisely as the state allows.
  [[noreturn]] void fail(const Error& error, RunOutput& output) {
    save(error.what());
    last_ = simulation_.observe(frames_);
    const auto finish = [&](const Error& cause) {
      warnings_.push_back(cause.what());
      output.finish(summary("failed"));
    };
    try {
      require_healthy();
    } catch (const Error& cause) {
      finish(cause);
      throw;
    }
    finish(error);
    throw error;
  }

  /// Mass, finiteness and positivity of the frame that was read last.
  void require_healthy() const {
    for (std::size_t p = 0; p < last_.observables.size(); ++p) {
      const Observables& o = last_.observables[p];
      const PhasePlane& plane = simulation_.mesh().plane(static_cast<int>(p));
      const std::string where = fmt::format("plane {}, cell ({}, {}), theta = {:.6g}, v = {:.6g}", p + 1,
                                            o.minimum_cell[0], o.minimum_cell[1], plane.theta.center(o.minimum_cell[0]),
                                            plane.velocity.center(o.minimum_cell[1]));
      if (!std::isfinite(o.mass)) {
        throw Error(ExitCode::numerical, fmt::format("the density is not finite at t = {:.6g}", last_.time), where,
                    "use a smaller step or tolerance; the state was saved in checkpoint.h5");
      }
      if (o.departed.total() > leak_error) throw leak_failure(static_cast<int>(p), o.departed);
    }
  }

  Error leak_failure(int p, const Departed& departed) const {
    const double step_error = simulation_.errors()[static_cast<std::size_t>(p)].step;
    if (departed.total() <= step_error) {
      return Error(ExitCode::numerical,
                   fmt::format("at t = {:.6g} steps too long have thrown {:.1e} of the probability out of the box; "
                               "their own error is about {:.1e}",
                               last_.time, departed.total(), step_error),
                   {}, "use a smaller evolve.tolerance or evolve.step; the state was saved in checkpoint.h5");
    }
    std::string text;
    for (const auto& line : leak_warnings(simulation_.model(), simulation_.mesh(), p, departed, step_error)) {
      text += (text.empty() ? "" : "; ") + line;
    }
    return Error(ExitCode::numerical, fmt::format("at t = {:.6g} {}", last_.time, text), {},
                 "enlarge the box (grid.theta, grid.velocity), or the table that it ends with; the state was saved in "
                 "checkpoint.h5");
  }

  void check_accuracy() {
    const auto errors = simulation_.errors();
    for (std::size_t p = 0; p < last_.observables.size(); ++p) {
      add_warnings(leak_warnings(simulation_.model(), simulation_.mesh(), static_cast<int>(p),
                                 last_.observables[p].departed, errors[p].step));
    }
    for (std::size_t p = 0; p < errors.size(); ++p) {
      if (!(errors[p].space > simulation_.spec().evolve->tolerance)) continue;
      const std::string& name = simulation_.model().plane(static_cast<int>(p)).name;
      add_warnings({fmt::format(
          "{}the grid limits the accuracy, not the step: its error is about {:.1e}, more than the tolerance {:.1e}; "
          "it falls with the eleventh power of the number of cells",
          name.empty() ? "" : name + ": ", errors[p].space, simulation_.spec().evolve->tolerance)});
    }
  }

  void save(const std::string& reason) const {
    Checkpoint checkpoint{
        version, resolved_spec(simulation_.spec()).dump(), reason, simulation_.time(), frames_, {}, {}, {}};
    for (int p = 0; p < simulation_.mesh().planes(); ++p) {
      checkpoint.planes.push_back(simulation_.mesh().plane(p));
      checkpoint.plane_time.push_back(simulation_.time_of(p));
      checkpoint.density.push_back(simulation_.density(p));
    }
    write_checkpoint(directory_ / "checkpoint.h5", checkpoint);
  }

  Json summary(const std::string& state) const {
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    return underdamp::summary(simulation_, last_, {wall, warnings_, stationary_, ensemble_, state});
  }

  void add_warnings(const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
      warnings_.push_back(text);
      if (!options_.quiet) fmt::print(stderr, "warning: {}\n", text);
    }
  }

  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  RunOptions options_;
  Simulation simulation_;
  std::filesystem::path directory_;
  std::vector<std::string> warnings_;
  Frame last_;
  int frames_ = 0;
  std::vector<StationaryResult> stationary_;
  std::vector<EnsembleResult> ensemble_;
  std::string unconverged_;  ///< what did not converge, as a message
};

}  // namespace

RunResult run(const Spec& spec, Backend& backend, const RunOptions& options) {
  return Run(spec, backend, options).execute();
}

}  // namespace underdamp
