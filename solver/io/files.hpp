#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace underdamp {

/// Throws SpecError if a file that is to be read is missing, a folder, or may not be read.
void require_file(const std::filesystem::path& path);

/// Throws SpecError if what was read from a file is no text of single bytes: UTF-16, UTF-32, or a binary format.
void require_plain_text(std::string_view content, const std::filesystem::path& path);

/// Writes a file whole or not at all: `write` gets a temporary name in the same folder, which then takes the place of
/// `path`. Throws Error (input_output) naming the file and the system's reason; the temporary file is removed.
void write_atomically(const std::filesystem::path& path,
                      const std::function<void(const std::filesystem::path&)>& write);

/// The same for text.
void write_text(const std::filesystem::path& path, const std::string& text);

/// Removes temporary files that a killed run has left in a folder.
void remove_temporaries(const std::filesystem::path& folder);

/// Keeps other runs out of a folder as long as it lives; the system forgets it when the program ends, however it ends.
class FolderLock {
 public:
  /// Throws Error (input_output) if another run has it. A file system that knows no locks is taken as it is.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

/// FNV-1a, 64 bits: tells whether something has changed, not whether someone has tampered with it.
inline constexpr std::uint64_t fnv_start = 0xcbf29ce484222325;
std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = fnv_start);
/// Of the content of a file, as 16 hexadecimal digits. Throws SpecError if it cannot be read.
std::string content_digest(const std::filesystem::path& path);

/// Creates a folder and its parents. Throws Error (input_output) if that fails or if it cannot be written to.
void make_folder(const std::filesystem::path& path);

}  // namespace underdamp
