#include "solver/run/health.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "meshes/cell_index.hpp"
#include "meshes/error.hpp"

namespace underdamp {
namespace {

/// One plane of a frame under examination.
class Examination {
 public:
  Examination(const Simulation& simulation, const Frame& frame, int plane, const std::string& saved)
      : simulation_(simulation),
        observables_(frame.observables[static_cast<std::size_t>(plane)]),
        time_(frame.time),
        plane_(plane),
        saved_(saved) {}

  void require_finite() const {
    if (std::isfinite(observables_.mass) && std::isfinite(observables_.magnitude)) return;
    fail(fmt::format("the density is not finite at t = {:.6g}", time_), observables_.minimum_cell, smaller_step);
  }

  /// Nothing is lost but through the walls, and there not too much.
  void require_mass() const {
    const double departed = observables_.departed.total();
    if (!(lost() <= leak_error)) fail_at_wall();
    const RestoredMass restored = simulation_.restored_mass()[static_cast<std::size_t>(plane_)];
    const double unaccounted = observables_.mass + departed - 1.0 - restored.share;
    const bool is_double = simulation_.backend().describe().precision == Precision::float64;
    if (std::abs(unaccounted) <= (is_double ? unaccounted_error : unaccounted_error_float32) + restored.explained)
      return;
    fail(fmt::format("at t = {:.6g} the density has {} {:.2e} of probability; the cell where it is largest is named",
                     time_, unaccounted > 0.0 ? "gained" : "lost", std::abs(unaccounted)),
         densest([](std::array<int, 2>) { return true; }), smaller_step);
  }

  void require_positive() const {
    const double negative = 0.5 * (observables_.magnitude - observables_.cell_sum);
    const bool limited = simulation_.spec().evolve->limit_positivity;
    if (negative <= (limited ? negative_error_limited : negative_error_unlimited)) return;
    fail(fmt::format("at t = {:.6g} values below 0 hold {:.2e} of the probability; the least is {:.3g}", time_,
                     negative, observables_.minimum),
         observables_.minimum_cell,
         limited ? smaller_step : "use a smaller tolerance or more cells, or positivity = \"limit\"");
  }

 private:
  static constexpr const char* smaller_step =
      "use a smaller step or tolerance; if that does not help, please report the spec";

  [[noreturn]] void fail(const std::string& what, std::array<int, 2> cell, const std::string& remedy) const {
    throw Error(ExitCode::numerical, what, place_text(simulation_.mesh(), plane_, cell), remedy + saved_);
  }

  /// The cell of those chosen that holds most.
  template <class Choice>
  std::array<int, 2> densest(const Choice& chosen) const {
    const std::vector<double> values = simulation_.density(plane_);
    const CellIndex index(simulation_.mesh());
    std::array<int, 2> best{};
    double most = -1.0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      const std::array<int, 2> cell{static_cast<int>(index.row(k)), static_cast<int>(index.column(k))};
      if (!(std::abs(values[k]) > most) || !chosen(cell)) continue;
      most = std::abs(values[k]);
      best = cell;
    }
    return best;
  }

  [[noreturn]] void fail_at_wall() const {
    const Departed& departed = observables_.departed;
    const double step_error = simulation_.errors()[static_cast<std::size_t>(plane_)].step;
    const auto cell = densest([&](std::array<int, 2> at) { return lies_at_wall(at); });
    if (lost() <= step_error) {
      fail(fmt::format("at t = {:.6g} steps too long have thrown {:.1e} of the probability out of the box; "
                       "their own error is about {:.1e}",
                       time_, lost(), step_error),
           cell, "use a smaller evolve.tolerance or evolve.step");
    }
    std::string text;
    for (const auto& line : leak_warnings(simulation_.model(), simulation_.mesh(), plane_, departed, step_error)) {
      text += (text.empty() ? "" : "; ") + line;
    }
    fail(fmt::format("at t = {:.6g} {}", time_, text), cell,
         "enlarge the box (grid.theta, grid.velocity), or the table that it ends with");
  }

  double lost() const { return lost_of(observables_.departed, escape()); }
  Escape escape() const { return escape_of(simulation_.model(), simulation_.mesh(), plane_); }

  /// At the wall through which most is lost?
  bool lies_at_wall(std::array<int, 2> cell) const {
    Departed d = observables_.departed;
    if (escape().lower) d.theta[0].lower = 0.0;
    if (escape().upper) d.theta[0].upper = 0.0;
    const double most = std::max({d.theta[0].lower, d.theta[0].upper, d.velocity[0].lower, d.velocity[0].upper});
    if (d.theta[0].lower == most) return cell[0] == 0;
    if (d.theta[0].upper == most) return cell[0] == simulation_.mesh().theta_cells() - 1;
    if (d.velocity[0].lower == most) return cell[1] == 0;
    return cell[1] == simulation_.mesh().velocity_cells() - 1;
  }

  const Simulation& simulation_;
  const Observables& observables_;
  double time_;
  int plane_;
  const std::string& saved_;
};

}  // namespace

void require_healthy(const Simulation& simulation, const Frame& frame, const std::string& saved) {
  for (int p = 0; p < static_cast<int>(frame.observables.size()); ++p) {
    const Examination plane(simulation, frame, p, saved);
    plane.require_finite();
    plane.require_positive();
    plane.require_mass();
  }
}

}  // namespace underdamp
