#pragma once
#include <Random123/philox.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "meshes/host_device.hpp"

/// Random numbers that are functions of their address (docs/method.md, eqs. 50-52): no state, so that any device,
/// thread or chunk that asks for a number gets the same one.
///
///   (w₁, w₂) = Philox4x32-10(counter = (particle, step, stream), key = seed)            64 bits each
///   u = w / 2⁶⁴ in steps of 2⁻⁵²,   ξ_a + i ξ_b = √(−2 ln(1 − u₁)) e^{2πi u₂}            Box-Muller
///
/// Logarithm, sine and cosine are polynomials in +, −, ×, / and bit operations: compilers vectorise them, and without
/// contraction of a·b + c (UNDERDAMP_STRICT_FP) host and GPU agree bit for bit. |ξ| < 8.5, probability 2e-17 beyond.
namespace underdamp {

/// What a stream of random numbers is for; streams of one seed do not overlap.
enum class RandomPurpose : std::uint32_t { dynamics, start, start_in_cell, minibatch, epoch, pilot };

/// Streams of one plane.
UNDERDAMP_HD std::uint32_t random_stream(RandomPurpose purpose, std::uint32_t plane) {
  return (static_cast<std::uint32_t>(purpose) << 24) | plane;
}

struct RandomWords {
  std::uint64_t first;
  std::uint64_t second;
};

UNDERDAMP_HD RandomWords random_words(std::uint64_t seed, std::uint32_t stream, std::uint64_t particle,
                                      std::uint32_t step) {
  const r123::Philox4x32::ctr_type counter{
      {static_cast<std::uint32_t>(particle), static_cast<std::uint32_t>(particle >> 32), step, stream}};
  const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  const r123::Philox4x32::ctr_type r = r123::Philox4x32()(counter, key);
  return {r[0] | (static_cast<std::uint64_t>(r[1]) << 32), r[2] | (static_cast<std::uint64_t>(r[3]) << 32)};
}

/// In [0, 1).
UNDERDAMP_HD double uniform(std::uint64_t word) {
  return std::bit_cast<double>(0x3ff0000000000000ULL | (word >> 12)) - 1.0;
}

/// ln x of a normal positive number, to one unit in the last place (the algorithm of fdlibm, without its branches):
/// x = 2^k (1 + f), √½ < 1 + f < √2; ln(1 + f) by its series in s = f/(2 + f).
UNDERDAMP_HD double logarithm(double x) {
  constexpr std::uint64_t one = 0x3ff0000000000000ULL;
  constexpr std::uint64_t root_half = 0x3fe6a09e667f3bcdULL;
  constexpr double ln2_high = 6.93147180369123816490e-01;
  constexpr double ln2_low = 1.90821492927058770002e-10;
  const std::uint64_t shifted = std::bit_cast<std::uint64_t>(x) + (one - root_half);
  const double k = std::bit_cast<double>((shifted >> 52) + 0x4330000000000000ULL) - (4503599627370496.0 + 1023.0);
  const double f = std::bit_cast<double>((shifted & 0xfffffffffffffULL) + root_half) - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double series = z * (6.666666666666735130e-01 +
                             z * (3.999999999940941908e-01 +
                                  z * (2.857142874366239149e-01 +
                                       z * (2.222219843214978396e-01 +
                                            z * (1.818357216161805012e-01 +
                                                 z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01))))));
  const double half_square = 0.5 * f * f;
  return k * ln2_high - ((half_square - (s * (half_square + series) + k * ln2_low)) - f);
}

struct SineCosine {
  double sine;
  double cosine;
};

/// Of 2πu, 0 ≤ u < 1: the nearest quarter turn is taken off, what is left, |x| ≤ π/4, goes into the polynomials of
/// fdlibm.
UNDERDAMP_HD SineCosine turn(double u) {
  constexpr double to_integer = 6755399441055744.0;  // 1.5·2⁵²: adding it leaves the nearest integer in the low bits
  const double rounded = 4.0 * u + to_integer;
  const std::uint64_t quarter = std::bit_cast<std::uint64_t>(rounded);
  const double x = (4.0 * u - (rounded - to_integer)) * 1.57079632679489661923;
  const double z = x * x;
  const double sine = x + x * z *
                              (-1.66666666666666324348e-01 +
                               z * (8.33333333332248946124e-03 +
                                    z * (-1.98412698298579493134e-04 +
                                         z * (2.75573137070700676789e-06 +
                                              z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
  const double cosine = 1.0 - 0.5 * z +
                        z * z *
                            (4.16666666666666019037e-02 +
                             z * (-1.38888888888741095749e-03 +
                                  z * (2.48015872894767294178e-05 +
                                       z * (-2.75573143513906633035e-07 +
                                            z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
  const bool odd = (quarter & 1) != 0;
  const std::uint64_t sine_sign = (quarter & 2) << 62;
  const std::uint64_t cosine_sign = ((quarter + 1) & 2) << 62;
  return {std::bit_cast<double>(std::bit_cast<std::uint64_t>(odd ? cosine : sine) ^ sine_sign),
          std::bit_cast<double>(std::bit_cast<std::uint64_t>(odd ? sine : cosine) ^ cosine_sign)};
}

/// Two independent numbers of N(0, 1).
struct GaussianPair {
  double a;
  double b;
};

UNDERDAMP_HD GaussianPair gaussian_pair(const RandomWords& words) {
  const double radius = sqrt(-2.0 * logarithm(1.0 - uniform(words.first)));
  const SineCosine direction = turn(uniform(words.second));
  return {radius * direction.cosine, radius * direction.sine};
}

}  // namespace underdamp
