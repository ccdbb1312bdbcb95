#include "solver/run/run.hpp"

#include <chrono>
#include <cstdio>
#include <limits>
#include <new>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "meshes/error.hpp"
#include "meshes/seconds_since.hpp"
#include "solver/io/checkpoint.hpp"
#include "solver/io/progress.hpp"
#include "solver/io/vtk_file.hpp"
#include "solver/particles/ensemble.hpp"
#include "solver/run/displacement_run.hpp"
#include "solver/run/finished_parts.hpp"
#include "solver/run/health.hpp"
#include "solver/run/interrupted.hpp"
#include "solver/run/output.hpp"
#include "solver/run/simulation.hpp"

namespace underdamp {
namespace {

using Clock = std::chrono::steady_clock;

/// "2026-11-20T14:03:07Z"
std::string now_text() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

class Run {
 public:
  Run(const Spec& spec, Backend& backend, const RunOptions& options, std::filesystem::path directory, Json identity)
      : options_(options),
        simulation_(spec, backend, leak_error, while_set_up(options)),
        directory_(std::move(directory)),
        identity_(std::move(identity)) {
    add_warnings(spec.notes);
    for (int p = 0; p < simulation_.mesh().planes(); ++p) {
      add_warnings(resolution_warnings(spec, simulation_.model(), simulation_.mesh(), p));
    }
    add_warnings(precision_warnings(spec));
    if (!has_vtk()) add_warnings({"this build has no VTK: no pictures are written"});
    if (!has_checkpoints()) add_warnings({"this build has no HDF5: no checkpoints are written"});
  }

  /// `checkpoint`: null to begin at the start.
  RunResult execute(std::unique_ptr<StateReader> checkpoint) {
    try {
      begin(checkpoint.get());
      checkpoint.reset();
      return carry_out();
    } catch (const Error& error) {
      if (error.code() == ExitCode::device || error.code() == ExitCode::input_output)
        throw Error(error.code(), error.what() + way_on());
      throw;
    } catch (const std::bad_alloc&) {
      throw Error(ExitCode::device, "the host has no memory left\n  to fix: use fewer cells or planes" + way_on());
    }
  }

 private:
  // --- from start to end

  static std::function<void(double)> while_set_up(const RunOptions& options) {
    const auto progress = std::make_shared<Progress>("boxes", 1.0, options.quiet);
    return [progress, interrupted = options.interrupted](double share) {
      progress->update(share);
      if (interrupted == nullptr || *interrupted == 0) return;
      throw Error(ExitCode::interrupted, "interrupted before anything was computed; nothing has been written", {},
                  "start it again");
    };
  }

  void begin(const StateReader* checkpoint) {
    if (checkpoint != nullptr) {
      restore(*checkpoint);
    } else {
      if (simulation_.spec().evolve) simulation_.start();
      output_ = std::make_unique<RunOutput>(simulation_, directory_);
      output_->clear();
    }
    saved_at_ = Clock::now();
  }

  RunResult carry_out() {
    RunResult result;
    try {
      if (simulation_.spec().evolve) evolve();
    } catch (const Interrupted&) {
      result.was_interrupted = true;
      last_ = simulation_.observe(frames_);
    } catch (const Error& error) {
      if (error.code() != ExitCode::numerical) throw;
      fail(error);
    }
    if (simulation_.spec().evolve) add_warnings(accuracy_warnings(simulation_, last_));
    if (!result.was_interrupted) result.was_interrupted = !extract();
    output_->flush();
    std::string state = result.was_interrupted ? "interrupted" : "finished";
    if (!unconverged_.empty()) state = "failed";
    result.summary = summary(state);
    output_->finish(result.summary);
    for (const auto& picture : output_->missing_pictures())
      warn(fmt::format("{} was removed while the run went on", picture.string()));
    if (state == "finished") remove("checkpoint.h5");
    if (state == "failed") {
      if (names_its_cure_) throw Error(ExitCode::numerical, unconverged_);
      throw Error(
          ExitCode::numerical, unconverged_, simulation_.spec().place("stationary"),
          "loosen stationary.tolerance, ask for fewer modes, use more cells, or another method; what was found is in " +
              (directory_ / "summary.json").string());
    }
    result.directory = directory_;
    result.main_file = output_->main_file();
    return result;
  }

