#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "meshes/phase_mesh.hpp"

/// Pictures for ParaView. The only place that knows VTK; a build without it has vtk_file_absent.cpp instead.
namespace underdamp {

/// One array over the cells of a plane, in the order of FieldView; vectors have three components.
struct CellArray {
  std::string name;
  std::vector<std::span<const double>> components;  ///< a number per cell; one that is empty is 0
};

/// A density on a rectangular lattice, as files hold it.
struct GridDensity {
  std::vector<double> theta;  ///< increasing, evenly spaced
  std::vector<double> velocity;
  std::vector<double> values;  ///< [i · velocity.size() + j]
};

/// True if this build can write pictures.
bool has_vtk();

/// Writes a .vti: x = θ, y = v, cells of the plane, cell data; raw bytes compressed by LZ4. Throws Error
/// (input_output). Without VTK it does nothing. Not for two threads at a time.
void write_vti(const std::filesystem::path& path, const PhasePlane& plane, const std::vector<CellArray>& arrays,
               bool float64);

/// Reads the array "density" of a .vti written by write_vti. Throws Error (bad_input).
GridDensity read_vti_density(const std::string& file);

}  // namespace underdamp
