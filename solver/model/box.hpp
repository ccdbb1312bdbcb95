#pragma once
#include <functional>
#include <string>
#include <vector>

#include "meshes/phase_mesh.hpp"
#include "solver/model/model.hpp"
#include "solver/spec/spec.hpp"

/// Choice of the box of each plane (docs/method.md, section 6).
namespace underdamp {

struct PlaneBox {
  Interval theta;
  Interval velocity;
  std::string reason;  ///< how it was chosen, for `check` and summary.json
};

/// The box of plane p. Axes that the spec fixes are taken from it. Throws Error (bad_input) if the box must leave the
/// range where loss and noise are known, or if nothing confines the parameter.
PlaneBox choose_box(const Spec& spec, const Model& model, int p);

/// The mesh of all planes with their boxes; `reasons` receives one text per plane. Threads take turns with the planes;
/// `poll` is called by this one with the share that is done, and what it throws ends the work.
PhaseMesh make_mesh(const Spec& spec, const Model& model, std::vector<std::string>* reasons = nullptr,
                    const std::function<void(double)>& poll = {});

}  // namespace underdamp
