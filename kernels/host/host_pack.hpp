#pragma once
#include <cstddef>

#include "meshes/host_device.hpp"

namespace underdamp {

/// As many doubles as one vector register holds.
struct HostPack {
  static constexpr int width = UNDERDAMP_HOST_VECTOR_WIDTH;
  typedef double Vector __attribute__((vector_size(UNDERDAMP_HOST_VECTOR_WIDTH * sizeof(double))));
  typedef double Unaligned
      __attribute__((vector_size(UNDERDAMP_HOST_VECTOR_WIDTH * sizeof(double)), aligned(8), may_alias));
  typedef long long Mask __attribute__((vector_size(UNDERDAMP_HOST_VECTOR_WIDTH * sizeof(double))));
  Vector value;

  /// All bits set in lanes [first, last).
  static Mask lanes(int first, int last) {
    Mask mask{};
    for (int lane = first; lane < last; ++lane) mask[lane] = -1;
    return mask;
  }
  static UNDERDAMP_HD HostPack select(Mask mask, HostPack where_set, HostPack elsewhere) {
    return {mask ? where_set.value : elsewhere.value};
  }

  static UNDERDAMP_HD HostPack broadcast(double x) { return {x - Vector{}}; }
  static UNDERDAMP_HD HostPack load(const double* p) { return {*reinterpret_cast<const Unaligned*>(p)}; }
  /// Lane k from from[k] + offset.
  static UNDERDAMP_HD HostPack gather(const double* const* from, std::ptrdiff_t offset) {
    HostPack result;
    for (int lane = 0; lane < width; ++lane) result.value[lane] = from[lane][offset];
    return result;
  }
  UNDERDAMP_HD void store(double* p) const { *reinterpret_cast<Unaligned*>(p) = value; }
  UNDERDAMP_HD void store_first(double* p, int count) const {
    for (int lane = 0; lane < count; ++lane) p[lane] = value[lane];
  }

  friend UNDERDAMP_HD HostPack operator+(HostPack a, HostPack b) { return {a.value + b.value}; }
  friend UNDERDAMP_HD HostPack operator-(HostPack a, HostPack b) { return {a.value - b.value}; }
  friend UNDERDAMP_HD HostPack operator*(HostPack a, HostPack b) { return {a.value * b.value}; }
  friend UNDERDAMP_HD HostPack operator*(double a, HostPack b) { return {a * b.value}; }
  friend UNDERDAMP_HD HostPack min(HostPack a, HostPack b) { return {a.value < b.value ? a.value : b.value}; }
  friend UNDERDAMP_HD HostPack max(HostPack a, HostPack b) { return {a.value > b.value ? a.value : b.value}; }
};

/// Element (row, column) of W rows goes to (column, row), in log₂ W rounds of interleaving.
UNDERDAMP_HD void transpose(HostPack (&rows)[HostPack::width]) {
  constexpr int width = HostPack::width;
  UNDERDAMP_UNROLL
  for (int distance = 1; distance < width; distance *= 2) {
    UNDERDAMP_UNROLL
    for (int row = 0; row < width; ++row) {
      if ((row & distance) != 0) continue;
      const HostPack::Vector a = rows[row].value;
      const HostPack::Vector b = rows[row + distance].value;
      HostPack::Mask low{};
      HostPack::Mask high{};
      for (int lane = 0; lane < width; ++lane) {
        const bool from_a = (lane & distance) == 0;
        low[lane] = from_a ? lane : width + lane - distance;
        high[lane] = from_a ? lane + distance : width + lane;
      }
      rows[row].value = UNDERDAMP_SHUFFLE(a, b, low);
      rows[row + distance].value = UNDERDAMP_SHUFFLE(a, b, high);
    }
  }
}

}  // namespace underdamp
