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

}  // namespace underdamp
