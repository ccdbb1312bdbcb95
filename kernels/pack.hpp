#pragma once
#include "meshes/host_device.hpp"

namespace underdamp {

/// Neighbouring values that move through a kernel together: one vector register on the host
/// (kernels/host/host_pack.hpp), one number per thread on a GPU. A body written with packs is the same text on both.
struct ScalarPack {
  static constexpr int width = 1;
  double value;

  static UNDERDAMP_HD ScalarPack broadcast(double x) { return {x}; }
  static UNDERDAMP_HD ScalarPack load(const double* p) { return {*p}; }
  UNDERDAMP_HD void store(double* p) const { *p = value; }
  /// Stores only the first `count` lanes.
  UNDERDAMP_HD void store_first(double* p, int count) const {
    if (count > 0) *p = value;
  }

  friend UNDERDAMP_HD ScalarPack operator+(ScalarPack a, ScalarPack b) { return {a.value + b.value}; }
  friend UNDERDAMP_HD ScalarPack operator-(ScalarPack a, ScalarPack b) { return {a.value - b.value}; }
  friend UNDERDAMP_HD ScalarPack operator*(ScalarPack a, ScalarPack b) { return {a.value * b.value}; }
  friend UNDERDAMP_HD ScalarPack operator*(double a, ScalarPack b) { return {a * b.value}; }
  /// On equal or unordered operands the second one: a NaN in `b` survives.
  friend UNDERDAMP_HD ScalarPack min(ScalarPack a, ScalarPack b) { return {a.value < b.value ? a.value : b.value}; }
  friend UNDERDAMP_HD ScalarPack max(ScalarPack a, ScalarPack b) { return {a.value > b.value ? a.value : b.value}; }
};

}  // namespace underdamp
