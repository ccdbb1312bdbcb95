#pragma once
#include "kernels/contract/backend.hpp"
#include "solver/spec/spec.hpp"

/// What a run takes of the memory, counted before any is taken: a system that promises more than it has would end the
/// program later, without a message. Fields are counted as they are allocated, at their most; not counted are tables of
/// sweeps, which grow with the lines and not with the cells, and what pictures and messages need for a while.
namespace underdamp {

/// Bytes that the fields of an evolution of planes of `shape` take of the device, at the most.
std::size_t evolution_bytes(const Spec& spec, const FieldShape& shape, const DeviceDescription& device);

/// The same of a displacement; `shape` of the planes that are propagated together.
std::size_t displacement_bytes(const Spec& spec, const FieldShape& shape, const DeviceDescription& device);

/// Bytes of the host that the sums and counts of an ensemble of a plane take, when a checkpoint lists them too.
double ensemble_bytes(const EnsembleSpec& options, const FieldShape& plane);

/// Bytes that a stationary method takes at the least for one plane: the Krylov basis of `arnoldi`, matrix and factors
/// of `direct`, two densities of `evolve`. Not for `automatic`.
double stationary_bytes(StationaryMethod method, const StationarySpec& options, const FieldShape& plane);

/// Would `automatic` take a Krylov basis of that size? If not it evolves.
bool krylov_is_small(const StationarySpec& options, const FieldShape& plane);

/// False if the host's memory is known and smaller: not to a run on a GPU.
bool host_holds(double bytes, const DeviceDescription& device);

/// False if the generator of a plane has more entries than its indices count, or it and its factors do not fit into
/// the host's memory.
bool generator_fits(const FieldShape& plane, const DeviceDescription& device);

/// Throws Error, device or bad_input, with the numbers, if densities, stationary states, sums of an ensemble or the
/// generator as a matrix cannot fit into the memory or, the generator, into its indices.
void require_memory(const Spec& spec, const FieldShape& shape, const DeviceDescription& device);

/// The same for the fields of a displacement.
void require_displacement_memory(const Spec& spec, const FieldShape& shape, const DeviceDescription& device);

}  // namespace underdamp
