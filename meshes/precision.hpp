#pragma once
#include <cstddef>

/// Precision of the density and of the sweeps. Sums over lines and planes, and what left the box, are double in both.
namespace underdamp {

enum class Precision { float64, float32 };

/// Largest relative error of one rounding, 2⁻⁵³ or 2⁻²⁴.
constexpr double unit_roundoff(Precision precision) {
  return precision == Precision::float64 ? 0x1p-53 : 0x1p-24;
}
constexpr const char* name_of(Precision precision) {
  return precision == Precision::float64 ? "float64" : "float32";
}
constexpr std::size_t bytes_of(Precision precision) {
  return precision == Precision::float64 ? sizeof(double) : sizeof(float);
}

template <class Real>
inline constexpr Precision precision_of = sizeof(Real) == sizeof(double) ? Precision::float64 : Precision::float32;

}  // namespace underdamp
