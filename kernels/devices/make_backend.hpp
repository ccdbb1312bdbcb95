#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernels/contract/backend.hpp"

namespace underdamp {

/// What `--device` may say.
enum class DeviceChoice { automatic, host, cuda };

struct ChosenBackend {
  std::unique_ptr<Backend> backend;
  std::string reason;  ///< which device and why
};

/// automatic: a GPU if one works, else the host. cuda: a GPU or Error (device), never the host.
/// `precision`: of its fields and sweeps.
ChosenBackend make_backend(DeviceChoice choice, Precision precision = Precision::float64);

/// One line for each kind of device: what is there, or why not.
std::vector<std::string> describe_devices();

}  // namespace underdamp
