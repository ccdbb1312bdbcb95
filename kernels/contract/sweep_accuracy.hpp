#pragma once

/// Where the sweeps of all devices change their method, and how far their kernels reach: what estimates of the error of
/// a grid go by (kernels/tables/gaussian_weights.hpp has the methods). Deviations s in cells.
namespace underdamp {

inline constexpr double sampled_from = 1.15;         ///< s from which the sampled kernel is the more accurate one
inline constexpr double cascade_from = 3.2;          ///< s from which two levels cost less than one
inline constexpr double fine_level_deviation = 1.5;  ///< of the first of two
inline constexpr double restrict_from = 7.0;        ///< s from which a grid of half as many cells takes the convolution
inline constexpr double sampled_reach = 7.0;        ///< half-width of a sampled kernel in units of s: 3e-12 of the mass
inline constexpr double sampling_felt_below = 1.4;  ///< s below which sampling changes moments by more than 1e-14
inline constexpr double sampled_reach_of_narrow = 8.5;  ///< then all six moments are set right, and need their tails

/// Contraction e of a line below which cells are deposited one by one; remapped by the flux form from there on.
inline constexpr double deposit_below = 1.0 / 3.0;

}  // namespace underdamp
