#include "meshes/error.hpp"

namespace underdamp {
namespace {

std::string compose(std::string_view what, std::string_view where, std::string_view remedy) {
  std::string text;
  if (!where.empty()) text.append(where).append(": ");
  text.append(what);
  if (!remedy.empty()) text.append("\n  to fix: ").append(remedy);
  return text;
}

}  // namespace

Error::Error(ExitCode code, std::string_view what, std::string_view where, std::string_view remedy)
    : std::runtime_error(compose(what, where, remedy)), code_(code) {}

Error out_of_memory(std::string_view device, std::size_t wanted, std::size_t free, std::size_t total) {
  const auto mebibytes = [](std::size_t bytes) { return std::to_string((bytes + (std::size_t{1} << 19)) >> 20); };
  std::string text = std::string(device) + " has no room for " + mebibytes(wanted) + " MiB";
  if (total > 0) text += ": " + mebibytes(free) + " of its " + mebibytes(total) + " MiB are free";
  return Error(ExitCode::device, text, {},
               device == "the host" ? "use fewer cells or planes" : "use fewer cells or planes, or --device host");
}

}  // namespace underdamp
