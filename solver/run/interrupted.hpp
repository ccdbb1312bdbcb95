#pragma once

namespace underdamp {

/// Thrown inside a run that RunOptions::interrupted stops, and caught where its state is saved.
struct Interrupted {};

}  // namespace underdamp
