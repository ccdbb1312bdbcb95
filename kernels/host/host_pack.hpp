#pragma once
#include <cstddef>

#include "meshes/host_device.hpp"

namespace underdamp {

/// Vector registers of numbers of one type, and the masks that go with them.
template <class T>
struct HostVector;
template <>
struct HostVector<double> {
  typedef double Vector __attribute__((vector_size(UNDERDAMP_HOST_VECTOR_BYTES)));
  typedef double Unaligned __attribute__((vector_size(UNDERDAMP_HOST_VECTOR_BYTES), aligned(8), may_alias));
  typedef long long Mask __attribute__((vector_size(UNDERDAMP_HOST_VECTOR_BYTES)));
};
template <>
struct HostVector<float> {
  typedef float Vector __attribute__((vector_size(UNDERDAMP_HOST_VECTOR_BYTES)));
  typedef float Unaligned __attribute__((vector_size(UNDERDAMP_HOST_VECTOR_BYTES), aligned(4), may_alias));
  typedef int Mask __attribute__((vector_size(UNDERDAMP_HOST_VECTOR_BYTES)));
};

/// As many numbers as one vector register holds.
template <class T>
struct HostPack {
  using Real = T;
  using Vector = typename HostVector<T>::Vector;
  using Unaligned = typename HostVector<T>::Unaligned;
  using Mask = typename HostVector<T>::Mask;
  static constexpr int width = UNDERDAMP_HOST_VECTOR_BYTES / static_cast<int>(sizeof(T));
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

  /// Lane k is value(k).
  template <class Value>
  static UNDERDAMP_HD HostPack of(Value&& value) {
    HostPack result;
    for (int lane = 0; lane < width; ++lane) result.value[lane] = value(lane);
    return result;
  }
  static UNDERDAMP_HD HostPack broadcast(T x) { return {x - Vector{}}; }
  static UNDERDAMP_HD HostPack load(const T* p) { return {*reinterpret_cast<const Unaligned*>(p)}; }
  /// The first `count` lanes, 0 in the others; nothing beyond them is read.
  static UNDERDAMP_HD HostPack load_first(const T* p, int count) {
    HostPack result{};
    for (int lane = 0; lane < count; ++lane) result.value[lane] = p[lane];
    return result;
  }
  /// Lane k from from[k] + offset.
  static UNDERDAMP_HD HostPack gather(const T* const* from, std::ptrdiff_t offset) {
    HostPack result;
    for (int lane = 0; lane < width; ++lane) result.value[lane] = from[lane][offset];
    return result;
  }
  UNDERDAMP_HD void store(T* p) const { *reinterpret_cast<Unaligned*>(p) = value; }
  UNDERDAMP_HD void store_first(T* p, int count) const {
    for (int lane = 0; lane < count; ++lane) p[lane] = value[lane];
  }

  /// The first `count` lanes of a, 0 in the others.
  friend UNDERDAMP_HD HostPack keep_first(HostPack a, int count) {
    Mask lane{};
    for (int k = 0; k < width; ++k) lane[k] = k;
    const Mask limit = count - Mask{};
    return {lane < limit ? a.value : Vector{}};
  }
  friend UNDERDAMP_HD HostPack operator+(HostPack a, HostPack b) { return {a.value + b.value}; }
  friend UNDERDAMP_HD HostPack operator-(HostPack a, HostPack b) { return {a.value - b.value}; }
  friend UNDERDAMP_HD HostPack operator*(HostPack a, HostPack b) { return {a.value * b.value}; }
  friend UNDERDAMP_HD HostPack operator*(T a, HostPack b) { return {a * b.value}; }
  friend UNDERDAMP_HD HostPack min(HostPack a, HostPack b) { return {a.value < b.value ? a.value : b.value}; }
  friend UNDERDAMP_HD HostPack max(HostPack a, HostPack b) { return {a.value > b.value ? a.value : b.value}; }
};

/// Element (row, column) of W rows goes to (column, row), in log₂ W rounds of interleaving.
template <class P>
UNDERDAMP_HD void transpose(P (&rows)[P::width]) {
  constexpr int width = P::width;
  UNDERDAMP_UNROLL
  for (int distance = 1; distance < width; distance *= 2) {
    UNDERDAMP_UNROLL
    for (int row = 0; row < width; ++row) {
      if ((row & distance) != 0) continue;
      const typename P::Vector a = rows[row].value;
      const typename P::Vector b = rows[row + distance].value;
      typename P::Mask low{};
      typename P::Mask high{};
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
