#pragma once
#include "solver/spec/spec.hpp"

namespace underdamp {

/// Reads the formulas and files that a spec names into it, each file once. What is wrong with one is added to
/// `problems` under the key that names it, with the place inside the file.
void read_inputs(Spec& spec, Diagnostics& problems);

}  // namespace underdamp
