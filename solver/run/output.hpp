#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "solver/io/background_writer.hpp"
#include "solver/io/files.hpp"
#include "solver/io/state.hpp"
#include "solver/run/cell_fields.hpp"
#include "solver/run/simulation.hpp"
#include "solver/run/summary.hpp"

namespace underdamp {

/// Removes the files of an earlier run in a directory, and of its planes.
void remove_earlier_run(const std::filesystem::path& directory);

/// The output directory of a run (docs/user-guide.md lists the files). Every file is complete at every moment; a batch
/// has one sub-directory for each plane and the whole at the top. Pictures are written by a thread behind the solver;
/// lists of them are written after them. What goes wrong there is thrown by check(), flush(), or what is written next.
class RunOutput {
 public:
  /// Creates the directory, keeps other runs out of it, and removes what a killed run has left half written. Throws
  /// Error (input_output). Of marginals with more rows than `most_marginal_rows`, in all planes together, those of the
  /// last frame alone are written.
  RunOutput(Simulation& simulation, std::filesystem::path directory, std::size_t most_marginal_rows = 2'000'000);

  /// Removes the results of an earlier run.
  void clear();

  /// Throws Error (input_output) if a picture could not be written.
  void check() { writer_.check(); }
  /// Returns when every picture is written, or throws as check() does. Before a state is saved: it counts on them.
  void flush() { writer_.flush(); }

  /// What has been written so far, as far as it is written again and again.
  void save(StateWriter& to) const;
  /// Instead of clear(): what was written after the state was saved is undone.
  void restore(const StateReader& from);

  /// Pictures that were written and are no longer there.
  std::vector<std::filesystem::path> missing_pictures() const;

  const std::filesystem::path& directory() const { return directory_; }
  /// The file to open in ParaView: the frames, else the stationary state; the summary where there are no pictures.
  std::filesystem::path main_file() const;

  /// Picture, history and marginals of a frame.
  void write_frame(const Frame& frame);
  /// stationary.vti, stationary_marginals.csv and spectrum.csv of plane p.
  void write_stationary(int p, const StationaryState& state);
  /// ensemble.csv of plane p: marginals of the density next to the histogram of the particles.
  void write_ensemble(int p, const std::vector<double>& density, const ParticleSample& sample);
  /// generator.mtx of plane p.
  void write_generator(int p);

  /// Everything that is collected over frames, and summary.json.
  void finish(const Json& summary);

 private:
  struct PlaneFiles {
    std::filesystem::path folder;
    std::string history;
    std::string marginals;
    std::size_t marginal_rows = 0;                         ///< added so far
    std::vector<std::pair<double, std::string>> pictures;  ///< time, file name
  };

  void write_picture(int p, const std::string& name, CellState state, const std::vector<OutputField>& fields);
  void add_history(const Frame& frame);
  void add_marginals(const Frame& frame);
  void write_pictures(const Frame& frame);
  void write_collected();
  std::string history_row(const Frame& frame, int p) const;

  Simulation& simulation_;
  std::filesystem::path directory_;
  std::unique_ptr<FolderLock> lock_;
  std::size_t most_marginal_rows_;
  std::vector<PlaneFiles> planes_;
  std::string history_;              ///< of the whole batch
  std::vector<Vector2> start_mean_;  ///< [plane]
  std::chrono::steady_clock::time_point next_written_{};
  BackgroundWriter writer_;  ///< ends before the lock is given up
};

}  // namespace underdamp
