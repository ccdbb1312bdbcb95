#pragma once
#include "kernels/bodies/moments.hpp"

namespace underdamp {

/// One line of the field on one host thread, for sums and other work cell by cell: loops are plain and contiguous, so
/// that they vectorise; barriers are empty.
class HostLine {
 public:
  UNDERDAMP_HD void barrier() const {}

  template <class Body>
  UNDERDAMP_HD void for_each(int count, Body&& body) const {
    UNDERDAMP_INDEPENDENT
    for (int j = 0; j < count; ++j) body(j);
  }

  /// to[c] = Σ_t term(t, c), t < terms, for all c < count; term() may be asked for up to seven c beyond the last.
  template <class Term>
  UNDERDAMP_HD void combine(int count, int terms, Term&& term, double* to) const {
    for (int first = 0; first < count; first += 8) {
      double sum[8] = {};
      for (int t = 0; t < terms; ++t) {
        UNDERDAMP_UNROLL
        for (int k = 0; k < 8; ++k) sum[k] += term(t, first + k);
      }
      const int last = count - first < 8 ? count - first : 8;
      for (int k = 0; k < last; ++k) to[first + k] = sum[k];
    }
  }

  /// Particles: step(at(k), k, j, x[j], y[j]) for j < count, for each j with k = first … last in this order. All
  /// particles take a step before the next one, so that the loop over them vectorises.
  template <class At, class Step>
  UNDERDAMP_HD void march(int count, long first, long last, double* x, double* y, At&& at, Step&& step) const {
    for (long k = first; k <= last; ++k) {
      const auto point = at(k);
      UNDERDAMP_INDEPENDENT
      for (int j = 0; j < count; ++j) step(point, k, j, x[j], y[j]);
    }
  }

  /// Eight interleaved partial sums, added pairwise: the order is fixed and the loop vectorises.
  template <class Value>
  UNDERDAMP_HD double sum(int count, Value&& value) const {
    double partial[8] = {};
    int j = 0;
    for (; j + 8 <= count; j += 8) {
      UNDERDAMP_UNROLL
      for (int k = 0; k < 8; ++k) partial[k] += value(j + k);
    }
    for (int k = 0; j < count; ++j, ++k) partial[k] += value(j);
    return ((partial[0] + partial[1]) + (partial[2] + partial[3])) +
           ((partial[4] + partial[5]) + (partial[6] + partial[7]));
  }

  template <class Value>
  UNDERDAMP_HD SmallestValue smallest(int count, Value&& value) const {
    SmallestValue least{value(0), 0};
    for (int j = 1; j < count; ++j) least.take(value(j), j);
    return least;
  }

  template <class Body>
  UNDERDAMP_HD void once(Body&& body) const {
    body();
  }
};

}  // namespace underdamp
