#include "solver/step/window.hpp"

#include <algorithm>
#include <limits>

namespace underdamp {

LevelWeights extrapolation_weights(int first, int count) {
  LevelWeights a{};
  for (int l = first; l <= count; ++l) {
    double product = 1.0;
    for (int m = first; m <= count; ++m) {
      if (m != l) product *= static_cast<double>(l * l) / static_cast<double>(l * l - m * m);
    }
    a[static_cast<std::size_t>(l) - 1] = product;
  }
  return a;
}

LevelWeights difference_weights(int count) {
  LevelWeights a = extrapolation_weights(1, count);
  const LevelWeights b = extrapolation_weights(2, count);
  for (std::size_t l = 0; l < a.size(); ++l) a[l] -= b[l];
  return a;
}

double longest_window(const PhaseMesh& mesh, const Tables& tables) {
  double longest = std::numeric_limits<double>::infinity();
  for (const double gamma : tables.friction) longest = std::min(longest, 1.0 / gamma);
  if (mesh.walls().any_reflecting()) {
    for (int p = 0; p < mesh.planes(); ++p) {
      const PhasePlane& plane = mesh.plane(p);
      const double most =
          mesh.walls().any_pressed() ? largest_wall_shift(mesh) * plane.theta.width() : 0.4 * plane.theta.length();
      longest = std::min(longest, most / plane.velocity.upper);
    }
  }
  return longest;
}

namespace {

class PlanePlanner final : public SweepPlanner {
 public:
  PlanePlanner(Backend& backend, const PhaseMesh& mesh, const Tables& tables)
      : backend_(backend), mesh_(mesh), tables_(tables) {}
  std::unique_ptr<VelocityPlan> velocity(double duration) const override {
    return backend_.sweeps().plan_velocity(mesh_, tables_.velocity_law(duration));
  }
  std::unique_ptr<DriftPlan> drift(double duration) const override {
    return backend_.sweeps().plan_drift(mesh_, std::vector<double>(static_cast<std::size_t>(mesh_.planes()), duration));
  }

 private:
  Backend& backend_;
  const PhaseMesh& mesh_;
  const Tables& tables_;
};

}  // namespace

Window::Window(Backend& backend, const PhaseMesh& mesh, const Tables& tables, double length)
    : backend_(backend),
      own_planner_(std::make_unique<PlanePlanner>(backend, mesh, tables)),
      planner_(own_planner_.get()),
      length_(length) {}

Field& LevelFields::level(int number) {
  while (static_cast<int>(fields_.size()) < number) fields_.push_back(backend_.fields().allocate(shape_));
  return *fields_[static_cast<std::size_t>(number) - 1];
}

std::vector<Field*> LevelFields::first(int count) {
  std::vector<Field*> pointers;
  for (int l = 1; l <= count; ++l) pointers.push_back(&level(l));
  return pointers;
}

std::vector<const Field*> LevelFields::first_const(int count) {
  const auto pointers = first(count);
  return {pointers.begin(), pointers.end()};
}

const VelocityPlan& Window::velocity(int m) {
  auto& plan = velocity_[m];
  if (!plan) plan = planner_->velocity(length_ / m);
  return *plan;
}

const DriftPlan& Window::drift(int m) {
  auto& plan = drift_[m];
  if (!plan) plan = planner_->drift(length_ / m);
  return *plan;
}

void Window::take_steps(const Field& from, Field& to, int level, long count, Positivity positivity) {
  auto& sequence = sequences_[{&from, &to, level, count, positivity}];
  if (!sequence) {
    const VelocityPlan& half = velocity(2 * level);
    const VelocityPlan& whole = count > 1 ? velocity(level) : half;
    const DriftPlan& drifts = drift(level);
    sequence = backend_.sweeps().make_sequence([this, &from, &to, &half, &whole, &drifts, count, positivity] {
      backend_.sweeps().velocity(from, to, half, positivity);
      for (long s = 1; s < count; ++s) backend_.sweeps().drift_velocity(to, drifts, whole, positivity);
      backend_.sweeps().drift_velocity(to, drifts, half, positivity);
    });
  }
  backend_.sweeps().replay(*sequence);
}

Window& RecentWindows::of(double length) {
  const auto known = std::find_if(windows_.begin(), windows_.end(),
                                  [&](const std::unique_ptr<Window>& window) { return window->length() == length; });
  if (known != windows_.end()) {
    std::rotate(windows_.begin(), known, known + 1);
  } else {
    if (windows_.size() == most) windows_.pop_back();
    windows_.insert(windows_.begin(), std::make_unique<Window>(backend_, mesh_, tables_, length));
  }
  return *windows_.front();
}

}  // namespace underdamp
