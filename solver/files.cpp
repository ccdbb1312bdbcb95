#include "solver/files.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "meshes/error.hpp"
#include "solver/diagnostics.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::string& what, const std::string& reason) {
  throw Error(ExitCode::input_output, what + ": " + reason, path.string(),
              "check space and permissions there, or choose another place with --output");
}

}  // namespace

void require_file(const fs::path& path) {
  std::error_code code;
  if (fs::is_directory(path, code))
    refuse(path.string(), "", "this is a folder, not a file", "give the name of a file");
  if (!fs::exists(path, code)) {
    refuse(path.string(), "", "there is no such file", "file names in a spec are relative to the folder of the spec");
  }
  if (!fs::is_regular_file(path, code)) refuse(path.string(), "", "this is a device, not a file", "copy it to a file");
  if (::access(path.c_str(), R_OK) != 0) {
    refuse(path.string(), "", "cannot read the file: " + std::string(std::strerror(errno)), "check its permissions");
  }
}

void write_atomically(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  fs::path temporary = path;
  // The extension stays last: some writers look at it.
  temporary.replace_filename("." + path.stem().string() + ".writing" + path.extension().string());
  std::error_code code;
  try {
    write(temporary);
  } catch (...) {
    fs::remove(temporary, code);
    throw;
  }
  fs::rename(temporary, path, code);
  if (code) {
    const std::string reason = code.message();
    fs::remove(temporary, code);
    fail(path, "cannot put the file in place", reason);
  }
}

void write_text(const fs::path& path, const std::string& text) {
  write_atomically(path, [&](const fs::path& temporary) {
    errno = 0;
    std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
    stream.write(text.data(), static_cast<std::streamsize>(text.size()));
    stream.close();
    if (!stream) fail(path, "cannot write the file", errno != 0 ? std::strerror(errno) : "unknown reason");
  });
}

void make_folder(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) fail(path, "cannot create the folder", code.message());
  if (::access(path.c_str(), W_OK) != 0) fail(path, "cannot write into the folder", std::strerror(errno));
}

}  // namespace underdamp
