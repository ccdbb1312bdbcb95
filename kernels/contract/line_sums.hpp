#pragma once

/// Sums over one line that every observable is made of (docs/method.md, eqs. 29-32).
namespace underdamp {

/// Sums over the cells of one line; multiply by the cell area for integrals. NaN anywhere makes them NaN.
struct LineSums {
  double mass;              ///< Σ p
  double velocity;          ///< Σ p v
  double velocity_squared;  ///< Σ p v²
  double entropy;           ///< −Σ p ln p over p > 0
  double dissipation;       ///< Σ (γ v p + D ∂_v p)² / (D p): entropy production per cell
  double minimum;           ///< min p
  double minimum_column;    ///< column of the minimum, or of the first value that is not finite
};

/// The first three of them, with the same bits: of any field, whatever its signs.
struct LineMoments {
  double mass;
  double velocity;
  double velocity_squared;
};

/// How rough the density of one line is and where it lies, for the error of the grid (docs/method.md, eqs. 29-29c).
struct LineShape {
  double along_theta;     ///< Σ |Δ¹² p| along θ
  double along_velocity;  ///< Σ |Δ¹² p| along v
  double mass;            ///< Σ p
  double first;           ///< Σ p y, y = j − (n − 1)/2: in cells from the middle of the line
  double second;          ///< Σ p y²
};

}  // namespace underdamp
