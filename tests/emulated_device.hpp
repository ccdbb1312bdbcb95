#pragma once
#include <memory>
#include <set>
#include <string>

#include "kernels/contract/backend.hpp"

namespace underdamp::testing {

/// The device code of the CUDA backend (CudaLine, CudaBundle, CudaColumns and every kernel body) on the host: each
/// thread of a block is a coroutine that runs until a barrier. Between barriers the threads run in a random order, so
/// that a missing barrier shows as a wrong result. It checks the logic of a GPU run where there is no GPU; it says
/// nothing about speed.
///
/// A sequence is recorded and launched as by the CUDA backend: what is launched has the pointers of the time when it
/// was recorded.
std::unique_ptr<Backend> make_emulated_backend(Precision precision = Precision::float64);

/// Names of all launches of this program so far.
const std::set<std::string>& emulated_launches();

/// How often one has launched a recorded sequence.
long emulated_graph_launches();

}  // namespace underdamp::testing
