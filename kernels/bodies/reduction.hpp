#pragma once
#include "kernels/contract/reduction_operations.hpp"
#include "meshes/host_device.hpp"

/// Reductions whose order is the same on every device: the parts of a result are joined one after the other, so that
/// the same parts give the same bits. A GPU makes the parts side by side.
///
///   long size(long number)                parts of a result
///   Value part(long number, long k)
///   Value* results
namespace underdamp {

UNDERDAMP_HD void clear(double& value) {
  value = 0.0;
}
UNDERDAMP_HD double joined(double a, double b) {
  return a + b;
}

UNDERDAMP_HD void clear(PlaneSmallest& value) {
  value = {0.0, -1, -1};
}
/// `a` comes first: it stays if it is not finite, or if `b` is not smaller; a row below 0 is none.
UNDERDAMP_HD PlaneSmallest joined(const PlaneSmallest& a, const PlaneSmallest& b) {
  if (a.row < 0) return b;
  const bool a_is_finite = a.value - a.value == 0.0;
  const bool b_is_finite = b.value - b.value == 0.0;
  return a_is_finite && (!b_is_finite || b.value < a.value) ? b : a;
}

template <class Body>
using ReductionValue = decltype(Body{}.part(0, 0));

/// One result, by one thread.
template <class Body>
void reduce(const Body& body, long number) {
  ReductionValue<Body> total;
  clear(total);
  const long size = body.size(number);
  for (long k = 0; k < size; ++k) total = joined(total, body.part(number, k));
  body.results[number] = total;
}

}  // namespace underdamp
