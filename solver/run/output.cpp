#include "solver/run/output.hpp"

#include <algorithm>
#include <cmath>
#include <regex>

#include <fmt/format.h>

#include "meshes/cell_index.hpp"
#include "solver/io/files.hpp"
#include "solver/io/vtk_file.hpp"
#include "solver/particles/statistics.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

constexpr const char* history_columns =
    "t,sgd_step,mass,mean_theta,mean_v,var_theta,cov_theta_v,var_v,expected_loss,entropy,entropy_production,msd\n";

/// Of pictures that wait to be written: a second of a slow disk.
constexpr std::size_t most_waiting_bytes = std::size_t{64} << 20;
/// Share of its time that a run may take to write again what is collected over frames.
constexpr int collected_share = 20;

bool holds_a_run(const fs::path& folder) {
  for (const char* name : {"summary.json", "density.pvd", "stationary.vti", "checkpoint.h5", "failed.h5"}) {
    if (fs::exists(folder / name)) return true;
  }
  return false;
}

/// Files of an earlier run that this one may not write again.
void remove_earlier_files(const fs::path& folder) {
  if (!holds_a_run(folder)) return;
  static const std::regex ours(
      "density_[0-9]{4,}\\.vti|density\\.pvd|(quasi_)?stationary(_[0-9]+)?\\.vti|stationary_marginals\\.csv|spectrum\\."
      "csv|ensemble\\.csv|"
      "history\\.csv|marginals\\.csv|generator\\.mtx|summary\\.json|checkpoint\\.h5|failed\\.h5|"
      "displacement\\.csv|correlation\\.csv|modes\\.csv|displacement_ensemble\\.csv");
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    if (entry.is_regular_file(code) && std::regex_match(entry.path().filename().string(), ours))
      fs::remove(entry.path(), code);
  }
}

/// The same for the planes of an earlier batch; their folders go if nothing else is in them.
void remove_earlier_planes(const fs::path& directory) {
  static const std::regex ours("mode_[0-9]{2,}");
  std::error_code code;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(directory, code)) {
    if (entry.is_directory(code) && std::regex_match(entry.path().filename().string(), ours))
      folders.push_back(entry.path());
  }
  for (const fs::path& folder : folders) {
    if (!holds_a_run(folder)) continue;
    remove_earlier_files(folder);
    if (fs::is_empty(folder, code)) fs::remove(folder, code);
  }
}

std::string picture_name(std::size_t frame) {
  return fmt::format("density_{:04d}.vti", frame);
}

/// Pictures of frames from `first` on.
void remove_pictures_from(const fs::path& folder, std::size_t first) {
  static const std::regex ours("density_([0-9]{4,9})\\.vti");
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    std::smatch match;
    const std::string name = entry.path().filename().string();
    if (std::regex_match(name, match, ours) && std::stoul(match[1]) >= first) fs::remove(entry.path(), code);
  }
}

std::string collection(const std::vector<std::pair<double, std::string>>& pictures) {
  std::string text =
      "<?xml version=\"1.0\"?>\n<VTKFile type=\"Collection\" version=\"0.1\" byte_order=\"LittleEndian\">\n  "
      "<Collection>\n";
  for (const auto& [time, file] : pictures) {
    text += fmt::format("    <DataSet timestep=\"{:.17g}\" group=\"\" part=\"0\" file=\"{}\"/>\n", time, file);
  }
  return text + "  </Collection>\n</VTKFile>\n";
}

/// Fields of the pictures of an evolution: the stream function is that of a stationary state.
std::vector<OutputField> frame_fields(const Spec& spec) {
  std::vector<OutputField> fields;
  for (const OutputField field : spec.output.fields) {
    if (field != OutputField::stream_function) fields.push_back(field);
  }
  return fields;
}

/// Fields of stationary.vti: the four that make it up, then what else was asked for.
std::vector<OutputField> stationary_fields(const Spec& spec) {
  std::vector<OutputField> fields{OutputField::density, OutputField::modified_loss};
  if (spec.dynamics == Dynamics::langevin) {
    fields.insert(fields.end(), {OutputField::current, OutputField::stream_function});
  }
  for (const OutputField field : spec.output.fields) {
    if (std::find(fields.begin(), fields.end(), field) == fields.end()) fields.push_back(field);
  }
  return fields;
}