  void evolve() {
    Progress progress(simulation_.spec().name, simulation_.spec().evolve->until, options_.quiet, simulation_.time());
    last_ = simulation_.observe(frames_);
    if (resumed_at_.empty()) output_->write_frame(last_);
    const auto times = simulation_.frame_times();
    while (static_cast<std::size_t>(frames_) < times.size()) {
      simulation_.advance(times[static_cast<std::size_t>(frames_)], [&](double now) {
        pulse();
        progress.update(now);
      });
      last_ = simulation_.observe(frames_ + 1);
      require_healthy(simulation_, last_, "");
      output_->write_frame(last_);
      ++frames_;
    }
  }

  /// What is read off the generator: its matrix, stationary states and spectra. False if it was interrupted.
  bool extract() {
    const Spec& spec = simulation_.spec();
    const int planes = simulation_.mesh().planes();
    try {
      for (int p = 0; p < planes && spec.output.has(OutputField::generator); ++p) output_->write_generator(p);
      for (int p = 0; p < planes && spec.stationary; ++p) take_stationary(p);
      for (int p = 0; p < planes && spec.ensemble && spec.evolve; ++p) take_ensemble(p);
      if (spec.displacement) take_displacement();
    } catch (const Interrupted&) {
      drop_incomplete();
      return false;
    } catch (const Error& error) {
      if (error.code() != ExitCode::numerical) throw;
      drop_incomplete();
      unconverged_ = error.what();
      names_its_cure_ = true;
      add_warnings({unconverged_});
    }
    return true;
  }

  /// A list of some of the planes would be taken for one of all. Without evolution the observables are those of the
  /// stationary states; of those not found nothing is known.
  void drop_incomplete() {
    const auto planes = static_cast<std::size_t>(simulation_.mesh().planes());
    if (finished_.ensemble.size() < planes) finished_.ensemble.clear();
    if (finished_.stationary.size() == planes) return;
    finished_.stationary.clear();
    if (simulation_.spec().evolve) return;
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    Observables none;
    for (double* value : {&none.mass, &none.expected_loss, &none.entropy, &none.entropy_production, &none.minimum})
      *value = unknown;
    none.mean = {unknown, unknown};
    none.covariance = {{{unknown, unknown}, {unknown, unknown}}};
    last_.observables.assign(static_cast<std::size_t>(simulation_.mesh().planes()), none);
  }

  void take_stationary(int p) {
    const auto number = static_cast<std::size_t>(p);
    const bool is_kept = number < kept_.stationary.size();
    StationaryResult result = is_kept ? std::move(kept_.stationary[number]) : solve_stationary(p);
    const std::string prefix = simulation_.model().plane(p).named("", ": ");
    const StationaryState& state = result.state;
    for (const auto& text : state.warnings) add_warnings({prefix + text});
    if (!state.converged && unconverged_.empty()) {
      unconverged_ = fmt::format("{}the stationary state did not converge: {} (method {}, residual {:.1e})", prefix,
                                 state.failure, state.method, state.residual);
      add_warnings({unconverged_});
    }
    if (!simulation_.spec().evolve) last_.observables.push_back(result.observables);
    finished_.stationary.push_back(std::move(result));
  }

  StationaryResult solve_stationary(int p) {
    const std::string prefix = simulation_.model().plane(p).named("", ": ");
    Progress progress(prefix + "stationary state", 0.0, options_.quiet);
    StationaryState state = simulation_.solve_stationary(p, [&] {
      pulse();
      progress.update(0.0);
    });
    if (state.density.empty()) {
      throw Error(ExitCode::numerical,
                  fmt::format("{}no stationary state was found: {} (method {})", prefix, state.failure, state.method),
                  simulation_.spec().place("stationary"), "use more cells, or another stationary.method");
    }
    output_->write_stationary(p, state);
    const Observables observables = simulation_.observe_density(p, state.density);
    const auto driven = driven_state(simulation_.model(), p, simulation_.mesh().only(p), state.density,
                                     state.mean_error[1], simulation_.spec().has_constant_noise());
    state.modes.clear();  // those of a batch would fill the memory
    state.density = {};
    state.quasi_stationary = {};
    return {std::move(state), observables, driven};
  }

  void take_ensemble(int p) {
    const auto number = static_cast<std::size_t>(p);
    const bool is_kept = number < kept_.ensemble.size();
    EnsembleResult result = is_kept ? std::move(kept_.ensemble[number]) : run_particles(p);
    result.options = ensemble_options(simulation_.spec(), simulation_.model(), simulation_.mesh(), p);
    finished_.ensemble.push_back(std::move(result));
    particles_ = {};
  }

