#pragma once
#include "meshes/host_device.hpp"

namespace underdamp {

/// Neighbouring values that move through a kernel together: one vector register on the host
/// (kernels/host/host_pack.hpp), one number or 16 bytes per thread on a GPU. A body written with packs is the same text
/// on both; `Real` is the type of the field, double or float.
///
/// This one is that of a GPU, moved in one access: addresses are multiples of its size.
template <class T, int lanes>
struct ArrayPack {
  using Real = T;
  static constexpr int width = lanes;
  struct alignas(lanes * sizeof(T)) Access {
    T lane[lanes];
  };
  T lane[lanes];

  /// Lane k is value(k).
  template <class Value>
  static UNDERDAMP_HD ArrayPack of(Value&& value) {
    ArrayPack result;
    UNDERDAMP_UNROLL
    for (int k = 0; k < lanes; ++k) result.lane[k] = value(k);
    return result;
  }
  static UNDERDAMP_HD ArrayPack broadcast(T x) {
    return of([=](int) { return x; });
  }
  static UNDERDAMP_HD ArrayPack load(const T* p) {
    const Access all = *reinterpret_cast<const Access*>(p);
    return of([&](int k) { return all.lane[k]; });
  }
  /// From any address; the first `count` lanes, 0 in the others.
  static UNDERDAMP_HD ArrayPack load_first(const T* p, int count) {
    return of([&](int k) { return k < count ? p[k] : T{0}; });
  }
  UNDERDAMP_HD void store(T* p) const {
    Access all;
    UNDERDAMP_UNROLL
    for (int k = 0; k < lanes; ++k) all.lane[k] = lane[k];
    *reinterpret_cast<Access*>(p) = all;
  }
  /// To any address; stores only the first `count` lanes.
  UNDERDAMP_HD void store_first(T* p, int count) const {
    UNDERDAMP_UNROLL
    for (int k = 0; k < lanes; ++k) {
      if (k < count) p[k] = lane[k];
    }
  }

  /// The first `count` lanes of a, 0 in the others.
  friend UNDERDAMP_HD ArrayPack keep_first(ArrayPack a, int count) {
    return of([&](int k) { return k < count ? a.lane[k] : T{0}; });
  }
  friend UNDERDAMP_HD ArrayPack operator+(ArrayPack a, ArrayPack b) {
    return of([&](int k) { return a.lane[k] + b.lane[k]; });
  }
  friend UNDERDAMP_HD ArrayPack operator-(ArrayPack a, ArrayPack b) {
    return of([&](int k) { return a.lane[k] - b.lane[k]; });
  }
  friend UNDERDAMP_HD ArrayPack operator*(ArrayPack a, ArrayPack b) {
    return of([&](int k) { return a.lane[k] * b.lane[k]; });
  }
  friend UNDERDAMP_HD ArrayPack operator*(T a, ArrayPack b) {
    return of([&](int k) { return a * b.lane[k]; });
  }
  /// On equal or unordered operands the second one: a NaN in `b` survives.
  friend UNDERDAMP_HD ArrayPack min(ArrayPack a, ArrayPack b) {
    return of([&](int k) { return a.lane[k] < b.lane[k] ? a.lane[k] : b.lane[k]; });
  }
  friend UNDERDAMP_HD ArrayPack max(ArrayPack a, ArrayPack b) {
    return of([&](int k) { return a.lane[k] > b.lane[k] ? a.lane[k] : b.lane[k]; });
  }
};

/// 16 bytes: two doubles or four floats.
template <class T>
using WidePack = ArrayPack<T, 16 / static_cast<int>(sizeof(T))>;
template <class T>
using ScalarPack = ArrayPack<T, 1>;

}  // namespace underdamp