/// Marginal densities of θ and v, and the marginal modified losses −κ⁻¹ ln of them.
std::string stationary_marginals(const PhasePlane& plane, const std::vector<double>& density, double kappa) {
  const CellIndex cell(plane);
  const std::size_t rows = cell.rows();
  const std::size_t columns = cell.columns();
  std::vector<double> theta(rows, 0.0);
  std::vector<double> velocity(columns, 0.0);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      theta[i] += density[cell(i, j)] * plane.velocity.width();
      velocity[j] += density[cell(i, j)] * plane.theta.width();
    }
  }
  std::string text = "coordinate,position,density,modified_loss\n";
  const auto add = [&](const char* name, const Axis& axis, const std::vector<double>& values) {
    const auto loss = modified_loss(values, kappa);
    for (int c = 0; c < axis.cells; ++c) {
      const auto k = static_cast<std::size_t>(c);
      text += fmt::format("{},{:.17g},{:.17g},{:.17g}\n", name, axis.center(c), values[k], loss[k]);
    }
  };
  add("theta", plane.theta, theta);
  add("v", plane.velocity, velocity);
  return text;
}

/// Share of the probability per width of every row and column of cells: of the density, and of the particles with its
/// standard error.
std::string ensemble_marginals(const PhasePlane& plane, const ThetaWalls& walls, const std::vector<double>& density,
                               const ParticleSample& sample) {
  const auto probability = cell_probabilities(plane, walls, density);
  const double particles = sample.moments.count;
  const CellIndex index(plane);
  std::string text = "coordinate,position,density,particles,standard_error\n";
  const auto add = [&](const char* name, const Axis& axis, std::size_t cells, std::size_t across, auto&& cell) {
    for (std::size_t a = 0; a < cells; ++a) {
      double expected = 0.0;
      double count = 0.0;
      for (std::size_t b = 0; b < across; ++b) {
        expected += probability[cell(a, b)];
        count += static_cast<double>(sample.counts[cell(a, b)]);
      }
      const double share = count / particles;
      text += fmt::format("{},{:.10g},{:.10g},{:.10g},{:.3g}\n", name, axis.center(static_cast<int>(a)),
                          expected / axis.width(), share / axis.width(),
                          std::sqrt(share * (1.0 - share) / particles) / axis.width());
    }
  };
  const std::size_t rows = index.rows();
  const std::size_t columns = index.columns();
  add("theta", plane.theta, rows, columns, [&](std::size_t i, std::size_t j) { return index(i, j); });
  add("v", plane.velocity, columns, rows, [&](std::size_t j, std::size_t i) { return index(i, j); });
  return text;
}

std::string spectrum_table(const std::vector<SpectralLine>& spectrum, double relaxation_time) {
  std::string text = "number,real,imaginary,decay_rate,frequency,error,aliased,kind\n";
  for (std::size_t k = 0; k < spectrum.size(); ++k) {
    const SpectralLine& line = spectrum[k];
    text += fmt::format("{},{:.17g},{:.17g},{:.17g},{:.17g},{},{},{}\n", k + 1, line.eigenvalue.real(),
                        line.eigenvalue.imag(), -line.eigenvalue.real(), std::abs(line.eigenvalue.imag()),
                        fmt::format("{:.3g}", line.error / std::abs(line.eigenvalue)), line.aliased ? 1 : 0,
                        kind_of(line, relaxation_time));
  }
  return text;
}

}  // namespace

void remove_earlier_run(const fs::path& directory) {
  remove_earlier_planes(directory);
  remove_earlier_files(directory);
}

RunOutput::RunOutput(Simulation& simulation, fs::path directory, std::size_t most_marginal_rows)
    : simulation_(simulation),
      directory_(std::move(directory)),
      most_marginal_rows_(most_marginal_rows),
      writer_(most_waiting_bytes) {
  make_folder(directory_);
  lock_ = std::make_unique<FolderLock>(directory_);
  const int planes = simulation_.mesh().planes();
  for (int p = 0; p < planes; ++p) {
    PlaneFiles files;
    files.folder = planes > 1 ? directory_ / simulation_.model().plane(p).name : directory_;
    make_folder(files.folder);
    remove_temporaries(files.folder);
    files.history = history_columns;
    files.marginals = "t,coordinate,position,density\n";
    planes_.push_back(std::move(files));
  }
  remove_temporaries(directory_);
  history_ = std::string("plane,") + history_columns;
}

void RunOutput::clear() {
  remove_earlier_run(directory_);
  for (const PlaneFiles& files : planes_) make_folder(files.folder);
}

