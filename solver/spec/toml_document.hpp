#pragma once
#include <string>

#include "solver/spec/table_reader.hpp"

namespace underdamp {

/// The document of a text. Throws SpecError with the line as it was most likely meant if the text is no TOML.
/// `path`: of the file, for messages.
toml::table toml_document(const std::string& text, const std::string& path);

}  // namespace underdamp
