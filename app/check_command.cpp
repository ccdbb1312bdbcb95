#include <fmt/format.h>

#include "app/commands.hpp"
#include "solver/displacement.hpp"
#include "solver/evolve.hpp"
#include "solver/report.hpp"

namespace underdamp {

int check_command(const std::string& path) {
  const Spec spec = read_spec(path);
  const ChosenBackend chosen = make_backend(DeviceChoice::automatic, precision_of_run(spec));
  if (spec.displacement && !spec.evolve && !spec.stationary) {
    fmt::print("{}\n{}{}: the spec is good\n", spec.title, describe_displacement(Displacement(spec, *chosen.backend)),
               path);
    return 0;
  }
  const Simulation simulation(spec, *chosen.backend);
  for (int p = 0; p < simulation.mesh().planes() && spec.evolve; ++p) {
    initial_density(spec, simulation.model(), simulation.mesh(), p);  // throws if the start does not fit
  }
  fmt::print("{}", describe_plan(simulation));
  if (spec.displacement) fmt::print("{}", describe_displacement(Displacement(spec, *chosen.backend)));
  for (const auto& warning : precision_warnings(spec)) fmt::print("warning: {}\n", warning);
  for (int p = 0; p < simulation.mesh().planes(); ++p) {
    for (const auto& warning : resolution_warnings(spec, simulation.model(), simulation.mesh(), p)) {
      fmt::print("warning: {}\n", warning);
    }
  }
  fmt::print("{}: the spec is good\n", path);
  return 0;
}

}  // namespace underdamp
