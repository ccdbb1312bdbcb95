#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <stdlib.h>

#include "meshes/error.hpp"

/// What the targets of the fuzzer share. A target is LLVMFuzzerTestOneInput in a file of its own: it must come back
/// from every input, having accepted it or thrown underdamp::Error. Any other exception ends the program.
namespace underdamp::fuzz {

inline std::string text_of(const std::uint8_t* data, std::size_t size) {
  return {data, data + size};
}

/// Runs a reader that may refuse its input.
template <class Reader>
void accept_or_refuse(const Reader& reader) {
  try {
    reader();
  } catch (const Error&) {
  }
}

/// A use of a result that the compiler cannot leave out.
inline void keep(double value) {
  [[maybe_unused]] static volatile double sink = 0.0;
  sink = value;
}

/// The folder of this process for files of the targets, in memory where there is such a file system.
inline const std::filesystem::path& temporary_folder() {
  static const struct Folder {
    Folder() {
      std::error_code code;
      const std::filesystem::path memory = "/dev/shm";
      const auto parent = std::filesystem::is_directory(memory, code) ? memory : std::filesystem::temp_directory_path();
      std::string name = (parent / "underdamp-fuzz-XXXXXX").string();
      if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot create a folder in " + parent.string());
      path = name;
    }
    ~Folder() {
      std::error_code code;
      std::filesystem::remove_all(path, code);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::filesystem::path path;
  } folder;
  return folder.path;
}

class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, const std::string& content) : path_(temporary_folder() / name) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() {
    std::error_code code;
    std::filesystem::remove(path_, code);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace underdamp::fuzz