  void take_displacement() {
    finished_.displacement = std::move(kept_.displacement);
    if (finished_.displacement.is_null()) {
      Displacement displacement(simulation_.spec(), simulation_.backend());
      finished_.displacement =
          carry_out_displacement(displacement, simulation_.backend(), directory_, options_.quiet, [this] { pulse(); });
    }
    for (const Json& text : finished_.displacement["warnings"]) add_warnings({text.get<std::string>()});
  }

  /// Particles from the same start to the same end.
  EnsembleResult run_particles(int p) {
    const Model& model = simulation_.model();
    const PhaseMesh& mesh = simulation_.mesh();
    const EnsembleOptions options = ensemble_options(simulation_.spec(), model, mesh, p);
    const double share = static_cast<double>(particles_.particles) / static_cast<double>(options.particles);
    Progress progress(model.plane(p).named("", ": ") + "particles", 1.0, options_.quiet, share);
    const auto begin = Clock::now();
    const std::vector<double> times{simulation_.spec().evolve->until};
    const auto samples = run_ensemble(
        simulation_.backend(), model, mesh, p, particle_start(simulation_.spec(), model, mesh, p), options, times,
        [&](double now) {
          pulse();
          progress.update(now);
        },
        &particles_);
    EnsembleResult result;
    result.sample = samples.front();
    result.seconds = seconds_since(begin);
    const std::vector<double> density = simulation_.density(p);
    result.comparison = compare(mesh.plane(p), mesh.walls(), density, result.sample);
    output_->write_ensemble(p, density, result.sample);
    return result;
  }

  // --- the state of a run

  /// Called often: an interrupt, and the time for a checkpoint, are noticed here and nowhere else. No result depends on
  /// whether one is written.
  void pulse() {
    output_->check();
    const bool interrupted = options_.interrupted != nullptr && *options_.interrupted != 0;
    const double every = simulation_.spec().checkpoint.every_seconds;
    const bool is_due = has_checkpoints() && every > 0.0 && seconds_since(saved_at_) >= every;
    if (interrupted || is_due) output_->flush();
    if (has_checkpoints() && interrupted) {
      write_checkpoint("interrupted");
    } else if (is_due) {
      try_checkpoint();
    }
    if (interrupted) throw Interrupted{};
  }

  void write_checkpoint(const std::string& reason) {
    underdamp::write_checkpoint(directory_ / "checkpoint.h5", [&](StateWriter& to) { save(to, reason); });
    saved_at_ = Clock::now();
    saved_time_ = simulation_.time();
  }

  /// A healthy run goes on without one, and tries again when the next is due: the disk may have room by then.
  void try_checkpoint() {
    try {
      write_checkpoint("on the way");
    } catch (const Error& error) {
      if (error.code() != ExitCode::input_output) throw;
      saved_at_ = Clock::now();
      if (std::exchange(told_of_checkpoint_, true)) return;
      const std::string text = error.what();
      add_warnings({fmt::format(
          "no checkpoint could be written at t = {:.6g}: {}; the run goes on and tries again every {:.6g} s",
          simulation_.time(), text.substr(0, text.find('\n')), simulation_.spec().checkpoint.every_seconds)});
    }
  }

  void save(StateWriter& to, const std::string& reason) {
    save_identity(to, identity_, simulation_.backend().describe());
    to.text("reason", reason);
    to.text("started", started_);
    StateList list;
    exchange(list);
    to.numbers("run", list.values());
    if (simulation_.spec().evolve) simulation_.save(to);
    output_->save(to);
    finished_.save(to);
    particles_.save(to, "under_way/");
  }

  void restore(const StateReader& from) {
    started_ = from.text("started");
    StateList list(from.numbers("run"));
    exchange(list);
    list.finish();
    if (frames_ < 0 || static_cast<std::size_t>(frames_) > simulation_.frame_times().size())
      damaged_state("it has a frame that this run has not");
    if (simulation_.spec().evolve) simulation_.restore(from);
    kept_.restore(from);
    particles_.restore(from, "under_way/");
    output_ = std::make_unique<RunOutput>(simulation_, directory_);
    output_->restore(from);
    saved_time_ = simulation_.time();
    resumed_at_.push_back(*saved_time_);
    if (simulation_.spec().evolve) {
      tell(fmt::format("continuing at t = {:.6g} of {:.6g}, after frame {} of {}", *saved_time_,
                       simulation_.spec().evolve->until, frames_, simulation_.frame_times().size()));
    }
  }

