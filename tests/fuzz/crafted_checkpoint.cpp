#include "tests/fuzz/crafted_checkpoint.hpp"

#include <hdf5.h>

#include <array>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "solver/io/checkpoint.hpp"
#include "solver/io/files.hpp"

namespace underdamp::fuzz {
namespace {

constexpr std::size_t block_size = 512;
constexpr std::array names{"spec", "run", "evolution/plane_time", "evolution/group_1/density", "evolution"};

/// An HDF5 object for the length of a scope. What HDF5 refuses is left out of the file.
struct Object {
  Object(hid_t opened, herr_t (*closing)(hid_t)) : id(opened), close(closing) {}
  ~Object() {
    if (id >= 0) close(id);
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  hid_t id;
  herr_t (*close)(hid_t);
};

class Crafter {
 public:
  Crafter(hid_t file, std::span<const std::uint8_t> bytes)
      : file_(file), links_(H5Pcreate(H5P_LINK_CREATE), H5Pclose), bytes_(bytes) {
    H5Pset_create_intermediate_group(links_.id, 1);
  }

  void write() {
    constexpr int most_objects = 12;
    for (int k = 0; k < most_objects && !bytes_.empty(); ++k) {
      const char* name = names[take() % names.size()];
      switch (take() % 8) {
        case 0:
          Object(H5Gcreate2(file_, name, links_.id, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
          break;
        case 1:
          H5Lcreate_soft(names[take() % names.size()], file_, name, links_.id, H5P_DEFAULT);
          break;
        case 2:
          H5Lcreate_external("elsewhere.h5", "run", file_, name, links_.id, H5P_DEFAULT);
          break;
        default:
          write_dataset(name);
      }
    }
  }

 private:
  unsigned take() {
    if (bytes_.empty()) return 0;
    const unsigned byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }

  hid_t make_type() {
    const unsigned kind = take() % 8;
    const unsigned size = 1 + take() * 257;
    if (kind == 0) return H5Tcopy(H5T_IEEE_F32LE);
    if (kind == 1) return H5Tcopy(H5T_STD_I64LE);
    if (kind == 2) {
      const hsize_t many = size;
      return H5Tarray_create2(H5T_IEEE_F64LE, 1, &many);
    }
    const hid_t type = H5Tcopy(kind < 5 ? H5T_C_S1 : H5T_IEEE_F64LE);
    if (kind == 3) H5Tset_size(type, H5T_VARIABLE);
    if (kind == 4) H5Tset_size(type, size);
    if (kind == 5) H5Tset_size(type, 8 + size);
    return type;
  }

  void write_dataset(const char* name) {
    const Object type(make_type(), H5Tclose);
    const unsigned layout = take() % 8;
    std::vector<hsize_t> extent(take() % 4);
    std::size_t count = 1;
    for (hsize_t& length : extent) {
      length = take() % 32;
      count *= static_cast<std::size_t>(length);
    }
    const Object space(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose);
    const Object plan(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    if (layout == 1) H5Pset_layout(plan.id, H5D_COMPACT);
    if (layout == 2) H5Pset_external(plan.id, "elsewhere", 0, H5F_UNLIMITED);
    if (layout == 3) {
      H5Pset_chunk(plan.id, static_cast<int>(extent.size()), extent.data());
      H5Pset_deflate(plan.id, 1);
    }
    const Object set(H5Dcreate2(file_, name, type.id, space.id, links_.id, plan.id, H5P_DEFAULT), H5Dclose);
    constexpr std::size_t most_bytes = std::size_t{1} << 22;
    const std::size_t size = count * H5Tget_size(type.id);
    if (set.id < 0 || layout == 2 || size > most_bytes || H5Tis_variable_str(type.id) != 0) return;
    const std::vector<char> values(size + 1, static_cast<char>(take()));
    H5Dwrite(set.id, type.id, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  }

  hid_t file_;
  Object links_;
  std::span<const std::uint8_t> bytes_;
};

/// The line that the reader wants before the HDF5 part (docs/reliability.md).
void seal(const std::filesystem::path& path) {
  std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekg(block_size);
  const std::string rest{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  stream.clear();
  stream.seekp(0);
  stream << fmt::format("underdamp checkpoint {} {} {:016x}\n", checkpoint_format, rest.size(), fnv1a(rest));
}

}  // namespace

void write_crafted_checkpoint(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  {
    const Object options(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
    H5Pset_userblock(options.id, block_size);
    const Object file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, options.id, H5P_DEFAULT), H5Fclose);
    Crafter(file.id, bytes).write();
  }
  seal(path);
}

}  // namespace underdamp::fuzz
