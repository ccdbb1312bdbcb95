#include "solver/io/checkpoint.hpp"

#include <fcntl.h>
#include <hdf5.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/io/files.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

constexpr const char* remedy = "check space and permissions there";

[[noreturn]] void fail(const std::string& what, const std::string& file, const std::string& cure = remedy) {
  const std::string reason = errno != 0 ? std::string(": ") + std::strerror(errno) : "";
  throw Error(ExitCode::input_output, what + reason, file, cure);
}

/// Closes an HDF5 object at the end of a scope; a negative identifier is an error.
class Handle {
 public:
  Handle(hid_t id, herr_t (*closing)(hid_t), const std::string& what, const std::string& file)
      : id_(id), close_(closing) {
    if (id_ < 0) fail("HDF5 could not " + what, file);
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, hid_t{-1})), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  operator hid_t() const { return id_; }
  /// What is still in memory is written when a file is closed, which may fail.
  herr_t close() { return close_(std::exchange(id_, hid_t{-1})); }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

void require(herr_t status, const std::string& what, const std::string& file) {
  if (status < 0) fail("HDF5 could not " + what, file);
}

/// HDF5 prints its own stack otherwise; our messages say what the user can do. A file that could not be closed because
/// the disk is full makes it crash when it tidies up at the end of the program: it need not, every file is closed here.
void prepare_library() {
  static const herr_t once = H5dont_atexit();
  static_cast<void>(once);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  errno = 0;
}

// --- the block before the HDF5 part --------------------------------------------------------------

/// HDF5 leaves this many bytes at the beginning of a file alone. They hold one line of text: the format, and size and
/// checksum of the rest, so that HDF5 sees nothing but what it wrote.
constexpr std::size_t block_size = 512;
constexpr const char* mark = "underdamp checkpoint";

/// The line for the rest of an open file: its size and its FNV-1a. Both come from the stream: under the name there may
/// by now be a newer checkpoint.
std::string seal_line(int format, std::istream& stream) {
  std::uint64_t hash = fnv_start;
  std::uintmax_t size = 0;
  std::vector<char> buffer(std::size_t{1} << 20);
  while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || stream.gcount() > 0) {
    const auto count = static_cast<std::size_t>(stream.gcount());
    hash = fnv1a({buffer.data(), count}, hash);
    size += count;
  }
  return fmt::format("{} {} {} {:016x}\n", mark, format, size, hash);
}

void seal(const fs::path& temporary, const std::string& path) {
  errno = 0;
  std::fstream stream(temporary, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekg(block_size);
  const std::string line = seal_line(checkpoint_format, stream);
  stream.clear();
  stream.seekp(0);
  stream.write(line.data(), static_cast<std::streamsize>(line.size()));
  stream.close();
  if (!stream) fail("cannot finish the checkpoint", path);
  const int descriptor = ::open(temporary.c_str(), O_RDONLY);
  if (descriptor < 0) fail("cannot finish the checkpoint", path);
  const int status = ::fsync(descriptor);
  ::close(descriptor);
  if (status != 0) fail("cannot bring the checkpoint to the disk", path);
}

void check_seal(const fs::path& path) {
  const std::string cure = "start again without --resume";
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::array<char, block_size> block{};
  if (!stream.read(block.data(), block.size())) fail("cannot read the checkpoint", path.string(), cure);
  block.back() = '\0';
  const std::string line(block.data());
  int format = 0;
  if (std::sscanf(line.c_str(), "underdamp checkpoint %d ", &format) != 1)
    throw Error(ExitCode::input_output, "this is not a checkpoint of underdamp", path.string(), cure);
  if (format != checkpoint_format) {
    throw Error(
        ExitCode::input_output,
        fmt::format("the checkpoint has format {}, this program writes and reads format {}", format, checkpoint_format),
        path.string(), "continue with the program that wrote it, or " + cure);
  }
  if (line != seal_line(format, stream))
    throw Error(ExitCode::input_output, "the checkpoint is damaged: its checksum is another", path.string(), cure);
}

// --- the HDF5 part -------------------------------------------------------------------------------

class FileWriter final : public StateWriter {
 public:
  FileWriter(const fs::path& temporary, std::string path)
      : path_(std::move(path)),
        file_(create(temporary), H5Fclose, "create the file", path_),
        links_(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "prepare the file", path_),
        sets_(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "prepare the file", path_) {
    require(H5Pset_create_intermediate_group(links_, 1), "prepare the file", path_);
    require(H5Pset_obj_track_times(sets_, 0), "prepare the file", path_);  // equal states give equal files
  }

  void numbers(const std::string& name, std::span<const double> values,
               const std::vector<std::size_t>& shape) override {
    const std::vector<std::size_t> plain{values.size()};
    const std::vector<std::size_t>& sizes = shape.empty() ? plain : shape;
    const std::vector<hsize_t> extent(sizes.begin(), sizes.end());
    const Handle space(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose,
                       "describe " + name, path_);
    put(name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, space, values.data(), values.empty());
  }

  void text(const std::string& name, const std::string& value) override {
    const Handle space(H5Screate(H5S_SCALAR), H5Sclose, "describe " + name, path_);
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "describe " + name, path_);
    require(H5Tset_size(type, value.size() + 1), "describe " + name, path_);
    require(H5Tset_cset(type, H5T_CSET_UTF8), "describe " + name, path_);
    put(name, type, type, space, value.c_str(), false);
  }

  void close() { require(file_.close(), "finish the file", path_); }

 private:
  hid_t create(const fs::path& temporary) const {
    const Handle options(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "prepare the file", path_);
    require(H5Pset_userblock(options, block_size), "prepare the file", path_);
    return H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, options, H5P_DEFAULT);
  }

  void put(const std::string& name, hid_t stored, hid_t given, hid_t space, const void* values, bool empty) {
    errno = 0;
    Handle set(H5Dcreate2(file_, name.c_str(), stored, space, links_, sets_, H5P_DEFAULT), H5Dclose, "create " + name,
               path_);
    if (!empty) require(H5Dwrite(set, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), "write " + name, path_);
    require(set.close(), "write " + name, path_);
  }

  std::string path_;
  Handle file_;
  Handle links_;
  Handle sets_;
};

