#pragma once
#include "meshes/host_device.hpp"

namespace underdamp {

struct Interval {
  double lower;
  double upper;
};

/// One axis of a plane of phase space: [lower, upper] cut into `cells` uniform cells.
/// Cell c has edges edge(c) and edge(c + 1); units are those of the coordinate (θ or v).
struct Axis {
  double lower = 0.0;
  double upper = 1.0;
  int cells = 1;

  UNDERDAMP_HD double width() const { return (upper - lower) / cells; }
  UNDERDAMP_HD double length() const { return upper - lower; }
  UNDERDAMP_HD double edge(int e) const { return lower + e * width(); }
  UNDERDAMP_HD double center(int c) const { return lower + (c + 0.5) * width(); }

  friend bool operator==(const Axis&, const Axis&) = default;
};

}  // namespace underdamp
