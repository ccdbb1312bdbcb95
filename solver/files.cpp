#include "solver/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>

#include <fmt/format.h>

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

void remove_temporaries(const fs::path& folder) {
  static const std::regex ours("\\..+\\.writing(\\.[^.]*)?");  // the names of write_atomically
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    if (std::regex_match(entry.path().filename().string(), ours)) fs::remove(entry.path(), code);
  }
}

FolderLock::FolderLock(const fs::path& folder)
    : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(descriptor_);
  throw Error(ExitCode::input_output, "another run is writing into this folder", folder.string(),
              "wait for it or stop it, or choose another place with --output");
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash) {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

std::string content_digest(const fs::path& path) {
  require_file(path);
  std::ifstream stream(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  return fmt::format("{:016x}", fnv1a(content));
}

void make_folder(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) fail(path, "cannot create the folder", code.message());
  if (::access(path.c_str(), W_OK) != 0) fail(path, "cannot write into the folder", std::strerror(errno));
}

}  // namespace underdamp