class FileReader final : public StateReader {
 public:
  explicit FileReader(const fs::path& path)
      : path_(path.string()),
        file_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "open the file", path_) {
    require(H5Fget_filesize(file_, &size_), "read the size of the file", path_);
  }

  bool has(const std::string& name) const override {
    for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      if (H5Lexists(file_, name.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
    }
    return H5Lexists(file_, name.c_str(), H5P_DEFAULT) > 0;
  }

  std::vector<double> numbers(const std::string& name) const override {
    const Handle set = open(name, H5T_FLOAT);
    const Handle space(H5Dget_space(set), H5Sclose, "read the shape of " + name, path_);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    if (count < 0 || static_cast<std::uintmax_t>(count) > size_ / sizeof(double)) too_large(name);
    std::vector<double> values(static_cast<std::size_t>(count));
    if (count > 0)
      require(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "read " + name, path_);
    return values;
  }

  std::string text(const std::string& name) const override {
    const Handle set = open(name, H5T_STRING);
    const Handle type(H5Dget_type(set), H5Tclose, "read the type of " + name, path_);
    const Handle space(H5Dget_space(set), H5Sclose, "read the shape of " + name, path_);
    const std::size_t size = H5Tget_size(type);
    if (size < 1 || size > size_ || H5Tis_variable_str(type) != 0 || H5Sget_simple_extent_npoints(space) != 1)
      too_large(name);
    std::string value(size, '\0');
    require(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value.data()), "read " + name, path_);
    value.pop_back();
    return value;
  }

 private:
  Handle open(const std::string& name, H5T_class_t expected) const {
    if (!has(name)) damaged_state(name + " is missing");
    Handle set(H5Dopen2(file_, name.c_str(), H5P_DEFAULT), H5Dclose, "open " + name, path_);
    const Handle type(H5Dget_type(set), H5Tclose, "read the type of " + name, path_);
    // HDF5 would convert numbers of any size that a file claims, with as much memory.
    const bool is_double = expected != H5T_FLOAT || H5Tequal(type, H5T_IEEE_F64LE) > 0;
    if (H5Tget_class(type) != expected || !is_double) damaged_state(name + " is of another type");
    const Handle made(H5Dget_create_plist(set), H5Pclose, "read the layout of " + name, path_);
    if (H5Pget_layout(made) != H5D_CONTIGUOUS || H5Pget_external_count(made) != 0)
      damaged_state(name + " is stored in another way");
    return set;
  }
  [[noreturn]] void too_large(const std::string& name) const { damaged_state(name + " is larger than the file"); }

  std::string path_;
  Handle file_;
  hsize_t size_ = 0;
};

}  // namespace

bool has_checkpoints() {
  return true;
}

void write_checkpoint(const fs::path& path, const std::function<void(StateWriter&)>& save) {
  prepare_library();
  write_atomically(path, [&](const fs::path& temporary) {
    FileWriter file(temporary, path.string());
    save(file);
    file.close();
    seal(temporary, path.string());
  });
}

std::unique_ptr<StateReader> open_checkpoint(const fs::path& path) {
  prepare_library();
  check_seal(path);
  return std::make_unique<FileReader>(path);
}

}  // namespace underdamp
