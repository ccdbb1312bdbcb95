#include "solver/io/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>
#include <utility>

#include <fmt/format.h>

#include "meshes/error.hpp"
#include "solver/io/diagnostics.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::string& what, const std::string& reason) {
  throw Error(ExitCode::input_output, what + ": " + reason, path.string(),
              "check space and permissions there, or choose another place with --output");
}

/// Formats that people take for text, by the bytes at their beginning; empty if it is none of them.
std::string_view binary_format(std::string_view content) {
  using namespace std::string_view_literals;
  constexpr std::array formats{std::pair{"PK\x03\x04"sv, "an Excel workbook or another ZIP archive"sv},
                               std::pair{"\x1f\x8b"sv, "compressed by gzip"sv},
                               std::pair{"\x93NUMPY"sv, "a NumPy array (.npy)"sv}, std::pair{"\x89HDF"sv, "HDF5"sv},
                               std::pair{"PAR1"sv, "Parquet"sv}};
  for (const auto& [beginning, name] : formats) {
    if (content.substr(0, beginning.size()) == beginning) return name;
  }
  return {};
}

/// "UTF-16" or "UTF-32", by a byte-order mark or by the zeros between ASCII characters; empty if it is neither.
std::string_view wide_encoding(std::string_view content) {
  using namespace std::string_view_literals;
  std::array<std::size_t, 4> zeros{};
  const std::size_t looked_at = std::min<std::size_t>(content.size(), 4096) / 4 * 4;
  for (std::size_t k = 0; k < looked_at; ++k) zeros[k % 4] += content[k] == '\0' ? 1 : 0;
  const auto many = [&](std::size_t place) { return 8 * zeros[place] > looked_at; };  // half of the quarter there
  const auto beginning = content.substr(0, 2);
  if (content.substr(0, 4) == "\xFF\xFE\0\0"sv || content.substr(0, 4) == "\0\0\xFE\xFF"sv ||
      (many(1) && many(2) && many(0) != many(3))) {
    return "UTF-32";
  }
  if (beginning == "\xFF\xFE"sv || beginning == "\xFE\xFF"sv || (many(0) && many(2)) != (many(1) && many(3)))
    return "UTF-16";
  return {};
}

}  // namespace

void require_plain_text(std::string_view content, const fs::path& path) {
  if (const auto format = binary_format(content); !format.empty()) {
    refuse(path.string(), "", "this is no text: it is " + std::string(format), "save it as plain text in UTF-8");
  }
  if (const auto encoding = wide_encoding(content); !encoding.empty()) {
    refuse(path.string(), "", "the text is encoded in " + std::string(encoding),
           "save it as UTF-8 (Excel: \"CSV UTF-8\"; PowerShell: -Encoding utf8; Python: encoding=\"utf-8\")");
  }
}

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
