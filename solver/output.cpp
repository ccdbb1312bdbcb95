#include "solver/output.hpp"

#include <cmath>
#include <regex>

#include <fmt/format.h>

#include "solver/files.hpp"
#include "solver/vtk_writer.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

constexpr const char* history_columns =
    "t,sgd_step,mass,mean_theta,mean_v,var_theta,cov_theta_v,var_v,expected_loss,entropy,entropy_production,msd\n";
/// More rows than this are not kept: then the marginals of the last frame only.
constexpr std::size_t most_marginal_rows = 2'000'000;

void remove_earlier_pictures(const fs::path& folder) {
  static const std::regex ours("density_[0-9]{4,}\\.vti|density\\.pvd");
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    if (entry.is_regular_file(code) && std::regex_match(entry.path().filename().string(), ours))
      fs::remove(entry.path(), code);
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

}  // namespace

RunOutput::RunOutput(const Simulation& simulation, fs::path directory)
    : simulation_(simulation), directory_(std::move(directory)) {
  make_folder(directory_);
  const int planes = simulation_.mesh().planes();
  for (int p = 0; p < planes; ++p) {
    PlaneFiles files;
    files.folder = planes > 1 ? directory_ / simulation_.model().plane(p).name : directory_;
    make_folder(files.folder);
    remove_earlier_pictures(files.folder);
    files.history = history_columns;
    files.marginals = "t,coordinate,position,density\n";
    planes_.push_back(std::move(files));
  }
  history_ = std::string("plane,") + history_columns;
}

fs::path RunOutput::main_file() const {
  return has_vtk() ? planes_.front().folder / "density.pvd" : directory_ / "summary.json";
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
    const auto rows = all[p].theta.size() + all[p].velocity.size();
    std::string& text = planes_[p].marginals;
    marginal_rows_ += rows;
    if (marginal_rows_ > most_marginal_rows) text = text.substr(0, text.find('\n') + 1);
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

void RunOutput::write_pictures(const Frame& frame) {
  if (!has_vtk()) return;
  for (std::size_t p = 0; p < planes_.size(); ++p) {
    const std::string name = fmt::format("density_{:04d}.vti", frame.index);
    write_vti(planes_[p].folder / name, simulation_.mesh().plane(static_cast<int>(p)),
              {{"density", 1, simulation_.density(static_cast<int>(p))}}, simulation_.spec().output.float64);
    planes_[p].pictures.emplace_back(frame.time, name);
  }
}

void RunOutput::write_frame(const Frame& frame) {
  write_pictures(frame);
  add_history(frame);
  add_marginals(frame);
  // Collected files grow with every frame; once a second is often enough to look at them while the run goes on.
  const auto now = std::chrono::steady_clock::now();
  if (now - last_written_ > std::chrono::seconds(1)) {
    write_collected();
    last_written_ = now;
  }
}

void RunOutput::write_collected() {
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
    for (std::size_t p = 0; p < planes_.size(); ++p) {
      write_text(planes_[p].folder / "summary.json", plane_summary(summary, static_cast<int>(p)).dump(2) + "\n");
    }
  }
  write_text(directory_ / "summary.json", summary.dump(2) + "\n");
}

}  // namespace underdamp
