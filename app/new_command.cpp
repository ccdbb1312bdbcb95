#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "generated/templates.hpp"
#include "meshes/error.hpp"
#include "solver/io/diagnostics.hpp"
#include "solver/io/files.hpp"
#include "solver/spec/key_list.hpp"

namespace underdamp {

namespace {

/// The file that a template reads, empty if there is none.
std::string data_file(std::string_view text) {
  constexpr std::string_view key = "\nfile = \"";
  const auto begin = text.find(key);
  if (begin == std::string_view::npos) return {};
  const auto name = text.substr(begin + key.size());
  return std::string(name.substr(0, name.find('"')));
}

}  // namespace

int new_command(const std::string& name, bool list) {
  std::vector<std::string> names;
  for (const auto& entry : spec_templates) names.emplace_back(entry.name);
  if (list) {
    for (const auto& entry : spec_templates) {
      const std::string_view text = entry.text;
      fmt::print("{:<16} {}\n", entry.name, text.substr(2, text.find('\n') - 2));  // its first line is a comment
    }
    return 0;
  }
  for (const auto& entry : spec_templates) {
    if (name != entry.name) continue;
    const std::filesystem::path path = name + ".toml";
    if (std::filesystem::exists(path)) {
      throw Error(ExitCode::bad_input, "the file exists already", path.string(),
                  "rename or remove it, or work in another folder");
    }
    write_text(path, entry.text);
    fmt::print("wrote {}\n", path.string());
    if (const std::string data = data_file(entry.text); !data.empty()) {
      fmt::print("it reads {}, which is yours to put beside it: comments in {} show its form\n", data, path.string());
    }
    fmt::print("next: underdamp check {}\n", path.string());
    return 0;
  }
  const std::string nearest = nearest_name(name, names);
  throw Error(ExitCode::bad_input, "there is no template \"" + name + "\"", "underdamp new",
              nearest.empty() ? "templates: " + join_names(names)
                              : "did you mean " + nearest + "? templates: " + join_names(names));
}

int new_keys_command() {
  fmt::print("{}", key_list_text());
  return 0;
}

}  // namespace underdamp
