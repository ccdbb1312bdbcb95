#include "solver/run/displacement_output.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "solver/io/files.hpp"

namespace underdamp {
namespace {

/// Every mode, or some from the first to the last.
std::vector<int> written_modes(const Displacement& displacement) {
  const int rows = static_cast<int>(displacement.times().size());
  const int count = std::min(displacement.modes(), std::max(2, most_displacement_rows / rows));
  std::vector<int> modes;
  for (int k = 0; k < count; ++k)
    modes.push_back(count > 1 ? static_cast<int>(static_cast<long>(k) * (displacement.modes() - 1) / (count - 1)) : 0);
  return modes;
}

std::string name_of(const Model& model, int l) {
  const std::string& name = model.plane(l).name;
  return name.empty() ? "1" : name;
}

std::string modes_table(const Model& model) {
  std::string text = "plane,eigenvalue,weight,curvature,minimum,zeta,omega,relaxation_time,std_theta,std_v\n";
  for (int l = 0; l < model.planes(); ++l) {
    const PlaneModel& plane = model.plane(l);
    const Derived d = model.derived(l);
    text += fmt::format("{},{:.17g},{:.17g},{:.17g},{:.17g},{:.10g},{:.10g},{:.10g},{:.10g},{:.10g}\n",
                        name_of(model, l), plane.mode > 0 ? plane.eigenvalue : plane.curvature, plane.weight,
                        plane.curvature, plane.minimum, d.zeta, d.omega, d.relaxation_time, d.std_theta, d.std_v);
  }
  return text;
}

}  // namespace

void write_displacement(const std::filesystem::path& folder, const Displacement& displacement) {
  std::string distances = "plane,t,sgd_step,displacement,exponent\n";
  std::string correlations = "plane,t,sgd_step,theta,v\n";
  const Model& model = displacement.model();
  const auto add = [&](const std::string& name, double time, const DisplacementValue& value) {
    const std::string place = fmt::format("{},{:.17g},{:.10g}", name, time, time / model.learning_rate());
    distances += fmt::format("{},{:.12g},{:.9g}\n", place, value.displacement, value.exponent);
    correlations += fmt::format("{},{:.12g},{:.12g}\n", place, value.correlation, value.velocity_correlation);
  };
  for (const double t : displacement.times()) add("total", t, displacement.total(t));
  for (const int l : written_modes(displacement)) {
    for (const double t : displacement.times()) add(name_of(model, l), t, displacement.mode(l, t));
  }
  write_text(folder / "displacement.csv", distances);
  if (displacement.spec().displacement->start != DisplacementStart::cold)
    write_text(folder / "correlation.csv", correlations);
  write_text(folder / "modes.csv", modes_table(model));
}

void write_measured(const std::filesystem::path& folder, const Displacement& displacement,
                    const std::vector<MeasuredDisplacement>& measured) {
  std::string text = "source,plane,t,sgd_step,displacement,standard_error,samples\n";
  const Model& model = displacement.model();
  for (const MeasuredDisplacement& m : measured) {
    const auto add = [&](const std::string& plane, const std::vector<Estimate>& estimates) {
      for (std::size_t k = 0; k < estimates.size(); ++k) {
        text += fmt::format("{},{},{:.17g},{:.10g},{:.10g},{:.4g},{}\n", m.source, plane, m.times[k],
                            m.times[k] / model.learning_rate(), estimates[k].value, estimates[k].error, m.samples);
      }
    };
    add("total", m.total);
    for (std::size_t l = 0; l < m.modes.size(); ++l) add(name_of(model, m.modes[l]), m.displacement[l]);
  }
  write_text(folder / "displacement_ensemble.csv", text);
}

Json displacement_summary(const Displacement& displacement, double seconds) {
  const double end = displacement.times().back();
  const DisplacementValue last = displacement.total(end);
  Json json{{"modes", displacement.modes()},
            {"modes_written", written_modes(displacement).size()},
            {"problems", displacement.problems()},
            {"problems_solved", displacement.solved()},
            {"interpolated", displacement.interpolates()},
            {"interpolation_error_estimate", displacement.interpolation_error()},
            {"step_error_estimate", displacement.step_error()},
            {"windows", displacement.windows()},
            {"problems_by_generator", displacement.generator_problems()},
            {"seconds", seconds},
            {"time", end},
            {"displacement", last.displacement},
            {"exponent", last.exponent},
            {"warnings", Json::array()}};
  // From rest boxes follow one another, and a step that is not fine enough is no reason to stop.
  const double error = displacement.step_error() + displacement.interpolation_error();
  const double tolerance = displacement.spec().displacement->tolerance;
  if (!(error <= tolerance)) {
    json["warnings"].push_back(fmt::format(
        "the displacement's estimated relative error, {:.1e}, is above its tolerance, {:.1e}: use more cells", error,
        tolerance));
  }
  const auto fit = displacement.fit();
  if (fit && !std::isfinite(fit->exponent + fit->uncertainty)) {
    json["warnings"].push_back(
        "no exponent fits: the displacement is not positive at every time of displacement.fit; use a later window, or "
        "more cells");
  } else if (fit) {
    json["fit"] = {{"window", Json::array({fit->window.lower, fit->window.upper})},
                   {"exponent", fit->exponent},
                   {"uncertainty", fit->uncertainty},
                   {"smallest", fit->smallest},
                   {"largest", fit->largest}};
  }
  if (const auto energy = displacement.step_energy()) {
    json["step_energy"] = {{"step_length_squared", energy->step_length},
                           {"excess_loss", energy->excess_loss},
                           {"predicted_excess_loss", energy->predicted}};
  }
  return json;
}

}  // namespace underdamp
