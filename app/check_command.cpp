#include <cstdio>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "solver/displacement/displacement.hpp"
#include "solver/io/progress.hpp"
#include "solver/run/dropped_noise.hpp"
#include "solver/run/plan_text.hpp"
#include "solver/run/simulation.hpp"
#include "solver/spec/spec_reader.hpp"

namespace underdamp {

namespace {

void warn_of(const std::vector<std::string>& texts) {
  std::fflush(stdout);  // they stand below what they are about; main() looks whether that has arrived
  for (const auto& text : texts) warn(text);
}

}  // namespace

int check_command(const std::string& path) {
  const Spec spec = read_spec(path);
  const ChosenBackend chosen = make_backend(DeviceChoice::automatic, precision_of_run(spec));
  if (spec.displacement && !spec.evolve && !spec.stationary) {
    const Displacement displacement(spec, *chosen.backend);
    fmt::print("{}\n{}", spec.title, describe_displacement(displacement));
    if (const Json dropped = dropped_noise(displacement.model()); !dropped.is_null())
      fmt::print("{}", dropped_noise_text(dropped));
    warn_of(spec.notes);
    fmt::print("{}: the spec is good\n", path);
    return 0;
  }
  const Simulation simulation = [&] {
    Progress progress("boxes", 1.0, false);
    return Simulation(spec, *chosen.backend, leak_error, [&](double share) { progress.update(share); });
  }();
  for (int p = 0; p < simulation.mesh().planes() && spec.evolve; ++p) {
    initial_density(spec, simulation.model(), simulation.mesh(), p);  // throws if the start does not fit
  }
  fmt::print("{}", describe_plan(simulation));
  if (spec.displacement) fmt::print("{}", describe_displacement(Displacement(spec, *chosen.backend)));
  warn_of(spec.notes);
  warn_of(precision_warnings(spec));
  for (int p = 0; p < simulation.mesh().planes(); ++p)
    warn_of(resolution_warnings(spec, simulation.model(), simulation.mesh(), p));
  fmt::print("{}: the spec is good\n", path);
  return 0;
}

}  // namespace underdamp
