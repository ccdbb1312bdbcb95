#pragma once
#include "kernels/operations/plane_sums.hpp"

namespace underdamp {

template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SumRows& body, int planes) {
  launcher.for_each_result("sum rows", static_cast<long>(planes) * body.sums, body);
}
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SumMomentsOfLines& body, int planes) {
  launcher.for_each_result("sum moments", static_cast<long>(planes) * body.sums, body);
}
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SmallestOfRows& body, int planes) {
  launcher.for_each_result("smallest of rows", planes, body);
}
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SumConsecutive& body, int planes) {
  launcher.for_each_result("sum planes", planes, body);
}
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SumDeparted& body, int planes) {
  launcher.for_each_result("sum departed", static_cast<long>(planes) * 5, body);
}
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SumDepartedOfAxes& body, int planes) {
  launcher.for_each_result("sum departed of axes", static_cast<long>(planes) * body.numbers(), body);
}
template <class Launcher>
void launch_plane_sums(Launcher& launcher, const SmallestOfBlocks& body, int planes) {
  launcher.for_each_result("smallest of blocks", planes, body);
}
template <class Launcher>
void launch_segment_sums(Launcher& launcher, const SumSegments& body) {
  launcher.for_each_value("sum segments", as_size(body.columns), body);
}

/// All of them for one launcher: UNDERDAMP_PLANE_SUMS_OF(HostLauncher<double>).
#define UNDERDAMP_PLANE_SUMS_OF(...)                                            \
  template void launch_plane_sums(__VA_ARGS__&, const SumRows&, int);           \
  template void launch_plane_sums(__VA_ARGS__&, const SumMomentsOfLines&, int); \
  template void launch_plane_sums(__VA_ARGS__&, const SmallestOfRows&, int);    \
  template void launch_plane_sums(__VA_ARGS__&, const SumConsecutive&, int);    \
  template void launch_plane_sums(__VA_ARGS__&, const SumDeparted&, int);       \
  template void launch_plane_sums(__VA_ARGS__&, const SumDepartedOfAxes&, int); \
  template void launch_plane_sums(__VA_ARGS__&, const SmallestOfBlocks&, int);  \
  template void launch_segment_sums(__VA_ARGS__&, const SumSegments&)

}  // namespace underdamp
