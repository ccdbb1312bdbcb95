#pragma once
#include "kernels/pack.hpp"

namespace underdamp {

/// Two neighbouring doubles in one thread, moved in one access of 16 bytes. Addresses are multiples of 16.
struct PairPack {
  static constexpr int width = 2;
  struct alignas(16) Both {
    double first;
    double second;
  };
  double first;
  double second;

  static UNDERDAMP_HD PairPack broadcast(double x) { return {x, x}; }
  static UNDERDAMP_HD PairPack load(const double* p) {
    const Both both = *reinterpret_cast<const Both*>(p);
    return {both.first, both.second};
  }
  UNDERDAMP_HD void store(double* p) const { *reinterpret_cast<Both*>(p) = {first, second}; }
  UNDERDAMP_HD void store_first(double* p, int count) const {
    if (count > 0) p[0] = first;
    if (count > 1) p[1] = second;
  }

  friend UNDERDAMP_HD PairPack operator+(PairPack a, PairPack b) { return {a.first + b.first, a.second + b.second}; }
  friend UNDERDAMP_HD PairPack operator-(PairPack a, PairPack b) { return {a.first - b.first, a.second - b.second}; }
  friend UNDERDAMP_HD PairPack operator*(PairPack a, PairPack b) { return {a.first * b.first, a.second * b.second}; }
  friend UNDERDAMP_HD PairPack operator*(double a, PairPack b) { return {a * b.first, a * b.second}; }
  friend UNDERDAMP_HD PairPack min(PairPack a, PairPack b) {
    return {a.first < b.first ? a.first : b.first, a.second < b.second ? a.second : b.second};
  }
  friend UNDERDAMP_HD PairPack max(PairPack a, PairPack b) {
    return {a.first > b.first ? a.first : b.first, a.second > b.second ? a.second : b.second};
  }
};

}  // namespace underdamp
