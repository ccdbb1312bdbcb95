#pragma once
#include "kernels/bodies/block_sums.hpp"
#include "kernels/bodies/plane_sums.hpp"
#include "kernels/operations/device_context.hpp"

/// Launches of bodies/plane_sums.hpp. Defined in plane_sums_of.hpp, which is compiled in a file of its own: without
/// fused multiply-add, whose use compilers choose from what stands around.
namespace underdamp {

template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SumRows& body, int planes);
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SumMomentsOfLines& body, int planes);
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SmallestOfRows& body, int planes);
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SumConsecutive& body, int planes);
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SumDeparted& body, int planes);
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SumDepartedOfAxes& body, int planes);
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SmallestOfBlocks& body, int planes);
/// Of each column.
template <class Launcher>
void launch_segment_sums(Launcher& launcher, const SumSegments& body);

}  // namespace underdamp
