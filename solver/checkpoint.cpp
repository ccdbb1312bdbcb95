#include "solver/checkpoint.hpp"

#include <hdf5.h>

#include <array>

#include "meshes/error.hpp"
#include "solver/files.hpp"

namespace underdamp {
namespace {

/// Closes an HDF5 object at the end of a scope; a negative identifier is an error.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& what, const std::string& file) : id_(id), close_(close) {
    if (id_ < 0) {
      throw Error(ExitCode::input_output, "HDF5 could not " + what, file,
                  "check space and permissions, or use another file");
    }
  }
  ~Handle() { close_(id_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

void require(herr_t status, const std::string& what, const std::string& file) {
  if (status < 0)
    throw Error(ExitCode::input_output, "HDF5 could not " + what, file, "check space and permissions there");
}

/// HDF5 prints its own stack otherwise; our messages say what the user can do.
void silence() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

void write_numbers(hid_t file, const std::string& name, const std::vector<hsize_t>& shape, const double* values,
                   const std::string& path) {
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose,
                     "describe " + name, path);
  const Handle set(H5Dcreate2(file, name.c_str(), H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                   H5Dclose, "create " + name, path);
  require(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), "write " + name, path);
}

std::vector<double> read_numbers(hid_t file, const std::string& name, std::vector<hsize_t>& shape,
                                 const std::string& path) {
  const Handle set(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose, "find " + name, path);
  const Handle space(H5Dget_space(set), H5Sclose, "read the shape of " + name, path);
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 1 || rank > 4)
    throw Error(ExitCode::input_output, name + " has an unexpected shape", path, "use another file");
  shape.resize(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space, shape.data(), nullptr);
  hsize_t count = 1;
  for (const hsize_t n : shape) count *= n;
  constexpr hsize_t largest = hsize_t{1} << 34;
  if (count > largest) throw Error(ExitCode::input_output, name + " is too large", path, "use another file");
  std::vector<double> values(static_cast<std::size_t>(count));
  require(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "read " + name, path);
  return values;
}

void write_string(hid_t file, const std::string& name, const std::string& text, const std::string& path) {
  const hsize_t size = text.size();
  const Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose, "describe " + name, path);
  const Handle set(H5Dcreate2(file, name.c_str(), H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose,
                   "create " + name, path);
  if (size > 0)
    require(H5Dwrite(set, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()), "write " + name, path);
}

std::string read_string(hid_t file, const std::string& name, const std::string& path) {
  const Handle set(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose, "find " + name, path);
  const Handle space(H5Dget_space(set), H5Sclose, "read the shape of " + name, path);
  const hssize_t size = H5Sget_simple_extent_npoints(space);
  if (size < 0 || size > (hssize_t{1} << 24))
    throw Error(ExitCode::input_output, name + " is too large", path, "use another file");
  std::string text(static_cast<std::size_t>(size), '\0');
  if (size > 0)
    require(H5Dread(set, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()), "read " + name, path);
  return text;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  silence();
  write_atomically(path, [&](const std::filesystem::path& temporary) {
    const Handle file(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose,
                      "create the file", path.string());
    write_string(file, "version", checkpoint.version, path.string());
    write_string(file, "spec", checkpoint.spec, path.string());
    write_string(file, "reason", checkpoint.reason, path.string());
    const std::array<double, 2> progress{checkpoint.time, static_cast<double>(checkpoint.frames_written)};
    write_numbers(file, "progress", {2}, progress.data(), path.string());
    std::vector<double> boxes;
    std::vector<double> density;
    for (std::size_t p = 0; p < checkpoint.planes.size(); ++p) {
      const PhasePlane& plane = checkpoint.planes[p];
      boxes.insert(boxes.end(), {plane.theta.lower, plane.theta.upper, plane.velocity.lower, plane.velocity.upper});
      density.insert(density.end(), checkpoint.density[p].begin(), checkpoint.density[p].end());
    }
    const auto planes = static_cast<hsize_t>(checkpoint.planes.size());
    write_numbers(file, "boxes", {planes, 4}, boxes.data(), path.string());
    write_numbers(file, "plane_time", {planes}, checkpoint.plane_time.data(), path.string());
    write_numbers(file, "density",
                  {planes, static_cast<hsize_t>(checkpoint.planes[0].theta.cells),
                   static_cast<hsize_t>(checkpoint.planes[0].velocity.cells)},
                  density.data(), path.string());
    require(H5Fflush(file, H5F_SCOPE_GLOBAL), "finish the file", path.string());
  });
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  silence();
  const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "open the file", path.string());
  Checkpoint checkpoint;
  checkpoint.version = read_string(file, "version", path.string());
  checkpoint.spec = read_string(file, "spec", path.string());
  checkpoint.reason = read_string(file, "reason", path.string());
  std::vector<hsize_t> shape;
  const auto progress = read_numbers(file, "progress", shape, path.string());
  checkpoint.plane_time = read_numbers(file, "plane_time", shape, path.string());
  const auto boxes = read_numbers(file, "boxes", shape, path.string());
  const auto density = read_numbers(file, "density", shape, path.string());
  if (progress.size() != 2 || shape.size() != 3 || boxes.size() != 4 * shape[0] ||
      checkpoint.plane_time.size() != shape[0]) {
    throw Error(ExitCode::input_output, "the parts of the file do not fit together", path.string(), "use another file");
  }
  checkpoint.time = progress[0];
  checkpoint.frames_written = static_cast<int>(progress[1]);
  const auto cells = static_cast<std::ptrdiff_t>(shape[1] * shape[2]);
  for (std::size_t p = 0; p < shape[0]; ++p) {
    checkpoint.planes.push_back({{boxes[4 * p], boxes[4 * p + 1], static_cast<int>(shape[1])},
                                 {boxes[4 * p + 2], boxes[4 * p + 3], static_cast<int>(shape[2])}});
    const auto first = density.begin() + cells * static_cast<std::ptrdiff_t>(p);
    checkpoint.density.emplace_back(first, first + cells);
  }
  return checkpoint;
}

}  // namespace underdamp
