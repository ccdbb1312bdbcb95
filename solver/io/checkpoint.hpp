#pragma once
#include <filesystem>
#include <functional>
#include <memory>

#include "solver/io/state.hpp"

/// The file checkpoint.h5 (docs/reliability.md lists what is in it). The only place that knows HDF5.
namespace underdamp {

/// Changes when a program of another format could not continue from the file.
inline constexpr int checkpoint_format = 3;

/// True if this build can write checkpoints.
bool has_checkpoints();

/// Writes a checkpoint whole or not at all, and lets it reach the disk before it takes the place of an earlier one:
/// `save` puts everything in. Throws Error (input_output).
void write_checkpoint(const std::filesystem::path& path, const std::function<void(StateWriter&)>& save);

/// Opens one; its checksum has been compared. Throws Error (input_output) if it is damaged, no checkpoint, or of
/// another format.
std::unique_ptr<StateReader> open_checkpoint(const std::filesystem::path& path);

}  // namespace underdamp
