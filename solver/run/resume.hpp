#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/io/state.hpp"
#include "solver/spec/resolved_spec.hpp"

/// May a run begin in a folder, and where? (docs/reliability.md)
namespace underdamp {

/// Everything of a spec that results depend on: resolved, without title, folder and checkpoints, with a digest of the
/// content in place of the name of every file.
Json run_identity(const Spec& spec);
/// 16 hexadecimal digits.
std::string identity_hash(const Json& identity);

/// "evolve.until was 50.0, is 100.0" for every key that differs.
std::vector<std::string> differences(const Json& before, const Json& now);

/// version (commit)
std::string program_name();

enum class Beginning {
  fresh,    ///< replaces the results of a finished run
  restart,  ///< replaces those of any run
  resume,   ///< goes on from checkpoint.h5; from the start if there is none
};

struct RunBeginning {
  std::unique_ptr<StateReader> checkpoint;  ///< null: from the start
  bool is_finished = false;                 ///< there is nothing left to do
  std::vector<std::string> notes;           ///< for the user
};

/// Looks at what the folder holds. Throws Error: bad_input if an unfinished run would be lost, or if what is there is
/// of another spec, program or kind of device, with the difference; input_output if the checkpoint is damaged.
RunBeginning begin_run(const std::filesystem::path& directory, const Spec& spec, const Json& identity,
                       const DeviceDescription& device, Beginning beginning);

/// What begin_run() will compare.
void save_identity(StateWriter& to, const Json& identity, const DeviceDescription& device);

}  // namespace underdamp
