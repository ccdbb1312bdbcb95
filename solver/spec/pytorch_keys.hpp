#pragma once
#include <map>
#include <string>

#include "solver/spec/table_reader.hpp"

namespace underdamp {

/// Arguments of PyTorch's optimizers (docs/spec.md, PyTorch).
const std::map<std::string, ForeignKey>& keys_of_pytorch();

}  // namespace underdamp
