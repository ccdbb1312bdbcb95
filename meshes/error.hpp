#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace underdamp {

/// Exit status of the program for each kind of failure (documented in docs/user-guide.md).
enum class ExitCode {
  success = 0,
  check_failed = 1,
  bad_input = 2,
  numerical = 3,
  device = 4,
  input_output = 5,
  interrupted = 130,
};

/// A failure that the user can act on: what was wrong, where, and what to change.
class Error : public std::runtime_error {
 public:
  /// `what` states the fact, `where` the place (file:line:column, key, cell; may be empty), `remedy` the cure.
  Error(ExitCode code, std::string_view what, std::string_view where = {}, std::string_view remedy = {});

  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// Throws Error (bad_input) unless `holds`: what an operation needs of its arguments is looked at in every build.
inline void require(bool holds, const char* what) {
  if (!holds) throw Error(ExitCode::bad_input, what);
}

/// Error (device): `device` ("the host", "the GPU") has no room for so many bytes. `total` 0: how many are free is not
/// known.
Error out_of_memory(std::string_view device, std::size_t wanted, std::size_t free = 0, std::size_t total = 0);

}  // namespace underdamp
