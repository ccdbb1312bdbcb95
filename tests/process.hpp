#pragma once
#include <sys/resource.h>
#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace underdamp::testing {

struct ProcessLimits {
  std::optional<rlim_t> file_bytes;     ///< RLIMIT_FSIZE
  std::optional<rlim_t> address_bytes;  ///< RLIMIT_AS
};

/// A program that runs beside the test; what it prints is collected in a file. Killed with the object.
class Process {
 public:
  Process(const std::filesystem::path& folder, std::vector<std::string> command, const ProcessLimits& limits = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  bool is_running();
  void signal(int number) const;
  /// Exit status; 128 + signal if it was killed.
  int wait();
  std::string output() const;

 private:
  pid_t child_ = -1;
  std::optional<int> status_;
  std::filesystem::path log_;
};

struct ProcessResult {
  int code = -1;
  std::string output;
};
ProcessResult run_process(const std::filesystem::path& folder, std::vector<std::string> command,
                          const ProcessLimits& limits = {});

/// Pauses the calling thread.
void sleep_seconds(double seconds);

}  // namespace underdamp::testing
