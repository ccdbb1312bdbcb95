#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "meshes/error.hpp"
#include "solver/io/progress.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

/// The script lies beside the program: PREFIX/bin/underdamp and PREFIX/share/underdamp/underdamp_plot.py.
fs::path script_file() {
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code);
  const fs::path script = program.parent_path().parent_path() / "share" / "underdamp" / "underdamp_plot.py";
  if (!code && fs::exists(script, code)) return script;
  throw Error(ExitCode::input_output, "the script that makes the figures is missing", script.string(),
              "install the program with `cmake --install`, or run app/plot/underdamp_plot.py of its sources");
}

/// Empty if this Python can import what the script needs; else why not, as its last line of standard error.
std::string problem_with(const std::string& python) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return std::strerror(errno);
  const pid_t child = fork();
  if (child == 0) {
    const int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    execlp(python.c_str(), python.c_str(), "-c", "import numpy, matplotlib.figure", static_cast<char*>(nullptr));
    const char* const reason = std::strerror(errno);
    static_cast<void>(!write(STDERR_FILENO, reason, std::strlen(reason)));
    _exit(127);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 4096> piece{};
  for (ssize_t size = 0; (size = read(ends[0], piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<std::size_t>(size));
  close(ends[0]);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return std::strerror(errno);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::string last = text.substr(text.rfind('\n') + 1);
  return last.empty() ? "it ended without a word" : last;
}

/// The first Python that has matplotlib. One that the user named and that has not is passed over with a warning.
std::string python_with_matplotlib() {
  std::vector<std::string> candidates{"python3", "/usr/bin/python3", "/usr/local/bin/python3"};
  const char* const named = std::getenv("UNDERDAMP_PYTHON");
  const bool is_named = named != nullptr && *named != '\0';
  if (is_named) candidates.insert(candidates.begin(), named);
  std::string tried;
  for (const std::string& python : candidates) {
    const std::string problem = problem_with(python);
    if (problem.empty()) {
      if (is_named && python != named)
        warn("UNDERDAMP_PYTHON is passed over, " + python + " makes the figures" + tried);
      return python;
    }
    tried += fmt::format("\n  {}: {}", python, problem);
  }
  throw Error(
      ExitCode::input_output, "no Python has matplotlib, which makes the figures:" + tried, "",
      "apt-get install python3-matplotlib, or python3 -m pip install matplotlib; a Python that has it can be named "
      "in the variable UNDERDAMP_PYTHON");
}

}  // namespace

int plot_command(const PlotArguments& arguments) {
  if (!fs::is_directory(arguments.run)) {
    throw Error(ExitCode::bad_input, "there is no such folder", arguments.run,
                "give the folder that underdamp run names");
  }
  const std::string script = script_file().string();
  const std::string python = python_with_matplotlib();
  std::array<char*, 5> command{};
  std::size_t count = 0;
  for (const std::string* word : {&python, &script, &arguments.run, &arguments.folder}) {
    if (!word->empty()) command[count++] = const_cast<char*>(word->c_str());  // execvp does not change them
  }
  execvp(command[0], command.data());
  throw Error(ExitCode::input_output, "Python cannot be started: " + std::string(std::strerror(errno)), python,
              "name another Python in the variable UNDERDAMP_PYTHON");
}

}  // namespace underdamp