void RunOutput::save(StateWriter& to) const {
  StateList list;
  std::vector<Vector2> start_mean = start_mean_;
  list(start_mean);
  for (const PlaneFiles& files : planes_) {
    std::size_t rows = files.marginal_rows;
    list(rows);
  }
  to.numbers("output/numbers", list.values());
  to.text("output/history", history_);
  for (std::size_t p = 0; p < planes_.size(); ++p) {
    const std::string prefix = fmt::format("output/plane_{}/", p + 1);
    std::vector<double> times;
    for (const auto& picture : planes_[p].pictures) times.push_back(picture.first);
    to.numbers(prefix + "picture_times", times);
    to.text(prefix + "history", planes_[p].history);
    to.text(prefix + "marginals", planes_[p].marginals);
  }
}

void RunOutput::restore(const StateReader& from) {
  StateList list(from.numbers("output/numbers"));
  list(start_mean_);
  for (PlaneFiles& files : planes_) list(files.marginal_rows);
  list.finish();
  if (!start_mean_.empty() && start_mean_.size() != planes_.size()) damaged_state("it has another number of planes");
  history_ = from.text("output/history");
  std::error_code code;
  for (const char* name : {"summary.json", "failed.h5"}) fs::remove(directory_ / name, code);
  for (std::size_t p = 0; p < planes_.size(); ++p) {
    const std::string prefix = fmt::format("output/plane_{}/", p + 1);
    PlaneFiles& files = planes_[p];
    files.history = from.text(prefix + "history");
    files.marginals = from.text(prefix + "marginals");
    files.pictures.clear();
    for (const double time : from.numbers(prefix + "picture_times"))
      files.pictures.emplace_back(time, picture_name(files.pictures.size()));
    remove_pictures_from(files.folder, files.pictures.size());
  }
  write_collected();
}

std::vector<fs::path> RunOutput::missing_pictures() const {
  std::vector<fs::path> missing;
  for (const PlaneFiles& files : planes_) {
    for (const auto& picture : files.pictures) {
      if (!fs::exists(files.folder / picture.second)) missing.push_back(files.folder / picture.second);
    }
  }
  return missing;
}

fs::path RunOutput::main_file() const {
  if (!has_vtk()) return directory_ / "summary.json";
  return planes_.front().folder / (simulation_.spec().evolve ? "density.pvd" : "stationary.vti");
}

std::string RunOutput::history_row(const Frame& frame, int p) const {
  const Observables& o = frame.observables[static_cast<std::size_t>(p)];
  const Vector2& start = start_mean_[static_cast<std::size_t>(p)];
  const double shift = o.mean[0] - start[0];
  return fmt::format(
      "{:.17g},{:.10g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g}\n", frame.time,
      frame.time / simulation_.model().learning_rate(), o.mass, o.mean[0], o.mean[1], o.covariance[0][0],
      o.covariance[0][1], o.covariance[1][1], o.expected_loss, o.entropy, o.entropy_production,
      o.covariance[0][0] + shift * shift);
}

void RunOutput::add_history(const Frame& frame) {
  if (start_mean_.empty()) {
    for (const Observables& o : frame.observables) start_mean_.push_back(o.mean);
  }
  for (int p = 0; p < static_cast<int>(planes_.size()); ++p) {
    const std::string row = history_row(frame, p);
    planes_[static_cast<std::size_t>(p)].history += row;
    const std::string& name = simulation_.model().plane(p).name;
    history_ += (name.empty() ? std::string("1") : name) + "," + row;
  }
}

void RunOutput::add_marginals(const Frame& frame) {
  const auto all = simulation_.marginals();
  for (std::size_t p = 0; p < planes_.size(); ++p) {
    const PhasePlane& plane = simulation_.mesh().plane(static_cast<int>(p));
    std::string& text = planes_[p].marginals;
    std::size_t& rows = planes_[p].marginal_rows;
    rows += all[p].theta.size() + all[p].velocity.size();
    if (rows * planes_.size() > most_marginal_rows_) text = text.substr(0, text.find('\n') + 1);
    const auto add = [&](const char* name, const Axis& axis, const std::vector<double>& values) {
      for (int c = 0; c < axis.cells; ++c) {
        text += fmt::format("{:.10g},{},{:.10g},{:.10g}\n", frame.time, name, axis.center(c),
                            values[static_cast<std::size_t>(c)]);
      }
    };
    add("theta", plane.theta, all[p].theta);
    add("v", plane.velocity, all[p].velocity);
  }
}

void RunOutput::write_picture(int p, const std::string& name, CellState state, const std::vector<OutputField>& fields) {
  const std::size_t bytes = state.bytes();
  writer_.add(bytes, [path = planes_[static_cast<std::size_t>(p)].folder / name, plane = simulation_.mesh().plane(p),
                      kappa = simulation_.model().derived(p).kappa, state = std::move(state), fields,
                      float64 = simulation_.spec().has_float64_pictures()]() mutable {
    write_vti(path, plane, CellFields(std::move(state), plane, kappa, fields).arrays(), float64);
  });
}

