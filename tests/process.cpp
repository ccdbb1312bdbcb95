#include "process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "result_files.hpp"

namespace underdamp::testing {
namespace {

void limit(int resource, const std::optional<rlim_t>& bytes) {
  if (!bytes) return;
  const rlimit both{*bytes, *bytes};
  setrlimit(static_cast<__rlimit_resource_t>(resource), &both);
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Process::Process(const std::filesystem::path& folder, std::vector<std::string> command, const ProcessLimits& limits) {
  static int number = 0;
  log_ = std::filesystem::temp_directory_path() /
         ("underdamp-test-" + std::to_string(getpid()) + "-" + std::to_string(++number) + ".log");
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  child_ = fork();
  if (child_ < 0) throw std::runtime_error("cannot start " + command[0]);
  if (child_ > 0) return;
  const int log = open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const bool ready =
      log >= 0 && dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0 && chdir(folder.c_str()) == 0;
  limit(RLIMIT_FSIZE, limits.file_bytes);
  limit(RLIMIT_AS, limits.address_bytes);
  if (ready) execv(arguments[0], arguments.data());
  _exit(127);
}

Process::~Process() {
  if (is_running()) signal(SIGKILL);
  wait();
  std::error_code code;
  std::filesystem::remove(log_, code);
}

bool Process::is_running() {
  int status = 0;
  if (!status_ && waitpid(child_, &status, WNOHANG) == child_) status_ = code_of(status);
  return !status_;
}

void Process::signal(int number) const {
  if (!status_) kill(child_, number);
}

int Process::wait() {
  int status = 0;
  if (!status_) status_ = waitpid(child_, &status, 0) == child_ ? code_of(status) : -1;
  return *status_;
}

std::string Process::output() const {
  return text_of(log_);
}

ProcessResult run_process(const std::filesystem::path& folder, std::vector<std::string> command,
                          const ProcessLimits& limits) {
  Process process(folder, std::move(command), limits);
  const int code = process.wait();
  return {code, process.output()};
}

void sleep_seconds(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

}  // namespace underdamp::testing
