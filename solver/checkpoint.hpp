#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// State of a run that was interrupted or failed.
struct Checkpoint {
  std::string version;
  std::string spec;    ///< resolved spec, JSON
  std::string reason;  ///< why it was written
  double time = 0.0;   ///< that all planes have reached
  int frames_written = 0;
  std::vector<PhasePlane> planes;
  std::vector<double> plane_time;            ///< [plane] time of each density
  std::vector<std::vector<double>> density;  ///< [plane], in the order of FieldView
};

/// Writes checkpoint.h5 whole or not at all. Throws Error (input_output).
void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Reads one back. Throws Error (input_output) if it is damaged or of another kind.
Checkpoint read_checkpoint(const std::filesystem::path& path);

}  // namespace underdamp