  void exchange(StateList& list) {
    double wall = wall_seconds();
    list(frames_);
    list(wall);
    list(resumed_at_);
    if (list.reading()) earlier_seconds_ = wall;
  }

  double wall_seconds() const { return earlier_seconds_ + seconds_since(begin_); }

  void remove(const char* name) const {
    std::error_code code;
    std::filesystem::remove(directory_ / name, code);
  }

  // --- what went wrong

  /// How a run that has stopped can go on.
  std::string way_on() const {
    std::error_code code;
    if (!saved_time_ || !std::filesystem::exists(directory_ / "checkpoint.h5", code)) return "";
    const std::string when = simulation_.spec().evolve ? fmt::format(" at t = {:.6g}", *saved_time_) : "";
    return "\n  to go on: repeat the command with --resume; it continues" + when;
  }

  /// Saves the state, writes everything that is known, and reports what went wrong as precisely as the state allows.
  [[noreturn]] void fail(const Error& error) {
    const std::string saved = save_failed(error.what());
    last_ = simulation_.observe(frames_);
    std::string text = error.what() + saved;
    try {
      require_healthy(simulation_, last_, saved);
    } catch (const Error& cause) {
      text = cause.what();
    }
    warnings_.push_back(text);
    output_->finish(summary("failed"));
    throw Error(ExitCode::numerical, text);
  }

  std::string save_failed(const std::string& reason) {
    if (!has_checkpoints()) return "";
    const auto path = directory_ / "failed.h5";
    try {
      underdamp::write_checkpoint(path, [&](StateWriter& to) { save(to, reason); });
    } catch (const Error& error) {
      return fmt::format("; the state could not be saved: {}", error.what());
    }
    return "; the state was saved in " + path.string();
  }

  Json summary(const std::string& state) const {
    RunSummary run{wall_seconds(),         warnings_, finished_.stationary,     finished_.ensemble,
                   finished_.displacement, state,     identity_hash(identity_), {}};
    run.timing = {{"started", started_}, {"ended", now_text()}, {"resumed_at", resumed_at_}};
    return underdamp::summary(simulation_, last_, run);
  }

  void add_warnings(const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
      warnings_.push_back(text);
      warn(text);
    }
  }

  /// For the user. That nobody can read it ends no run.
  void tell(const std::string& text) const {
    if (!options_.quiet) std::fputs((text + "\n").c_str(), stderr);
  }

  Clock::time_point begin_ = Clock::now();
  Clock::time_point saved_at_ = begin_;
  std::string started_ = now_text();
  double earlier_seconds_ = 0.0;      ///< before the run was resumed
  std::vector<double> resumed_at_;    ///< model times
  std::optional<double> saved_time_;  ///< model time of checkpoint.h5
  RunOptions options_;
  Simulation simulation_;
  std::filesystem::path directory_;
  Json identity_;
  std::unique_ptr<RunOutput> output_;
  std::vector<std::string> warnings_;
  Frame last_;
  int frames_ = 0;      ///< written after the start
  FinishedParts kept_;  ///< of the checkpoint
  FinishedParts finished_;
  EnsembleProgress particles_;  ///< of the plane that is under way
  std::string unconverged_;     ///< what did not converge, as a message
  bool names_its_cure_ = false;
  bool told_of_checkpoint_ = false;  ///< that one could not be written
};

}  // namespace

RunResult run(const Spec& spec, Backend& backend, const RunOptions& options) {
  if (!spec.evolve && !spec.stationary && !spec.displacement) {
    throw Error(ExitCode::bad_input, "there is nothing to do: neither [evolve], [stationary] nor [displacement]",
                spec.file + ":1:1",
                "add [evolve] with until = … or steps = …, or a table [stationary], which may be empty");
  }
  const std::filesystem::path directory =
      options.output.empty() ? std::filesystem::path(spec.output.directory) : options.output;
  const Json identity = run_identity(spec);
  RunBeginning beginning = begin_run(directory, spec, identity, backend.describe(), options.beginning);
  for (const auto& note : beginning.notes) warn(note);
  if (beginning.is_finished) {
    RunResult result;
    result.directory = directory;
    result.was_finished = true;
    return result;
  }
  if (!spec.evolve && !spec.stationary)
    return run_displacement(spec, backend, options, directory, identity_hash(identity), now_text);
  return Run(spec, backend, options, directory, identity).execute(std::move(beginning.checkpoint));
}

}  // namespace underdamp
