#pragma once
#include <filesystem>
#include <functional>
#include <string>

namespace underdamp {

/// Throws SpecError if a file that is to be read is missing, a folder, or may not be read.
void require_file(const std::filesystem::path& path);

/// Writes a file whole or not at all: `write` gets a temporary name in the same folder, which then takes the place of
/// `path`. Throws Error (input_output) naming the file and the system's reason; the temporary file is removed.
void write_atomically(const std::filesystem::path& path,
                      const std::function<void(const std::filesystem::path&)>& write);

/// The same for text.
void write_text(const std::filesystem::path& path, const std::string& text);

/// Creates a folder and its parents. Throws Error (input_output) if that fails or if it cannot be written to.
void make_folder(const std::filesystem::path& path);

}  // namespace underdamp
