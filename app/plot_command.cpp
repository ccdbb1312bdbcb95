#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "meshes/error.hpp"

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

}  // namespace

int plot_command(const PlotArguments& arguments) {
  if (!fs::is_directory(arguments.run)) {
    throw Error(ExitCode::bad_input, "there is no such folder", arguments.run,
                "give the folder that underdamp run names");
  }
  const std::string script = script_file().string();
  const char* chosen = std::getenv("UNDERDAMP_PYTHON");
  const std::string python = chosen != nullptr && *chosen != '\0' ? chosen : "python3";
  std::array<char*, 5> command{};
  std::size_t count = 0;
  for (const std::string* word : {&python, &script, &arguments.run, &arguments.folder}) {
    if (!word->empty()) command[count++] = const_cast<char*>(word->c_str());  // execvp does not change them
  }
  execvp(command[0], command.data());
  throw Error(ExitCode::input_output, "Python cannot be started: " + std::string(std::strerror(errno)), python,
              "install python3 with matplotlib, or name another Python in the variable UNDERDAMP_PYTHON");
}

}  // namespace underdamp
