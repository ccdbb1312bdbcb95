#include "result_files.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "solver/io/checkpoint.hpp"

namespace underdamp::testing {
namespace {

namespace fs = std::filesystem;

std::map<std::string, fs::path> files_under(const fs::path& folder) {
  std::map<std::string, fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder).string()] = entry.path();
  }
  return files;
}

bool is_temporary(const std::string& name) {
  return contains(name, ".writing");
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool is_complete_table(const std::string& text) {
  if (!ends_with(text, "\n")) return false;
  std::istringstream stream(text);
  std::ptrdiff_t columns = -1;
  for (std::string line; std::getline(stream, line);) {
    const auto commas = std::count(line.begin(), line.end(), ',');
    if (columns >= 0 && commas != columns) return false;
    columns = commas;
  }
  return columns >= 0;
}

bool is_complete_checkpoint(const fs::path& path) {
  try {
    static_cast<void>(open_checkpoint(path)->text("reason"));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

bool is_complete(const fs::path& path) {
  const std::string extension = path.extension().string();
  if (extension == ".h5") return is_complete_checkpoint(path);
  const std::string text = text_of(path);
  if (extension == ".csv") return is_complete_table(text);
  if (extension == ".vti" || extension == ".pvd") return ends_with(text, "</VTKFile>\n");
  if (extension == ".json") return nlohmann::json::accept(text);
  return ends_with(text, "\n");
}

}  // namespace

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

nlohmann::json json_of(const fs::path& file) {
  return nlohmann::json::parse(text_of(file));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

nlohmann::json without_clock(nlohmann::json summary) {
  const auto keys = summary.at("timing").at("keys");
  for (const auto& key : keys) {
    const nlohmann::json::json_pointer pointer(key.get<std::string>());
    summary[pointer.parent_pointer()].erase(pointer.back());
  }
  summary.erase("timing");
  return summary;
}

std::vector<std::string> differing_files(const fs::path& a, const fs::path& b) {
  const auto of_a = files_under(a);
  const auto of_b = files_under(b);
  std::vector<std::string> differing;
  for (const auto& [name, path] : of_a) {
    const auto other = of_b.find(name);
    if (other == of_b.end()) {
      differing.push_back(name + " is missing");
    } else if (fs::path(name).filename() == "summary.json") {
      if (without_clock(json_of(path)) != without_clock(json_of(other->second))) differing.push_back(name);
    } else if (text_of(path) != text_of(other->second)) {
      differing.push_back(name);
    }
  }
  for (const auto& [name, path] : of_b) {
    if (of_a.count(name) == 0) differing.push_back(name + " is too much");
  }
  return differing;
}

std::vector<std::string> half_written_files(const fs::path& folder) {
  std::vector<std::string> names;
  if (!fs::exists(folder)) return names;
  for (const auto& [name, path] : files_under(folder)) {
    if (!is_temporary(name) && !is_complete(path)) names.push_back(name);
  }
  return names;
}

std::vector<std::string> temporary_files(const fs::path& folder) {
  std::vector<std::string> names;
  if (!fs::exists(folder)) return names;
  for (const auto& [name, path] : files_under(folder)) {
    if (is_temporary(name)) names.push_back(name);
  }
  return names;
}

}  // namespace underdamp::testing