void RunOutput::write_pictures(const Frame& frame) {
  if (!has_vtk()) return;
  const auto fields = frame_fields(simulation_.spec());
  const CurrentParts parts = current_parts(fields);
  const std::string name = picture_name(static_cast<std::size_t>(frame.index));
  for (int p = 0; p < static_cast<int>(planes_.size()); ++p) {
    CellState state{simulation_.density(p), {}};
    const double factor = factor_adding_up(simulation_.mesh().only(p), state.density);
    if (has_any(parts)) state.currents = simulation_.currents(p, parts, factor);
    if (factor != 1.0) {
      for (double& value : state.density) value *= factor;
    }
    write_picture(p, name, std::move(state), fields);
    planes_[static_cast<std::size_t>(p)].pictures.emplace_back(frame.time, name);
  }
}

void RunOutput::write_stationary(int p, const StationaryState& state) {
  const fs::path& folder = planes_[static_cast<std::size_t>(p)].folder;
  const PhasePlane& plane = simulation_.mesh().plane(p);
  const PhaseMesh mesh = simulation_.mesh().only(p);
  const auto density = adding_up(mesh, state.density);
  if (has_vtk()) {
    const auto fields = stationary_fields(simulation_.spec());
    write_picture(p, "stationary.vti",
                  {density, currents_of(simulation_.backend(), mesh, simulation_.tables().only(p), density,
                                        current_parts(fields))},
                  fields);
  }
  for (std::size_t w = 0; w < state.quasi_stationary.size() && has_vtk(); ++w) {
    write_picture(p, fmt::format("quasi_stationary_{}.vti", w + 1), {adding_up(mesh, state.quasi_stationary[w]), {}},
                  {OutputField::density});
  }
  const Derived derived = simulation_.model().derived(p);
  write_text(folder / "stationary_marginals.csv", stationary_marginals(plane, density, derived.kappa));
  write_text(folder / "spectrum.csv", spectrum_table(state.spectrum, derived.relaxation_time));
}

void RunOutput::write_ensemble(int p, const std::vector<double>& density, const ParticleSample& sample) {
  write_text(planes_[static_cast<std::size_t>(p)].folder / "ensemble.csv",
             ensemble_marginals(simulation_.mesh().plane(p), simulation_.mesh().walls(), density, sample));
}

void RunOutput::write_generator(int p) {
  const PhaseMesh mesh = simulation_.mesh().only(p);
  const Tables tables = simulation_.tables().only(p);
  write_text(planes_[static_cast<std::size_t>(p)].folder / "generator.mtx",
             matrix_market(
                 assemble_generator(mesh.plane(0), mesh.walls(), tables.friction[0], tables.force, tables.diffusion)));
}

void RunOutput::write_frame(const Frame& frame) {
  write_pictures(frame);
  add_history(frame);
  add_marginals(frame);
  // Collected files grow with every frame; once a second is often enough to look at them while the run goes on, and
  // less often where they are large.
  const auto begin = std::chrono::steady_clock::now();
  if (begin < next_written_) return;
  write_collected();
  const auto end = std::chrono::steady_clock::now();
  next_written_ =
      end + std::max<std::chrono::steady_clock::duration>(std::chrono::seconds(1), collected_share * (end - begin));
}

void RunOutput::write_collected() {
  flush();  // no list names a picture that is not there
  if (!simulation_.spec().evolve) return;
  for (const PlaneFiles& files : planes_) {
    write_text(files.folder / "history.csv", files.history);
    write_text(files.folder / "marginals.csv", files.marginals);
    if (has_vtk()) write_text(files.folder / "density.pvd", collection(files.pictures));
  }
  if (planes_.size() > 1) write_text(directory_ / "history.csv", history_);
}

void RunOutput::finish(const Json& summary) {
  write_collected();
  if (planes_.size() > 1) {
    std::vector<std::string> names;
    for (int p = 0; p < simulation_.mesh().planes(); ++p) names.push_back(simulation_.model().plane(p).name);
    const PlaneSummaries summaries(summary, names);
    for (std::size_t p = 0; p < planes_.size(); ++p)
      write_text(planes_[p].folder / "summary.json", summaries.of(static_cast<int>(p)).dump(2) + "\n");
  }
  write_text(directory_ / "summary.json", summary.dump(2) + "\n");
}

}  // namespace underdamp
