#include "solver/run/resume.hpp"

#include <array>
#include <fstream>

#include <fmt/format.h>

#include "generated/version.hpp"
#include "meshes/error.hpp"
#include "solver/io/checkpoint.hpp"
#include "solver/io/files.hpp"

namespace underdamp {
namespace {

namespace fs = std::filesystem;

const char* kind_name(DeviceKind kind) {
  return kind == DeviceKind::cuda ? "cuda" : "host";
}

/// Null if there is none that can be read.
Json summary_in(const fs::path& directory) {
  std::ifstream stream(directory / "summary.json");
  Json summary = Json::parse(stream, nullptr, false);
  return summary.is_object() ? summary : Json();
}

bool has_state(const Json& summary, const char* state) {
  return summary.is_object() && summary.contains("state") && summary["state"] == state;
}

std::string value_text(const Json& value) {
  if (value.is_number_float()) return number_text(value.get<double>());
  std::string text = value.dump();
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

void add_differences(const std::string& key, const Json& before, const Json& now, std::vector<std::string>& texts) {
  if (before == now) return;
  if (before.is_object() && now.is_object()) {
    const auto inner = [&](const std::string& name) { return key.empty() ? name : key + "." + name; };
    for (const auto& [name, value] : before.items()) {
      if (now.contains(name)) {
        add_differences(inner(name), value, now[name], texts);
      } else {
        texts.push_back(fmt::format("{} was {}, is not there now", inner(name), value_text(value)));
      }
    }
    for (const auto& [name, value] : now.items()) {
      if (!before.contains(name))
        texts.push_back(fmt::format("{} was not there, is {}", inner(name), value_text(value)));
    }
  } else if (key.size() >= 5 && key.substr(key.size() - 5) == ".file" && before.is_string() && now.is_string()) {
    texts.push_back("the content of " + key + " has changed");
  } else {
    texts.push_back(fmt::format("{} was {}, is {}", key, value_text(before), value_text(now)));
  }
}

[[noreturn]] void refuse_other(const fs::path& path, const std::string& what, const std::string& difference,
                               const std::string& remedy) {
  throw Error(ExitCode::bad_input, fmt::format("this {}: {}", what, difference), path.string(),
              remedy + ", replace the run with --restart, or choose another place with --output");
}

void require_same_spec(const fs::path& path, const char* what, const Json& before, const Json& now) {
  const auto texts = differences(before, now);
  if (texts.empty()) return;
  refuse_other(path, fmt::format("{} is of another spec", what), fmt::format("{}", fmt::join(texts, "; ")),
               "restore the spec");
}

constexpr std::array tables_with_files{"loss", "noise", "initial"};

/// A resolved spec without what no result depends on, and without the names of files.
Json comparable(Json spec) {
  spec.erase("title");
  spec.erase("checkpoint");
  if (spec.contains("output")) spec["output"].erase("directory");
  for (const char* table : tables_with_files) {
    if (spec.contains(table)) spec[table].erase("file");
  }
  return spec;
}

RunBeginning from_checkpoint(const fs::path& path, const Json& identity, const DeviceDescription& device) {
  RunBeginning result;
  result.checkpoint = open_checkpoint(path);
  const StateReader& from = *result.checkpoint;
  const std::string program = from.text("program");
  if (program != program_name()) {
    refuse_other(path, "checkpoint is of another version",
                 fmt::format("the program was {}, is {}", program, program_name()), "use that program");
  }
  const Json before = Json::parse(from.text("spec"), nullptr, false);
  if (before.is_discarded()) damaged_state("its spec cannot be read");
  require_same_spec(path, "checkpoint", before, identity);
  const std::string kind = from.text("device_kind");
  if (kind != kind_name(device.kind)) {
    refuse_other(path, "checkpoint is of another device",
                 fmt::format("the device was {}, is {}", kind, kind_name(device.kind)), "use --device " + kind);
  }
  if (const std::string name = from.text("device"); name != device.name) {
    result.notes.push_back(
        fmt::format("the run began on \"{}\" and goes on on \"{}\": the last digits may differ from "
                    "those of a run on one device",
                    name, device.name));
  }
  return result;
}

RunBeginning without_checkpoint(const fs::path& directory, const Json& summary, const Spec& spec,
                                const Json& identity) {
  RunBeginning result;
  if (!has_state(summary, "finished")) {
    result.notes.push_back("there is no checkpoint in " + directory.string() + ": the run begins at the start");
    return result;
  }
  const fs::path path = directory / "summary.json";
  require_same_spec(path, "finished run", comparable(summary.value("spec", Json::object())),
                    comparable(resolved_spec(spec)));
  if (summary.value("spec_hash", std::string()) != identity_hash(identity)) {
    refuse_other(path, "finished run is of another spec", "the content of a file that it names has changed",
                 "restore it");
  }
  result.is_finished = true;
  return result;
}

}  // namespace

std::string program_name() {
  return fmt::format("{} ({})", version, commit);
}

Json run_identity(const Spec& spec) {
  const Json resolved = resolved_spec(spec);
  Json identity = comparable(resolved);
  for (const char* table : tables_with_files) {
    if (resolved.contains(table) && resolved[table].contains("file"))
      identity[table]["file"] = content_digest(resolved[table]["file"].get<std::string>());
  }
  return identity;
}

std::string identity_hash(const Json& identity) {
  return fmt::format("{:016x}", fnv1a(identity.dump()));
}

std::vector<std::string> differences(const Json& before, const Json& now) {
  std::vector<std::string> texts;
  add_differences("", before, now, texts);
  return texts;
}

void save_identity(StateWriter& to, const Json& identity, const DeviceDescription& device) {
  to.text("program", program_name());
  to.text("spec", identity.dump());
  to.text("spec_hash", identity_hash(identity));
  to.text("device", device.name);
  to.text("device_kind", kind_name(device.kind));
}

RunBeginning begin_run(const fs::path& directory, const Spec& spec, const Json& identity,
                       const DeviceDescription& device, Beginning beginning) {
  const fs::path path = directory / "checkpoint.h5";
  std::error_code code;
  const bool present = fs::exists(path, code);
  const Json summary = summary_in(directory);
  if (beginning == Beginning::resume) {
    if (present) return from_checkpoint(path, identity, device);
    return without_checkpoint(directory, summary, spec, identity);
  }
  if (beginning == Beginning::fresh && present && !has_state(summary, "failed")) {
    throw Error(ExitCode::bad_input, "this folder holds a run that is not finished", directory.string(),
                "continue it with --resume, replace it with --restart, or choose another place with --output");
  }
  return {};
}

}  // namespace underdamp
